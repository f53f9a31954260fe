/** Rows of the methods that sign in with each request or with TLS, over HTTPS: Apache, and the gateway's own HTTP client. */
import { Secret } from '../../server/src/secret.ts';
import { basicSignIn } from '../../server/src/transports/wsman/auth/basic.ts';
import type { HttpSignIn } from '../../server/src/transports/wsman/auth/contract.ts';
import type { ClientCertificateKey } from '../../server/src/transports/contract.ts';
import { certificateSignIn } from '../../server/src/transports/wsman/auth/certificate.ts';
import { openClientCertificate, readClientCertificate } from '../../server/src/transports/wsman/client-certificate.ts';
import type { LabClientAuthority } from '../lab/client-certificates.ts';
import { digestSignIn } from '../../server/src/transports/wsman/auth/digest.ts';
import { WsManSettings } from '@sallyport/shared/api/wsman';
import { connectWsMan } from '../lab/wsman/console.ts';
import { APACHE_USER, missingForWinRmApache, startWinRmApache } from '../lab/wsman/apache.ts';
import { BODY_SIZES, type MatrixPart, type MatrixRow, signedIn } from './matrix.ts';

const LIMIT_MS = 10_000;

export const httpPart: MatrixPart = {
  name: 'Basic, Digest, certificates',
  missing: missingForWinRmApache(),
  async start() {
    const apache = await startWinRmApache();
    const who = (password: string = APACHE_USER.password) => ({
      user: APACHE_USER.user,
      password: new Secret(password),
    });
    const rows: MatrixRow[] = [];
    const add = (
      method: string,
      remark: string,
      expected: string,
      path: string,
      way: () => HttpSignIn,
      client: () => Promise<ClientCertificateKey> | undefined = () => undefined,
    ): void => {
      rows.push({
        ...{
          method,
          place: 'https',
          acceptor: method === 'Certificate' ? 'Apache mod_ssl' : `Apache mod_auth_${method.toLowerCase()}`,
          remark,
          expected,
          sizes: BODY_SIZES,
        },
        async open() {
          const signed = await apache.signIn(path, way(), await client());
          return signedIn({
            // With each request.
            signIn: () => Promise.resolve(),
            echo: (plain) => signed.post(plain, LIMIT_MS),
            close: async () => signed.close(),
          });
        },
      });
    };
    add('Basic', 'password', 'ok', '/basic', () => basicSignIn(who()));
    add('Basic', 'wrong password', 'target_auth_failed', '/basic', () => basicSignIn(who('wrong')));
    add('Digest', 'password', 'ok', '/digest', () => digestSignIn(who()));
    add('Digest', 'wrong password', 'target_auth_failed', '/digest', () => digestSignIn(who('wrong')));
    add('Digest', 'not offered', 'wsman_method_disabled', '/basic', () => digestSignIn(who()));
    const of = (authority: LabClientAuthority, form: 'pem' | 'pkcs12') => async (): Promise<ClientCertificateKey> => {
      const issued = authority.issue('ada@localhost');
      const text = form === 'pem' ? issued.certificate + issued.encryptedKey('p w') : issued.pkcs12('p w');
      const { material, passphrase } = await readClientCertificate(new Secret(text), new Secret('p w'));
      return openClientCertificate(new Secret(material), passphrase === null ? null : new Secret(passphrase));
    };
    add('Basic', 'not offered', 'wsman_method_disabled', '/digest', () => basicSignIn(who()));
    add('Certificate', 'PEM', 'ok', '/certificate', certificateSignIn, of(apache.clients, 'pem'));
    add('Certificate', 'PKCS #12', 'ok', '/certificate', certificateSignIn, of(apache.clients, 'pkcs12'));
    add('Certificate', 'of another authority', 'client_certificate_refused', '/certificate', certificateSignIn, of(apache.foreign, 'pem')); // prettier-ignore
    // What has no sealing of its own goes over verified TLS, or nowhere: refused before a byte is sent.
    const identity = {
      kind: 'certificate',
      user: 'ada@localhost',
      certificate: await of(apache.clients, 'pem')(),
    } as const;
    for (const [method, name] of [
      ['basic', 'Basic'],
      ['digest', 'Digest'],
      ['certificate', 'Certificate'],
    ] as const)
      for (const [remark, place, settings] of [
        ['no TLS', 'http', { tls: false }],
        ['checks of the certificate skipped', 'https', { trust: { skipCaCheck: true, skipCnCheck: true } }],
      ] as const) {
        if (method === 'certificate' && place === 'https') continue;
        rows.push({
          ...{ method: name, place, acceptor: 'Apache', remark, expected: 'wsman_clear_refused', sizes: [] },
          async open() {
            const wsman = WsManSettings.parse({ method, ...settings });
            const own = method === 'certificate' ? { identity } : {};
            const verified = { checkCertificate: () => Promise.resolve('verified' as const) };
            const connection = await connectWsMan({ port: apache.port }, { settings: wsman, port: verified, ...own });
            return { exchange: () => Promise.resolve(), close: () => connection.close() };
          },
        });
      }
    return { rows, stop: () => apache.stop() };
  },
};
