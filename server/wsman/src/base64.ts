const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const PAD = 61;
/** Character code to its six bits; 255 = not in the alphabet, 254 = white space. */
const DECODE = new Uint8Array(128).fill(255);
const ENCODE = new Uint8Array(64);
for (let i = 0; i < 64; i++) {
  ENCODE[i] = ALPHABET.charCodeAt(i);
  DECODE[ALPHABET.charCodeAt(i)] = i;
}
for (const space of [9, 10, 13, 32]) DECODE[space] = 254;
const ascii = new TextDecoder('utf-8');

/** Length in characters of the base64 form of `byteCount` bytes. */
export const base64Length = (byteCount: number): number => Math.ceil(byteCount / 3) * 4;

/** Bytes as base64 with padding, without line breaks. */
export function encodeBase64(bytes: Uint8Array): string {
  const out = new Uint8Array(base64Length(bytes.length));
  let to = 0;
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const v = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    out[to] = ENCODE[v >>> 18] ?? 0;
    out[to + 1] = ENCODE[(v >>> 12) & 63] ?? 0;
    out[to + 2] = left > 1 ? (ENCODE[(v >>> 6) & 63] ?? 0) : PAD;
    out[to + 3] = left > 2 ? (ENCODE[v & 63] ?? 0) : PAD;
    to += 4;
  }
  return ascii.decode(out);
}

/**
 * Decodes the text of an element. White space anywhere is allowed; text after the padding, a wrong length or bits that
 * would be lost are not, so that no two readers see different bytes.
 * @returns null when the text is not base64
 */
export function decodeBase64(text: string): Uint8Array | null {
  const out = new Uint8Array(Math.ceil((text.length * 3) / 4));
  let at = 0;
  let bits = 0;
  let held = 0;
  let characters = 0;
  let pads = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const value = code < 128 ? (DECODE[code] ?? 255) : 255;
    if (value === 254) continue;
    if (code === PAD) {
      pads++;
      continue;
    }
    if (value === 255 || pads > 0) return null;
    held = ((held << 6) | value) & 0xffffff;
    bits += 6;
    characters++;
    if (bits >= 8) {
      bits -= 8;
      out[at++] = (held >>> bits) & 255;
    }
  }
  const isExact = (held & ((1 << bits) - 1)) === 0 && pads <= 2 && characters % 4 !== 1;
  return isExact && (characters + pads) % 4 === 0 ? out.subarray(0, at) : null;
}
