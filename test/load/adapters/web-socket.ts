/** The client end shared by the gateways that speak plain binary frames. */
import { once } from 'node:events';
import { createServer, connect } from 'node:net';
import { WebSocket } from 'ws';
import type { Channel } from '../channel.ts';
import { sleep } from '../stats.ts';

/** Not open yet: what listens is to be attached at once, since a server may speak as soon as it is. */
export const newSocket = (
  url: string,
  options: { readonly headers?: Readonly<Record<string, string>>; readonly protocol?: string } = {},
): WebSocket =>
  new WebSocket(url, options.protocol === undefined ? [] : [options.protocol], {
    perMessageDeflate: false,
    headers: { ...options.headers },
  });

/** A channel whose messages are the bytes themselves, both ways. */
export const rawChannel = (socket: WebSocket): Channel => ({
  write: (text) => {
    socket.send(Buffer.from(text));
  },
  onData: (sink) => socket.on('message', (data: Buffer) => sink(data)),
  onClose: (closed) =>
    socket.on('close', (code) => {
      closed(String(code));
    }),
  pause: () => {
    socket.pause();
  },
  resume: () => {
    socket.resume();
  },
  close: () => {
    socket.terminate();
  },
});

/** A loopback port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Resolves once something accepts on the port. @throws Error after `timeoutMs` */
export async function waitForPort(port: number, timeoutMs = 20_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => {
        resolve(false);
      });
    });
    if (isOpen) return;
    if (performance.now() > end) throw new Error(`nothing listens on ${port}`);
    await sleep(20);
  }
}
