/** Token buckets by key, in memory; bounded in number. security.md section 4 "Rates". */
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';

interface Bucket {
  tokens: number;
  at: number;
}

/** Keys kept at most; the longest unused go first (a full bucket is worth nothing). */
const MAX_KEYS = 10_000;

/** Lets `limit` acts through in `windowMs`, refilled evenly. */
export class RateLimiter {
  readonly #buckets = new Map<string, Bucket>();
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #clock: Clock;
  constructor(limit: number, windowMs: number, clock: Clock) {
    this.#limit = limit;
    this.#windowMs = windowMs;
    this.#clock = clock;
  }

  /** Counts one act. @throws SallyportError rate_limited with the seconds to wait */
  take(key: string): void {
    const now = this.#clock.monotonic();
    const bucket = this.#buckets.get(key) ?? { tokens: this.#limit, at: now };
    const perMs = this.#limit / this.#windowMs;
    bucket.tokens = Math.min(this.#limit, bucket.tokens + (now - bucket.at) * perMs);
    bucket.at = now;
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > MAX_KEYS)
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    if (bucket.tokens < 1)
      throw new SallyportError('rate_limited', 'too many requests', {
        retryAfterS: Math.max(1, Math.ceil((1 - bucket.tokens) / perMs / 1000)),
      });
    bucket.tokens -= 1;
  }
}
