/**
 * The connections of one shell. A request takes one that is free, or a new one is made: a poll that the target holds, or a
 * Send that it delays, never holds up anything else. An idle session has one, held by its poll; a command
 * has another one, and what goes out while it runs a third.
 */
import type { Clock } from '../../clock.ts';
import { SallyportError } from '../../errors.ts';
import type { Lane } from './shell.ts';
import { SignedOutError, type SignedConnection } from './signed-connection.ts';

/** What is needed of one. */
type Connection = Pick<SignedConnection, 'post' | 'isClosed' | 'close'>;

/** At most. Polls leave two for what must go out. */
const MAX_CONNECTIONS = 8;
const MAX_POLLS = MAX_CONNECTIONS - 2;
/** A free one is closed after this: HTTP.SYS closes them after 120 s, and what is closed in the very moment of a Send is lost. */
const FREE_MS = 60_000;
/**
 * While another one is free. The next line goes out and is polled for over that one; what is beside it can wait for a new
 * one. Each costs some 50 KiB outside the heap, and a session that opens makes three.
 */
const SPARE_MS = 5_000;

const RANK: Readonly<Record<Lane, number>> = { control: 0, send: 1, poll: 2 };

interface Waiting {
  readonly lane: Lane;
  readonly use: (connection: Connection) => void;
  readonly fail: (error: unknown) => void;
}
interface Free {
  readonly connection: Connection;
  readonly cancel: () => void;
}

/** Who owns it closes it. */
export class Connections {
  readonly #open: () => Promise<Connection>;
  readonly #clock: Clock;
  readonly #all = new Set<Connection>();
  #free: Free[] = [];
  #waiting: Waiting[] = [];
  #opening = 0;
  #polls = 0;
  #isClosed = false;

  /** @param open makes another one, signed in */
  constructor(first: Connection, open: () => Promise<Connection>, clock: Clock) {
    this.#open = open;
    this.#clock = clock;
    this.#all.add(first);
    this.#release(first);
  }

  /** Connections that are open now. */
  get count(): number {
    return this.#all.size;
  }

  /** Sends one envelope. @throws what `Connection.post` and making a connection throw */
  async post(lane: Lane, envelope: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    try {
      return await this.#post(lane, envelope, timeoutMs);
    } catch (error) {
      if (!(error instanceof SignedOutError) || this.#isClosed) throw error;
      // In clear anybody can say so, and hand the request on beside: what changes something is never sent twice then.
      if (!error.isProven && lane !== 'poll')
        throw new SallyportError('target_lost', 'an answer that is not sealed, HTTP status 401', { cause: error });
      // Once, over a connection that is signed in anew; a second time it is the account that is refused.
      return this.#post(lane, envelope, timeoutMs, await this.#signedInAnew());
    }
  }

  async #signedInAnew(): Promise<Connection> {
    const fresh = await this.#open();
    if (!this.#isClosed) return fresh;
    fresh.close();
    throw this.#closed();
  }
  #closed = (): SallyportError => new SallyportError('target_lost', 'the session was closed');

  async #post(
    lane: Lane,
    envelope: Uint8Array,
    timeoutMs: number,
    fresh: Connection | null = null,
  ): Promise<Uint8Array> {
    if (fresh !== null) {
      this.#all.add(fresh);
      if (lane === 'poll') this.#polls++;
    }
    const connection = fresh ?? (await this.#take(lane));
    try {
      return await connection.post(envelope, timeoutMs);
    } finally {
      if (lane === 'poll') this.#polls--;
      this.#release(connection);
    }
  }

  /** Idempotent. What waits for an answer is lost. */
  close(): void {
    this.#isClosed = true;
    for (const { cancel } of this.#free.splice(0)) cancel();
    for (const connection of this.#all) connection.close();
    this.#all.clear();
    for (const { fail } of this.#waiting.splice(0)) fail(this.#closed());
  }

  #take(lane: Lane): Promise<Connection> {
    return new Promise((use, fail) => {
      this.#waiting.push({ lane, use, fail });
      this.#waiting.sort((a, b) => RANK[a.lane] - RANK[b.lane]);
      this.#assign();
    });
  }

  /** Gives free connections to who waits, and makes more where they are short. */
  #assign(): void {
    for (const next of [...this.#waiting]) {
      if (next.lane === 'poll' && this.#polls >= MAX_POLLS) continue;
      const connection = this.#takeFree();
      if (connection === null) break;
      this.#waiting.splice(this.#waiting.indexOf(next), 1);
      // At once: who takes it goes on later, and others may be assigned before.
      if (next.lane === 'poll') this.#polls++;
      next.use(connection);
    }
    const isShort = this.#waiting.length > this.#opening;
    if (isShort && this.#all.size + this.#opening < MAX_CONNECTIONS && !this.#isClosed) void this.#makeOne();
  }

  /** The one used last: the others may be let go. */
  #takeFree(): Connection | null {
    for (let free = this.#free.pop(); free !== undefined; free = this.#free.pop()) {
      free.cancel();
      if (!free.connection.isClosed) return free.connection;
      this.#all.delete(free.connection);
    }
    return null;
  }

  async #makeOne(): Promise<void> {
    this.#opening++;
    try {
      const connection = await this.#open();
      this.#opening--;
      if (this.#isClosed) connection.close();
      else {
        this.#all.add(connection);
        this.#release(connection);
      }
    } catch (error) {
      this.#opening--;
      this.#waiting.shift()?.fail(error);
      this.#assign();
    }
  }

  #release(connection: Connection): void {
    if (connection.isClosed || this.#isClosed) {
      this.#all.delete(connection);
      connection.close();
    } else {
      this.#keepFree(connection, SPARE_MS, FREE_MS - SPARE_MS);
    }
    this.#assign();
  }

  /** @param lastMs how much longer it stays when it is the only one that is free */
  #keepFree(connection: Connection, ms: number, lastMs: number): void {
    const cancel = this.#clock.after(ms, () => {
      this.#free = this.#free.filter((free) => free.connection !== connection);
      if (this.#free.length === 0 && lastMs > 0) {
        this.#keepFree(connection, lastMs, 0);
        return;
      }
      this.#all.delete(connection);
      connection.close();
    });
    this.#free.push({ connection, cancel });
  }
}
