/** Rows of CredSSP: an acceptor from the specification, with gss-ntlmssp or MIT Kerberos inside, over HTTP and HTTPS. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Secret } from '../../server/src/secret.ts';
import type { HttpSignIn, SignInPlace } from '../../server/src/transports/wsman/auth/contract.ts';
import { credSspSignIn } from '../../server/src/transports/wsman/auth/credssp.ts';
import { Kerberos } from '../../server/src/transports/wsman/auth/kerberos/sign-in.ts';
import { makeCertificate } from '../lab/certificate.ts';
import { DOMAIN, HOSTS, LabKdc, missingForKdc, PEOPLE } from '../lab/kerberos/kdc.ts';
import { startTlsFront } from '../lab/tls-front.ts';
import { startCredSspAcceptor } from '../lab/wsman/credssp-acceptor.ts';
import type { MatrixPart, MatrixRow } from './matrix.ts';
import { ntlmPart, opened, PASSWORD, row, USERS, who } from './ntlm.ts';

interface Case {
  readonly remark: string;
  readonly expected: string;
  /** What the acceptor does. */
  readonly query?: string;
  readonly signIn: (over: { readonly isTrusted: boolean; readonly isAuthenticated: boolean }) => HttpSignIn;
}

/** Each case over plain HTTP, where the target is trusted, and over HTTPS, which proves it. */
const rowsOf = (cases: readonly Case[], acceptor: string, host: string, ports: readonly [number, number]) =>
  ([false, true] as const).flatMap((isTls): MatrixRow[] => {
    // TLS inside the tokens binds the sign-in, not the one around it.
    const at: SignInPlace = { host, port: ports[isTls ? 1 : 0], isTls, channelBinding: null };
    return cases.map(({ remark, expected, query = '', signIn }) =>
      row({
        ...{ method: 'CredSSP', place: isTls ? 'https' : 'http', acceptor, remark, expected },
        open: () => opened(at, signIn({ isTrusted: !isTls, isAuthenticated: isTls }), query)(),
      }),
    );
  });

export const credSspPart: MatrixPart = {
  name: 'CredSSP with NTLM inside',
  missing: ntlmPart.missing,
  async start() {
    const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-matrix-credssp-'));
    const other = encodeURIComponent(makeCertificate(directory, 'other').certFile);
    const acceptor = await startCredSspAcceptor(makeCertificate(directory, 'own'), USERS);
    const front = await startTlsFront(acceptor.port, makeCertificate(directory, 'front'));
    const as =
      (password = PASSWORD, isDelegationAllowed = true): Case['signIn'] =>
      (over) =>
        credSspSignIn({ ...who(password, over), isDelegationAllowed, kerberos: null });
    const nobodyTrusts = () => as()({ isTrusted: false, isAuthenticated: false });
    const cases: readonly Case[] = [
      { remark: 'version 6, TLS 1.3', expected: 'ok', signIn: as() },
      { remark: 'version 5, TLS 1.2 with GCM', expected: 'ok', query: 'version=5&tls=1.2', signIn: as() },
      { remark: 'TLS 1.2 with CBC', expected: 'ok', query: 'tls=1.2&ciphers=ECDHE-ECDSA-AES256-SHA384', signIn: as() },
      { remark: 'version 4', expected: 'credssp_version', query: 'version=4', signIn: as() },
      { remark: 'somebody between with the key of the real server', expected: 'credssp_relayed', query: `binding=unchecked&other=${other}`, signIn: as() },
      { remark: 'the binding sent back', expected: 'credssp_relayed', query: 'binding=reflected', signIn: as() },
      { remark: 'no binding', expected: 'credssp_relayed', query: 'binding=missing', signIn: as() },
      { remark: 'wrong password', expected: 'target_auth_failed', signIn: as('wrong') },
      { remark: 'locked account (C0000234)', expected: 'target_account_locked', query: 'error=c0000234', signIn: as() },
      { remark: 'delegation not allowed', expected: 'credssp_not_allowed', signIn: as(PASSWORD, false) },
      { remark: 'nothing proves the target, not trusted', expected: 'ntlm_not_trusted', signIn: nobodyTrusts },
    ]; // prettier-ignore
    return {
      rows: rowsOf(cases, 'ssl, gss-ntlmssp', 'srv.lab.example', [acceptor.port, front.port]),
      async stop() {
        await front.stop();
        await acceptor.stop();
        rmSync(directory, { recursive: true, force: true });
      },
    };
  },
};

export const credSspKerberosPart: MatrixPart = {
  name: 'CredSSP with Kerberos inside',
  missing: ntlmPart.missing ?? missingForKdc(),
  async start() {
    const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-matrix-credssp-'));
    const kdc = await LabKdc.start();
    const kerberos = new Kerberos(kdc.settings);
    const env = { KRB5_KTNAME: kdc.keytab, KRB5_CONFIG: kdc.configFile, KRB5RCACHENAME: 'none:' };
    const acceptor = await startCredSspAcceptor(makeCertificate(directory, 'own'), [], ['--kerberos'], env);
    const front = await startTlsFront(acceptor.port, makeCertificate(directory, 'front'));
    const as = (password: string) => (): HttpSignIn => {
      const user = `ada@${DOMAIN}`;
      const identity = { kind: 'password', user, password: new Secret(password) } as const;
      // Kerberos proves the target: nobody has to trust it.
      const inner = kerberos.signIn({ scheme: 'Negotiate', service: 'HTTP', identity });
      const own = { user, password: new Secret(password), isTrusted: false, isAuthenticated: false };
      return credSspSignIn({ ...own, isDelegationAllowed: true, kerberos: inner });
    };
    const cases: readonly Case[] = [
      { remark: 'TLS 1.3', expected: 'ok', signIn: as(PEOPLE.ada) },
      { remark: 'TLS 1.2', expected: 'ok', query: 'tls=1.2', signIn: as(PEOPLE.ada) },
      { remark: 'the binding sent back', expected: 'credssp_relayed', query: 'binding=reflected', signIn: as(PEOPLE.ada) },
      { remark: 'wrong password', expected: 'target_auth_failed', signIn: as('wrong') },
    ]; // prettier-ignore
    return {
      rows: rowsOf(cases, 'ssl, MIT Kerberos', HOSTS.win, [acceptor.port, front.port]),
      async stop() {
        kerberos.close();
        await front.stop();
        await Promise.all([acceptor.stop(), kdc.stop()]);
        rmSync(directory, { recursive: true, force: true });
      },
    };
  },
};
