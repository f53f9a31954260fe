/** Envelopes that are still XML: trees of good ones, with elements, attributes and values changed. */
import type { Random } from './random.ts';

/** One element; a string is its text, as it is written. */
export interface Node {
  name: string;
  attributes: [name: string, value: string][];
  children: (Node | string)[];
}

const TAG = /<(\/?)([^\s/>]+)((?:\s+[^\s=>]+="[^"]*")*)\s*(\/?)>|([^<]+)/g;
const ATTRIBUTE = /\s+([^\s=]+)="([^"]*)"/g;

/** Takes a good envelope apart; its declaration and comments are left out. */
export function toTree(text: string): Node {
  const top: Node = { name: '', attributes: [], children: [] };
  const open = [top];
  for (const [, end, name, attributes = '', empty, words] of text
    .replace(/<\?.*?\?>|<!--[^]*?-->/g, '')
    .matchAll(TAG)) {
    const parent = open.at(-1) ?? top;
    if (words !== undefined) parent.children.push(words);
    else if (end === '/') open.pop();
    else {
      const pairs = [...attributes.matchAll(ATTRIBUTE)].map(([, key = '', value = '']): [string, string] => [
        key,
        value,
      ]);
      const node: Node = { name: name ?? '', attributes: pairs, children: [] };
      parent.children.push(node);
      if (empty !== '/') open.push(node);
    }
  }
  const root = top.children.find((child) => typeof child !== 'string');
  if (root === undefined) throw new Error('a seed without root');
  return root;
}

/** The envelope as text. */
export function toText({ name, attributes, children }: Node): string {
  const head = `${name}${attributes.map(([key, value]) => ` ${key}="${value}"`).join('')}`;
  if (children.length === 0) return `<${head}/>`;
  return `<${head}>${children.map((child) => (typeof child === 'string' ? child : toText(child))).join('')}</${name}>`;
}

const copyOf = (node: Node): Node => ({
  name: node.name,
  attributes: node.attributes.map(([key, value]) => [key, value]),
  children: node.children.map((child) => (typeof child === 'string' ? child : copyOf(child))),
});

/** Every element, and what holds it. */
function* walk(
  node: Node,
  parent: Node | null = null,
): Generator<{ readonly node: Node; readonly parent: Node | null }> {
  yield { node, parent };
  for (const child of node.children) if (typeof child !== 'string') yield* walk(child, node);
}

const GUIDS = [
  '10213243-5465-7687-98A9-BACBDCEDFE0F', '10213243-5465-7687-98a9-bacbdcedfe0f', '{10213243-5465-7687-98A9-BACBDCEDFE0F}', '00000000-0000-0000-0000-000000000000',
  '10213243546576879 8A9BACBDCEDFE0F', '10213243-5465-7687-98A9', 'uuid:10213243-5465-7687-98A9-BACBDCEDFE0F', 'urn:uuid:10213243-5465-7687-98A9-BACBDCEDFE0F',
]; // prettier-ignore
const NUMBERS = [
  '0', '1', '-1', '255', '65536', '2147483647', '2147483648', '4294967295', '4294967296', '2150858793', '2150858843', '2150859161', '2150859173', '-2144108503',
  '0x80338029', '1e9', '1.5', '99999999999999999999', '', ' 5 ',
]; // prettier-ignore
const DURATIONS = [
  'PT0S', 'PT60.000S', 'PT0.001S', 'PT1H', 'P1D', 'P0DT0H0M0S', 'PT2147483.647S', 'PT2147483648S', 'PT-1S', '-PT1S', 'P1Y', 'PT', 'PT1M1S', 'PT99999999999999S',
]; // prettier-ignore
const WORDS = [
  'stdout', 'stdin', 'stdin pr', 'pr', 'stderr', 'true', 'false', 'TRUE', 'Running', 'Done', 'Pending', 'Disconnected', 'Connected', 'Block', 'Drop', 's:Receiver', 'e:Sender',
  'w:TimedOut', 'nosuch:TimedOut', 'https://elsewhere.example:5986/wsman', 'http://[::1]/', 'javascript:1', '&lt;b&gt;', '&#27;[31m', '&#x202e;', '\u{1f600}', '__proto__',
  'powershell/signal/crtl_c', 'http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/Done', 'en-US', 'de-DE-1996', 'XpressCompression',
]; // prettier-ignore
const BASE64 = ['', 'AA==', 'AAEC', 'AAE=', 'AB==', 'AA=', 'A', 'A A\nE\tC', 'AA==AA==', '====', 'AAEC-_', '\u00e9AAA'];

function value(random: Random): string {
  if (random.oneIn(4)) {
    const bytes = Uint8Array.from({ length: random.below(random.oneIn(10) ? 4000 : 60) }, () => random.below(256));
    return Buffer.from(bytes).toString('base64');
  }
  return random.pick(random.pick([GUIDS, NUMBERS, DURATIONS, WORDS, BASE64]));
}

interface Place {
  /** All of the envelope that is changed, the root first. */
  readonly all: readonly { readonly node: Node; readonly parent: Node | null }[];
  readonly at: { readonly node: Node; readonly parent: Node | null };
  readonly others: readonly Node[];
}
type Change = (place: Place, random: Random) => void;

const replace = (parent: Node | null, node: Node, ...by: (Node | string)[]): void => {
  const at = parent?.children.indexOf(node) ?? -1;
  if (at >= 0) parent?.children.splice(at, 1, ...by);
};

const CHANGES: readonly Change[] = [
  function remove({ at: { node, parent } }) {
    replace(parent, node);
  },
  function twice({ at: { node, parent } }) {
    replace(parent, node, node, copyOf(node));
  },
  function swap({ at: { node } }, random) {
    const { children } = node;
    const [one, two] = [random.below(children.length), random.below(children.length)];
    const [first, second] = [children[one], children[two]];
    if (first === undefined || second === undefined) return;
    children[one] = second;
    children[two] = first;
  },
  function fromElsewhere({ at: { node, parent }, others }, random) {
    // Mostly one of the same name: the shape stays, what is in it does not.
    const found = others.flatMap((other) => [...walk(other)].map((each) => each.node));
    const same = found.filter(({ name }) => name === node.name);
    replace(parent, node, copyOf(random.pick(same.length > 0 && !random.oneIn(4) ? same : found)));
  },
  function into({ all, at: { node, parent } }, random) {
    const home = random.pick(all).node;
    if ([...walk(node)].some((each) => each.node === home)) return;
    replace(parent, node);
    home.children.splice(random.below(home.children.length + 1), 0, node);
  },
  function rename({ at: { node }, all }, random) {
    node.name = random.pick(all).node.name;
  },
  function setText({ at: { node } }, random) {
    if (node.children.some((child) => typeof child !== 'string')) return;
    node.children = [value(random)];
  },
  function setAttribute({ at: { node } }, random) {
    const own = node.attributes.filter(([key]) => !key.startsWith('xmlns'));
    if (own.length > 0) random.pick(own)[1] = value(random).replaceAll('"', '');
  },
  function dropAttribute({ at: { node } }, random) {
    node.attributes.splice(random.below(node.attributes.length), 1);
  },
  function addAttribute({ at: { node }, all }, random) {
    const [key, given] = random.pick(all).node.attributes[0] ?? ['Name', 'x'];
    if (!node.attributes.some(([own]) => own === key)) node.attributes.push([key, given]);
  },
  function nest({ at: { node, parent } }, random) {
    let inner = node;
    for (let depth = random.oneIn(10) ? 70 : 3; depth > 0; depth--) inner = { name: node.name, attributes: [], children: [inner] };
    replace(parent, node, inner);
  },
  function many({ at: { node, parent } }, random) {
    const size = toText(node).length;
    const count = Math.min(random.oneIn(10) ? 500 : 8, Math.floor(30_000 / size));
    replace(parent, node, ...Array.from({ length: Math.max(1, count) }, () => copyOf(node)));
  },
]; // prettier-ignore

/** Elements that decide whether anything below is looked at: changed now and then only. */
const GATES = /:(?:Envelope|Header|Body|Action|RelatesTo)$/;

/** A good envelope with one to four changes, still well-formed unless a change says otherwise. */
export function changedEnvelope(seeds: readonly Node[], random: Random): string {
  const root = copyOf(random.pick(seeds));
  for (let count = 1 + random.below(random.oneIn(3) ? 4 : 2); count > 0; count--) {
    const all = [...walk(root)];
    const inner = all.filter(({ node }) => !GATES.test(node.name));
    const at = random.pick(inner.length === 0 || random.oneIn(20) ? all : inner);
    random.pick(CHANGES)({ all, at, others: seeds }, random);
  }
  return toText(root);
}
