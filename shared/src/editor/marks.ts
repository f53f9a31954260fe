/** Blanks that a tab is drawn as. */
const TAB_CELLS = 4;
const HIDDEN = /[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/;

/** A piece of text as it is drawn: a mark stands for one hidden character. */
export interface Piece {
  readonly text: string;
  readonly isMark: boolean;
  /** UTF-16 units of the source. */
  readonly length: number;
}

/**
 * Controls as `^X`, bidi and zero-width characters as `<202E>`: what runs is what is seen. ZWJ inside an emoji is no
 * trick and stays. line-editor.md section 7, Marks.
 */
export function pieces(line: string): Piece[] {
  if (!HIDDEN.test(line)) return line === '' ? [] : [{ text: line, isMark: false, length: line.length }];
  const all: Piece[] = [];
  let plain = '';
  const flush = (): void => {
    if (plain !== '') all.push({ text: plain, isMark: false, length: plain.length });
    plain = '';
  };
  for (let at = 0; at < line.length; at += 1) {
    const char = line.charAt(at);
    if (!HIDDEN.test(char) || isInsideEmoji(line, at)) plain += char;
    else {
      flush();
      all.push({ text: markOf(char), isMark: char !== '\t', length: 1 });
    }
  }
  flush();
  return all;
}

function isInsideEmoji(line: string, at: number): boolean {
  return (
    line.charCodeAt(at) === 0x200d &&
    /\p{Extended_Pictographic}(?:[\u{1f3fb}-\u{1f3ff}]|\ufe0f)*$/u.test(line.slice(Math.max(0, at - 6), at)) &&
    /^\p{Extended_Pictographic}/u.test(line.slice(at + 1, at + 3))
  );
}

function markOf(char: string): string {
  const point = char.charCodeAt(0);
  if (char === '\t') return ' '.repeat(TAB_CELLS);
  if (point < 0x20) return `^${String.fromCharCode(point + 64)}`;
  return point === 0x7f ? '^?' : `<${point.toString(16).toUpperCase().padStart(4, '0')}>`;
}

/** Text as marks, for an echo. */
export const marked = (line: string): string =>
  pieces(line)
    .map((piece) => piece.text)
    .join('');

/** Prompt text that may be drawn: colours stay, other sequences and controls go, line ends become LF. */
export const cleanPrompt = (prompt: string): string =>
  prompt
    .replace(/\r\n?/g, '\n')
    .replace(
      /(\x1b\[[0-9;:]{0,64}m)|\x1b(?:\[[\x20-\x3f]*[\x40-\x7e]?|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$)|.)?|[\x00-\x09\x0b-\x1a\x1c-\x1f\x7f-\x9f]/g,
      (_all, sgr: string | undefined) => sgr ?? '',
    );
