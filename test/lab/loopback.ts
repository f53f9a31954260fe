import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';

/** A server of the lab that listens. */
export interface OnLoopback {
  readonly port: number;
  /** Cuts its connections and ends it. */
  stop(): Promise<void>;
}

/** Lets a server listen at a free port of 127.0.0.1. @param sockets its open connections, kept by the caller */
export async function onLoopback(server: Server, sockets: ReadonlySet<Socket>): Promise<OnLoopback> {
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
