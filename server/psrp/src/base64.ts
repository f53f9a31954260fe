const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const PAD = 61;
/** Codes in `DECODE` that stand for no six bits. */
const SPACE = 254;
const FOREIGN = 255;
/** Above every value of twelve bits: one of the two characters is special. */
const SPECIAL = 0x1000;

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** One character to its six bits. Views, not arrays: an index beyond the end is an error and not one more case. */
const DECODE = viewOf(new Uint8Array(256).fill(FOREIGN));
/** Two characters at once, as they stand in memory, to their twelve bits: half the look-ups on the way of every byte. */
const DECODE_PAIR = new DataView(new ArrayBuffer(2 * 65536));
/** Twelve bits to two characters. */
const ENCODE_PAIR = new DataView(new ArrayBuffer(2 * 4096));

for (const space of [9, 10, 13, 32]) DECODE.setUint8(space, SPACE);
for (let pair = 0; pair < 65536; pair++) DECODE_PAIR.setUint16(2 * pair, SPECIAL);
for (let bits = 0; bits < 4096; bits++) {
  const first = ALPHABET.charCodeAt(bits >>> 6);
  const pair = (first << 8) | ALPHABET.charCodeAt(bits & 63);
  DECODE.setUint8(first, bits >>> 6);
  DECODE_PAIR.setUint16(2 * pair, bits);
  ENCODE_PAIR.setUint16(2 * bits, pair);
}

/**
 * Encodes bytes as base64 in ASCII bytes, with padding.
 * @param out receives the text from `at` on; must have room for `base64Length(bytes.length)` bytes
 * @returns the index after the last byte written
 */
export function writeBase64(bytes: Uint8Array, out: Uint8Array, at: number): number {
  const from = viewOf(bytes);
  const text = viewOf(out);
  const whole = bytes.length - (bytes.length % 3);
  let to = at;
  for (let i = 0; i < whole; i += 3) {
    const v = (from.getUint16(i) << 8) | from.getUint8(i + 2);
    text.setUint16(to, ENCODE_PAIR.getUint16(2 * (v >>> 12)));
    text.setUint16(to + 2, ENCODE_PAIR.getUint16(2 * (v & 0xfff)));
    to += 4;
  }
  const rest = bytes.length - whole;
  if (rest === 0) return to;
  const v = rest === 2 ? from.getUint16(whole) << 8 : from.getUint8(whole) << 16;
  text.setUint16(to, ENCODE_PAIR.getUint16(2 * (v >>> 12)));
  text.setUint16(to + 2, ENCODE_PAIR.getUint16(2 * (v & 0xfff)));
  if (rest === 1) text.setUint8(to + 2, PAD);
  text.setUint8(to + 3, PAD);
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
  const codes = viewOf(text);
  let end = withoutSpace(codes, from, to);
  let pads = 0;
  while (pads < 2 && end > from && codes.getUint8(end - 1) === PAD) {
    pads++;
    end = withoutSpace(codes, from, end - 1);
  }
  const out = new Uint8Array(Math.ceil(((end - from) * 3) / 4));
  let at = 0;
  let i = from;
  // Four characters at a time while none of them is special.
  for (; i + 4 <= end; i += 4) {
    const high = DECODE_PAIR.getUint16(2 * codes.getUint16(i));
    const low = DECODE_PAIR.getUint16(2 * codes.getUint16(i + 2));
    if ((high | low) >= SPECIAL) break;
    out[at] = high >>> 4;
    out[at + 1] = (high << 4) | (low >>> 8);
    out[at + 2] = low;
    at += 3;
  }
  const tail = readBase64Slowly(text.subarray(i, end), out, at);
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

/** The end without the white space before it. */
function withoutSpace(codes: DataView, from: number, to: number): number {
  let end = to;
  while (end > from && DECODE.getUint8(codes.getUint8(end - 1)) === SPACE) end--;
  return end;
}

function readBase64Slowly(text: Uint8Array, out: Uint8Array, start: number): Tail | null {
  let at = start;
  let bits = 0;
  let held = 0;
  let characters = 0;
  for (const code of text) {
    const v = DECODE.getUint8(code);
    if (v === SPACE) continue;
    if (v === FOREIGN) return null;
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
