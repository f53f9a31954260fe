import { cleanPrompt, pieces } from './marks.ts';
import { CONTINUATION } from './plain-echo.ts';
import { type Cluster, clusters } from './width.ts';
import type { WidthProvider } from './types.ts';

export interface Cell extends Cluster {
  /** SGR parameters, empty for the default. */
  readonly sgr: string;
}
export interface Row {
  readonly cells: Cell[];
  /** Goes on from the row above by the terminal's own wrap. */
  readonly isWrapped: boolean;
  width: number;
}
/** What the region shows. */
export interface Frame {
  readonly rows: Row[];
  readonly cursorRow: number;
  readonly cursorCol: number;
}

/** What is to be drawn. */
export interface Picture {
  readonly prompt: string;
  readonly text: string;
  readonly cursor: number;
  /** Start and end of the selection; equal when there is none. */
  readonly selection: readonly [number, number];
  /** Column of the first row; not 0 only for a question after text without a line end. */
  readonly startCol: number;
}

const MARK_SGR = '30;43';
const DIM_SGR = '2';

class Layout {
  readonly rows: Row[];
  cursorRow = 0;
  cursorCol = 0;
  readonly #cols: number;
  readonly #widths: WidthProvider;

  constructor(cols: number, startCol: number, widths: WidthProvider) {
    this.#cols = cols;
    this.#widths = widths;
    this.rows = [{ cells: [], isWrapped: false, width: Math.min(startCol, cols - 1) }];
  }
  get #row(): Row {
    return this.rows[this.rows.length - 1] ?? { cells: [], isWrapped: false, width: 0 };
  }
  newRow(isWrapped = false): void {
    this.rows.push({ cells: [], isWrapped, width: 0 });
  }
  add(text: string, sgr: string): void {
    for (const cluster of clusters(text, this.#widths)) this.#place(cluster, sgr);
  }
  #place(cluster: Cluster, sgr: string): void {
    // A wide character on a screen of one column has no place at all.
    const cell = cluster.cells > this.#cols ? { text: '?', cells: 1, sgr } : { ...cluster, sgr };
    if (this.#row.width + cell.cells > this.#cols) this.newRow(true);
    this.#row.cells.push(cell);
    this.#row.width += cell.cells;
  }
  /** The cursor goes where the next character would be drawn. */
  mark(): void {
    this.cursorRow = this.rows.length - 1;
    this.cursorCol = this.#row.width;
  }
  /** A cursor behind a full row stands at the start of the next one. */
  settle(): void {
    if (this.cursorCol < this.#cols) return;
    if (this.cursorRow === this.rows.length - 1) {
      this.newRow(true);
      this.#place({ text: ' ', cells: 1 }, '');
    } else if (this.rows[this.cursorRow + 1]?.isWrapped !== true) {
      // A full row that ends its line: the row below belongs to another line, so the cursor stays on the last cell.
      this.cursorCol = this.#cols - 1;
      return;
    }
    this.cursorRow += 1;
    this.cursorCol = 0;
  }
}

/** Puts prompt and text into rows of `cols` cells. */
export function layout(picture: Picture, cols: number, widths: WidthProvider): Frame {
  const page = new Layout(cols, picture.startCol, widths);
  drawPrompt(page, picture.prompt);
  const [from, to] = picture.selection;
  let offset = 0;
  for (const [index, line] of picture.text.split('\n').entries()) {
    if (index > 0) {
      page.newRow();
      page.add(CONTINUATION, DIM_SGR);
      offset += 1;
    }
    const base = offset;
    if (picture.cursor === offset) page.mark();
    for (const piece of pieces(line)) {
      const end = offset + piece.length;
      // A mark stands for one character and is drawn whole; text is cut where the look or the cursor changes.
      const isOneMark = piece.length === 1 && piece.text !== line.charAt(offset - base);
      const cuts = [picture.cursor, from, to].filter((cut) => cut > offset && cut < end);
      for (const stop of [...new Set([...cuts, end])].sort((a, b) => a - b)) {
        const isSelected = offset >= from && stop <= to;
        page.add(
          isOneMark ? piece.text : line.slice(offset - base, stop - base),
          isSelected ? '7' : piece.isMark ? MARK_SGR : '',
        );
        offset = stop;
        if (picture.cursor === offset) page.mark();
      }
    }
  }
  page.settle();
  return { rows: page.rows, cursorRow: page.cursorRow, cursorCol: page.cursorCol };
}

function drawPrompt(page: Layout, prompt: string): void {
  let sgr = '';
  for (const [index, line] of cleanPrompt(prompt).split('\n').entries()) {
    if (index > 0) page.newRow();
    for (const part of line.split(/(\x1b\[[0-9;:]*m)/)) {
      if (part.startsWith('\x1b')) {
        const next = part.slice(2, -1);
        sgr = next === '' || next === '0' ? '' : sgr === '' ? next : `${sgr};${next}`;
      } else page.add(part.replaceAll('\x1b', ''), sgr);
    }
  }
}
