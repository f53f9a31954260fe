import type { WidthProvider } from './types.ts';

/** Wide ranges of Unicode 15.1 (East Asian Width W and F, and emoji presentation), start and end in turn. */
const WIDE = [
  0x1100, 0x115f, 0x231a, 0x231b, 0x2329, 0x232a, 0x23e9, 0x23ec, 0x23f0, 0x23f0, 0x23f3, 0x23f3, 0x25fd, 0x25fe,
  0x2614, 0x2615, 0x2648, 0x2653, 0x267f, 0x267f, 0x2693, 0x2693, 0x26a1, 0x26a1, 0x26aa, 0x26ab, 0x26bd, 0x26be,
  0x26c4, 0x26c5, 0x26ce, 0x26ce, 0x26d4, 0x26d4, 0x26ea, 0x26ea, 0x26f2, 0x26f3, 0x26f5, 0x26f5, 0x26fa, 0x26fa,
  0x26fd, 0x26fd, 0x2705, 0x2705, 0x270a, 0x270b, 0x2728, 0x2728, 0x274c, 0x274c, 0x274e, 0x274e, 0x2753, 0x2755,
  0x2757, 0x2757, 0x2795, 0x2797, 0x27b0, 0x27b0, 0x27bf, 0x27bf, 0x2b1b, 0x2b1c, 0x2b50, 0x2b50, 0x2b55, 0x2b55,
  0x2e80, 0x303e, 0x3041, 0x33ff, 0x3400, 0x4dbf, 0x4e00, 0xa4cf, 0xa960, 0xa97c, 0xac00, 0xd7a3, 0xf900, 0xfaff,
  0xfe10, 0xfe19, 0xfe30, 0xfe6f, 0xff00, 0xff60, 0xffe0, 0xffe6, 0x16fe0, 0x18cff, 0x18d00, 0x18d08, 0x1aff0, 0x1b2fb,
  0x1f004, 0x1f004, 0x1f0cf, 0x1f0cf, 0x1f18e, 0x1f18e, 0x1f191, 0x1f19a, 0x1f1e6, 0x1f202, 0x1f210, 0x1f23b, 0x1f240,
  0x1f248, 0x1f250, 0x1f251, 0x1f260, 0x1f265, 0x1f300, 0x1f320, 0x1f32d, 0x1f335, 0x1f337, 0x1f37c, 0x1f37e, 0x1f393,
  0x1f3a0, 0x1f3ca, 0x1f3cf, 0x1f3d3, 0x1f3e0, 0x1f3f0, 0x1f3f4, 0x1f3f4, 0x1f3f8, 0x1f43e, 0x1f440, 0x1f440, 0x1f442,
  0x1f4fc, 0x1f4ff, 0x1f53d, 0x1f54b, 0x1f54e, 0x1f550, 0x1f567, 0x1f57a, 0x1f57a, 0x1f595, 0x1f596, 0x1f5a4, 0x1f5a4,
  0x1f5fb, 0x1f64f, 0x1f680, 0x1f6c5, 0x1f6cc, 0x1f6cc, 0x1f6d0, 0x1f6d2, 0x1f6d5, 0x1f6d7, 0x1f6dc, 0x1f6df, 0x1f6eb,
  0x1f6ec, 0x1f6f4, 0x1f6fc, 0x1f7e0, 0x1f7eb, 0x1f7f0, 0x1f7f0, 0x1f90c, 0x1f93a, 0x1f93c, 0x1f945, 0x1f947, 0x1f9ff,
  0x1fa70, 0x1faff, 0x20000, 0x2fffd, 0x30000, 0x3fffd,
];

function isWide(point: number): boolean {
  if (point < 0x1100) return false;
  let low = 0;
  let high = WIDE.length / 2 - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (point < (WIDE[middle * 2] ?? 0)) high = middle - 1;
    else if (point > (WIDE[middle * 2 + 1] ?? 0)) low = middle + 1;
    else return true;
  }
  return false;
}

const COMBINING = /^[\p{Mn}\p{Me}\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\u{e0000}-\u{e0fff}]$/u;
const isModifier = (point: number): boolean => point >= 0x1f3fb && point <= 0x1f3ff;
const isRegional = (point: number): boolean => point >= 0x1f1e6 && point <= 0x1f1ff;
const ZWJ = 0x200d;
const EMOJI_STYLE = 0xfe0f;

function width(point: number): 0 | 1 | 2 {
  if (point < 0x300) return 1;
  if (COMBINING.test(String.fromCodePoint(point))) return 0;
  return isWide(point) ? 2 : 1;
}

/** What the cluster before ends with; packed by xterm's rule as (state << 3) | (width << 1) | joins. */
const State = { none: 0, joiner: 1, regional: 2, other: 3 } as const;
const pack = (state: number, cells: number, joins: boolean): number => (state << 3) | (cells << 1) | (joins ? 1 : 0);
/** Cells of the whole cluster that `charProperties` describes. */
export const cellsOf = (properties: number): number => (properties >> 1) & 3;
/** Whether the code point belongs to the cluster before. */
export const joinsCluster = (properties: number): boolean => (properties & 1) !== 0;

/**
 * The one table of widths, for the editor and for xterm (`terminal.unicode.register`): East Asian width of Unicode 15,
 * combining marks, emoji joined by ZWJ, modifiers, flags and U+FE0F count 2 cells as one. line-editor.md section 7.
 */
export const widthProvider: WidthProvider & { readonly version: string } = {
  version: 'sallyport',
  wcwidth: width,
  charProperties(point: number, preceding: number): number {
    const cells = cellsOf(preceding);
    const state = preceding >> 3;
    const isFirst = preceding === 0;
    if (!isFirst && point === EMOJI_STYLE) return pack(State.other, 2, true);
    if (!isFirst && point === ZWJ) return pack(State.joiner, cells, true);
    const own = width(point);
    if (!isFirst && (own === 0 || isModifier(point))) return pack(State.other, cells, cells > 0);
    if (state === State.joiner && own === 2) return pack(State.other, 2, true);
    if (state === State.regional && isRegional(point)) return pack(State.other, 2, true);
    return pack(isRegional(point) ? State.regional : State.other, own, false);
  },
};

/** One drawn character. */
export interface Cluster {
  readonly text: string;
  readonly cells: number;
}

/** Dotted circle. */
const BASE = '\u25cc';

/** Cuts text into what the terminal will put into one cell each. Control characters must be gone. */
export function clusters(text: string, widths: WidthProvider): Cluster[] {
  const all: Cluster[] = [];
  let current = '';
  let preceding = 0;
  for (const char of text) {
    const properties = widths.charProperties(char.codePointAt(0) ?? 0, preceding);
    if (joinsCluster(properties)) current += char;
    else {
      if (current !== '') all.push({ text: current, cells: cellsOf(preceding) });
      current = char;
    }
    preceding = properties;
    // A mark without a letter before it gets a base of its own, or the terminal would put it on what stands there.
    if (current === char && cellsOf(properties) === 0) {
      preceding = widths.charProperties(char.codePointAt(0) ?? 0, widths.charProperties(BASE.charCodeAt(0), 0));
      current = BASE + char;
    }
  }
  if (current !== '') all.push({ text: current, cells: cellsOf(preceding) });
  return all;
}
