/** How fast a target is asked again that answers polls at once and with nothing. */

/** A poll that is held this long was held. Settings ask for one second at the least. */
const HELD_MS = 500;
/** What a fragment has at the least is 21 bytes; answers with less than some of them move nothing. */
const MIN_BYTES = 64;
/** Answers in a row that are let pass: at the end of a command, or of a time-out, some come at once. */
const FREE = 8;
const FIRST_MS = 25;
const LONGEST_MS = 1000;

/**
 * One per session. A server holds a poll until there is something to tell; one that does not would keep the gateway busy
 * with asking. security.md T3.
 */
export class PollPace {
  #empty = 0;

  /** @param tookMs from the request to its answer @param bytes of output in it */
  answered(tookMs: number, bytes: number): void {
    this.#empty = tookMs >= HELD_MS || bytes >= MIN_BYTES ? 0 : this.#empty + 1;
  }

  /** Before the next poll. */
  get pauseMs(): number {
    const late = this.#empty - FREE;
    return late <= 0 ? 0 : Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(late - 1, 10));
  }
}
