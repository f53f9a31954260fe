import type { Clock } from '../clock.ts';

interface Running {
  leftMs: number;
  since: number;
  cancel: (() => void) | null;
}

/**
 * The deadlines of one connect: each stage has its own, and all stand still while a person is asked. security.md section 4.
 */
export class ConnectClock<Name extends string> {
  readonly #clock: Clock;
  readonly #late: (name: Name) => void;
  readonly #running = new Map<Name, Running>();
  #holds = 0;

  /** @param late called when the deadline of a stage has passed */
  constructor(clock: Clock, late: (name: Name) => void) {
    this.#clock = clock;
    this.#late = late;
  }
  start(name: Name, ms: number): void {
    const running: Running = { leftMs: ms, since: 0, cancel: null };
    this.#running.set(name, running);
    if (this.#holds === 0) this.#run(name, running);
  }
  stop(name: Name): void {
    this.#running.get(name)?.cancel?.();
    this.#running.delete(name);
  }
  /** What a stage has left; null when it is not running. */
  leftMs(name: Name): number | null {
    const running = this.#running.get(name);
    if (running === undefined) return null;
    const spentMs = running.cancel === null ? 0 : this.#clock.monotonic() - running.since;
    return Math.max(0, running.leftMs - spentMs);
  }
  stopAll(): void {
    for (const name of [...this.#running.keys()]) this.stop(name);
  }
  /** Waits for `question` with all clocks standing still. */
  async hold<T>(question: () => Promise<T>): Promise<T> {
    if (this.#holds++ === 0) for (const running of this.#running.values()) this.#halt(running);
    try {
      return await question();
    } finally {
      if (--this.#holds === 0) for (const [name, running] of this.#running) this.#run(name, running);
    }
  }
  #run(name: Name, running: Running): void {
    running.since = this.#clock.monotonic();
    running.cancel = this.#clock.after(running.leftMs, () => {
      this.#running.delete(name);
      this.#late(name);
    });
  }
  #halt(running: Running): void {
    running.cancel?.();
    running.cancel = null;
    running.leftMs = Math.max(0, running.leftMs - (this.#clock.monotonic() - running.since));
  }
}
