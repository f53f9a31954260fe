import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** Less than the 4 KiB that TLS begins with: what is read at once takes no more. */
const PIECE = 4095;

/**
 * A TCP socket as any other stream. TLS that Node makes on a socket itself reads into 64 KiB, which each connection keeps
 * for good; on another stream it keeps 4 KiB, and 16 more when more came at once. Measured in docs/performance.md.
 */
export class BelowTls extends Duplex {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      let mayGoOn = true;
      for (let at = 0; at < chunk.length; at += PIECE) mayGoOn = this.push(chunk.subarray(at, at + PIECE));
      if (!mayGoOn) socket.pause();
    });
    socket.once('end', () => this.push(null));
    socket.once('error', (error) => this.destroy(error));
    socket.once('close', () => this.destroy());
  }

  override _read(): void {
    this.#socket.resume();
  }
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }
  override _final(done: () => void): void {
    this.#socket.end(done);
  }
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
