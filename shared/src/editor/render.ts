import type { Cell, Frame, Row } from './layout.ts';

/**
 * Draws frames and remembers the last one, so that the next costs only what changed. It moves with CR, LF, CUU, CUD and
 * CHA and never asks the terminal. line-editor.md section 7.
 */
export class Renderer {
  #rows: Row[] = [];
  #row = 0;
  #col = 0;
  #startCol = 0;
  #isShown = false;

  get isShown(): boolean {
    return this.#isShown;
  }

  /** From `frame` only the rows that fit are drawn: a window around the cursor, moved by the least. */
  #top = 0;
  #window(frame: Frame, height: number): Frame {
    if (frame.rows.length <= height) {
      this.#top = 0;
      return frame;
    }
    const lowest = frame.cursorRow - height + 1;
    this.#top = Math.min(Math.max(this.#top, lowest), frame.cursorRow, frame.rows.length - height);
    const rows = frame.rows.slice(this.#top, this.#top + height);
    const [first] = rows;
    if (first !== undefined) rows[0] = { ...first, isWrapped: false };
    return { rows, cursorRow: frame.cursorRow - this.#top, cursorCol: frame.cursorCol };
  }

  /**
   * Draws `frame` where the region is, or where the cursor stands when nothing is drawn.
   * @param height rows of the screen
   * @param startCol column of the first row
   */
  draw(whole: Frame, height: number, startCol: number): string {
    const frame = this.#window(whole, height);
    if (!this.#isShown) {
      this.#rows = [{ cells: [], isWrapped: false, width: startCol }];
      this.#row = 0;
      this.#col = startCol;
      this.#startCol = startCol;
      this.#isShown = true;
    }
    const body = this.#change(frame);
    const moved = body + this.#moveTo(frame.cursorRow, frame.cursorCol);
    this.#rows = frame.rows;
    if (body === '' || !body.includes('\x1b[J')) return moved;
    return `\x1b[?2026h\x1b[?25l${moved}\x1b[?25h\x1b[?2026l`;
  }

  /** Takes the drawing off the screen; the cursor stands where the region began. */
  erase(): string {
    if (!this.#isShown) return '';
    this.#isShown = false;
    const vt = `${this.#moveTo(0, this.#startCol)}\x1b[J`;
    this.#rows = [];
    this.#top = 0;
    return vt;
  }

  /** Leaves the drawing where it is and goes below it. */
  leave(): string {
    if (!this.#isShown) return '';
    const vt = this.#moveTo(this.#rows.length - 1, 0);
    this.#isShown = false;
    this.#rows = [];
    this.#top = 0;
    return `${vt}\r\n`;
  }

  /** The screen was cleared: nothing is drawn any more. */
  forget(): void {
    this.#isShown = false;
    this.#rows = [];
    this.#top = 0;
  }

  #change(frame: Frame): string {
    const at = firstDifference(this.#rows, frame.rows);
    if (at === null) return '';
    const [row, cell] = at;
    const next = frame.rows[row];
    const isAppend =
      row === this.#rows.length - 1 &&
      frame.rows.length === this.#rows.length &&
      cell === this.#rows[row]?.cells.length;
    const col = startOf(frame.rows, row, cell, this.#startCol);
    let vt = row < this.#rows.length ? this.#moveTo(row, col) : this.#below(row);
    if (!isAppend) vt += '\x1b[J';
    let from = cell;
    if (cell === 0 && next?.isWrapped === true) vt += this.#rejoin(frame.rows, row);
    let sgr = '';
    for (let index = row; index < frame.rows.length; index += 1) {
      const line = frame.rows[index];
      if (line === undefined) break;
      if (index > row && !line.isWrapped) vt += '\r\n';
      for (const one of line.cells.slice(from)) {
        if (one.sgr !== sgr) vt += one.sgr === '' ? '\x1b[0m' : `\x1b[0;${one.sgr}m`;
        sgr = one.sgr;
        vt += one.text;
      }
      from = 0;
      this.#row = index;
      this.#col = line.width;
    }
    return sgr === '' ? vt : `${vt}\x1b[0m`;
  }

  /** The new row lies below all that is drawn: LF scrolls when there is no room. */
  #below(row: number): string {
    const last = this.#rows.length - 1;
    const vt = this.#moveTo(last, 0) + '\n'.repeat(row - last);
    this.#row = row;
    this.#col = 0;
    return `${vt}\r`;
  }

  /** Writes the last cell of the row above again: then the terminal itself wraps, and copying joins the rows. */
  #rejoin(rows: readonly Row[], row: number): string {
    const above = rows[row - 1];
    const last = above?.cells.at(-1);
    if (above === undefined || last === undefined) return '';
    const vt = this.#moveTo(row - 1, above.width - last.cells);
    return `${vt}${last.sgr === '' ? '' : `\x1b[0;${last.sgr}m`}${last.text}${last.sgr === '' ? '' : '\x1b[0m'}`;
  }

  #moveTo(row: number, col: number): string {
    if (row === this.#row && col === this.#col) return '';
    let vt = '';
    if (row < this.#row) vt += `\x1b[${this.#row - row}A`;
    else if (row > this.#row) vt += `\x1b[${row - this.#row}B`;
    if (vt !== '' || col !== this.#col) vt += col === 0 ? '\r' : `\x1b[${col + 1}G`;
    this.#row = row;
    this.#col = col;
    return vt;
  }
}

/** @returns row and cell index of the first difference, or null */
function firstDifference(old: readonly Row[], next: readonly Row[]): [number, number] | null {
  const count = Math.max(old.length, next.length);
  for (let row = 0; row < count; row += 1) {
    const a = old[row];
    const b = next[row];
    if (a === undefined || b === undefined) return [row, 0];
    if (a.isWrapped !== b.isWrapped) return [row, 0];
    const cell = firstCell(a.cells, b.cells);
    if (cell !== null) return [row, cell];
  }
  return null;
}
function firstCell(a: readonly Cell[], b: readonly Cell[]): number | null {
  const count = Math.max(a.length, b.length);
  for (let index = 0; index < count; index += 1) {
    const left = a[index];
    const right = b[index];
    if (left?.text !== right?.text || left?.sgr !== right?.sgr) return index;
  }
  return null;
}
function startOf(rows: readonly Row[], row: number, cell: number, startCol: number): number {
  let col = row === 0 ? startCol : 0;
  for (const one of rows[row]?.cells.slice(0, cell) ?? []) col += one.cells;
  return col;
}
