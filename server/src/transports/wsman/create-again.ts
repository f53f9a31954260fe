/** Whether Create is sent once more after a refusal, and when. wsman.md section 7, "Retry at Create". */
import { isRetriedAtCreate, type WsManFaultError, WsManStatusError } from '@sallyport/wsman';
import type { Clock } from '../../clock.ts';

/** Before each further try; the last one again and again. */
const PAUSES_MS: readonly number[] = [500, 1000, 2000, 4000, 8000];
/** Further tries, where the target's settings do not say. */
const TIMES = 5;
/** For opening, where the target's settings do not say. */
const OPEN_MS = 30_000;
/** Without an envelope: the service was not there, or broke down. What a proxy says for it (502, 504) tells nothing. */
const STATUSES: ReadonlySet<number> = new Set([404, 500, 503]);

export interface CreateAgainOptions {
  /** MaxConnectionRetryCount; null = not said. */
  readonly times: number | null;
  /** From now until the pool must be open; null = not said. */
  readonly openMs: number | null;
  /** Over plain HTTP anybody can give an answer that is not sealed, and keep back that of the target. */
  readonly isTls: boolean;
  readonly clock: Clock;
}

/** Of one opening. An answer that was lost is none: what the target may have made is not made twice. */
export class CreateAgain {
  readonly #options: CreateAgainOptions;
  readonly #until: number;
  /** Tries beyond the first, so far. */
  times = 0;

  constructor(options: CreateAgainOptions) {
    this.#options = options;
    this.#until = options.clock.monotonic() + (options.openMs ?? OPEN_MS);
  }

  /** The target itself has said that nothing was made, and that this may be otherwise soon. */
  isWorthIt(refusal: WsManFaultError): boolean {
    if (refusal instanceof WsManStatusError && !(this.#options.isTls && STATUSES.has(refusal.status))) return false;
    return isRetriedAtCreate(refusal.number);
  }

  /** How long to wait before the next try; null = there is none, or it would come too late. */
  pauseMs(refusal: WsManFaultError): number | null {
    const { times: most, clock } = this.#options;
    if (!this.isWorthIt(refusal) || this.times >= (most ?? TIMES)) return null;
    const ms = PAUSES_MS[Math.min(this.times, PAUSES_MS.length - 1)] ?? 0;
    if (clock.monotonic() + ms >= this.#until) return null;
    this.times++;
    return ms;
  }
}
