/** Places in text: borders of characters as people see them, of words, of lines. Offsets are UTF-16. */
const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** Text of this size is cut and moved by code points: a segmenter over a megabyte per key is too slow. */
const MAX_SEGMENTED = 4096;

/** Start of the character that ends at `offset`. */
export function previousBorder(text: string, offset: number): number {
  if (offset <= 0) return 0;
  const from = Math.max(lineStart(text, offset - 1), offset - MAX_SEGMENTED);
  let last = from;
  if (text[offset - 1] === '\n') return offset - 1;
  for (const { index } of segmenter.segment(text.slice(from, offset))) last = from + index;
  return last;
}

/** End of the character that starts at `offset`. */
export function nextBorder(text: string, offset: number): number {
  if (offset >= text.length) return text.length;
  for (const { segment } of segmenter.segment(text.slice(offset, offset + 256))) return offset + segment.length;
  return text.length;
}

export const lineStart = (text: string, offset: number): number => text.lastIndexOf('\n', offset - 1) + 1;
export function lineEnd(text: string, offset: number): number {
  const end = text.indexOf('\n', offset);
  return end < 0 ? text.length : end;
}

/** White space and the delimiters of PSReadLine end a word. */
const DELIMITER = /[\s;:,.[\]{}()/\\|!?^&*\-=+'"–—―]/;
const isWord = (text: string, at: number): boolean => at >= 0 && at < text.length && !DELIMITER.test(text.charAt(at));

/** Start of the word before the cursor. */
export function previousWord(text: string, offset: number): number {
  let at = offset;
  while (at > 0 && !isWord(text, at - 1)) at -= 1;
  while (at > 0 && isWord(text, at - 1)) at -= 1;
  return at;
}
/** Start of the next word. */
export function nextWord(text: string, offset: number): number {
  let at = offset;
  while (at < text.length && isWord(text, at)) at += 1;
  while (at < text.length && !isWord(text, at)) at += 1;
  return at;
}

/** What the editor keeps of pasted or typed text: LF as the only line end, no controls but tab. */
export function cleanText(text: string): { readonly text: string; readonly hadControls: boolean } {
  const lines = text.replace(/\r\n?/g, '\n');
  const clean = lines.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '');
  return { text: clean, hadControls: clean.length !== lines.length };
}

/** A paste above this asks first, as does one of several lines. */
const MAX_SILENT_PASTE = 5 * 1024;
/** What is pasted, without the line end of a single line, and whether it is asked about. */
export function pasted(raw: string): {
  readonly text: string;
  readonly lines: number;
  readonly hadControls: boolean;
  readonly isAsked: boolean;
} {
  const { text: clean, hadControls } = cleanText(raw);
  const text = /^[^\n]*\n$/.test(clean) ? clean.slice(0, -1) : clean;
  const lines = text.split('\n').length;
  return { text, lines, hadControls, isAsked: lines > 1 || text.length > MAX_SILENT_PASTE || hadControls };
}
