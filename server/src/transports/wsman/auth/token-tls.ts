/** TLS whose bytes travel in tokens and not on a socket of its own. winrm-auth.md section 8. */
import { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { subjectPublicKey } from '@sallyport/wsman';
import { SallyportError } from '../../../errors.ts';
import { named } from './named.ts';

/** Most plain bytes of one record. RFC 8446 section 5.1. */
export const MAX_RECORD_PLAIN = 16_384;
/** Plain bytes that may wait for one message: a token is not longer. */
const MAX_HELD_BYTES = 64 * 1024;
const BLOCK = 16;

/** What the TLS library writes stays here until it is taken. */
class TokenPipe extends Duplex {
  readonly #written: Buffer[] = [];
  written: () => void = () => undefined;
  override _read(): void {
    // Bytes come when a token came.
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#written.push(Buffer.from(chunk));
    this.written();
    done();
  }
  takeWritten(): Buffer {
    return Buffer.concat(this.#written.splice(0));
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The client's side. The certificate is not judged here: what binds the peer is its public key, later. */
export class TokenTls {
  readonly #pipe = new TokenPipe();
  readonly #tls: TLSSocket;
  readonly #plain: Buffer[] = [];
  #heldBytes = 0;
  #isSecure = false;
  #key: Uint8Array | null = null;
  #error: SallyportError | null = null;
  /** Something came of the handshake since it was asked last: bytes to send, its end, an error. */
  #isStirred = false;
  #wake: () => void = () => undefined;

  constructor() {
    this.#pipe.written = () => this.#stir();
    this.#tls = connect({ socket: this.#pipe, rejectUnauthorized: false, minVersion: 'TLSv1.2' });
    this.#tls.on('secureConnect', () => {
      this.#isSecure = true;
      const key = this.#tls.getPeerX509Certificate()?.publicKey.export({ type: 'spki', format: 'der' });
      this.#key = key === undefined ? null : named(() => subjectPublicKey(key));
      this.#stir();
    });
    this.#tls.on('data', (chunk: Buffer) => {
      this.#heldBytes += chunk.length;
      if (this.#heldBytes > MAX_HELD_BYTES) this.#fail('too much inside one token');
      else this.#plain.push(chunk);
    });
    this.#tls.on('error', (cause: Error) => this.#fail('tls in tokens failed', cause));
    this.#tls.on('close', () => this.#fail('tls in tokens ended'));
  }

  get isSecure(): boolean {
    return this.#isSecure;
  }
  /** For example `TLSv1.3`. */
  get version(): string {
    return this.#tls.getProtocol() ?? '';
  }
  /**
   * Content of the subjectPublicKey that the peer showed, taken when the handshake ended: Node gives it once only.
   * @throws SallyportError wsman_server_unproven without one
   */
  get publicKey(): Uint8Array {
    if (this.#key === null) throw new SallyportError('wsman_server_unproven', 'no certificate inside the tokens');
    return this.#key;
  }

  /**
   * Hands over what came and waits for what is to go out, or for the end of the handshake.
   * @param input null at first
   * @returns what is to go out, empty when nothing is, and whether the handshake is over
   * @throws SallyportError tls_failed, cancelled
   */
  async handshake(input: Uint8Array | null, signal: AbortSignal): Promise<{ flight: Uint8Array; isOver: boolean }> {
    if (input !== null) this.#pipe.push(input);
    if (!this.#isStirred) await untilAborted(new Promise((resolve) => (this.#wake = resolve)), signal);
    // A flight may come in several writes, all of one turn.
    await turn();
    this.#isStirred = false;
    this.#mustBeWhole('tls_failed');
    return { flight: this.#pipe.takeWritten(), isOver: this.#isSecure };
  }

  /** @returns the records */
  async write(plain: Uint8Array): Promise<Buffer> {
    this.#mustBeWhole('wsman_seal_broken');
    await new Promise<void>((resolve) => this.#tls.write(plain, () => resolve()));
    this.#mustBeWhole('wsman_seal_broken');
    return this.#pipe.takeWritten();
  }

  /** @returns what is inside the records; empty when they hold nothing for us. @throws SallyportError wsman_seal_broken */
  async read(records: Uint8Array): Promise<Buffer> {
    this.#mustBeWhole('wsman_seal_broken');
    this.#pipe.push(records);
    // Records are opened as they come; one turn more for those that the library puts off.
    if (this.#plain.length === 0) await turn();
    this.#mustBeWhole('wsman_seal_broken');
    this.#heldBytes = 0;
    return Buffer.concat(this.#plain.splice(0));
  }

  /** How much of a record with so many plain bytes stands before the rest as its header. winrm-auth.md section 8. */
  trailerBytes(plainBytes: number): number {
    const { standardName } = this.#tls.getCipher();
    if (this.version === 'TLSv1.3') return 17;
    if (!standardName.includes('_CBC_')) return standardName.endsWith('_CCM_8') ? 8 : 16;
    const mac = standardName.endsWith('_SHA384') ? 48 : standardName.endsWith('_SHA256') ? 32 : 20;
    return mac + BLOCK - ((plainBytes + mac) % BLOCK);
  }

  /** Idempotent. */
  close(): void {
    this.#error ??= new SallyportError('cancelled', 'tls in tokens is closed');
    this.#tls.destroy();
    this.#pipe.destroy();
  }

  #fail(message: string, cause?: Error): void {
    this.#error ??= new SallyportError(this.#isSecure ? 'wsman_seal_broken' : 'tls_failed', message, { cause });
    this.#stir();
  }

  #stir(): void {
    this.#isStirred = true;
    this.#wake();
  }

  #mustBeWhole(code: 'tls_failed' | 'wsman_seal_broken'): void {
    if (this.#error === null) return;
    throw this.#error.code === 'cancelled' ? new SallyportError(code, this.#error.message) : this.#error;
  }
}

/** @throws SallyportError cancelled */
function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new SallyportError('cancelled', 'tls in tokens: cancelled'));
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    void work.then(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    });
  });
}
