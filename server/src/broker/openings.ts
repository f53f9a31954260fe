/** Sessions that are being made: how many one person may have, how often they may open one, and who still waits for one. */
import { SallyportError } from '../errors.ts';
import type { Requester } from './contract.ts';
import type { BrokerDeps } from './deps.ts';

const MINUTE_MS = 60_000;

/** Counts them. */
export class Openings {
  readonly #deps: Pick<BrokerDeps, 'limits' | 'clock'>;
  /** Live sessions of a user. */
  readonly #liveOf: (userId: string) => number;
  /** Sessions being made, by user: they count against the limit too. */
  readonly #making = new Map<string, number>();
  /** Who waits for them; a login that is revoked meanwhile gets none. */
  readonly #opening = new Set<{ readonly who: Requester; isRevoked: boolean }>();
  readonly #opens = new Map<string, number[]>();

  constructor(deps: Pick<BrokerDeps, 'limits' | 'clock'>, liveOf: (userId: string) => number) {
    this.#deps = deps;
    this.#liveOf = liveOf;
  }

  /**
   * Counts one against the limits while it is made. @param waiting how many sessions of theirs wait at targets and count
   * too @throws SallyportError rate_limited, too_many_sessions
   */
  async counted<T>(
    who: Requester,
    waiting: () => Promise<number>,
    make: (isRevoked: () => boolean) => Promise<T>,
  ): Promise<T> {
    const { userId } = who.subject;
    const before = this.#take(userId);
    this.#making.set(userId, (this.#making.get(userId) ?? 0) + 1);
    const opening = { who, isRevoked: false };
    this.#opening.add(opening);
    try {
      this.#requireRoom(before + (await waiting()));
      return await make(() => opening.isRevoked);
    } finally {
      this.#opening.delete(opening);
      const left = (this.#making.get(userId) ?? 1) - 1;
      if (left > 0) this.#making.set(userId, left);
      else this.#making.delete(userId);
    }
  }

  /** Logins were revoked: nobody gets a session by them any more. */
  loginsEnded(hashes: ReadonlySet<string>): void {
    for (const opening of this.#opening) opening.isRevoked ||= hashes.has(opening.who.loginHash);
  }

  /** @returns how many there were before it */
  #take(userId: string): number {
    const { limits, clock } = this.#deps;
    const now = clock.monotonic();
    const recent = (this.#opens.get(userId) ?? []).filter((at) => now - at < MINUTE_MS);
    this.#opens.set(userId, recent);
    const [oldest] = recent;
    if (oldest !== undefined && recent.length >= limits.opensPerMinute) {
      const retryAfterS = Math.max(1, Math.ceil((oldest + MINUTE_MS - now) / 1000));
      throw new SallyportError('rate_limited', 'too many sessions opened in a minute', { retryAfterS });
    }
    const before = this.#liveOf(userId) + (this.#making.get(userId) ?? 0);
    this.#requireRoom(before);
    recent.push(now);
    return before;
  }

  #requireRoom(before: number): void {
    if (before >= this.#deps.limits.sessionsPerUser)
      throw new SallyportError('too_many_sessions', 'too many sessions of one user');
  }
}
