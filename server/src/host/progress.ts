/** The progress a page shows: one item per activity, a tree by parent. interactive.md section 9. */
import type { ProgressRecord } from '@sallyport/psrp';
import type { ProgressItem } from '@sallyport/shared/wire/control';
import { visibleText } from '@sallyport/shared/terminal-output/visible-text';
import type { Clock } from '../clock.ts';

const DRAW_EVERY_MS = 100;
const MAX_ITEMS = 64;
const MAX_TEXT = 300;

const shown = (text: string | null): string => visibleText(text ?? '', MAX_TEXT, false).trim();

/** Activities of the running pipeline, told at most 10 times a second. */
export class ProgressBoard {
  readonly #items = new Map<string, ProgressItem>();
  readonly #clock: Clock;
  readonly #tell: (items: readonly ProgressItem[]) => void;
  #cancel: (() => void) | null = null;

  constructor(clock: Clock, tell: (items: readonly ProgressItem[]) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  update(sourceId: bigint, record: ProgressRecord): void {
    const idOf = (activityId: number): string => `${sourceId.toString()}:${activityId.toString()}`;
    const id = idOf(record.activityId);
    if (record.isCompleted) {
      if (!this.#items.delete(id)) return;
    } else {
      if (!this.#items.has(id) && this.#items.size >= MAX_ITEMS) return;
      this.#items.set(id, {
        id,
        parentId: record.parentActivityId < 0 ? null : idOf(record.parentActivityId),
        activity: shown(record.activity),
        status: shown(record.statusDescription),
        operation: shown(record.currentOperation),
        percent: record.percentComplete < 0 ? null : Math.min(100, record.percentComplete),
        secondsRemaining: record.secondsRemaining < 0 ? null : record.secondsRemaining,
      });
    }
    this.#cancel ??= this.#clock.after(DRAW_EVERY_MS, () => this.#draw());
  }

  /** The pipeline has ended. */
  clear(): void {
    const isShown = this.#items.size > 0 || this.#cancel !== null;
    this.#items.clear();
    this.#cancel?.();
    if (isShown) this.#draw();
  }

  #draw(): void {
    this.#cancel = null;
    this.#tell([...this.#items.values()]);
  }
}
