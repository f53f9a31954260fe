import { Duplex } from 'node:stream';
import type { ClientChannel } from 'ssh2';
import type { Link } from '../contract.ts';

/**
 * A `direct-tcpip` channel of a jump host as the stream under the next SSH connection. ssh2's own channel would do for bytes,
 * but says `drain` only from 2 MiB on, and closes only when its peer agrees; this one behaves as a socket does.
 */
export class Tunnel extends Duplex implements Link {
  bytesRead = 0;
  bytesWritten = 0;
  readonly #channel: ClientChannel;

  constructor(channel: ClientChannel) {
    super({ allowHalfOpen: false });
    this.#channel = channel;
    channel.on('data', (chunk: Buffer) => {
      this.bytesRead += chunk.length;
      if (!this.push(chunk)) channel.pause();
    });
    channel.on('end', () => this.push(null));
    channel.on('close', () => this.destroy());
    // A write error only says that the channel is gone, which `close` says too.
    channel.on('error', () => undefined);
    channel.stderr.resume();
  }
  override _read(): void {
    this.#channel.resume();
  }
  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.bytesWritten += chunk.length;
    if (!this.#channel.writable) done(new Error('the jump host closed the channel'));
    else if (this.#channel.write(chunk)) done();
    else this.#channel.once('drain', done);
  }
  override _final(done: (error?: Error | null) => void): void {
    this.#channel.end();
    done();
  }
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#channel.removeAllListeners('data').resume();
    this.#channel.close();
    done(error);
  }
}
