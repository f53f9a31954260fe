/** What one page is sent: output by credit, control messages at their place in it. */
import type { ErrorCode } from '@sallyport/shared/error-codes';
import type { ServerMessage } from '@sallyport/shared/wire/control';
import { HIGH_WATER_BYTES, MAX_FRAME_OUTPUT_BYTES, MAX_UNACKED_BYTES } from '@sallyport/shared/wire/credit';
import { encodeEcho, encodeOutput } from '@sallyport/shared/wire/frames';
import type { Clock } from '../clock.ts';
import { SallyportError, codeOf } from '../errors.ts';
import { closeCodeOf } from './close-code.ts';
import type { SessionSocket } from './contract.ts';
import type { OutputWindow } from './output-window.ts';

/** A page that acknowledges nothing for so long while output waits is detached. security.md section 4. */
const STALLED_MS = 600_000;
/** Control messages that may wait behind output that a page does not take. */
const MAX_WAITING_CONTROLS = 4096;

export interface StreamSource {
  readonly window: OutputWindow;
  readonly clock: Clock;
  /** Recorded output that is older than the window. */
  readOutput(from: number, to: number): AsyncIterable<Uint8Array>;
}

/** INVARIANT: bytes go out once, in order, without a gap from the first cursor on; unacknowledged <= MAX_UNACKED_BYTES. */
export class PageStream {
  readonly #source: StreamSource;
  readonly #socket: SessionSocket;
  readonly #onClosed: (code: ErrorCode) => void;
  #cursor: number;
  #acked: number;
  #waiting: { readonly offset: number; readonly act: () => void }[] = [];
  #reading: Promise<void> | null = null;
  #cancelStall: (() => void) | null = null;
  #isClosed = false;

  constructor(source: StreamSource, socket: SessionSocket, offset: number, onClosed: (code: ErrorCode) => void) {
    this.#source = source;
    this.#socket = socket;
    this.#cursor = offset;
    this.#acked = offset;
    this.#onClosed = onClosed;
  }

  get acked(): number {
    return this.#acked;
  }
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Goes out when all output delivered until now has gone out. */
  control(message: ServerMessage): void {
    this.#at(() => {
      this.#socket.sendControl(message);
    });
  }

  /** Last words, behind the output; `now`: instead of what is left of it. */
  finish(message: ServerMessage | null, code: ErrorCode, now: boolean): void {
    const act = () => {
      if (message !== null) this.#socket.sendControl(message);
      this.close(code);
    };
    if (this.#isClosed) return;
    if (now) act();
    else this.#at(act);
  }

  close(code: ErrorCode, closeCode = closeCodeOf(code)): void {
    if (this.#isClosed) return;
    this.stop();
    this.#socket.close(closeCode, code);
    this.#onClosed(code);
  }

  /** Nothing is sent any more. */
  stop(): void {
    this.#isClosed = true;
    this.#waiting = [];
    this.#cancelStall?.();
  }

  /** @throws SallyportError bad_state for bytes that were never sent */
  ack(offset: number): void {
    if (offset > this.#cursor) throw new SallyportError('bad_state', 'acknowledges what was not sent');
    if (offset <= this.#acked) return;
    this.#acked = offset;
    this.#cancelStall?.();
    this.#cancelStall = null;
    this.pump();
  }

  /** Resolves when nothing more can go out without an acknowledgement. */
  async settled(): Promise<void> {
    while (this.#reading !== null) await this.#reading;
  }

  /** Sends what may be sent. */
  pump(): void {
    while (!this.#isClosed && this.#reading === null) {
      const next = this.#waiting[0];
      if (next !== undefined && next.offset <= this.#cursor) {
        this.#waiting.shift();
        next.act();
        continue;
      }
      const until = next?.offset ?? this.#source.window.end;
      const to = Math.min(until, this.#acked + MAX_UNACKED_BYTES);
      if (to <= this.#cursor) break;
      if (this.#cursor < this.#source.window.start) this.#readBack(Math.min(to, this.#source.window.start));
      else {
        const most = Math.min(to - this.#cursor, MAX_FRAME_OUTPUT_BYTES);
        const { bytes, lineId } = this.#source.window.read(this.#cursor, most);
        this.#send(bytes, lineId);
      }
    }
    this.#watch();
  }

  #at(act: () => void): void {
    if (this.#isClosed) return;
    if (this.#waiting.length >= MAX_WAITING_CONTROLS) {
      this.close('slow_reader');
      return;
    }
    this.#waiting.push({ offset: this.#source.window.end, act });
    this.pump();
  }

  #send(bytes: Uint8Array, lineId: number | null): void {
    this.#cursor += bytes.length;
    this.#socket.send(lineId === null ? encodeOutput(bytes) : encodeEcho(lineId, bytes));
  }

  #readBack(to: number): void {
    this.#reading = this.#copy(to)
      .catch((error: unknown) => {
        this.close(codeOf(error));
      })
      .then(() => {
        this.#reading = null;
        this.pump();
      });
  }

  async #copy(to: number): Promise<void> {
    for await (const piece of this.#source.readOutput(this.#cursor, to)) {
      for (let at = 0; at < piece.length; at += MAX_FRAME_OUTPUT_BYTES) {
        if (this.#isClosed) return;
        this.#send(piece.subarray(at, at + MAX_FRAME_OUTPUT_BYTES), null);
      }
    }
    if (this.#cursor !== to && !this.#isClosed)
      throw new SallyportError('recording_corrupt', 'the recording lacks output that was delivered');
  }

  #watch(): void {
    if (this.#isClosed || this.#cancelStall !== null || this.#cursor - this.#acked < HIGH_WATER_BYTES) return;
    this.#cancelStall = this.#source.clock.after(STALLED_MS, () => {
      this.close('slow_reader');
    });
  }
}
