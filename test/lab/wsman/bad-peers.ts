/** What may answer in place of WinRM, or between: a table of peers, each of which tries to make a client say too much. */
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { onLoopback } from '../loopback.ts';
import { ntlmAcceptor } from './acceptors.ts';

/** One connection of a peer. @returns bytes for an answer; null = it hangs up */
type Conversation = (head: string, number: number) => string | null;

const answer = (status: number, lines: readonly string[] = [], body = ''): string =>
  `HTTP/1.1 ${String(status)} Lab\r\n${lines.map((line) => `${line}\r\n`).join('')}Content-Length: ${String(body.length)}\r\n\r\n${body}`;
const offer = (...challenges: readonly string[]): string =>
  answer(401, challenges.map((challenge) => `WWW-Authenticate: ${challenge}`)); // prettier-ignore
const TLS_HANDSHAKE = 0x16;
/** SPNEGO with NTLM alone: its lengths are always the same. */
const NTLM_FIRST = 'Negotiate YEgG';
const GARBAGE = Buffer.alloc(96, 0x5a).toString('base64');
const ALL = ['Negotiate', 'Kerberos', 'CredSSP', 'Basic realm="WSMAN"', 'Digest realm="x", qop="auth", nonce="n1", algorithm=SHA-256']; // prettier-ignore

/** A real challenge of NTLM, of a server that knows no password. */
const challenged =
  (last: string): (() => Conversation) =>
  () => {
    const signIn = ntlmAcceptor('NOBODY\\nobody', '')();
    return (head, number) => {
      if (number > 1) return last;
      const token = /^authorization: (.*)$/im.exec(head)?.[1] ?? null;
      // A token of another mechanism is none that can be challenged.
      if (token !== null && !token.startsWith(NTLM_FIRST)) return last;
      const taken = signIn.take(token, 'POST', '/wsman', null);
      return 'kind' in taken && taken.kind === 'refused' ? offer(...taken.challenges) : last;
    };
  };

/** @param elsewhere port of another machine, over plain HTTP */
export const badPeers = (elsewhere: number): readonly (readonly [name: string, begin: () => Conversation])[] => {
  const always = (text: string) => () => () => text;
  const url = (scheme: string, host = 'elsewhere.example'): string => `Location: ${scheme}://${host}:${String(elsewhere)}/wsman`; // prettier-ignore
  return [
    ['hangs up', HANGS_UP],
    ['asks for the same for ever', always(offer(...ALL))],
    ['offers Basic alone', always(offer('Basic realm="WSMAN"'))],
    ['offers Digest alone', always(offer('Digest realm="x", qop="auth", nonce="n1"'))],
    ['offers Basic in a realm', always(offer('Negotiate, Basic realm="x", Digest nonce="y", realm="CredSSP"'))],
    ['is never content with a nonce', () => (_, number) => offer(`Digest realm="x", qop="auth", stale=true, nonce="${String(number)}"`)],
    ['answers with tokens that are none', always(offer(...ALL.slice(0, 3).map((name) => `${name} ${GARBAGE}`)))],
    ['challenges, and then refuses', challenged(offer('Negotiate', 'Basic realm="WSMAN"'))],
    ['challenges, and then says that all is well', challenged(answer(200))],
    ['challenges, and then is a proxy', challenged(answer(407, ['Proxy-Authenticate: Basic realm="x"']))],
    ['says that all is well', always(answer(200, ['Content-Type: application/soap+xml;charset=UTF-8'], '<s:Envelope/>'))],
    ['says that a tunnel is there', always('HTTP/1.1 200 Connection established\r\n\r\n')],
    ['is a proxy that wants a password', always(answer(407, ['Proxy-Authenticate: Basic realm="x"', 'WWW-Authenticate: Basic realm="x"']))],
    ['wants a proxy to be used', always(answer(305, [url('http')]))],
    ['sends to plain HTTP', always(answer(302, [url('http')]))],
    ['sends to plain HTTP of the same name', always(answer(307, [url('http', 'localhost')]))],
    ['sends to HTTPS where plain HTTP answers', always(answer(308, [url('https')]))],
    ['sends on after a challenge', challenged(answer(302, [url('http')]))],
    ['switches protocols', always('HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n')],
    ['says to go on for ever', always('HTTP/1.1 100 Continue\r\n\r\n'.repeat(2000) + offer('Basic realm="x"'))],
    ['says that it goes, and asks on', always(offer(...ALL).replace('Content-Length', 'Connection: close\r\nContent-Length'))],
    ['goes in the middle of a sign-in', challenged(answer(401, ['WWW-Authenticate: Negotiate', 'Connection: close']))],
    ['forbids', always(answer(403))],
    ['is out of order', always(answer(503))],
  ]; // prettier-ignore
};

/** Ends every connection with its first byte. */
export const HANGS_UP = (): Conversation => () => null;

/** Listens as one of them. @param tls PEM; null = plain HTTP */
export async function startPeer(
  begin: () => Conversation,
  tls: { readonly key: string; readonly cert: string } | null,
): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const serve = (socket: Socket): void => {
    const converse = begin();
    let seen = '';
    let number = 0;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      // TLS where it is not spoken is answered at once.
      seen += chunk[0] === TLS_HANDSHAKE ? '\r\n\r\n' : chunk.toString('latin1');
      for (let end = seen.indexOf('\r\n\r\n'); end >= 0; end = seen.indexOf('\r\n\r\n')) {
        const length = Number(/^content-length: (\d+)$/im.exec(seen.slice(0, end))?.[1] ?? 0);
        if (seen.length < end + 4 + length) return;
        const reply = converse(seen.slice(0, end), ++number);
        seen = seen.slice(end + 4 + length);
        if (reply === null) socket.destroy();
        else if (/^content-length:/im.test(reply)) socket.write(reply, 'latin1');
        else socket.end(reply, 'latin1');
      }
    });
  };
  const server = tls === null ? createServer(serve) : createTlsServer(tls, serve);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
  });
  return onLoopback(server, sockets);
}
