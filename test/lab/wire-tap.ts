/** A capture of the wire: stands before a server, passes everything on as it is, and keeps what the client has sent. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface WireTap {
  readonly port: number;
  /** Every byte of the client, connection after connection. */
  sent(): Buffer;
  /** Every byte that the client was answered. */
  answered(): Buffer;
  readonly connections: number;
  /** Resolves with the next connection. */
  connected(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * @param target port of the server behind; null = nobody is there, and nothing is answered
 * @param change what the client gets in place of an answer's bytes; null = the connection ends there
 */
export async function startWireTap(
  target: number | null,
  change: (answer: Buffer) => Buffer | null = (answer) => answer,
): Promise<WireTap> {
  const sent: Buffer[][] = [];
  const answered: Buffer[] = [];
  const sockets = new Set<Socket>();
  const waiting: (() => void)[] = [];
  const server = createServer((near) => {
    const heard: Buffer[] = [];
    sent.push(heard);
    const ends = target === null ? [near] : [near, connect(target, '127.0.0.1')];
    for (const socket of ends) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        sockets.delete(socket);
        // What is on its way to the other still arrives.
        for (const other of ends) other.destroySoon();
      });
    }
    const far = ends[1];
    near.on('data', (chunk) => {
      heard.push(chunk);
      far?.write(chunk);
    });
    far?.on('data', (chunk) => {
      answered.push(chunk);
      const changed = change(chunk);
      if (changed === null) near.destroySoon();
      else near.write(changed);
    });
    for (const told of waiting.splice(0)) told();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    sent: () => Buffer.concat(sent.flat()),
    answered: () => Buffer.concat(answered),
    get connections() {
      return sent.length;
    },
    connected: () => new Promise((resolve) => waiting.push(resolve)),
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
