/**
 * May a small write be made in this turn, or must it go through the thread pool? A write into the page cache takes
 * microseconds, but on a stuck disk it can block, and with it every session. A stuck disk shows first in fdatasync,
 * which always runs in the pool: while one is late, or after any slow write, everything goes through the pool.
 */
import type { Clock } from '../clock.ts';

/** An fdatasync older than this makes the disk suspect. */
const LATE_SYNC_MS = 20;
/** A write in the turn that took longer than this does so too ... */
const SLOW_WRITE_MS = 4;
/** ... for so long. */
const SUSPECT_MS = 5000;
/** Larger chunks go through the pool: a flood must not hold the turn, and waits for nobody's eye. */
const MAX_NOW_BYTES = 128 * 1024;
/** fdatasyncs at one time, so that they leave threads of the pool (4) to writes. */
const MAX_SYNCS = 2;

type SyncJob = (done: () => void) => void;

/** One per data directory, shared by all writers. */
export class DiskHealth {
  readonly #clock: Clock;
  readonly #syncStarts: number[] = [];
  readonly #waiting: SyncJob[] = [];
  #suspectUntil = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  mayWriteNow(bytes: number): boolean {
    if (bytes > MAX_NOW_BYTES) return false;
    const oldest = this.#syncStarts[0];
    if (oldest === undefined && this.#suspectUntil === 0) return true;
    const now = this.#clock.monotonic();
    if (oldest !== undefined && now - oldest > LATE_SYNC_MS) return false;
    if (now < this.#suspectUntil) return false;
    this.#suspectUntil = 0;
    return true;
  }

  /** @param tookMs how long a write in the turn took */
  wrote(tookMs: number, now: number): void {
    if (tookMs > SLOW_WRITE_MS) this.#suspectUntil = now + SUSPECT_MS;
  }

  /** Runs an fdatasync when its turn comes; the queue is bounded by the number of open journals (one each). */
  runSync(job: SyncJob): void {
    if (this.#syncStarts.length >= MAX_SYNCS) {
      this.#waiting.push(job);
      return;
    }
    const started = this.#clock.monotonic();
    this.#syncStarts.push(started);
    job(() => {
      this.#syncStarts.splice(this.#syncStarts.indexOf(started), 1);
      const next = this.#waiting.shift();
      if (next !== undefined) this.runSync(next);
    });
  }
}
