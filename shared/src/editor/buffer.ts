import { lineEnd, lineStart, nextBorder, nextWord, previousBorder, previousWord } from './text.ts';

/** Undo steps and units of text that are kept; the oldest go first. */
const MAX_UNDO = 1000;
const MAX_UNDO_UNITS = 4 * 1024 * 1024;
/** Letters that are taken back together, and the pause that parts them. */
const GROUP_LETTERS = 20;
const GROUP_PAUSE_MS = 1000;
/** Text of one line or block, in UTF-16 units. */
export const MAX_TEXT = 1024 * 1024;

interface Saved {
  readonly text: string;
  readonly cursor: number;
}

/** The draft: text, cursor, selection, undo. Offsets are UTF-16 units on borders of characters. */
export class Buffer {
  text = '';
  cursor = 0;
  anchor: number | null = null;
  #undo: Saved[] = [];
  #redo: Saved[] = [];
  #units = 0;
  #group = 0;
  #groupAt = 0;

  get selection(): readonly [number, number] {
    if (this.anchor === null) return [this.cursor, this.cursor];
    return [Math.min(this.anchor, this.cursor), Math.max(this.anchor, this.cursor)];
  }
  get selected(): string {
    return this.text.slice(...this.selection);
  }

  #save(): void {
    this.#undo.push({ text: this.text, cursor: this.cursor });
    this.#units += this.text.length;
    while (this.#undo.length > MAX_UNDO || (this.#units > MAX_UNDO_UNITS && this.#undo.length > 1))
      this.#units -= this.#undo.shift()?.text.length ?? 0;
    this.#redo = [];
  }
  #go(saved: Saved | undefined): boolean {
    if (saved === undefined) return false;
    this.text = saved.text;
    this.cursor = saved.cursor;
    this.anchor = null;
    this.#group = 0;
    return true;
  }
  undo(): boolean {
    const last = this.#undo.pop();
    if (last !== undefined) {
      this.#redo.push({ text: this.text, cursor: this.cursor });
      this.#units -= last.text.length;
    }
    return this.#go(last);
  }
  redo(): boolean {
    const next = this.#redo.pop();
    if (next !== undefined) {
      this.#undo.push({ text: this.text, cursor: this.cursor });
      this.#units += this.text.length;
    }
    return this.#go(next);
  }

  /** Replaces a span; one undo step. @returns false when the text would be longer than 1 MiB */
  replace(from: number, to: number, text: string): boolean {
    if (this.text.length - (to - from) + text.length > MAX_TEXT) return false;
    this.#save();
    this.#group = 0;
    this.text = this.text.slice(0, from) + text + this.text.slice(to);
    this.cursor = from + text.length;
    this.anchor = null;
    return true;
  }

  /** Typed text: replaces the selection; letters in a row are one undo step. */
  type(text: string, nowMs: number): boolean {
    const [from, to] = this.selection;
    const isLetter = text.length <= 2 && from === to && text !== '\n';
    const goesOn =
      isLetter &&
      this.#group > 0 &&
      this.#group < GROUP_LETTERS &&
      nowMs - this.#groupAt < GROUP_PAUSE_MS &&
      text !== ' ';
    const group = goesOn ? this.#group + 1 : 1;
    if (goesOn) {
      if (this.text.length + text.length > MAX_TEXT) return false;
      this.text = this.text.slice(0, from) + text + this.text.slice(from);
      this.cursor = from + text.length;
    } else if (!this.replace(from, to, text)) return false;
    this.#group = isLetter ? group : 0;
    this.#groupAt = nowMs;
    return true;
  }

  /** Moves the cursor; with `isSelecting` the selection grows. */
  move(to: number, isSelecting: boolean): void {
    this.anchor = isSelecting ? (this.anchor ?? this.cursor) : null;
    this.cursor = Math.min(Math.max(to, 0), this.text.length);
    this.#group = 0;
  }

  /** A new draft without a past. */
  reset(text = '', cursor = text.length): void {
    this.text = text;
    this.cursor = cursor;
    this.anchor = null;
    this.#undo = [];
    this.#redo = [];
    this.#units = 0;
    this.#group = 0;
  }

  /** The text as one undo step, cursor at its end: history, expansions. */
  put(text: string): void {
    if (text !== this.text) this.replace(0, this.text.length, text);
    this.move(this.text.length, false);
  }

  /** Removes the selection, or else what lies between cursor and `to`. */
  deleteTo(to: number): boolean {
    const [from, end] = this.selection;
    if (from !== end) return this.replace(from, end, '');
    if (to === this.cursor) return false;
    return this.replace(Math.min(to, this.cursor), Math.max(to, this.cursor), '');
  }

  left = (): number => previousBorder(this.text, this.cursor);
  right = (): number => nextBorder(this.text, this.cursor);
  wordLeft = (): number => previousWord(this.text, this.cursor);
  wordRight = (): number => nextWord(this.text, this.cursor);
  /** Start of the line; from there, start of the text. */
  home(): number {
    const start = lineStart(this.text, this.cursor);
    return start === this.cursor ? 0 : start;
  }
  end = (): number => lineEnd(this.text, this.cursor);

  /** The same distance in the line above (-1) or below (1); null when there is none. */
  vertical(step: -1 | 1): number | null {
    const start = lineStart(this.text, this.cursor);
    const column = this.cursor - start;
    if (step < 0) {
      if (start === 0) return null;
      const above = lineStart(this.text, start - 1);
      return this.#border(above, Math.min(above + column, start - 1));
    }
    const end = lineEnd(this.text, this.cursor);
    if (end === this.text.length) return null;
    return this.#border(end + 1, Math.min(end + 1 + column, lineEnd(this.text, end + 1)));
  }
  /** The last border of a character in the line that starts at `start`, not behind `offset`. */
  #border(start: number, offset: number): number {
    const at = previousBorder(this.text, offset);
    return offset === start || at < start ? start : nextBorder(this.text, at) === offset ? offset : at;
  }
}
