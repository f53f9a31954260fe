/** One WebSocket towards a page, as the broker sees it. */
import type { Socket } from 'node:net';
import type { ErrorCode } from '@sallyport/shared/error-codes';
import type { ServerMessage } from '@sallyport/shared/wire/control';
import type WebSocket from 'ws';
import type { SessionSocket } from '../broker/contract.ts';
import type { Clock } from '../clock.ts';
import { closeCodeOf } from '../broker/close-code.ts';

/** A page that has not answered our close by then is cut off. */
const CLOSE_MS = 2000;
/**
 * Bytes that may wait in the process for one page. Output alone stays under 1 MiB by credit; the rest is control
 * messages, and a page that lets so many pile up reads nothing.
 */
export const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;

/** What is used of a WebSocket. */
export type RawWebSocket = Pick<
  WebSocket,
  'bufferedAmount' | 'readyState' | 'OPEN' | 'send' | 'close' | 'terminate' | 'ping' | 'on' | 'once'
>;

/** Sends frames; those of one turn of the event loop leave in one write. */
export class WireSocket implements SessionSocket {
  readonly #ws: RawWebSocket;
  readonly #raw: Socket;
  readonly #clock: Clock;
  #isCorked = false;
  #isClosed = false;
  constructor(ws: RawWebSocket, raw: Socket, clock: Clock) {
    this.#ws = ws;
    this.#raw = raw;
    this.#clock = clock;
    raw.setNoDelay(true);
  }

  get bufferedAmount(): number {
    return this.#ws.bufferedAmount;
  }
  /** Whether either side has begun to close. */
  get isClosed(): boolean {
    return this.#isClosed || this.#ws.readyState !== this.#ws.OPEN;
  }

  send(frame: Uint8Array): void {
    this.#put(frame, true);
  }
  sendControl(message: ServerMessage): void {
    this.#put(JSON.stringify(message), false);
  }
  close(code: number, reason: ErrorCode): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#ws.close(code, reason);
    const cancel = this.#clock.after(CLOSE_MS, () => {
      this.#ws.terminate();
    });
    this.#ws.once('close', cancel);
  }
  /** Closes with the code that belongs to an error. */
  closeFor(code: ErrorCode): void {
    this.close(closeCodeOf(code), code);
  }

  #put(data: Uint8Array | string, binary: boolean): void {
    if (this.isClosed) return;
    if (this.#ws.bufferedAmount > MAX_BUFFERED_BYTES) {
      this.closeFor('slow_reader');
      this.#ws.terminate();
      return;
    }
    this.#cork();
    this.#ws.send(data, { binary, compress: false });
  }

  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#raw.cork();
    process.nextTick(() => {
      this.#isCorked = false;
      this.#raw.uncork();
    });
  }
}
