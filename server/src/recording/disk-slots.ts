/**
 * How many operations of the journals may be with the disk at one time. All of them run in the thread pool, none in the
 * turn of the event loop: a disk that sticks holds the thread that waits for it, never the neighbours. The pool (4
 * threads) serves others too, name look-ups for one, so a disk that hangs may take three of them and no more.
 */
const MAX_TOGETHER = 3;
/** Of each kind: flushes, which are slow, leave a thread to writes, and writes one to flushes. */
const MAX_OF_A_KIND = 2;

export type DiskWork = 'write' | 'sync';
type Job = (done: () => void) => void;

/** One per data directory, shared by all writers. Each journal has at most one job of each kind: the queues are bounded by that. */
export class DiskSlots {
  readonly #running = { write: 0, sync: 0 };
  readonly #waiting: Record<DiskWork, Job[]> = { write: [], sync: [] };

  /** Runs `job` in this turn when there is room, else when its turn comes. It must call `done` once. */
  run(kind: DiskWork, job: Job): void {
    if (this.#hasRoom(kind)) this.#start(kind, job);
    else this.#waiting[kind].push(job);
  }

  #hasRoom(kind: DiskWork): boolean {
    const { write, sync } = this.#running;
    return write + sync < MAX_TOGETHER && this.#running[kind] < MAX_OF_A_KIND;
  }

  #start(kind: DiskWork, job: Job): void {
    this.#running[kind] += 1;
    job(() => {
      this.#running[kind] -= 1;
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
