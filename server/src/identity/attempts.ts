import { isIPv4, isIPv6 } from 'node:net';
import type { Clock } from '../clock.ts';

const WINDOW_MS = 15 * 60_000;
/** Keys kept; the one unused for longest goes first. An attacker needs more than 100 address blocks to get there in one window. */
const MAX_KEYS = 10_000;

/** Whether an attempt may be made; `isNews` on the first refusal since one was allowed, so that a flood makes one event. */
export type Attempt =
  { readonly allowed: true } | { readonly allowed: false; readonly retryAfterS: number; readonly isNews: boolean };

/** At most `limit` attempts a key in any 15 minutes of monotonic time. */
export class Attempts {
  readonly #limit: number;
  readonly #clock: Clock;
  readonly #made = new Map<string, { times: number[]; isRefusing: boolean }>();

  constructor(limit: number, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
  }

  take(key: string): Attempt {
    const now = this.#clock.monotonic();
    const entry = this.#made.get(key) ?? { times: [], isRefusing: false };
    entry.times = entry.times.filter((time) => time > now - WINDOW_MS);
    this.#made.delete(key);
    this.#made.set(key, entry);
    this.#bound();
    const [oldest] = entry.times;
    if (entry.times.length >= this.#limit && oldest !== undefined) {
      const isNews = !entry.isRefusing;
      entry.isRefusing = true;
      return { allowed: false, isNews, retryAfterS: Math.max(1, Math.ceil((oldest + WINDOW_MS - now) / 1000)) };
    }
    entry.isRefusing = false;
    entry.times.push(now);
    return { allowed: true };
  }

  /** The last attempt was good and does not count. */
  giveBack(key: string): void {
    this.#made.get(key)?.times.pop();
  }

  #bound(): void {
    if (this.#made.size <= MAX_KEYS) return;
    const [oldest] = this.#made.keys();
    if (oldest !== undefined) this.#made.delete(oldest);
  }
}

/** /24 of IPv4 (also when mapped into IPv6), /64 of IPv6: what one person can change at will counts as one. */
export function addressBlock(address: string): string {
  const plain = address
    .toLowerCase()
    .replace(/%.*$/, '')
    .replace(/^::ffff:(?=\d+\.)/, '');
  if (isIPv4(plain)) return `${plain.split('.').slice(0, 3).join('.')}.0/24`;
  if (!isIPv6(plain)) return 'unknown';
  const [head = '', tail] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  // A trailing IPv4 part stands for two groups; it is never within the first four unless the address has no `::`.
  const length = [...left, ...right].reduce((sum, part) => sum + (part.includes('.') ? 2 : 1), 0);
  const groups = [...left, ...Array.from({ length: Math.max(0, 8 - length) }, () => '0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
