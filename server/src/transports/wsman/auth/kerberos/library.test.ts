import { describe, expect, it } from 'vitest';
import { loadLibrary } from './library.ts';

describe('the Kerberos library', () => {
  it('says what is missing', () => {
    const load = (): unknown => loadLibrary('', { krb5: 'libkrb5-nowhere.so.3', gss: 'libgssapi-nowhere.so.2' });
    expect(load).toThrow('libkrb5-nowhere.so.3 is not installed (Debian: libgssapi-krb5-2)');
  });
});
