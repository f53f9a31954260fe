/** Somebody on the way: passes HTTP on, connection by connection, and changes what it is told to. Keeps all that it saw. */
import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface PassedAnswer {
  readonly status: number;
  /** Names in lower case; several values of one name are several entries. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
}
export interface PassedRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}
/** What it does; numbers count the requests of one connection from 1. */
export interface Meddling {
  request?(passed: PassedRequest, number: number): PassedRequest;
  /** @param connection counts connections from 1 */
  answer?(passed: PassedAnswer, number: number, connection: number): PassedAnswer | Promise<PassedAnswer>;
}
export interface Meddler {
  readonly port: number;
  /** Every request that a client sent, before any change. */
  readonly seen: readonly PassedRequest[];
  stop(): Promise<void>;
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of message) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}
const pairs = (raw: readonly string[]): [string, string][] =>
  raw.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), raw[i + 1] ?? ''] as [string, string]] : []));

async function pass(port: number, agent: Agent, { path, headers, body }: PassedRequest): Promise<PassedAnswer> {
  const out = request({ port, host: '127.0.0.1', agent, method: 'POST', path, headers: { ...headers, 'content-length': body.length } }); // prettier-ignore
  out.end(body);
  const [answer] = (await once(out, 'response')) as [IncomingMessage];
  return { status: answer.statusCode ?? 0, headers: pairs(answer.rawHeaders), body: await bodyOf(answer) };
}

/** Stands before the server on this port. */
export async function startMeddler(target: number, meddling: Meddling): Promise<Meddler> {
  const seen: PassedRequest[] = [];
  const links = new Map<Socket, { readonly agent: Agent; readonly number: number; count: number }>();
  const linkOf = (socket: Socket): { readonly agent: Agent; readonly number: number; count: number } => {
    const link = links.get(socket) ?? { agent: new Agent({ keepAlive: true, maxSockets: 1 }), number: links.size + 1, count: 0 }; // prettier-ignore
    links.set(socket, link);
    return link;
  };
  const server: Server = createServer((incoming, out) => {
    void (async () => {
      const link = linkOf(incoming.socket);
      const number = ++link.count;
      const asked = {
        path: incoming.url ?? '',
        headers: Object.fromEntries(pairs(incoming.rawHeaders)),
        body: await bodyOf(incoming),
      };
      seen.push(asked);
      const answer = await pass(target, link.agent, meddling.request?.(asked, number) ?? asked);
      const changed = (await meddling.answer?.(answer, number, link.number)) ?? answer;
      const kept = changed.headers.filter(([name]) => !['content-length', 'connection'].includes(name));
      out.writeHead(changed.status, kept.flat());
      out.end(changed.body);
    })().catch(() => incoming.socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      for (const { agent } of links.values()) agent.destroy();
    },
  };
}
