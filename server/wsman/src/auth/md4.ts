/** Round functions of RFC 1320 section 3.4, with their constants added. */
const rotated = (value: number, by: number): number => (value << by) | (value >>> (32 - by));
const f = (x: number, y: number, z: number): number => (x & y) | (~x & z);
const g = (x: number, y: number, z: number): number => ((x & y) | (x & z) | (y & z)) + 0x5a827999;
const h = (x: number, y: number, z: number): number => (x ^ y ^ z) + 0x6ed9eba1;

interface Round {
  readonly mix: (x: number, y: number, z: number) => number;
  /** Which word each of the 16 steps takes. */
  readonly words: readonly number[];
  /** Rotations of four steps, four times. */
  readonly turns: readonly number[];
}
const ROUNDS: readonly Round[] = [
  { mix: f, words: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], turns: [3, 7, 11, 19] },
  { mix: g, words: [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15], turns: [3, 5, 9, 13] },
  { mix: h, words: [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15], turns: [3, 9, 11, 15] },
];

/** The message with its padding: 0x80, zeros, the length in bits as 8 bytes, little-endian. RFC 1320 section 3.1. */
function padded(message: Uint8Array): DataView {
  const length = (((message.length + 8) >> 6) + 1) << 6;
  const bytes = new Uint8Array(length);
  bytes.set(message);
  bytes[message.length] = 0x80;
  const view = new DataView(bytes.buffer);
  view.setUint32(length - 8, message.length << 3, true);
  view.setUint32(length - 4, Math.floor(message.length / 0x20000000), true);
  return view;
}

/**
 * The digest that password hashes of Windows are made with. By hand because OpenSSL 3 has it no more by default. For
 * short inputs; nothing else may rely on it. RFC 1320.
 * @returns 16 bytes
 */
export function md4(message: Uint8Array): Uint8Array {
  const input = padded(message);
  const state: [number, number, number, number] = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
  for (let block = 0; block < input.byteLength; block += 64) {
    let [a, b, c, d] = state;
    for (const { mix, words, turns } of ROUNDS) {
      for (let step = 0; step < 16; step++) {
        const word = input.getInt32(block + (words[step] ?? 0) * 4, true);
        const next = rotated((a + mix(b, c, d) + word) | 0, turns[step & 3] ?? 0);
        [a, b, c, d] = [d, next, b, c];
      }
    }
    state[0] = (state[0] + a) | 0;
    state[1] = (state[1] + b) | 0;
    state[2] = (state[2] + c) | 0;
    state[3] = (state[3] + d) | 0;
  }
  const digest = new DataView(new ArrayBuffer(16));
  for (const [i, word] of state.entries()) digest.setInt32(i * 4, word, true);
  for (let i = 0; i < input.byteLength; i++) input.setUint8(i, 0);
  return new Uint8Array(digest.buffer);
}
