import { DEFAULT_LIMITS, withLimits } from '../limits.ts';
import type { PsrpLimits } from '../limits.ts';
import { decodeEscapes } from './escape.ts';
import { PsDictionary, PsList, PsMemberSet, PsObject } from './object.ts';
import type { ListTag, PsValue } from './object.ts';
import { PRIMITIVES } from './primitives.ts';
import { PropertySet, Shape } from './properties.ts';
import { PROGRESS_PARTS, progressOf } from './progress-element.ts';
import { RefTable } from './ref-table.ts';
import type { PsProgress, PsScalar } from './scalars.ts';
import { packTag, Scanner } from './scanner.ts';
import { TypeLists } from './type-lists.ts';
import { ValueStack } from './value-stack.ts';

/** Shapes kept between messages; beyond it the reader starts a new tree, so that a peer cannot grow it. */
const MAX_SHAPES = 20_000;

const TAG = {
  S: packTag('S'),
  I32: packTag('I32'),
  I64: packTag('I64'),
  B: packTag('B'),
  Nil: packTag('Nil'),
  Obj: packTag('Obj'),
  Ref: packTag('Ref'),
  TN: packTag('TN'),
  T: packTag('T'),
  MS: packTag('MS'),
  LST: packTag('LST'),
  IE: packTag('IE'),
  STK: packTag('STK'),
  QUE: packTag('QUE'),
  DCT: packTag('DCT'),
  En: packTag('En'),
  PR: packTag('PR'),
  Objs: packTag('Objs'),
} as const;
const BY_PACKED = new Map(
  [...PRIMITIVES].filter(([tag]) => tag.length <= 4).map(([tag, parse]) => [packTag(tag), parse]),
);

/** Unknown children of Obj that were skipped, for a counter. */
export interface ReadNotes {
  skippedElements: number;
}

/**
 * Reads CLIXML documents. One reader may read many messages: it remembers property names and type lists, so that the
 * ten-thousandth process costs no new strings for its names. [MS-PSRP] 2.2.5 Data Serialization.
 */
export class CliXmlReader {
  readonly #limits: PsrpLimits;
  #root = new Shape(null, '', '');
  #shapeCount = 0;
  readonly #typeLists = new TypeLists();
  readonly notes: ReadNotes = { skippedElements: 0 };

  // Of the document at hand.
  #scan = new Scanner('');
  #elements = 0;
  #refs = 0;
  #depth = 0;
  #objectDepth = 0;
  readonly #objects = new RefTable<PsObject>();
  readonly #typeNames = new RefTable<readonly string[]>();
  readonly #stack = new ValueStack();

  constructor(limits?: Partial<PsrpLimits>) {
    this.#limits = withLimits(DEFAULT_LIMITS, limits);
  }

  /**
   * The one value of a document; null for an `Objs` root without content.
   * @throws CliXmlError
   */
  read(source: string): PsValue {
    return this.#document(source, 1)[0] ?? null;
  }

  /** All values of a document; more than one only below an `Objs` root. @throws CliXmlError */
  readAll(source: string): PsValue[] {
    return this.#document(source, Infinity);
  }

  #document(source: string, maxValues: number): PsValue[] {
    const zero = source.indexOf('\0');
    this.#begin(source);
    if (zero >= 0) this.#scan.fail('clixml_malformed', 'a NUL character', zero);
    if (!this.#scan.toTag()) this.#scan.fail('clixml_malformed', 'an end tag without start');
    try {
      this.#open();
      const isRoot = this.#scan.packedName() === TAG.Objs;
      const values = isRoot ? this.#readRoot() : [this.#readValue()];
      this.#scan.expectEnd();
      if (values.length > maxValues) this.#scan.fail('clixml_malformed', 'more than one object');
      return values;
    } finally {
      this.#begin('');
    }
  }

  #begin(source: string): void {
    this.#scan = new Scanner(source);
    this.#elements = 0;
    this.#refs = 0;
    this.#depth = 0;
    this.#objectDepth = 0;
    this.#objects.clear();
    this.#typeNames.clear();
    this.#stack.clear();
    if (this.#shapeCount > MAX_SHAPES) {
      this.#root = new Shape(null, '', '');
      this.#shapeCount = 0;
    }
  }

  #readRoot(): PsValue[] {
    const scan: Scanner = this.#scan;
    if (scan.isEmpty) return [];
    const from = scan.nameFrom;
    const to = scan.nameTo;
    const values: PsValue[] = [];
    while (scan.toTag()) {
      this.#open();
      values.push(this.#readValue());
    }
    scan.readEnd(from, to);
    return values;
  }

  /** At a start tag: counts the element and reads the tag. `expected` is the raw `N` that probably comes. */
  #open(expected: string | null = null): void {
    if (++this.#elements > this.#limits.maxElements) this.#scan.fail('clixml_too_large', 'too many elements');
    this.#scan.readName();
    this.#scan.readAttributes(expected);
  }

  /** Goes one element deeper; `#leave` goes back. */
  #enter(): void {
    if (++this.#depth > this.#limits.maxElementDepth) this.#scan.fail('clixml_too_deep', 'elements nested too deep');
  }

  /** After the start tag of a value element: reads the rest of it. */
  #readValue(): PsValue {
    const scan: Scanner = this.#scan;
    const tag = scan.packedName();
    const from = scan.nameFrom;
    const to = scan.nameTo;
    switch (tag) {
      case TAG.S:
        return this.#readString(from, to);
      case TAG.I32:
        return scan.readShortInteger() ?? this.#readPrimitive(tag, from, to);
      case TAG.I64: {
        const quick = scan.readShortInteger();
        return quick === null ? this.#readPrimitive(tag, from, to) : BigInt(quick);
      }
      case TAG.Nil:
        this.#readNothing(from, to);
        return null;
      case TAG.Obj:
        return this.#readObject(from, to);
      case TAG.Ref:
        return this.#readRef(from, to);
      case TAG.PR:
        return this.#readProgress(from, to);
      default:
        return this.#readPrimitive(tag, from, to);
    }
  }

  #readString(from: number, to: number): string {
    if (this.#scan.isEmpty) return '';
    const text = this.#scan.readText();
    this.#scan.readEnd(from, to);
    return decodeEscapes(text);
  }

  #readPrimitive(tag: number, from: number, to: number): PsScalar {
    const scan: Scanner = this.#scan;
    const parse = tag === 0 ? PRIMITIVES.get(scan.localName()) : BY_PACKED.get(tag);
    if (parse === undefined) scan.fail('clixml_unknown_tag', 'an element of an unknown kind', from);
    const at = scan.at;
    const text = scan.isEmpty ? '' : scan.readText();
    if (!scan.isEmpty) scan.readEnd(from, to);
    const parsed = parse(text);
    if (parsed === null) scan.fail('clixml_bad_value', `not a ${scan.source.slice(scan.localFrom, to)}`, at);
    return parsed.value;
  }

  /** The rest of an element that must hold nothing. */
  #readNothing(from: number, to: number): void {
    const scan: Scanner = this.#scan;
    if (scan.isEmpty) return;
    if (scan.toTag()) scan.fail('clixml_malformed', 'an element inside an empty one');
    scan.readEnd(from, to);
  }

  #countRef(): void {
    if (++this.#refs > this.#limits.maxRefs) this.#scan.fail('clixml_too_large', 'too many references');
  }

  #readRef(from: number, to: number): PsObject {
    const scan: Scanner = this.#scan;
    this.#countRef();
    const found = this.#objects.find(scan.attributes);
    if (found === undefined) scan.fail('clixml_bad_ref', 'a reference to nothing', from);
    this.#readNothing(from, to);
    return found;
  }

  #readObject(from: number, to: number): PsObject {
    const scan: Scanner = this.#scan;
    if (++this.#objectDepth > this.#limits.maxObjectDepth) scan.fail('clixml_too_deep', 'objects nested too deep');
    this.#enter();
    const object = new PsObject();
    if (!this.#objects.add(scan.attributes, object)) scan.fail('clixml_bad_ref', 'a bad RefId');
    if (!scan.isEmpty) {
      while (scan.toTag()) {
        this.#open();
        this.#readObjectChild(object);
      }
      scan.readEnd(from, to);
    }
    this.#depth--;
    this.#objectDepth--;
    return object;
  }

  #readObjectChild(object: PsObject): void {
    const scan: Scanner = this.#scan;
    const tag = scan.packedName();
    const from = scan.nameFrom;
    const to = scan.nameTo;
    switch (tag) {
      case TAG.TN:
        object.wireTypeNames = this.#readTypeNames(from, to);
        return;
      case TAG.MS:
        if (object.extended !== null) scan.fail('clixml_malformed', 'MS twice', from);
        object.extended = this.#readProperties(from, to);
        return;
      case TAG.LST:
        object.base = this.#readList('LST', from, to);
        return;
      case TAG.IE:
        object.base = this.#readList('IE', from, to);
        return;
      case TAG.STK:
        object.base = this.#readList('STK', from, to);
        return;
      case TAG.QUE:
        object.base = this.#readList('QUE', from, to);
        return;
      case TAG.DCT:
        object.base = this.#readDictionary(from, to);
        return;
      case 0:
        this.#readLongNamedChild(object, from, to);
        return;
      default:
        if (tag === TAG.Obj || tag === TAG.Ref || tag === TAG.Nil || tag === TAG.PR || BY_PACKED.has(tag)) {
          object.base = this.#readValue();
        } else this.#skipUnknown(from, to);
    }
  }

  #readLongNamedChild(object: PsObject, from: number, to: number): void {
    const scan: Scanner = this.#scan;
    const name = scan.localName();
    if (PRIMITIVES.has(name)) {
      object.base = this.#readValue();
      return;
    }
    switch (name) {
      case 'Props':
        if (object.adapted !== null) scan.fail('clixml_malformed', 'Props twice', from);
        object.adapted = this.#readProperties(from, to);
        return;
      case 'TNRef':
        object.wireTypeNames = this.#readTypeRef(from, to);
        return;
      case 'ToString':
        object.text = this.#readString(from, to);
        return;
      default:
        this.#skipUnknown(from, to);
    }
  }

  #readTypeRef(from: number, to: number): readonly string[] {
    const scan: Scanner = this.#scan;
    this.#countRef();
    const found = this.#typeNames.find(scan.attributes);
    if (found === undefined) scan.fail('clixml_bad_ref', 'a reference to unknown type names', from);
    this.#readNothing(from, to);
    return found;
  }

  #readTypeNames(from: number, to: number): readonly string[] {
    const scan: Scanner = this.#scan;
    const { refId, refNumber } = scan.attributes;
    const names = scan.isEmpty ? [] : (this.#knownTypeNames() ?? this.#newTypeNames(from, to));
    if (!this.#typeNames.add({ name: null, refId, refNumber }, names)) scan.fail('clixml_bad_ref', 'a bad RefId', from);
    return names;
  }

  /** A list of an earlier message with the same text up to and with the end tag. */
  #knownTypeNames(): readonly string[] | null {
    const scan: Scanner = this.#scan;
    const known = this.#typeLists.find(scan.source, scan.at);
    if (known === null) return null;
    scan.at += known.wire.length;
    this.#elements += known.names.length;
    return known.names;
  }

  #newTypeNames(from: number, to: number): readonly string[] {
    const scan: Scanner = this.#scan;
    const start = scan.at;
    const names: string[] = [];
    this.#enter();
    while (scan.toTag()) {
      this.#open();
      if (scan.packedName() !== TAG.T) scan.fail('clixml_malformed', 'something else than T in TN');
      names.push(this.#readString(scan.nameFrom, scan.nameTo));
    }
    scan.readEnd(from, to);
    this.#depth--;
    this.#typeLists.add(scan.source.slice(start, scan.at), names);
    return names;
  }

  #readProperties(from: number, to: number): PropertySet<PsValue> {
    const scan: Scanner = this.#scan;
    let shape = this.#root;
    if (scan.isEmpty) return new PropertySet(shape);
    this.#enter();
    const start = this.#stack.height;
    while (scan.toTag()) {
      this.#open(shape.recent === null ? null : shape.recent.wireName);
      const { name } = scan.attributes;
      if (name === null) scan.fail('clixml_malformed', 'a property without name');
      shape = shape.with(name, this.#decodeName, this.#countShape);
      const isSet = scan.packedName() === TAG.MS;
      this.#stack.push(isSet ? this.#readMemberSet() : this.#readValue());
    }
    scan.readEnd(from, to);
    this.#depth--;
    return new PropertySet(shape, this.#stack.popFrom(start));
  }

  readonly #decodeName = (wireName: string): string => decodeEscapes(this.#scan.resolve(wireName, this.#scan.at));
  readonly #countShape = (): void => {
    this.#shapeCount++;
  };

  #readMemberSet(): PsMemberSet {
    const set = new PsMemberSet();
    set.extended = this.#readProperties(this.#scan.nameFrom, this.#scan.nameTo);
    return set;
  }

  #readList(tag: ListTag, from: number, to: number): PsList {
    const scan: Scanner = this.#scan;
    if (scan.isEmpty) return new PsList(tag, []);
    this.#enter();
    const start = this.#stack.height;
    while (scan.toTag()) {
      this.#open();
      this.#stack.push(this.#readValue());
    }
    scan.readEnd(from, to);
    this.#depth--;
    return new PsList(tag, this.#stack.popFrom(start));
  }

  #readDictionary(from: number, to: number): PsDictionary {
    const scan: Scanner = this.#scan;
    const dictionary = new PsDictionary([], []);
    if (scan.isEmpty) return dictionary;
    this.#enter();
    while (scan.toTag()) {
      this.#open();
      if (scan.packedName() !== TAG.En) scan.fail('clixml_malformed', 'no entry in a dictionary');
      this.#readEntry(dictionary, scan.nameFrom, scan.nameTo);
    }
    scan.readEnd(from, to);
    this.#depth--;
    return dictionary;
  }

  #readEntry(dictionary: PsDictionary, from: number, to: number): void {
    const scan: Scanner = this.#scan;
    if (scan.isEmpty) scan.fail('clixml_malformed', 'an empty dictionary entry');
    this.#enter();
    const key = this.#readEntryPart('key');
    if (key === null) scan.fail('clixml_bad_value', 'a null key', from);
    const value = this.#readEntryPart('value');
    if (scan.toTag()) scan.fail('clixml_malformed', 'a third part in a dictionary entry');
    scan.readEnd(from, to);
    dictionary.keys.push(key);
    dictionary.values.push(value);
    this.#depth--;
  }

  #readEntryPart(name: 'key' | 'value'): PsValue {
    const scan: Scanner = this.#scan;
    if (!scan.toTag()) scan.fail('clixml_malformed', `a dictionary entry without ${name}`);
    this.#open();
    if (scan.attributes.name?.toLowerCase() !== name)
      scan.fail('clixml_malformed', `a dictionary entry without ${name}`);
    return this.#readValue();
  }

  #readProgress(from: number, to: number): PsProgress {
    const scan: Scanner = this.#scan;
    const parts = new Map<string, PsScalar>();
    if (scan.isEmpty) scan.fail('clixml_bad_value', 'an empty progress record', from);
    this.#enter();
    while (scan.toTag()) {
      this.#open();
      const part = scan.localName();
      const kind = PROGRESS_PARTS.get(part);
      if (kind === undefined) scan.fail('clixml_unknown_tag', 'an unknown part of a progress record');
      if (kind === 'Nil') this.#readNothing(scan.nameFrom, scan.nameTo);
      else parts.set(part, this.#readPrimitive(TAG[kind], scan.nameFrom, scan.nameTo));
    }
    scan.readEnd(from, to);
    this.#depth--;
    return progressOf(parts);
  }

  /** An unknown child of Obj: counted and passed over, with all that is in it. */
  #skipUnknown(from: number, to: number): void {
    this.notes.skippedElements++;
    const opened = this.#scan.skipContent(from, to, this.#limits.maxElementDepth - this.#depth);
    this.#elements += opened;
    if (this.#elements > this.#limits.maxElements) this.#scan.fail('clixml_too_large', 'too many elements');
  }
}

/** Reads one document without keeping anything. @throws CliXmlError */
export const readCliXml = (source: string, limits?: Partial<PsrpLimits>): PsValue =>
  new CliXmlReader(limits).read(source);
