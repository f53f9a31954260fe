/** Controls, bidi and zero-width characters: what could make shown text differ from what it is. */
const HIDDEN = /[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

/**
 * Peer text for a label: hidden characters are taken out, the rest is cut.
 * @param maxChars code points
 */
export function printableText(text: string, maxChars: number): string {
  const clean = text.slice(0, maxChars * 8).replace(HIDDEN, '');
  return clean.length <= maxChars ? clean : Array.from(clean).slice(0, maxChars).join('');
}

/**
 * Peer text with every hidden character as a mark, for details and logs: `^[`, `<202E>`. LF and tab stay when
 * `keepLines` is set.
 * @param maxChars UTF-16 units of the source that are looked at; the rest is replaced by `…`
 */
export function visibleText(text: string, maxChars: number, keepLines = true): string {
  const cut = text.length > maxChars ? `${text.slice(0, maxChars)}…` : text;
  return cut.replaceAll('\r\n', '\n').replace(HIDDEN, (char) => {
    if (keepLines && (char === '\n' || char === '\t')) return char;
    const point = char.charCodeAt(0);
    if (point < 0x20) return `^${String.fromCharCode(point + 64)}`;
    return point === 0x7f ? '^?' : `<${point.toString(16).toUpperCase().padStart(4, '0')}>`;
  });
}

/** Everything that starts with ESC or a C1 introducer, SGR apart in group 1. */
const SEQUENCE =
  /(\x1b\[[0-9;:]{0,128}m)|(?:\x1b\[|\x9b)[\x20-\x3f]*[\x40-\x7e]?|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x18\x1a\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)?|\x1b[\x20-\x2f]*[\x30-\x7e]?|[\x00-\x06\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]/g;

/**
 * Text that a script wrote through its host: of all control sequences only colours (SGR) stay, of the controls BEL,
 * BS, tab, LF and CR. interactive.md section 5.
 */
export function colouredText(text: string): string {
  return /[\x00-\x1f\x7f-\x9f]/.test(text)
    ? text.replace(SEQUENCE, (_all, sgr: string | undefined) => sgr ?? '')
    : text;
}
