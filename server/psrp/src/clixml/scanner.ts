import { CliXmlError } from '../errors.ts';
import type { PsrpErrorCode } from '../errors.ts';
import { decodeReference } from './escape.ts';
import { TextParts } from './text-parts.ts';

const LT = 0x3c;
const GT = 0x3e;
const SLASH = 0x2f;
const SPACE = 0x20;
const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const EQUALS = 0x3d;
const COLON = 0x3a;
const SECTION = 'MS-PSRP 2.2.5 Data Serialization';

const isSpace = (code: number): boolean => code === SPACE || code === 10 || code === 13 || code === 9;

/** Attributes of the element at hand; empty strings cannot be told from absent ones by `name` alone. */
export interface Attributes {
  /** Raw text of `N`, still escaped; null when absent. */
  name: string | null;
  /** Raw text of `RefId`; null when absent, or when it is in `refNumber`. */
  refId: string | null;
  /** `RefId` in the form of every sender: decimal, without leading zeros, up to nine digits; -1 otherwise. */
  refNumber: number;
}

/**
 * Walks over the markup of one document: tags, attributes, text, comments. Knows XML, nothing of objects. It reads a
 * string by index: no tree, no token objects, no regular expression on the hot path.
 *
 * INVARIANT: between two calls `at` stands after a start tag (`>`), after an end tag, or on `<` of the next tag.
 */
export class Scanner {
  readonly source: string;
  at = 0;
  /** Start and end of the name of the element whose start tag was read last. */
  nameFrom = 0;
  nameTo = 0;
  /** Start of its local name. */
  localFrom = 0;
  /** It was `<x />`. */
  isEmpty = false;
  readonly attributes: Attributes = { name: null, refId: null, refNumber: -1 };

  constructor(source: string) {
    this.source = source;
  }

  fail(code: PsrpErrorCode, message: string, at = this.at): never {
    // Offsets are told in bytes; counting them is work for the failing path only.
    const offset = new TextEncoder().encode(this.source.slice(0, at)).length;
    throw new CliXmlError(code, message, { offset, section: SECTION });
  }

  /** Local name of the element whose start tag was read last. */
  localName(): string {
    return this.source.slice(this.localFrom, this.nameTo);
  }

  /**
   * Up to four characters of the local name packed into a number, so that tags are told apart without making strings;
   * 0 for longer names.
   */
  packedName(): number {
    const length = this.nameTo - this.localFrom;
    if (length > 4) return 0;
    let packed = 0;
    for (let i = this.nameTo - 1; i >= this.localFrom; i--) packed = (packed << 8) | (this.source.charCodeAt(i) & 0x7f);
    return packed;
  }

  /**
   * Moves to the next `<` that starts an element or an end tag, over white space, comments and instructions.
   * @returns true at a start tag, false at an end tag
   */
  toTag(): boolean {
    for (;;) {
      let code = this.source.charCodeAt(this.at);
      while (isSpace(code)) code = this.source.charCodeAt(++this.at);
      if (code !== LT)
        this.fail('clixml_malformed', Number.isNaN(code) ? 'the document ends too early' : 'text between elements');
      const next = this.source.charCodeAt(this.at + 1);
      if (next === SLASH) return false;
      if (next !== 0x21 && next !== 0x3f) return true;
      this.skipMisc();
    }
  }

  /** At `<!` or `<?`: skips a comment or an instruction. @throws CliXmlError for a DOCTYPE or anything else */
  skipMisc(): void {
    if (this.source.startsWith('<?', this.at)) {
      this.#skipTo('?>', 2);
      return;
    }
    if (this.source.startsWith('<!--', this.at)) {
      this.#skipTo('-->', 4);
      return;
    }
    const isType = /^<!doctype/i.test(this.source.slice(this.at, this.at + 9));
    if (isType) this.fail('clixml_dtd_forbidden', 'a document type definition');
    this.fail('clixml_malformed', 'unexpected markup');
  }

  #skipTo(end: string, from: number): void {
    const found = this.source.indexOf(end, this.at + from);
    if (found < 0) this.fail('clixml_malformed', 'unfinished markup');
    this.at = found + end.length;
  }

  /** At `<` of a start tag: reads its name. Attributes follow with `readAttributes`. */
  readName(): void {
    const { source } = this;
    let i = this.at + 1;
    this.nameFrom = i;
    this.localFrom = i;
    for (;;) {
      const code = source.charCodeAt(i);
      if (code === GT || code === SPACE || code === SLASH || isSpace(code)) break;
      if (code === COLON) this.localFrom = i + 1;
      else if (!isNameCode(code)) this.fail('clixml_malformed', 'a bad element name', i);
      i++;
    }
    this.nameTo = i;
    if (this.localFrom === i) this.fail('clixml_malformed', 'an empty element name', i);
    this.at = i;
  }

  /**
   * After the name: reads the attributes up to and with `>` or `/>`.
   * @param expected the raw `N` that probably comes next; a hit gives back this very string and makes no new one
   */
  readAttributes(expected: string | null = null): void {
    const { attributes } = this;
    attributes.name = null;
    attributes.refId = null;
    attributes.refNumber = -1;
    const isHit = expected !== null && this.#matchName(expected);
    const hasRef = this.#matchRefId();
    const code = this.source.charCodeAt(this.at);
    if (code === GT) {
      this.at++;
      this.isEmpty = false;
      return;
    }
    if (code === SLASH && this.source.charCodeAt(this.at + 1) === GT) {
      this.at += 2;
      this.isEmpty = true;
      return;
    }
    this.#readRest(code, isHit ? (hasRef ? ['N', 'RefId'] : ['N']) : hasRef ? ['RefId'] : null);
  }

  #matchName(expected: string): boolean {
    const { source } = this;
    const from = this.at + 4;
    if (!source.startsWith(' N="', this.at) || source.charCodeAt(from + expected.length) !== QUOTE) return false;
    if (!source.startsWith(expected, from)) return false;
    this.at = from + expected.length + 1;
    this.attributes.name = expected;
    return true;
  }

  /** ` RefId="123"` as senders write it, without making a string of it. */
  #matchRefId(): boolean {
    const { source } = this;
    // The R tells nearly every other element off.
    if (source.charCodeAt(this.at + 1) !== 0x52 || !source.startsWith(' RefId="', this.at)) return false;
    const from = this.at + 8;
    let value = 0;
    let i = from;
    for (;;) {
      const digit = source.charCodeAt(i) - 48;
      if (!(digit >= 0 && digit <= 9)) break;
      value = value * 10 + digit;
      i++;
    }
    const length = i - from;
    if (length < 1 || length > 9 || source.charCodeAt(i) !== QUOTE) return false;
    if (length > 1 && source.charCodeAt(from) === 0x30) return false;
    this.at = i + 1;
    this.attributes.refNumber = value;
    return true;
  }

  #readRest(first: number, seenBefore: string[] | null): void {
    const { source } = this;
    let code = first;
    let seen = seenBefore;
    for (;;) {
      const before = this.at;
      while (isSpace(code)) code = source.charCodeAt(++this.at);
      if (code === GT || code === SLASH) break;
      if (this.at === before) this.fail('clixml_malformed', 'white space is missing before an attribute');
      seen = this.#readAttribute(seen);
      code = source.charCodeAt(this.at);
    }
    this.isEmpty = code === SLASH;
    if (this.isEmpty && source.charCodeAt(++this.at) !== GT) this.fail('clixml_malformed', 'a bad empty element');
    this.at++;
  }

  #readAttribute(seen: string[] | null): string[] {
    const { source } = this;
    const from = this.at;
    let i = from;
    while (isNameCode(source.charCodeAt(i)) || source.charCodeAt(i) === COLON) i++;
    const name = source.slice(from, i);
    if (name === '') this.fail('clixml_malformed', 'a bad attribute', i);
    while (isSpace(source.charCodeAt(i))) i++;
    if (source.charCodeAt(i) !== EQUALS) this.fail('clixml_malformed', 'an attribute without value', i);
    i++;
    while (isSpace(source.charCodeAt(i))) i++;
    const quote = source.charCodeAt(i);
    if (quote !== QUOTE && quote !== APOSTROPHE) this.fail('clixml_malformed', 'an attribute without quotes', i);
    const end = source.indexOf(quote === QUOTE ? '"' : "'", i + 1);
    if (end < 0) this.fail('clixml_malformed', 'an unfinished attribute', i);
    const value = source.slice(i + 1, end);
    if (value.includes('<')) this.fail('clixml_malformed', 'a bad attribute value', i);
    if (seen?.includes(name) === true) this.fail('clixml_malformed', 'an attribute twice', from);
    // An element of ours has at most three attributes; a peer that sends thousands would cost a walk each.
    if (seen !== null && seen.length >= 16) this.fail('clixml_too_large', 'too many attributes', from);
    this.at = end + 1;
    if (name === 'N') this.attributes.name = value;
    else if (name === 'RefId') this.#setRefId(value);
    if (seen === null) return [name];
    seen.push(name);
    return seen;
  }

  #setRefId(value: string): void {
    const isCounted = /^(?:0|[1-9][0-9]{0,8})$/.test(value);
    this.attributes.refNumber = isCounted ? Number(value) : -1;
    this.attributes.refId = isCounted ? null : value;
  }

  /** At `</` of the end tag that belongs to the name from `from` to `to`: reads it. */
  readEnd(from: number, to: number): void {
    const { source } = this;
    let i = this.at + 2;
    for (let k = from; k < to; k++, i++) {
      if (source.charCodeAt(i) !== source.charCodeAt(k))
        this.fail('clixml_malformed', 'an end tag that does not match');
    }
    while (isSpace(source.charCodeAt(i))) i++;
    if (source.charCodeAt(i) !== GT) this.fail('clixml_malformed', 'an end tag that does not match');
    this.at = i + 1;
  }

  /**
   * After a start tag: up to nine digits directly followed by the end tag, the form of nearly every number.
   * @returns null, and has not moved, for anything else; stands behind the end tag otherwise
   */
  readShortInteger(): number | null {
    const { source } = this;
    if (this.isEmpty) return null;
    let i = this.at;
    const isNegative = source.charCodeAt(i) === 0x2d;
    if (isNegative) i++;
    const start = i;
    let value = 0;
    for (;;) {
      const digit = source.charCodeAt(i) - 48;
      if (!(digit >= 0 && digit <= 9)) break;
      value = value * 10 + digit;
      i++;
    }
    if (i === start || i - start > 9 || source.charCodeAt(i) !== LT || source.charCodeAt(i + 1) !== SLASH) return null;
    this.at = i;
    this.readEnd(this.nameFrom, this.nameTo);
    return isNegative && value !== 0 ? -value : value;
  }

  /** After a start tag: the text up to the end tag, references resolved; stands at `</` then. */
  readText(): string {
    const { source } = this;
    const from = this.at;
    const end = source.indexOf('<', from);
    if (end < 0) this.fail('clixml_malformed', 'the document ends inside a text', source.length);
    this.at = end;
    const raw = source.slice(from, end);
    if (source.charCodeAt(end + 1) !== SLASH) return this.#readMixed(this.resolve(raw, from));
    return raw.includes('&') ? this.resolve(raw, from) : raw;
  }

  /** Text around comments, instructions and CDATA sections. */
  #readMixed(first: string): string {
    const { source } = this;
    const parts = new TextParts();
    parts.add(first);
    while (source.charCodeAt(this.at + 1) !== SLASH) {
      if (source.startsWith('<![CDATA[', this.at)) {
        const end = source.indexOf(']]>', this.at + 9);
        if (end < 0) this.fail('clixml_malformed', 'an unfinished CDATA section');
        parts.add(source.slice(this.at + 9, end));
        this.at = end + 3;
      } else {
        const next = source.charCodeAt(this.at + 1);
        if (next !== 0x21 && next !== 0x3f) this.fail('clixml_malformed', 'an element inside a text');
        this.skipMisc();
      }
      const from = this.at;
      const next = source.indexOf('<', from);
      if (next < 0) this.fail('clixml_malformed', 'the document ends inside a text', source.length);
      parts.add(this.resolve(source.slice(from, next), from));
      this.at = next;
    }
    return parts.join();
  }

  /** Resolves the five entities and numeric references of a piece of text that starts at `from`. */
  resolve(raw: string, from: number): string {
    let at = raw.indexOf('&');
    if (at < 0) return raw;
    const parts = new TextParts();
    let start = 0;
    while (at >= 0) {
      // `&#x0010FFFF;` is the longest reference there can be.
      const end = raw.slice(at, at + 14).indexOf(';') + at;
      const text = end <= at ? null : decodeReference(raw.slice(at + 1, end));
      if (text === null) this.fail('clixml_malformed', 'an entity that is not allowed', from + at);
      parts.add(raw.slice(start, at));
      parts.add(text);
      start = end + 1;
      at = raw.indexOf('&', start);
    }
    parts.add(raw.slice(start));
    return parts.join();
  }

  /**
   * After a start tag: passes over everything up to and with its end tag.
   * @returns how many elements were inside
   */
  skipContent(from: number, to: number, maxDepth: number): number {
    let count = 0;
    const open: [number, number][] = this.isEmpty ? [] : [[from, to]];
    while (open.length > 0) {
      if (open.length > maxDepth) this.fail('clixml_too_deep', 'elements nested too deep');
      const next = this.source.indexOf('<', this.at);
      if (next < 0) this.fail('clixml_malformed', 'the document ends too early');
      this.at = next;
      if (this.toTag()) {
        count++;
        this.readName();
        this.readAttributes();
        if (!this.isEmpty) open.push([this.nameFrom, this.nameTo]);
      } else {
        const [start, end] = open.pop() ?? [0, 0];
        this.readEnd(start, end);
      }
    }
    return count;
  }

  /** After the root: nothing but white space, comments and instructions may follow. */
  expectEnd(): void {
    for (;;) {
      while (isSpace(this.source.charCodeAt(this.at))) this.at++;
      if (this.at >= this.source.length) return;
      const next = this.source.charCodeAt(this.at + 1);
      if (this.source.charCodeAt(this.at) !== LT || (next !== 0x21 && next !== 0x3f)) {
        this.fail('clixml_malformed', 'something follows the root element');
      }
      this.skipMisc();
    }
  }
}

function isNameCode(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    (code >= 48 && code <= 57) ||
    code === 0x5f ||
    code === 0x2d ||
    code === 0x2e ||
    code > 0x7f
  );
}

/** Packs a short tag name the way `packedName` does. */
export function packTag(tag: string): number {
  let packed = 0;
  for (let i = tag.length - 1; i >= 0; i--) packed = (packed << 8) | tag.charCodeAt(i);
  return packed;
}
