import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import { randomId, tokenHash } from '../random.ts';
import type { LoginRecord, Storage, UserRecord } from '../storage/contract.ts';
import type { RequestOrigin } from './contract.ts';

export interface LoginLimits {
  readonly idleMs: number;
  readonly absoluteMs: number;
}
export const LOGIN_LIMITS: LoginLimits = { idleMs: 15 * 60_000, absoluteMs: 12 * 3_600_000 };
/** How long a confirmed password allows sensitive acts. */
const STEP_UP_MS = 5 * 60_000;
/** How often activity is written down; only a restart reads it. */
const SEEN_EVERY_MS = 60_000;
/** Step-ups of one login whose open sockets are still known: one every 12 minutes for 12 hours. */
const MAX_FORMER = 60;
const MAX_AGENT = 512;

/** What counts while the process lives: monotonic times, so that a wall clock that jumps ends and revives nothing. */
interface LiveLogin {
  readonly userId: string;
  readonly endsAt: number;
  readonly steppedUpUntil: number;
  seenAt: number;
  writtenAt: number;
  /** Hashes that this login had before step-ups; sockets opened then still name them. */
  readonly former: readonly string[];
}

/** A login as it is now. Times are wall clock, worked out anew. */
export interface Login {
  readonly hash: string;
  readonly userId: string;
  readonly expiresAt: number;
  readonly steppedUpUntil: number | null;
}
export interface EndedLogin {
  /** Present hash first, then former ones. */
  readonly hashes: readonly string[];
  readonly userId: string;
}

/** A login just made, and the cookie that nobody can read again. */
export interface NewLogin {
  readonly cookie: string;
  readonly login: Login;
}

const isThere = async (storage: Pick<Storage, 'logins'>, hash: string): Promise<boolean> =>
  (await storage.logins.byHash(hash)) !== null;

/** Whether what was judged still holds: nobody disabled the person, reset the password or changed the role. */
export const isUnchanged = (now: UserRecord | null, judged: UserRecord): boolean =>
  now !== null && !now.disabled && now.passwordHash === judged.passwordHash && now.role === judged.role;

/** Server-side logins: rows in storage, truth about time in memory. */
export class Logins {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #limits: () => LoginLimits;
  readonly #live = new Map<string, LiveLogin>();
  readonly #renamed = new Map<string, string>();
  /** INVARIANT: rows and memory change together, one act after the other; a transaction alone knows only of rows. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(storage: Storage, clock: Clock, limits: () => LoginLimits) {
    this.#storage = storage;
    this.#clock = clock;
    this.#limits = limits;
  }

  /**
   * A new login, its password just proven. `follows`: the login that it replaces, end and open sockets included. Both are
   * read again here, since an event was written after they were judged: who was changed, or whose login ended meanwhile,
   * gets none.
   * @throws SallyportError unauthenticated (the followed login ended), bad_credentials (the person was changed)
   */
  create(user: UserRecord, from: RequestOrigin, follows: string | null = null): Promise<NewLogin> {
    return this.#serial(async () => {
      const [now, wall] = [this.#clock.monotonic(), this.#clock.now()];
      const before = follows === null ? undefined : this.#live.get(follows);
      const endsAt = before?.endsAt ?? now + this.#limits().absoluteMs;
      const cookie = randomId();
      const hash = tokenHash(cookie);
      const row: LoginRecord = {
        idHash: hash,
        userId: user.id,
        createdAt: wall,
        lastSeenAt: wall,
        expiresAt: Math.round(wall + endsAt - now),
        steppedUpUntil: wall + STEP_UP_MS,
        address: from.address,
        agent: from.agent.slice(0, MAX_AGENT),
      };
      await this.#storage.transaction(async (storage) => {
        if (follows !== null && (before === undefined || this.#isOver(before) || !(await isThere(storage, follows))))
          throw new SallyportError('unauthenticated', 'the login ended meanwhile');
        if (!isUnchanged(await storage.users.byId(user.id), user))
          throw new SallyportError('bad_credentials', 'the person was changed meanwhile');
        if (follows === null) await storage.users.update(user.id, { lastLoginAt: wall });
        else await storage.logins.delete(follows);
        await storage.logins.insert(row);
      });
      const former = follows === null ? [] : [follows, ...(before?.former ?? [])].slice(0, MAX_FORMER);
      if (follows !== null) this.#forget(follows);
      for (const name of former) this.#renamed.set(name, hash);
      const live = { userId: user.id, endsAt, steppedUpUntil: now + STEP_UP_MS, seenAt: now, writtenAt: now, former };
      this.#live.set(hash, live);
      return { cookie, login: this.#show(hash, live) };
    });
  }

  /**
   * The login of a hash; null when there is none or it ended.
   * @param also `former`: a hash from before a step-up counts too (open sockets); never for a cookie
   */
  async find(hash: string, also?: 'former'): Promise<Login | null> {
    const present = (also === 'former' ? this.#renamed.get(hash) : undefined) ?? hash;
    const row = await this.#storage.logins.byHash(present);
    if (row === null) {
      // A step-up may have replaced the row while it was looked for.
      if (also === 'former' && this.#renamed.has(present)) return this.find(present, also);
      this.#forget(present);
      return null;
    }
    const live = this.#live.get(present) ?? this.#revive(row);
    return this.#isOver(live) ? null : this.#show(present, live);
  }

  /** Whether the login's row is there, in a transaction; `hash` may be one from before a step-up. */
  isThere(hash: string, within: Pick<Storage, 'logins'>): Promise<boolean> {
    return isThere(within, this.#renamed.get(hash) ?? hash);
  }

  /** A person did something. */
  async touch(hash: string): Promise<void> {
    const present = this.#renamed.get(hash) ?? hash;
    const live = this.#live.get(present);
    if (live === undefined || this.#isOver(live)) return;
    const now = this.#clock.monotonic();
    live.seenAt = now;
    if (now - live.writtenAt < SEEN_EVERY_MS) return;
    live.writtenAt = now;
    await this.#storage.logins.update(present, { lastSeenAt: this.#clock.now() });
  }

  /** Ends one login, also under a hash from before a step-up. */
  end(hash: string): Promise<EndedLogin | null> {
    return this.#serial(async () => {
      const present = this.#renamed.get(hash) ?? hash;
      const live = this.#live.get(present);
      const row = await this.#storage.logins.byHash(present);
      await this.#storage.logins.delete(present);
      this.#forget(present);
      const userId = live?.userId ?? row?.userId;
      return userId === undefined ? null : { hashes: [present, ...(live?.former ?? [])], userId };
    });
  }

  /**
   * Ends all logins of a user, but for `except` when given (also under a hash from before a step-up).
   * @param because what is the reason, in the same transaction: both or none, also when the process dies
   */
  endOfUser(
    userId: string,
    { except = null, because }: { except?: string | null; because?: (within: Storage) => Promise<void> } = {},
  ): Promise<EndedLogin> {
    return this.#serial(async () => {
      const kept = except === null ? null : (this.#renamed.get(except) ?? except);
      const gone = await this.#storage.transaction(async (storage) => {
        await because?.(storage);
        const row = kept === null ? null : await storage.logins.byHash(kept);
        const deleted = await storage.logins.deleteOfUser(userId);
        if (row?.userId === userId) await storage.logins.insert(row);
        return deleted.filter((hash) => hash !== row?.idHash);
      });
      const hashes = gone.flatMap((hash) => {
        const former = this.#live.get(hash)?.former ?? [];
        this.#forget(hash);
        return [hash, ...former];
      });
      return { hashes, userId };
    });
  }

  /** Logins whose time is up. */
  over(): readonly string[] {
    return [...this.#live].filter(([, live]) => this.#isOver(live)).map(([hash]) => hash);
  }

  /** A row of an earlier run. Only the wall clock spans a restart; set back, it gives nobody more than a full term. */
  #revive(row: LoginRecord): LiveLogin {
    const [now, wall] = [this.#clock.monotonic(), this.#clock.now()];
    const { absoluteMs } = this.#limits();
    const live: LiveLogin = {
      userId: row.userId,
      endsAt: now + Math.min(absoluteMs, row.expiresAt - wall),
      steppedUpUntil: now + Math.min(STEP_UP_MS, (row.steppedUpUntil ?? 0) - wall),
      seenAt: now - Math.max(0, wall - row.lastSeenAt),
      writtenAt: now,
      former: [],
    };
    this.#live.set(row.idHash, live);
    return live;
  }

  #serial<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(work);
    this.#tail = done.catch(() => undefined);
    return done;
  }

  #isOver(live: LiveLogin): boolean {
    const now = this.#clock.monotonic();
    return now >= live.endsAt || now - live.seenAt >= this.#limits().idleMs;
  }

  #show(hash: string, live: LiveLogin): Login {
    const [now, wall] = [this.#clock.monotonic(), this.#clock.now()];
    const steppedUpUntil = live.steppedUpUntil > now ? Math.round(wall + live.steppedUpUntil - now) : null;
    return { hash, userId: live.userId, expiresAt: Math.round(wall + live.endsAt - now), steppedUpUntil };
  }

  #forget(hash: string): void {
    const live = this.#live.get(hash);
    this.#live.delete(hash);
    for (const name of live?.former ?? []) if (this.#renamed.get(name) === hash) this.#renamed.delete(name);
  }
}
