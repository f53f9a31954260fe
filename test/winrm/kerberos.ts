/** Rows of Kerberos: MIT's KDC, and an acceptor of python3-gssapi that opens and seals. */
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Secret } from '../../server/src/secret.ts';
import {
  Kerberos,
  type KerberosIdentity,
  type KerberosOptions,
} from '../../server/src/transports/wsman/auth/kerberos/sign-in.ts';
import { makeCertificate } from '../lab/certificate.ts';
import { missingForAcceptor, startAcceptor } from '../lab/kerberos/acceptor.ts';
import { LabConnection, bindingOf, type LabPlace } from '../lab/kerberos/client.ts';
import { DOMAIN, HOSTS, LabKdc, PEOPLE, REALM, missingForKdc } from '../lab/kerberos/kdc.ts';
import { BODY_SIZES, type MatrixPart, type MatrixRow, signedIn } from './matrix.ts';

interface Case {
  readonly remark: string;
  readonly expected: string;
  readonly options?: Partial<KerberosOptions>;
  readonly place?: Partial<LabPlace>;
  readonly headers?: Record<string, string>;
}

/** A sign-in wipes the password that it is given, and a case is tried in several rows. */
const ownCopy = (identity: KerberosIdentity): KerberosIdentity =>
  identity.kind === 'password' ? { ...identity, password: new Secret(identity.password.reveal()) } : identity;

/** A connection that is signed in, ready for bodies. */
export async function openRow(
  kerberos: Kerberos,
  options: KerberosOptions,
  place: LabPlace,
  headers: Record<string, string> = {},
): ReturnType<MatrixRow['open']> {
  const way = kerberos.signIn({ ...options, identity: ownCopy(options.identity) });
  const connection = new LabConnection(place);
  return signedIn({
    signIn: () => connection.signIn(way),
    // This acceptor answers backwards.
    echo: async (plain) => (await connection.exchange(plain, headers)).toReversed(),
    async close() {
      connection.close();
      await way.close();
    },
  });
}

export const kerberosPart: MatrixPart = {
  name: 'Kerberos',
  missing: missingForKdc() ?? missingForAcceptor(),
  async start() {
    const kdc = await LabKdc.start();
    const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-matrix-'));
    const { certFile: cert, keyFile: key } = makeCertificate(directory, 'win', HOSTS.win);
    const binding = Buffer.from(bindingOf(new X509Certificate(readFileSync(cert)).raw)).toString('hex');
    const plain = await startAcceptor({ keytab: kdc.keytab });
    const tls = await startAcceptor({ keytab: kdc.keytab, cert, key, binding });
    const kerberos = new Kerberos(kdc.settings);
    const nowhere = { name: 'DOWN.TEST', kdcs: ['127.0.0.1:9'], domains: [], netbiosName: null };
    const down = new Kerberos({ ...kdc.settings, realms: [nowhere] });
    const password = (name: keyof typeof PEOPLE, text: string = PEOPLE[name]) =>
      ({ kind: 'password', user: `${name}@${DOMAIN}`, password: new Secret(text) }) as const;
    const cache = kdc.makeCache('matrix.ccache', 'ada');
    const skewed = kdc.makeCache('skewed.ccache', 'ada', 3600);

    const cases: readonly Case[] = [
      { remark: 'password', expected: 'ok' },
      { remark: 'keytab of the gateway', expected: 'ok', options: { identity: { kind: 'keytab', principal: `gateway@${REALM}`, file: kdc.gatewayKeytab } } }, // prettier-ignore
      { remark: 'ticket cache of the gateway', expected: 'ok', options: { identity: { kind: 'ccache', name: `FILE:${cache}` } } }, // prettier-ignore
      { remark: 'wrong password', expected: 'target_auth_failed', options: { identity: password('ada', 'wrong') } },
      { remark: 'expired password', expected: 'password_expired', options: { identity: password('stale') } },
      { remark: 'expired account', expected: 'target_account_locked', options: { identity: password('gone') } },
      { remark: 'locked account', expected: 'target_account_locked', options: { identity: password('locked') } },
      { remark: 'no such service name', expected: 'kerberos_unknown_target', place: { host: `other.${DOMAIN}` } },
      { remark: 'service name of another account', expected: 'kerberos_unknown_target', place: { host: HOSTS.moved } },
      { remark: 'a clock that is an hour off', expected: 'kerberos_clock_skew', options: { identity: { kind: 'ccache', name: `FILE:${skewed}` } } }, // prettier-ignore
      { remark: 'an address', expected: 'kerberos_unknown_target', place: { host: '127.0.0.1' } },
      { remark: 'server does not prove itself', expected: 'wsman_server_unproven', place: { path: '/wsman?fault=no-final-token' } }, // prettier-ignore
      { remark: 'no right at the target', expected: 'wsman_access_denied', place: { path: '/wsman?fault=forbidden' } },
      { remark: 'a flipped bit', expected: 'wsman_seal_broken', headers: { 'X-Lab-Fault': 'flip' } },
      { remark: 'signed, not sealed', expected: 'wsman_seal_broken', headers: { 'X-Lab-Fault': 'integrity-only' } },
    ];
    const rows: MatrixRow[] = [];
    for (const scheme of ['Kerberos', 'Negotiate'] as const) {
      for (const isTls of [false, true]) {
        const { port } = isTls ? tls : plain;
        const own: Case[] = isTls
          ? [{ remark: 'other channel bindings', expected: 'wsman_binding_refused', place: { binding: Buffer.from('tls-server-end-point:x') } }] // prettier-ignore
          : [];
        for (const { remark, expected, options, place, headers } of [...cases, ...own]) {
          rows.push({
            ...{ method: scheme, place: isTls ? 'https' : 'http', acceptor: 'python3-gssapi', remark, expected },
            sizes: expected === 'ok' || headers !== undefined ? BODY_SIZES : [],
            open: () =>
              openRow(
                kerberos,
                { scheme, identity: password('ada'), ...options },
                { host: HOSTS.win, port, isTls, ...place },
                headers,
              ),
          });
        }
      }
      rows.push({
        ...{ method: scheme, place: 'http', acceptor: 'python3-gssapi' },
        ...{ remark: 'KDC down', expected: 'kerberos_no_kdc' },
        sizes: [],
        open: () => {
          const identity = { ...password('ada'), user: 'ada@down.test' };
          return openRow(down, { scheme, identity }, { host: HOSTS.win, port: plain.port });
        },
      });
    }
    return {
      rows,
      async stop() {
        kerberos.close();
        down.close();
        await Promise.all([plain.stop(), tls.stop(), kdc.stop()]);
        rmSync(directory, { recursive: true, force: true });
      },
    };
  },
};
