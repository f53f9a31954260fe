import type { ReplayEvent } from '@sallyport/shared/api/sessions';
import { IDLE_MS, idleParts, type Idle } from './timeline.ts';

/** What shows a recording: it knows how, never when. */
export interface PlayerRenderer {
  /** A clean screen, as before the first event. */
  reset(): void;
  show(event: ReplayEvent): void;
}
/** Calls back once, as soon as the browser draws next. Returns what cancels it. */
export type NextFrame = (run: (nowMs: number) => void) => () => void;

/** Speeds that can be chosen. */
export const SPEEDS = [0.5, 1, 2, 8] as const;
/** One of the speeds. */
export type Speed = (typeof SPEEDS)[number];

/** When each event of a recording is shown: play, pause, seek, speed, pauses. No DOM, no bytes. */
export class PlayerController {
  readonly events: readonly ReplayEvent[];
  readonly durationMs: number;
  readonly idle: readonly Idle[];
  readonly #renderer: PlayerRenderer;
  readonly #nextFrame: NextFrame;
  readonly #changed: () => void;
  #positionMs = 0;
  /** Index of the next event to show. */
  #next = 0;
  #speed: Speed = 1;
  #skipsIdle = true;
  #cancelFrame: (() => void) | null = null;
  #lastFrame: number | null = null;

  /** @param events in order of time */
  constructor(events: readonly ReplayEvent[], renderer: PlayerRenderer, nextFrame: NextFrame, changed: () => void) {
    this.events = events;
    this.durationMs = events.at(-1)?.timeMs ?? 0;
    this.idle = idleParts(events);
    this.#renderer = renderer;
    this.#nextFrame = nextFrame;
    this.#changed = changed;
  }

  get positionMs(): number {
    return this.#positionMs;
  }
  get isPlaying(): boolean {
    return this.#cancelFrame !== null;
  }
  get isAtEnd(): boolean {
    return this.#positionMs >= this.durationMs;
  }
  get speed(): Speed {
    return this.#speed;
  }
  set speed(speed: Speed) {
    this.#speed = speed;
    this.#changed();
  }
  get skipsIdle(): boolean {
    return this.#skipsIdle;
  }
  set skipsIdle(skips: boolean) {
    this.#skipsIdle = skips;
    this.#changed();
  }

  /** Plays from here; from the start when it is at the end. */
  play(): void {
    if (this.isPlaying) return;
    if (this.isAtEnd) this.seek(0);
    this.#lastFrame = null;
    this.#ask();
    this.#changed();
  }
  pause(): void {
    this.#cancelFrame?.();
    this.#cancelFrame = null;
    this.#changed();
  }
  toggle(): void {
    if (this.isPlaying) this.pause();
    else this.play();
  }

  /** Shows the screen as it was at `ms`. */
  seek(ms: number): void {
    const target = Math.min(this.durationMs, Math.max(0, ms));
    if (target < this.#positionMs) {
      this.#renderer.reset();
      this.#next = 0;
    }
    this.#positionMs = target;
    this.#showDue();
    this.#changed();
  }
  /** Goes to the next faster or slower speed. */
  changeSpeed(step: 1 | -1): void {
    this.speed = SPEEDS[SPEEDS.indexOf(this.#speed) + step] ?? this.#speed;
  }

  #ask(): void {
    this.#cancelFrame = this.#nextFrame((now) => this.#frame(now));
  }

  #frame(now: number): void {
    const passed = this.#lastFrame === null ? 0 : now - this.#lastFrame;
    this.#lastFrame = now;
    this.#positionMs = this.#after(passed * this.#speed);
    this.#showDue();
    if (this.isAtEnd) this.pause();
    else {
      this.#ask();
      this.#changed();
    }
  }

  /** Position after `ms` of playing; a pause beyond IDLE_MS is jumped over. */
  #after(ms: number): number {
    const to = this.#positionMs + ms;
    const next = this.events[this.#next]?.timeMs;
    const last = this.events[this.#next - 1]?.timeMs ?? 0;
    const isIdle = this.#skipsIdle && next !== undefined && next - last > IDLE_MS && to >= last + IDLE_MS;
    return Math.min(this.durationMs, isIdle ? Math.max(to, next) : to);
  }

  #showDue(): void {
    for (;;) {
      const event = this.events[this.#next];
      if (event === undefined || event.timeMs > this.#positionMs) return;
      this.#next += 1;
      this.#renderer.show(event);
    }
  }
}
