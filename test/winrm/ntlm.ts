/** Rows of NTLM: gss-ntlmssp through python3-gssapi, over HTTP and HTTPS. */
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Secret } from '../../server/src/secret.ts';
import type { HttpSignIn, SignInPlace } from '../../server/src/transports/wsman/auth/contract.ts';
import { ntlmSignIn } from '../../server/src/transports/wsman/auth/ntlm.ts';
import { makeCertificate } from '../lab/certificate.ts';
import { missingForAcceptor, startNegotiateAcceptor } from '../lab/wsman/negotiate-acceptor.ts';
import { SealedClient } from '../lab/wsman/sealed-client.ts';
import { BODY_SIZES, type MatrixPart, type MatrixRow, signedIn } from './matrix.ts';

/** Of the only user. */
export const PASSWORD = 'correct horse';
/** As gss-ntlmssp reads them. */
export const USERS = [`LAB:alice:${PASSWORD}`];
const missing = missingForAcceptor();

/** Signs in at a place and sends bodies that come back as they are. */
export const opened =
  (at: SignInPlace, signIn: HttpSignIn, query = ''): MatrixRow['open'] =>
  () => {
    const one = new SealedClient(at, { path: `/wsman?${query}` });
    return signedIn({
      signIn: () => one.signIn(signIn),
      echo: (plain) => one.echo(plain),
      close: async () => one.close(),
    });
  };

/** With bodies of all sizes where it is to go well. */
export const row = (kind: Omit<MatrixRow, 'sizes'>): MatrixRow => ({
  ...kind,
  sizes: kind.expected === 'ok' ? BODY_SIZES : [],
});
/** The user, and what is known of the target. */
export const who = (password = PASSWORD, over: { isTrusted?: boolean; isAuthenticated?: boolean } = {}) => ({
  ...{ user: 'LAB\\alice', password: new Secret(password), isTrusted: true, isAuthenticated: false },
  ...over,
});

export const ntlmPart: MatrixPart = {
  name: 'NTLM',
  missing: missing.length === 0 ? null : missing.join(', '),
  async start() {
    const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-matrix-ntlm-'));
    const tls = makeCertificate(directory, 'own');
    const hash = createHash('sha256')
      .update(new X509Certificate(readFileSync(tls.certFile)).raw)
      .digest('hex');
    const plain = await startNegotiateAcceptor({ users: USERS });
    const bound = await startNegotiateAcceptor({ users: USERS, tls, binding: hash });
    const application = Buffer.concat([Buffer.from('tls-server-end-point:'), Buffer.from(hash, 'hex')]);
    const http: SignInPlace = { host: 'srv.lab.example', port: plain.port, isTls: false, channelBinding: null };
    const https = { ...http, port: bound.port, isTls: true, channelBinding: application };
    const other = { ...https, channelBinding: Buffer.from('tls-server-end-point:x') };
    const verified = { isTrusted: false, isAuthenticated: true };
    const rows: readonly [string, string, SignInPlace, HttpSignIn][] = [
      ['password, target trusted for NTLM', 'ok', http, ntlmSignIn(who())],
      ['password, target not trusted', 'ntlm_not_trusted', http, ntlmSignIn(who(PASSWORD, { isTrusted: false }))],
      ['wrong password', 'target_auth_failed', http, ntlmSignIn(who('wrong'))],
      ['password, verified certificate', 'ok', https, ntlmSignIn(who(PASSWORD, verified))],
      ['checks skipped, not trusted', 'ntlm_not_trusted', https, ntlmSignIn(who(PASSWORD, { isTrusted: false }))],
      ['wrong password', 'target_auth_failed', https, ntlmSignIn(who('wrong', verified))],
      ['other channel bindings', 'target_auth_failed', other, ntlmSignIn(who(PASSWORD, verified))],
    ];
    return {
      rows: rows.map(([remark, expected, at, signIn]) =>
        row({
          ...{ method: 'NTLM', place: at.isTls ? 'https' : 'http', acceptor: 'gss-ntlmssp', remark, expected },
          open: opened(at, signIn),
        }),
      ),
      async stop() {
        await Promise.all([plain.stop(), bound.stop()]);
        rmSync(directory, { recursive: true, force: true });
      },
    };
  },
};
