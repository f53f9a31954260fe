import { WsManProtocolError } from '../errors.ts';
import type { WsManErrorCode } from '../errors.ts';
import { withLimits } from '../limits.ts';
import type { WsManLimits } from '../limits.ts';
import { XmlElement } from './element.ts';
import type { XmlAttribute } from './element.ts';
import { Namespaces } from './namespaces.ts';

const SECTION = 'SOAP 1.2 Part 1, 5 SOAP Message Construct';
const GT = 0x3e;
const SLASH = 0x2f;
const BANG = 0x21;
const QUESTION = 0x3f;
const COLON = 0x3a;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const APOSTROPHE = 0x27;

const isSpace = (code: number): boolean => code === 0x20 || code === 10 || code === 13 || code === 9;
const isDigit = (code: number): boolean => code >= 48 && code <= 57;
const isNameStart = (code: number): boolean =>
  (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 0x5f || code > 0x7f;
const isNamePart = (code: number): boolean => isNameStart(code) || isDigit(code) || code === 0x2d || code === 0x2e;

/** An element that was opened and not closed yet. */
interface Open {
  readonly element: XmlElement;
  /** Its name as written, which the end tag must repeat. */
  readonly qName: string;
  readonly texts: string[];
  /** Declarations in force before it. */
  readonly scope: number;
}

/** An attribute before its prefix is looked up. */
interface RawAttribute {
  readonly qName: string;
  readonly value: string;
}

/**
 * Reads one envelope into elements, without recursion, one walk over the string by index. UTF-8, one root, no document
 * type definition, no processing instructions (SOAP 1.2 forbids both), five entities and numeric references.
 */
class XmlReader {
  readonly #source: string;
  readonly #limits: WsManLimits;
  readonly #namespaces: Namespaces;
  readonly #open: Open[] = [];
  #root: XmlElement | null = null;
  #at = 0;
  #elements = 0;

  constructor(source: string, limits: WsManLimits) {
    this.#source = source;
    this.#limits = limits;
    this.#namespaces = new Namespaces(limits.maxNamespaces, (code, message) => this.#fail(code, message));
  }

  read(): XmlElement {
    this.#readDeclaration();
    for (;;) {
      this.#readText();
      if (this.#at >= this.#source.length) break;
      const next = this.#source.charCodeAt(this.#at + 1);
      if (next === SLASH) this.#readEndTag();
      else if (next === BANG) this.#readBang();
      else if (next === QUESTION) this.#fail('wsman_malformed', 'a processing instruction');
      else this.#readStartTag();
    }
    if (this.#root === null || this.#open.length > 0) this.#fail('wsman_malformed', 'the envelope ends too early');
    return this.#root;
  }

  #fail(code: WsManErrorCode, message: string, at = this.#at): never {
    // Offsets are told in bytes; counting them is work for the failing path only.
    const offset = new TextEncoder().encode(this.#source.slice(0, at)).length;
    throw new WsManProtocolError(code, message, { offset, section: SECTION });
  }

  #readDeclaration(): void {
    const { length } = '<?xml';
    if (!this.#source.startsWith('<?xml') || !isSpace(this.#source.charCodeAt(length))) return;
    const end = this.#source.indexOf('?>');
    if (end < 0) this.#fail('wsman_malformed', 'an unfinished XML declaration');
    const encoding = /encoding\s{0,8}=\s{0,8}["']([A-Za-z0-9._-]{1,40})["']/.exec(
      this.#source.slice(0, Math.min(end, 200)),
    );
    const name = encoding?.[1]?.toLowerCase() ?? 'utf-8';
    if (name !== 'utf-8' && name !== 'us-ascii')
      this.#fail('wsman_encoding_refused', `an envelope declared as ${name}`);
    this.#at = end + 2;
  }

  /** Character data up to the next `<` or the end. */
  #readText(): void {
    const from = this.#at;
    const found = this.#source.indexOf('<', from);
    this.#at = found < 0 ? this.#source.length : found;
    if (this.#at === from) return;
    const top = this.#open.at(-1);
    if (top !== undefined) {
      top.texts.push(this.#resolve(from, this.#at));
      return;
    }
    for (let i = from; i < this.#at; i++) {
      if (!isSpace(this.#source.charCodeAt(i))) this.#fail('wsman_malformed', 'text outside the envelope', i);
    }
  }

  #readBang(): void {
    const source = this.#source;
    if (source.startsWith('<!--', this.#at)) {
      const end = source.indexOf('-->', this.#at + 4);
      if (end < 0) this.#fail('wsman_malformed', 'an unfinished comment');
      this.#at = end + 3;
      return;
    }
    const top = this.#open.at(-1);
    if (source.startsWith('<![CDATA[', this.#at) && top !== undefined) {
      const end = source.indexOf(']]>', this.#at + 9);
      if (end < 0) this.#fail('wsman_malformed', 'an unfinished CDATA section');
      top.texts.push(source.slice(this.#at + 9, end));
      this.#at = end + 3;
      return;
    }
    this.#fail('wsman_malformed', 'a document type definition or other markup that is not allowed');
  }

  /** A name with at most one colon; stands behind it. */
  #readQName(): string {
    const source = this.#source;
    const from = this.#at;
    let i = from;
    let colons = 0;
    if (!isNameStart(source.charCodeAt(i))) this.#fail('wsman_malformed', 'a bad name');
    for (;;) {
      const code = source.charCodeAt(i);
      if (code === COLON) {
        colons++;
        if (colons > 1 || !isNameStart(source.charCodeAt(i + 1))) this.#fail('wsman_malformed', 'a bad name', i);
      } else if (!isNamePart(code)) break;
      i++;
    }
    this.#at = i;
    return source.slice(from, i);
  }

  #skipSpace(): void {
    while (isSpace(this.#source.charCodeAt(this.#at))) this.#at++;
  }

  #readStartTag(): void {
    const start = this.#at++;
    const qName = this.#readQName();
    if (this.#open.length >= this.#limits.maxDepth) this.#fail('wsman_too_large', 'elements nested too deep', start);
    if (++this.#elements > this.#limits.maxElements) this.#fail('wsman_too_large', 'too many elements', start);
    const scope = this.#namespaces.mark();
    const raw = this.#readAttributes();
    const isEmpty = this.#source.charCodeAt(this.#at) === SLASH;
    if (isEmpty) this.#at++;
    if (this.#source.charCodeAt(this.#at) !== GT) this.#fail('wsman_malformed', 'an unfinished start tag');
    this.#at++;
    const { namespace, name } = this.#namespaces.ofElement(qName);
    const element = new XmlElement(namespace, name, this.#attributesOf(raw));
    this.#place(element, start);
    if (isEmpty) this.#namespaces.reset(scope);
    else this.#open.push({ element, qName, texts: [], scope });
  }

  #place(element: XmlElement, start: number): void {
    const parent = this.#open.at(-1);
    if (parent !== undefined) parent.element.children.push(element);
    else if (this.#root === null) this.#root = element;
    else this.#fail('wsman_malformed', 'a second root', start);
  }

  /** Attributes up to `>` or `/`; declarations go to the namespaces at once. */
  #readAttributes(): RawAttribute[] {
    const out: RawAttribute[] = [];
    const names = new Set<string>();
    for (;;) {
      const before = this.#at;
      this.#skipSpace();
      const code = this.#source.charCodeAt(this.#at);
      if (code === GT || code === SLASH) return out;
      if (this.#at === before) this.#fail('wsman_malformed', 'white space is missing before an attribute');
      if (names.size >= this.#limits.maxAttributes) this.#fail('wsman_too_large', 'too many attributes');
      const attribute = this.#readAttribute();
      if (names.has(attribute.qName)) this.#fail('wsman_malformed', 'an attribute twice');
      names.add(attribute.qName);
      if (!this.#namespaces.declare(attribute.qName, attribute.value)) out.push(attribute);
    }
  }

  #readAttribute(): RawAttribute {
    const source = this.#source;
    const qName = this.#readQName();
    this.#skipSpace();
    if (source.charCodeAt(this.#at) !== EQUALS) this.#fail('wsman_malformed', 'an attribute without value');
    this.#at++;
    this.#skipSpace();
    const quote = source.charCodeAt(this.#at);
    if (quote !== QUOTE && quote !== APOSTROPHE) this.#fail('wsman_malformed', 'an attribute without quotes');
    const from = this.#at + 1;
    const end = source.indexOf(quote === QUOTE ? '"' : "'", from);
    if (end < 0) this.#fail('wsman_malformed', 'an unfinished attribute');
    if (source.slice(from, end).includes('<')) this.#fail('wsman_malformed', 'a bad attribute value');
    this.#at = end + 1;
    return { qName, value: this.#resolve(from, end) };
  }

  #attributesOf(raw: readonly RawAttribute[]): XmlAttribute[] {
    const out: XmlAttribute[] = [];
    for (const { qName, value } of raw) {
      const { namespace, name } = this.#namespaces.ofAttribute(qName);
      if (namespace !== '' && out.some((each) => each.name === name && each.namespace === namespace)) {
        this.#fail('wsman_malformed', 'an attribute twice');
      }
      out.push({ namespace, name, value });
    }
    return out;
  }

  #readEndTag(): void {
    const top = this.#open.pop();
    if (top === undefined || !this.#source.startsWith(top.qName, this.#at + 2)) {
      this.#fail('wsman_malformed', 'an end tag that does not match');
    }
    this.#at += 2 + top.qName.length;
    this.#skipSpace();
    if (this.#source.charCodeAt(this.#at) !== GT) this.#fail('wsman_malformed', 'an end tag that does not match');
    this.#at++;
    top.element.text = top.texts.length === 1 ? (top.texts[0] ?? '') : top.texts.join('');
    this.#namespaces.reset(top.scope);
  }

  /** The five entities and numeric references of a piece of text. */
  #resolve(from: number, to: number): string {
    const source = this.#source;
    const raw = source.slice(from, to);
    const first = raw.indexOf('&');
    if (first < 0) return raw;
    let at = from + first;
    let out = '';
    let start = from;
    while (at >= 0) {
      const end = endOfReference(source, at + 1);
      const text = end < 0 || end >= to ? null : referenced(source, at + 1, end);
      if (text === null) this.#fail('wsman_malformed', 'an entity that is not allowed', at);
      out += source.slice(start, at) + text;
      start = end + 1;
      at = nextReference(source, start, to);
    }
    return out + source.slice(start, to);
  }
}

/** `#x0010FFFF` is the longest reference there can be. */
const LONGEST_REFERENCE = 10;
const AMPERSAND = 0x26;
const SEMICOLON = 0x3b;
const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['amp', '&'],
  ['quot', '"'],
  ['apos', "'"],
]);

function endOfReference(source: string, from: number): number {
  for (let i = from; i <= from + LONGEST_REFERENCE; i++) if (source.charCodeAt(i) === SEMICOLON) return i;
  return -1;
}

function nextReference(source: string, from: number, to: number): number {
  for (let i = from; i < to; i++) if (source.charCodeAt(i) === AMPERSAND) return i;
  return -1;
}

/** The digits from `from` to `to`; -1 when one is none or there are none. */
function digits(source: string, from: number, to: number, base: 10 | 16): number {
  let value = from < to ? 0 : -1;
  for (let i = from; i < to; i++) {
    const code = source.charCodeAt(i);
    const lower = code | 0x20;
    const digit = isDigit(code) ? code - 48 : base === 16 && lower >= 97 && lower <= 102 ? lower - 87 : -1;
    if (digit < 0) return -1;
    value = value * base + digit;
  }
  return value;
}

function referenced(source: string, from: number, to: number): string | null {
  if (source.charCodeAt(from) !== 0x23) return ENTITIES.get(source.slice(from, to)) ?? null;
  const isHex = source.charCodeAt(from + 1) === 0x78;
  const code = isHex ? digits(source, from + 2, to, 16) : digits(source, from + 1, to, 10);
  const isSurrogate = code >= 0xd800 && code <= 0xdfff;
  return code <= 0 || code > 0x10ffff || isSurrogate ? null : String.fromCodePoint(code);
}

/** Reads the text of an envelope. @throws WsManProtocolError */
export const readXml = (source: string, limits?: Partial<WsManLimits>): XmlElement =>
  new XmlReader(source, withLimits(limits)).read();

/**
 * Reads the bytes of an envelope: UTF-8, a byte order mark may stand first.
 * @throws WsManProtocolError
 */
export function readXmlBytes(bytes: Uint8Array, limits?: Partial<WsManLimits>): XmlElement {
  const all = withLimits(limits);
  const place = { offset: 0, section: SECTION } as const;
  if (bytes.length > all.maxEnvelopeBytes) {
    throw new WsManProtocolError('wsman_too_large', `an envelope of ${bytes.length} bytes`, place);
  }
  // UTF-16 with a mark: the one other form that WS-Management has.
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    throw new WsManProtocolError('wsman_encoding_refused', 'an envelope in UTF-16', place);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new WsManProtocolError('wsman_malformed', 'an envelope that is not UTF-8', { ...place, cause });
  }
  return readXml(text, all);
}
