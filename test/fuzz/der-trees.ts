/** DER that is still DER: values inside good tokens changed, the lengths around them made right again. X.690 section 8.1. */
import type { Random } from './random.ts';

interface Node {
  tag: number;
  /** Of a constructed one, and of an octet string that holds others. */
  children: Node[] | null;
  content: Uint8Array;
}

const CONSTRUCTED = 0x20;
const OCTETS = 0x04;
/** Identifiers that SPNEGO and CredSSP use, and one that they do not. */
const TAGS = [0x02, 0x04, 0x06, 0x0a, 0x03, 0x30, 0x60, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0x05, 0x31];

/** All of the bytes as elements; null when they are not. */
function readAll(bytes: Uint8Array, depth = 0): Node[] | null {
  const out: Node[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at] ?? 0;
    const first = bytes[at + 1] ?? 0x80;
    const more = first < 0x80 ? 0 : first & 0x7f;
    if (first === 0x80 || more > 3 || depth > 20) return null;
    let length = more === 0 ? first : 0;
    for (let i = 0; i < more; i++) length = length * 256 + (bytes[at + 2 + i] ?? 0);
    const from = at + 2 + more;
    if (from + length > bytes.length) return null;
    const content = bytes.subarray(from, from + length);
    const isHolder = (tag & CONSTRUCTED) !== 0 || (tag === OCTETS && content[0] === 0x60);
    out.push({ tag, content, children: isHolder ? readAll(content, depth + 1) : null });
    at = from + length;
  }
  return out;
}

function write({ tag, children, content }: Node): Uint8Array {
  const inside = children === null ? content : Buffer.concat(children.map(write));
  const { length } = inside;
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Uint8Array.of(tag, ...head), inside]);
}

function* walk(nodes: Node[]): Generator<{ readonly node: Node; readonly among: Node[] }> {
  for (const node of nodes) {
    yield { node, among: nodes };
    if (node.children !== null) yield* walk(node.children);
  }
}

type Change = (place: { node: Node; among: Node[]; all: readonly Node[] }, random: Random) => void;
const CHANGES: readonly Change[] = [
  ({ node, among }) => void among.splice(among.indexOf(node), 1),
  ({ node, among }) => void among.splice(among.indexOf(node), 0, node),
  ({ among }) => void among.reverse(),
  ({ node }, random) => void (node.tag = random.pick(TAGS)),
  ({ node, among, all }, random) => {
    if (all.length > 0) among.splice(among.indexOf(node), 1, random.pick(all));
  },
  ({ node }, random) => {
    if (node.children !== null) return;
    node.content = Uint8Array.from({ length: random.below(random.oneIn(5) ? 300 : 9) }, () => random.below(256));
  },
  ({ node }, random) => {
    const content = node.content.slice();
    for (let count = 1 + random.below(4); count > 0 && content.length > 0; count--)
      content[random.below(content.length)] = random.oneIn(2) ? random.pick([0, 1, 0x7f, 0x80, 0xff]) : random.below(256);
    if (node.children === null) node.content = content;
  },
  ({ node }, random) => {
    if (node.children === null) node.content = node.content.subarray(0, random.below(node.content.length + 1));
  },
]; // prettier-ignore

/** A good token with one to three changes inside; null when the seed is not DER as a whole. */
export function changedDer(seed: Uint8Array, random: Random): Uint8Array | null {
  const top = readAll(seed);
  if (top === null) return null;
  for (let count = 1 + random.below(3); count > 0; count--) {
    const places = [...walk(top)];
    if (places.length === 0) break;
    const { node, among } = random.pick(places);
    random.pick(CHANGES)({ node, among, all: places.map((place) => place.node).filter((each) => each !== node && each.children === null) }, random); // prettier-ignore
  }
  // No Buffer: what is cut from one is written as JSON in another way.
  return new Uint8Array(Buffer.concat(top.map(write)));
}
