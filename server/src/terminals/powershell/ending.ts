/** How a terminal over a runspace pool ends: cleanly within a deadline, then hard; told once, for one reason. */
import type { ErrorCode } from '@sallyport/shared/error-codes';
import type { Clock } from '../../clock.ts';
import type { TerminalEnd } from '../contract.ts';
import type { PoolLink } from './pool-link.ts';

/** What ends with it. */
export interface EndingOptions {
  readonly link: PoolLink;
  readonly clock: Clock;
  readonly closeConnection: () => Promise<void>;
  /**
   * Called first. @param what `stopped`: the target has said good-bye, what ran is known to be stopped; `left`: it goes on
   * there; `lost`: nothing is known of it
   */
  cleanUp(what: 'stopped' | 'left' | 'lost'): void;
  ended(end: TerminalEnd): void;
}

export class Ending {
  /** Resolves when everything is closed. */
  readonly finished: Promise<void>;
  readonly #options: EndingOptions;
  #resolveFinished: () => void = () => undefined;
  #closing: { readonly reason: ErrorCode; readonly exitCode: number | null } | null = null;
  #cancelHardClose: (() => void) | null = null;
  #isEnded = false;

  constructor(options: EndingOptions) {
    this.#options = options;
    this.finished = new Promise((resolve) => (this.#resolveFinished = resolve));
  }

  /** True once the end has begun. */
  get isOver(): boolean {
    return this.#isEnded || this.#closing !== null;
  }

  /** From our side: asks the target to close the pool; after the deadline the channel is cut. */
  leave(closing: { readonly reason: ErrorCode; readonly exitCode: number | null }, deadlineMs: number): void {
    if (this.isOver) return;
    this.#closing = closing;
    const hard = (): void => this.now({ reason: closing.reason, exitCode: null, detail: '' });
    // A paused channel would hide the target's goodbye.
    if (this.#options.link.isPaused) {
      hard();
      return;
    }
    this.#cancelHardClose = this.#options.clock.after(deadlineMs, hard);
    this.#options.link.close();
  }

  /** The pool is closed, or lost. After `leave` its reason counts. */
  now(end: TerminalEnd): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const options = this.#options;
    this.#cancelHardClose?.();
    const isLeft = this.#closing === null && end.reason === 'session_left';
    options.cleanUp(isLeft ? 'left' : this.#closing !== null && options.link.isClosed ? 'stopped' : 'lost');
    options.ended(this.#closing === null ? end : { ...end, ...this.#closing });
    void options.link
      .closeChannel()
      .then(() => options.closeConnection())
      .finally(this.#resolveFinished);
  }
}
