/** TLS in front of a lab server that speaks none. */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { createServer } from 'node:tls';
import type { LabCertificate } from './certificate.ts';
import { onLoopback, type OnLoopback } from './loopback.ts';

/** @param behind port of the server that gets what is inside */
export async function startTlsFront(behind: number, { certFile, keyFile }: LabCertificate): Promise<OnLoopback> {
  const sockets = new Set<Socket>();
  const server = createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, (near) => {
    const far = connect(behind, '127.0.0.1');
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on('error', () => undefined);
      one.once('close', () => {
        sockets.delete(one);
        other.destroySoon();
      });
      one.pipe(other);
    }
  });
  return onLoopback(server, sockets);
}
