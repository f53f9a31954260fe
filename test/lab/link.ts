/** A network link to a lab server that a test can break, whatever speaks over it. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface LabLink {
  /** Connects on to the server. */
  readonly port: number;
  /** Breaks every connection and takes no more, until the end: the server goes on. */
  cut(): Promise<void>;
}

/** @param port of a server at 127.0.0.1 */
export async function startLink(port: number): Promise<LabLink> {
  const sockets = new Set<Socket>();
  const listener = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const [socket, other] of [[near, far], [far, near]] as const) {
      sockets.add(socket);
      socket.on('error', () => undefined).once('close', () => other.destroy());
      socket.setNoDelay(true).pipe(other);
    } // prettier-ignore
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    async cut() {
      const closed = new Promise((resolve) => listener.close(resolve));
      for (const socket of sockets) socket.resetAndDestroy();
      await closed;
    },
  };
}
