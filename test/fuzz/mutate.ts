import type { Random } from './random.ts';

/** Longest input that a mutation makes. */
export const MAX_INPUT_BYTES = 64 * 1024;

const INTERESTING = [
  0, 1, 2, 3, 9, 10, 13, 20, 21, 27, 32, 34, 38, 39, 40, 48, 60, 62, 95, 127, 128, 192, 239, 254, 255,
];
const encoder = new TextEncoder();

const joined = (...parts: readonly Uint8Array[]): Uint8Array => {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
};
const cut = (bytes: Uint8Array, from: number, to: number, put: Uint8Array): Uint8Array =>
  joined(bytes.subarray(0, from), put, bytes.subarray(to));

/** A range of the input, short ones more often. */
function range(bytes: Uint8Array, random: Random): [number, number] {
  const from = random.below(bytes.length + 1);
  const most = random.oneIn(3) ? bytes.length - from : Math.min(16, bytes.length - from);
  return [from, from + random.below(most + 1)];
}

/** What a mutation may draw from. */
export interface Material {
  readonly seeds: readonly Uint8Array[];
  readonly tokens: readonly Uint8Array[];
}
/** Material from texts of the grammar. */
export const material = (seeds: readonly Uint8Array[], tokens: readonly string[]): Material => ({
  seeds,
  tokens: tokens.map((token) => encoder.encode(token)),
});

type Mutation = (bytes: Uint8Array, random: Random, from: Material) => Uint8Array;

const MUTATIONS: readonly Mutation[] = [
  function flipBit(bytes, random) {
    const out = bytes.slice();
    const at = random.below(out.length);
    if (out.length > 0) out[at] = (out[at] ?? 0) ^ (1 << random.below(8));
    return out;
  },
  function setByte(bytes, random) {
    const out = bytes.slice();
    if (out.length > 0) out[random.below(out.length)] = random.oneIn(2) ? random.pick(INTERESTING) : random.below(256);
    return out;
  },
  function remove(bytes, random) {
    const [from, to] = range(bytes, random);
    return cut(bytes, from, to, new Uint8Array());
  },
  function duplicate(bytes, random) {
    const [from, to] = range(bytes, random);
    return cut(bytes, to, to, bytes.subarray(from, to));
  },
  function move(bytes, random) {
    const [from, to] = range(bytes, random);
    const rest = cut(bytes, from, to, new Uint8Array());
    const at = random.below(rest.length + 1);
    return cut(rest, at, at, bytes.subarray(from, to));
  },
  function insertToken(bytes, random, { tokens }) {
    if (tokens.length === 0) return bytes;
    const [from, to] = random.oneIn(2) ? range(bytes, random) : [0, 0];
    const at = to > from ? from : random.below(bytes.length + 1);
    return cut(bytes, at, Math.max(at, to), random.pick(tokens));
  },
  function repeat(bytes, random, { tokens }) {
    const [from, to] = range(bytes, random);
    const unit = tokens.length > 0 && random.oneIn(2) ? random.pick(tokens) : bytes.subarray(from, to);
    if (unit.length === 0) return bytes;
    const count = Math.min(2 + random.below(random.oneIn(20) ? 3000 : 12), Math.floor(16384 / unit.length));
    return cut(bytes, to, to, joined(...Array.from({ length: count }, () => unit)));
  },
  function splice(bytes, random, { seeds }) {
    const other = random.pick(seeds);
    const [from, to] = range(other, random);
    const [at, end] = range(bytes, random);
    return cut(bytes, at, end, other.subarray(from, to));
  },
  function truncate(bytes, random) {
    return bytes.subarray(0, random.below(bytes.length + 1));
  },
  function changeNumber(bytes, random) {
    const isDigit = (byte: number): boolean => byte >= 48 && byte <= 57;
    const from = random.below(bytes.length);
    const next = bytes.subarray(from).findIndex(isDigit);
    const at = next < 0 ? bytes.findIndex(isDigit) : from + next;
    if (at < 0) return bytes;
    const put = random.pick(['0', '9', '-1', '99999999999', '2147483648', '1e9', '00', '4294967296', '.5']);
    return cut(bytes, at, at + 1, encoder.encode(put));
  },
];

/** One to five mutations of one seed. */
export function mutate(from: Material, random: Random): Uint8Array {
  let bytes = random.pick(from.seeds);
  for (let count = 1 + random.below(random.oneIn(4) ? 5 : 2); count > 0; count--) {
    bytes = random.pick(MUTATIONS)(bytes, random, from);
  }
  return bytes.subarray(0, MAX_INPUT_BYTES);
}
