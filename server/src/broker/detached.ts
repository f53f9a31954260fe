/** A session without a page: since when, and for how long at most. */
import type { Clock } from '../clock.ts';
import { RESUME_MS } from './left.ts';

const HOUR_MS = 3_600_000;

/** Begins at once: nobody is there when a session is made. */
export class Detached {
  readonly #clock: Clock;
  readonly #hours: () => number;
  readonly #over: () => void;
  #at: number | null = null;
  #cancel: () => void = () => undefined;

  /** @param over called once it has been alone for too long */
  constructor(clock: Clock, hours: () => number, over: () => void) {
    this.#clock = clock;
    this.#hours = hours;
    this.#over = over;
    this.begin();
  }

  /** Since when; null while somebody is there. */
  get at(): number | null {
    return this.#at;
  }
  /** Nobody is there any more. */
  begin(): void {
    this.#at = this.#clock.now();
    this.stop();
    this.#cancel = this.#clock.after(Math.max(this.#hours() * HOUR_MS, RESUME_MS), this.#over);
  }
  /** Somebody came. */
  end(): void {
    this.stop();
    this.#at = null;
  }
  /** The session has ended. */
  stop(): void {
    this.#cancel();
  }
}
