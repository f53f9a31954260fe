import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../../clock.ts';
import { loadLibrary } from './library.ts';
import { KerberosRun } from './process.ts';
import { NO_REALMS } from './realms.ts';

/** A module that is read before the Kerberos process begins. */
const first = (code: string): readonly string[] => ['--import', `data:text/javascript,${encodeURIComponent(code)}`];
const WITHOUT_KOFFI =
  "import m from 'node:module'; const load = m._load; m._load = (name, ...rest) => { if (name === 'koffi') throw new Error('gone'); return load(name, ...rest); };";
const ON_32_BITS = "Object.defineProperty(process, 'arch', { value: 'ia32' });";

describe('the Kerberos library', () => {
  it('says what is missing', () => {
    const load = (): unknown => loadLibrary('', { krb5: 'libkrb5-nowhere.so.3', gss: 'libgssapi-nowhere.so.2' });
    expect(load).toThrow('libkrb5-nowhere.so.3 is not installed (Debian: libgssapi-krb5-2)');
  });

  it.each([
    ['the package koffi is not installed', WITHOUT_KOFFI],
    ['no Kerberos on ia32', ON_32_BITS],
  ])('is missed in its own process, which says so and ends: %s', async (reason, code) => {
    const run = new KerberosRun(NO_REALMS, systemClock, first(code));
    await expect(run.ready()).rejects.toMatchObject({
      ...{ code: 'kerberos_unavailable', message: `kerberos is not available: ${reason}` },
    });
    run.end();
  });
});
