/**
 * How the journals share the disk. A write into the page cache takes microseconds, a trip through the thread pool a
 * hundred times that on a busy machine, so a journal writes in the turn of the event loop while the disk is prompt, and
 * through the pool while there is any sign that it is not: then the thread that waits for it stands, never the neighbours.
 * The pool (4 threads) serves others too, name look-ups for one, so a disk that hangs may take three of them and no more.
 * docs/recording-format.md section 4.
 */
import type { Clock } from '../clock.ts';

const MAX_TOGETHER = 3;
/** Of each kind: flushes, which are slow, leave a thread to writes, and writes one to flushes. */
const MAX_OF_A_KIND = 2;
/** A flush or write in the pool that has not returned for so long: the disk is not prompt. */
const LATE_MS = 100;
/** A write in the turn that took so long ... */
const SLOW_TURN_MS = 20;
/** ... sends all writes through the pool for so long. */
const REST_MS = 10_000;

export type DiskWork = 'write' | 'sync';
type Job = (done: () => void) => void;

/** One per data directory, shared by all writers. Each journal has at most one job of each kind: the queues are bounded by that. */
export class DiskSlots {
  readonly #clock: Clock;
  readonly #running: Record<DiskWork, Set<{ readonly since: number }>> = { write: new Set(), sync: new Set() };
  readonly #waiting: Record<DiskWork, Job[]> = { write: [], sync: [] };
  #restUntil = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True while nothing says that the next write may stick: no operation is late, no write in the turn was slow of late. */
  isPrompt(): boolean {
    const now = this.#clock.monotonic();
    if (now < this.#restUntil || this.#waiting.write.length > 0) return false;
    for (const kind of ['write', 'sync'] as const)
      for (const { since } of this.#running[kind]) if (now - since > LATE_MS) return false;
    return true;
  }

  /** Runs `write` in this turn and remembers how long it took. */
  runNow<T>(write: () => T): T {
    const since = this.#clock.monotonic();
    try {
      return write();
    } finally {
      const now = this.#clock.monotonic();
      if (now - since > SLOW_TURN_MS) this.#restUntil = now + REST_MS;
    }
  }

  /** Runs `job` in the pool, at once when there is room, else when its turn comes. It must call `done` once. */
  run(kind: DiskWork, job: Job): void {
    if (this.#hasRoom(kind)) this.#start(kind, job);
    else this.#waiting[kind].push(job);
  }

  #hasRoom(kind: DiskWork): boolean {
    const { write, sync } = this.#running;
    return write.size + sync.size < MAX_TOGETHER && this.#running[kind].size < MAX_OF_A_KIND;
  }

  #start(kind: DiskWork, job: Job): void {
    const run = { since: this.#clock.monotonic() };
    this.#running[kind].add(run);
    job(() => {
      this.#running[kind].delete(run);
      this.#startNext('write');
      this.#startNext('sync');
    });
  }

  #startNext(kind: DiskWork): void {
    if (!this.#hasRoom(kind)) return;
    const job = this.#waiting[kind].shift();
    if (job !== undefined) this.#start(kind, job);
  }
}
