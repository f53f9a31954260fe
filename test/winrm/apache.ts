/** Rows of Apache's mod_auth_gssapi: the sign-in alone, since it seals nothing. */
import { chmodSync } from 'node:fs';
import { Secret } from '../../server/src/secret.ts';
import { Kerberos } from '../../server/src/transports/wsman/auth/kerberos/sign-in.ts';
import { missingForApache, startApache } from '../lab/apache.ts';
import { gssapiLines } from '../lab/kerberos/apache.ts';
import { DOMAIN, HOSTS, LabKdc, PEOPLE, missingForKdc } from '../lab/kerberos/kdc.ts';
import { openRow } from './kerberos.ts';
import type { MatrixPart } from './matrix.ts';

export const apachePart: MatrixPart = {
  name: 'Kerberos with Apache',
  missing: missingForKdc() ?? missingForApache(['auth_gssapi']),
  async start() {
    const kdc = await LabKdc.start();
    chmodSync(kdc.directory, 0o755);
    chmodSync(kdc.keytab, 0o644);
    const apache = await startApache({ modules: ['auth_gssapi'], lines: () => gssapiLines(kdc.keytab) });
    const kerberos = new Kerberos(kdc.settings);
    const row = (remark: string, expected: string, path: string, password: string = PEOPLE.ada) => ({
      ...({
        method: 'Negotiate',
        place: 'http',
        acceptor: 'Apache mod_auth_gssapi',
        remark,
        expected,
        sizes: [],
      } as const),
      open: () => {
        const identity = { kind: 'password', user: `ada@${DOMAIN}`, password: new Secret(password) } as const;
        const place = { host: HOSTS.win, port: apache.ports[0] ?? 0, path };
        return openRow(kerberos, { scheme: 'Negotiate', identity }, place);
      },
    });
    return {
      rows: [
        row('password', 'ok', '/wsman'),
        row('wrong password', 'target_auth_failed', '/wsman', 'wrong'),
        row('another user required', 'target_auth_failed', '/closed'),
        row('nothing that signs in', 'wsman_not_winrm', '/open'),
      ],
      async stop() {
        kerberos.close();
        await Promise.all([apache.stop(), kdc.stop()]);
      },
    };
  },
};
