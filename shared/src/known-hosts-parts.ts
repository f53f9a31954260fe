/** Characters of one request; the gateway takes 200 Ki. */
const PART_CHARS = 150_000;

/** A file in parts that end at a line, as the gateway takes them; the first line of each is counted from 1. */
export function partsOf(
  text: string,
  size = PART_CHARS,
): readonly { readonly firstLine: number; readonly text: string }[] {
  const parts: { firstLine: number; text: string }[] = [];
  let lines: string[] = [];
  let chars = 0;
  let firstLine = 1;
  const close = (): void => {
    if (lines.length > 0) parts.push({ firstLine, text: lines.join('\n') });
    firstLine += lines.length;
    lines = [];
    chars = 0;
  };
  for (const line of text.split('\n')) {
    if (chars + line.length > size) close();
    lines.push(line.slice(0, size));
    chars += line.length + 1;
  }
  close();
  return parts;
}
