/** Kerberos against Apache's mod_auth_gssapi: an acceptor of an independent make, for the sign-in. */
import { chmodSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeOf } from '../../server/src/errors.ts';
import { Secret } from '../../server/src/secret.ts';
import { Kerberos } from '../../server/src/transports/wsman/auth/kerberos/sign-in.ts';
import { missingForApache, startApache, type LabApache } from '../lab/apache.ts';
import { gssapiLines } from '../lab/kerberos/apache.ts';
import { LabConnection } from '../lab/kerberos/client.ts';
import { DOMAIN, HOSTS, LabKdc, PEOPLE, missingForKdc } from '../lab/kerberos/kdc.ts';

const missing = missingForKdc() ?? missingForApache(['auth_gssapi']);

describe.skipIf(missing !== null)(`kerberos with Apache${missing === null ? '' : ` (needs ${missing})`}`, () => {
  let kdc: LabKdc;
  let apache: LabApache;
  let kerberos: Kerberos;
  beforeAll(async () => {
    kdc = await LabKdc.start();
    // Its workers run as nobody.
    chmodSync(kdc.directory, 0o755);
    chmodSync(kdc.keytab, 0o644);
    apache = await startApache({ modules: ['auth_gssapi'], lines: () => gssapiLines(kdc.keytab) });
    kerberos = new Kerberos(kdc.settings);
  });
  afterAll(async () => {
    kerberos.close();
    await Promise.all([apache.stop(), kdc.stop()]);
  });

  const signIn = async (path: string, password: string = PEOPLE.ada) => {
    const connection = new LabConnection({ host: HOSTS.win, port: apache.ports[0] ?? 0, path });
    const identity = { kind: 'password', user: `ada@${DOMAIN}`, password: new Secret(password) } as const;
    const way = kerberos.signIn({ scheme: 'Negotiate', identity });
    try {
      const session = await connection.signIn(way, { probe: true });
      // The connection is what is signed in: the next request needs nothing more.
      return `${session.mechanism} ${(await connection.post({}, new Uint8Array())).status}`;
    } finally {
      connection.close();
      await way.close();
    }
  };

  it('signs the connection in, once', async () => {
    expect(await signIn('/wsman')).toBe('Kerberos 204');
  });

  it('says who refused', async () => {
    await expect(signIn('/wsman', 'wrong').catch(codeOf)).resolves.toBe('target_auth_failed');
    await expect(signIn('/closed').catch(codeOf)).resolves.toBe('target_auth_failed');
    await expect(signIn('/open').catch(codeOf)).resolves.toBe('wsman_not_winrm');
  });
});
