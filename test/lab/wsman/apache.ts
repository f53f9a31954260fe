/**
 * Apache in the place of a WinRM listener, for what an HTTP client must be able to do: Basic, Digest, client certificates,
 * redirects. Signed in, it gives every envelope back as it came.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock } from '../../../server/src/clock.ts';
import type { HttpSignIn } from '../../../server/src/transports/wsman/auth/contract.ts';
import { HttpConnection } from '../../../server/src/transports/wsman/http-connection.ts';
import { signInOn, type SignedConnection } from '../../../server/src/transports/wsman/signed-connection.ts';
import { startTls, type TlsConnection, type TlsOptions } from '../../../server/src/transports/wsman/tls.ts';
import { Secret } from '../../../server/src/secret.ts';
import type { ClientCertificateKey } from '../../../server/src/transports/contract.ts';
import { openClientCertificate } from '../../../server/src/transports/wsman/client-certificate.ts';
import { missingForApache, startApache } from '../apache.ts';
import { makeClientAuthority, type LabClientAuthority } from '../client-certificates.ts';
import { makeCertificate } from '../certificate.ts';

const MODULES = ['ssl', 'auth_basic', 'auth_digest', 'authn_file', 'cgid'];
export const missingForWinRmApache = (): string | null => missingForApache(MODULES);

export const APACHE_USER = { user: 'lab\\ädä', password: 'gräßlich "quoted"' } as const;
const REALM = 'a lab, Basic';
/** Reads all before it answers: Apache hands over the whole body first. */
const ECHO = `#!/bin/sh
file=$(mktemp)
cat > "$file"
printf 'Content-Type: application/soap+xml;charset=UTF-8\\r\\n\\r\\n'
cat "$file"
rm "$file"
`;
const LIMITS = { timeoutMs: 60_000, signal: new AbortController().signal };

export interface Dialled {
  readonly tls: TlsConnection;
  readonly http: HttpConnection;
}
export interface WinRmApache {
  readonly port: number;
  /** The same without TLS. */
  readonly plainPort: number;
  /** Its certificate, which is its own issuer. */
  readonly ca: string;
  /** Whose certificates `/certificate` asks for. */
  readonly clients: LabClientAuthority;
  /** An authority that it does not know. */
  readonly foreign: LabClientAuthority;
  /** One that `/certificate` takes, for one session. */
  client(): ClientCertificateKey;
  dial(place: string, options?: Partial<TlsOptions> & { readonly port?: number }): Promise<Dialled>;
  /** Signs in at a path as the gateway does. @throws what refuses */
  signIn(place: string, way: HttpSignIn, client?: ClientCertificateKey): Promise<SignedConnection>;
  stop(): Promise<void>;
}

export async function startWinRmApache(): Promise<WinRmApache> {
  const files = mkdtempSync(path.join(tmpdir(), 'sallyport-winrm-apache-'));
  chmodSync(files, 0o755);
  const { certFile, keyFile } = makeCertificate(files, 'server');
  const clients = makeClientAuthority();
  const foreign = makeClientAuthority();
  const ada = clients.issue('ada@localhost');
  const script = path.join(files, 'echo.sh');
  writeFileSync(script, ECHO, { mode: 0o755 });
  const { user, password } = APACHE_USER;
  const sha = createHash('sha1').update(password).digest('base64');
  writeFileSync(path.join(files, 'basic'), `${user}:{SHA}${sha}\n`);
  const ha1 = createHash('md5').update(`${user}:${REALM}:${password}`).digest('hex');
  writeFileSync(path.join(files, 'digest'), `${user}:${REALM}:${ha1}\n`);
  const apache = await startApache({
    modules: MODULES,
    listeners: 2,
    lines: ([port = 0], directory) => [
      ...[`ScriptSock ${directory}/cgi`, `ScriptAliasMatch ^/(basic|digest|certificate|open)$ ${script}`],
      ...['<Location /basic>', 'AuthType Basic', `AuthName "${REALM}"`, `AuthUserFile ${files}/basic`],
      ...['Require valid-user', '</Location>'],
      ...['<Location /digest>', 'AuthType Digest', `AuthName "${REALM}"`, `AuthUserFile ${files}/digest`],
      ...['Require valid-user', '</Location>'],
      'Redirect 302 /moved https://elsewhere.test/wsman',
      ...[`<VirtualHost 127.0.0.1:${port}>`, 'SSLEngine on', `SSLCertificateFile ${certFile}`],
      ...[`SSLCertificateKeyFile ${keyFile}`, `SSLCACertificateFile ${clients.file}`],
      // As HTTP.SYS does it: asked for once the path is known.
      ...['<Location /certificate>', 'SSLVerifyClient require', 'SSLVerifyDepth 1', '</Location>'],
      '</VirtualHost>',
    ],
  });
  const [port = 0, plainPort = 0] = apache.ports;
  const ca = readFileSync(certFile, 'utf8');
  const open: Dialled[] = [];
  const dial: WinRmApache['dial'] = async (place, options = {}) => {
    const { port: other, host = 'localhost', ...rest } = options;
    const socket = connect(other ?? port, '127.0.0.1');
    await once(socket, 'connect');
    const tls = await startTls(socket, { host, trust: { ca }, now: Date.now(), ...rest });
    const to = { hostHeader: `${host}:${other ?? port}`, path: place };
    const dialled = { tls, http: new HttpConnection(tls.socket, to, systemClock, () => undefined) };
    open.push(dialled);
    return dialled;
  };
  return {
    ...{ port, plainPort, ca, dial },
    ...{ clients, foreign },
    client: () => openClientCertificate(new Secret(ada.certificate + ada.key), null),
    async signIn(place, way, client) {
      const { tls, http } = await dial(place, client === undefined ? {} : { client });
      const where = { host: 'localhost', port, isTls: true, channelBinding: tls.channelBinding };
      return signInOn(http, way, where, { isRequired: false, hasTab: true }, { ...LIMITS, path: place });
    },
    async stop() {
      for (const { http } of open) http.close();
      await apache.stop();
      clients.remove();
      foreign.remove();
      rmSync(files, { recursive: true, force: true });
    },
  };
}
