const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const PAD = 61;
/** 255 = not in the alphabet, 254 = white space. */
const DECODE = new Uint8Array(256).fill(255);
const ENCODE = new Uint8Array(64);
for (let i = 0; i < 64; i++) {
  const code = ALPHABET.charCodeAt(i);
  DECODE[code] = i;
  ENCODE[i] = code;
}
for (const space of [9, 10, 13, 32]) DECODE[space] = 254;

/** Above every value of twelve bits: one of the two characters is special. */
const SPECIAL = 0x1000;
/** Two characters at once, `first | second << 8`, to their twelve bits: half the look-ups on the way of every byte. */
const PAIRS = new Uint16Array(65536).fill(SPECIAL);
for (let first = 0; first < 64; first++) {
  for (let second = 0; second < 64; second++) {
    PAIRS[(ENCODE[first] ?? 0) | ((ENCODE[second] ?? 0) << 8)] = (first << 6) | second;
  }
}

/**
 * Encodes bytes as base64 in ASCII bytes, with padding.
 * @param out receives the text from `at` on; must have room for `base64Length(bytes.length)` bytes
 * @returns the index after the last byte written
 */
export function writeBase64(bytes: Uint8Array, out: Uint8Array, at: number): number {
  const whole = bytes.length - (bytes.length % 3);
  let to = at;
  for (let i = 0; i < whole; i += 3) {
    const v = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    out[to] = ENCODE[v >>> 18] ?? 0;
    out[to + 1] = ENCODE[(v >>> 12) & 63] ?? 0;
    out[to + 2] = ENCODE[(v >>> 6) & 63] ?? 0;
    out[to + 3] = ENCODE[v & 63] ?? 0;
    to += 4;
  }
  const rest = bytes.length - whole;
  if (rest === 0) return to;
  const v = ((bytes[whole] ?? 0) << 16) | ((bytes[whole + 1] ?? 0) << 8);
  out[to] = ENCODE[v >>> 18] ?? 0;
  out[to + 1] = ENCODE[(v >>> 12) & 63] ?? 0;
  out[to + 2] = rest === 2 ? (ENCODE[(v >>> 6) & 63] ?? 0) : PAD;
  out[to + 3] = PAD;
  return to + 4;
}

/** Length in characters of the base64 form of `byteCount` bytes. */
export const base64Length = (byteCount: number): number => Math.ceil(byteCount / 3) * 4;

/**
 * Decodes base64 held in ASCII bytes. White space between characters is allowed; anything after the padding, a wrong
 * length or non-zero unused bits are not (a strict reader sees forged text that two peers would read differently).
 * @returns the bytes, or null when the text is not base64
 */
export function readBase64(text: Uint8Array, from: number, to: number): Uint8Array | null {
  let end = to;
  while (end > from && DECODE[text[end - 1] ?? 0] === 254) end--;
  let pads = 0;
  while (pads < 2 && end > from && text[end - 1] === PAD) {
    pads++;
    end--;
    while (end > from && DECODE[text[end - 1] ?? 0] === 254) end--;
  }
  const out = new Uint8Array(Math.ceil(((end - from) * 3) / 4));
  let at = 0;
  let i = from;
  // Four characters at a time while none of them is special.
  for (; i + 4 <= end; i += 4) {
    const high = PAIRS[(text[i] ?? 0) | ((text[i + 1] ?? 0) << 8)] ?? SPECIAL;
    const low = PAIRS[(text[i + 2] ?? 0) | ((text[i + 3] ?? 0) << 8)] ?? SPECIAL;
    if ((high | low) >= SPECIAL) break;
    out[at] = high >>> 4;
    out[at + 1] = (high << 4) | (low >>> 8);
    out[at + 2] = low;
    at += 3;
  }
  const tail = readBase64Slowly(text, i, end, out, at);
  if (tail === null) return null;
  return (tail.characters + pads) % 4 === 0 && tail.isExact && tail.characters !== 1
    ? tail.at === out.length
      ? out
      : out.slice(0, tail.at)
    : null;
}

interface Tail {
  readonly at: number;
  /** Characters of the last group, 0 to 3. */
  readonly characters: number;
  readonly isExact: boolean;
}

function readBase64Slowly(text: Uint8Array, from: number, end: number, out: Uint8Array, start: number): Tail | null {
  let at = start;
  let bits = 0;
  let held = 0;
  let characters = 0;
  for (let i = from; i < end; i++) {
    const v = DECODE[text[i] ?? 0] ?? 255;
    if (v === 254) continue;
    if (v === 255) return null;
    held = ((held << 6) | v) & 0xffffff;
    bits += 6;
    characters = (characters + 1) % 4;
    if (bits >= 8) {
      bits -= 8;
      out[at++] = (held >>> bits) & 255;
    }
  }
  return { at, characters, isExact: (held & ((1 << bits) - 1)) === 0 };
}

/** Encodes to a string. */
export function toBase64(bytes: Uint8Array): string {
  const out = new Uint8Array(base64Length(bytes.length));
  writeBase64(bytes, out, 0);
  return asciiText(out);
}

/** Decodes a string. @returns null when it is not base64 */
export function parseBase64(text: string): Uint8Array | null {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) return null;
    bytes[i] = code;
  }
  return readBase64(bytes, 0, bytes.length);
}

const utf8 = new TextDecoder('utf-8');
/** ASCII bytes as a string. */
export const asciiText = (bytes: Uint8Array): string => utf8.decode(bytes);
