/**
 * Watches the socket beside ssh2: bounds what comes before the identification (RFC 4253 section 4.2, security.md
 * section 4), gives the event loop back after each 64 KiB so that one busy target does not delay the others, and ends
 * connections whose peer makes us buffer without end.
 */
import type { Duplex } from 'node:stream';
import { SallyportError } from '../../errors.ts';

/** libuv reads up to 32 buffers of 64 KiB from one busy socket in a row; we stop it after the first. */
const FAIR_BYTES = 64 * 1024;
/**
 * A read of 64 KiB takes 1 ms in packets of an honest size and 15 ms in packets of one byte. Who makes us work that much
 * rests for a multiple of it, so that all the others together keep most of the loop.
 */
const SLOW_READ_MS = 6;
const REST_PER_COST = 4;
const MAX_REST_MS = 100;
const IDENT_LINES = 50;
const IDENT_LINE_BYTES = 255;
/**
 * Answers that the target does not take: it asks (global requests, channel opens) and does not read. What we send by
 * ourselves waits for the window of its channel, at most 2 MiB with OpenSSH.
 */
const MAX_UNSENT_BYTES = 4 * 1024 * 1024;

/** Counts the lines before and with `SSH-`. Feed it until it says `done`. */
export class IdentificationGuard {
  #lines = 0;
  #line = '';
  /** @throws SallyportError ssh_protocol_error beyond 50 lines or 255 bytes in a line */
  feed(chunk: Uint8Array): 'more' | 'done' {
    for (const byte of chunk) {
      if (byte === 0x0a) {
        if (this.#line.startsWith('SSH-')) return 'done';
        if (++this.#lines >= IDENT_LINES) throw this.#refusal(`${IDENT_LINES} lines without an identification`);
        this.#line = '';
      } else {
        this.#line += String.fromCharCode(byte);
        if (this.#line.length > IDENT_LINE_BYTES)
          throw this.#refusal(`a line beyond ${IDENT_LINE_BYTES} bytes before the identification`);
      }
    }
    return 'more';
  }
  #refusal(what: string): SallyportError {
    return new SallyportError('ssh_protocol_error', `target sent ${what}`);
  }
}

/**
 * Attach in the same turn as ssh2, before it. `check` runs once for each read and throws to end the connection.
 * @returns to be called when ssh2 is attached: measures what a read cost
 */
export function guardSocket(socket: Duplex, check: () => void, refuse: (error: unknown) => void): () => void {
  let guard: IdentificationGuard | null = new IdentificationGuard();
  let read = 0;
  let startedAt = 0;
  socket.on('data', (chunk: Buffer) => {
    startedAt = performance.now();
    try {
      if (guard?.feed(chunk) === 'done') guard = null;
      if (socket.writableLength > MAX_UNSENT_BYTES)
        throw new SallyportError('ssh_protocol_error', 'target does not take its answers');
      check();
    } catch (error) {
      refuse(error);
      return;
    }
    read += chunk.length;
  });
  return () => {
    socket.on('data', () => {
      const costMs = performance.now() - startedAt;
      const isSlow = costMs > SLOW_READ_MS;
      if (read < FAIR_BYTES && !isSlow) return;
      read = 0;
      socket.pause();
      if (isSlow) setTimeout(() => socket.resume(), Math.min(MAX_REST_MS, costMs * REST_PER_COST));
      else setImmediate(() => socket.resume());
    });
  };
}
