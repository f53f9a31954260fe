import type { Clock } from '../../server/src/clock.ts';

/** A clock that tests turn by hand. Wall and monotonic time move apart when a test says so. */
export class FakeClock implements Clock {
  #wall: number;
  #monotonic = 0;
  #calls: { at: number; call: () => void }[] = [];

  constructor(wall = Date.UTC(2026, 10, 21, 12)) {
    this.#wall = wall;
  }
  now(): number {
    return this.#wall;
  }
  monotonic(): number {
    return this.#monotonic;
  }
  after(ms: number, call: () => void): () => void {
    const entry = { at: this.#monotonic + ms, call };
    this.#calls.push(entry);
    return () => {
      this.#calls = this.#calls.filter((other) => other !== entry);
    };
  }
  /** Time passes: both clocks move, due calls run in order. */
  advance(ms: number): void {
    const end = this.#monotonic + ms;
    const wallEnd = this.#wall + ms;
    for (;;) {
      const next = this.#calls.filter((entry) => entry.at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#calls = this.#calls.filter((entry) => entry !== next);
      this.#wall += next.at - this.#monotonic;
      this.#monotonic = next.at;
      next.call();
    }
    this.#monotonic = end;
    this.#wall = wallEnd;
  }
  /** Somebody set the wall clock; no time passes. */
  jumpWall(ms: number): void {
    this.#wall += ms;
  }
  /** Calls that still wait. */
  get waiting(): number {
    return this.#calls.length;
  }
}
