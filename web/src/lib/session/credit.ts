import { ACK_EVERY_BYTES } from '@sallyport/shared/wire/credit';

/** After this long without a new acknowledgement what is drawn is acknowledged, however little it is. */
export const IDLE_ACK_MS = 50;

/** Starts a timer and returns what stops it. */
export type StartTimer = (run: () => void, ms: number) => () => void;

/**
 * Counts what the terminal has drawn, and says when to acknowledge it: every 64 KiB, and when the stream rests.
 * Offsets are absolute bytes of the session's output.
 */
export class Credit {
  readonly #send: (offset: number) => void;
  readonly #startTimer: StartTimer;
  #drawn = 0;
  #acked = 0;
  #stopTimer: (() => void) | null = null;

  constructor(send: (offset: number) => void, startTimer: StartTimer) {
    this.#send = send;
    this.#startTimer = startTimer;
  }

  /** Bytes up to here are on the screen or were never sent to this page. */
  restart(offset: number): void {
    this.stop();
    this.#drawn = offset;
    this.#acked = offset;
  }

  /** The terminal has drawn `bytes` more. */
  drew(bytes: number): void {
    this.#drawn += bytes;
    if (this.#drawn - this.#acked >= ACK_EVERY_BYTES) this.#ack();
    else this.#stopTimer ??= this.#startTimer(() => this.#ack(), IDLE_ACK_MS);
  }

  /** No more acknowledgements: the socket is gone. */
  stop(): void {
    this.#stopTimer?.();
    this.#stopTimer = null;
  }

  #ack(): void {
    this.stop();
    if (this.#drawn === this.#acked) return;
    this.#acked = this.#drawn;
    this.#send(this.#acked);
  }
}
