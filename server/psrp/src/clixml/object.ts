import type { PropertySet } from './properties.ts';
import { PsChar, PsDecimal, PsNumber, PsProgress, PsSecureString } from './scalars.ts';
import type { PsScalar } from './scalars.ts';

/**
 * A CLIXML value as TypeScript sees it. `number` is I32, `bigint` is I64, `string` is S, `Uint8Array` is BA, `null` is
 * Nil; every other type has a class, so that what was read is written back with the same tag. [MS-PSRP] 2.2.5.1
 * Serialization of Primitive Type Objects.
 */
export type PsValue = PsScalar | PsObject;

/** LST, IE, QUE (front first), STK (top first). [MS-PSRP] 2.2.5.2.6 Known Container Types. */
export type ListTag = 'LST' | 'IE' | 'QUE' | 'STK';

/** A list container. */
export class PsList {
  readonly tag: ListTag;
  readonly items: PsValue[];
  constructor(tag: ListTag, items: PsValue[]) {
    this.tag = tag;
    this.items = items;
  }
}

/** DCT: pairs in order; keys may be any value and may repeat. [MS-PSRP] 2.2.5.2.6.5 Dictionary. */
export class PsDictionary {
  readonly keys: PsValue[];
  readonly values: PsValue[];
  constructor(keys: PsValue[], values: PsValue[]) {
    this.keys = keys;
    this.values = values;
  }
  /** The value under a string key, exact first, then in any case. */
  get(key: string): PsValue | undefined {
    let index = this.keys.indexOf(key);
    if (index < 0) {
      const lower = key.toLowerCase();
      index = this.keys.findIndex((each) => typeof each === 'string' && each.toLowerCase() === lower);
    }
    return index < 0 ? undefined : this.values[index];
  }
  /** Pairs in order. */
  *entries(): IterableIterator<[PsValue, PsValue]> {
    for (let i = 0; i < this.keys.length; i++) {
      const key = this.keys[i];
      const value = this.values[i];
      if (key !== undefined && value !== undefined) yield [key, value];
    }
  }
}

/** What an object holds besides properties; undefined when nothing. */
export type PsBase = PsValue | PsList | PsDictionary | undefined;

const PREFIX = 'Deserialized.';
const NO_NAMES: readonly string[] = [];

/** Which writing an object was met in, and as which: see `WriteMarks`. */
let markOf: (object: PsObject) => number;
let setMark: (object: PsObject, mark: number) => void;

/** Obj: anything that is not a primitive. Cycles are possible: whoever walks one counts. [MS-PSRP] 2.2.5.2 Complex Objects. */
export class PsObject {
  /** As on the wire, most derived first; null when the sender gave none. */
  wireTypeNames: readonly string[] | null = null;
  /** ToString, the display text; null when absent. */
  text: string | null = null;
  base: PsBase = undefined;
  /** Props: properties of the original type. */
  adapted: PropertySet<PsValue> | null = null;
  /** MS: properties added to the instance. */
  extended: PropertySet<PsValue> | null = null;
  #mark = -1;

  static {
    markOf = (object) => object.#mark;
    setMark = (object, mark) => {
      object.#mark = mark;
    };
  }

  get typeNames(): readonly string[] {
    return this.wireTypeNames ?? NO_NAMES;
  }
  /** First type name without the prefix that a collecting sender put before it; empty when there is none. */
  get typeName(): string {
    const first = this.typeNames[0] ?? '';
    return first.startsWith(PREFIX) ? first.slice(PREFIX.length) : first;
  }
  /** True when the type or one of its bases is `name`. */
  isOfType(name: string): boolean {
    return this.typeNames.some((each) => (each.startsWith(PREFIX) ? each.slice(PREFIX.length) : each) === name);
  }
  /** A property in any case: MS first, then Props; undefined when absent. */
  get(name: string): PsValue | undefined {
    const own = this.extended?.get(name);
    return own === undefined ? this.adapted?.get(name) : own;
  }
  /** A property as text; null when it is absent or has none. */
  getString(name: string): string | null {
    const value = this.get(name);
    return value === undefined ? null : toText(value);
  }
  /** A numeric property, an enum included; null when it is absent or none. */
  getNumber(name: string): number | null {
    const value = this.get(name);
    return value === undefined ? null : toNumber(value);
  }
  /** A Boolean property; null when it is absent or none. */
  getBoolean(name: string): boolean | null {
    const value = this.get(name);
    return value === undefined ? null : toBoolean(value);
  }
  /** A property that is an object; null when it is absent or none. */
  getObject(name: string): PsObject | null {
    const value = this.get(name);
    return value instanceof PsObject ? value : null;
  }
  /** The items of a list property; null when it is absent or no list. */
  getList(name: string): readonly PsValue[] | null {
    const value = this.get(name);
    return value instanceof PsObject && value.base instanceof PsList ? value.base.items : null;
  }
  /** All properties: MS, then Props. */
  *properties(): IterableIterator<[string, PsValue]> {
    if (this.extended !== null) yield* this.extended.entries();
    if (this.adapted !== null) yield* this.adapted.entries();
  }
}

/** An MS inside an MS: `PSStandardMembers` and its like. Its properties are in `extended`. */
export class PsMemberSet extends PsObject {}

let nextMark = 0;

/**
 * Numbers the objects of one document in order of appearance. The number stands in the object itself: a table of objects
 * costs a walk through memory that is the longer the more objects there are. Marks grow from document to document, so
 * that those of an earlier one count for nothing.
 */
export class WriteMarks {
  readonly #first = nextMark;

  /** The number of an object that was met before; -1 when it is new. */
  find(object: PsObject): number {
    const mark = markOf(object);
    return mark < this.#first ? -1 : mark - this.#first;
  }
  /** Numbers a new object. */
  add(object: PsObject): number {
    setMark(object, nextMark);
    return nextMark++ - this.#first;
  }
}

/** An object around one primitive (an enum, a value with notes) as that primitive; anything else as it is. */
export function unwrap(value: PsValue): PsBase {
  // A chain of objects around objects is at most as deep as the reader allows.
  let inner: PsBase = value;
  for (let depth = 0; inner instanceof PsObject && inner.base !== undefined && depth < 64; depth++) inner = inner.base;
  return inner;
}

/** Any numeric value, an enum's number included; null when it is not numeric or does not fit a double exactly. */
export function toNumber(value: PsValue): number | null {
  const inner = unwrap(value);
  if (typeof inner === 'number') return inner;
  const wide = inner instanceof PsNumber ? inner.value : inner;
  if (typeof wide === 'number') return wide;
  if (typeof wide === 'bigint') return Number.isSafeInteger(Number(wide)) ? Number(wide) : null;
  if (inner instanceof PsChar) return inner.code;
  if (inner instanceof PsDecimal) return Number(inner.text);
  return null;
}

/** Any integer as bigint; null when it is none. */
export function toBigInt(value: PsValue): bigint | null {
  const inner = unwrap(value);
  const wide = inner instanceof PsNumber ? inner.value : inner;
  if (typeof wide === 'bigint') return wide;
  return typeof wide === 'number' && Number.isInteger(wide) ? BigInt(wide) : null;
}

/** A Boolean, a SwitchParameter included; null when it is none. */
export function toBoolean(value: PsValue): boolean | null {
  const inner = unwrap(value);
  if (typeof inner === 'boolean') return inner;
  const present = inner instanceof PsObject ? inner.get('IsPresent') : undefined;
  return typeof present === 'boolean' ? present : null;
}

/** The text of a string-like primitive or an object's ToString; null for Nil, lists and objects without text. */
export function toText(value: PsValue): string | null {
  if (typeof value === 'string') return value;
  const inner = unwrap(value);
  if (typeof inner === 'string') return inner;
  if (value instanceof PsObject && value.text !== null) return value.text;
  return inner === null || inner === undefined || inner instanceof PsList || inner instanceof PsDictionary
    ? null
    : primitiveText(inner);
}

/** Items of a list or of an object around one; null when it is none. */
export function listItems(value: PsValue | undefined): readonly PsValue[] | null {
  const inner = value === undefined ? undefined : unwrap(value);
  return inner instanceof PsList ? inner.items : null;
}

/** The dictionary inside an object; null when there is none. */
export function toDictionary(value: PsValue | undefined): PsDictionary | null {
  const inner = value === undefined ? undefined : unwrap(value);
  return inner instanceof PsDictionary ? inner : null;
}

type Primitive = Exclude<PsScalar, null>;

function primitiveText(value: Primitive | PsObject): string | null {
  if (value instanceof PsObject) return value.text;
  switch (typeof value) {
    case 'string':
      return value;
    case 'boolean':
      return value ? 'True' : 'False';
    case 'number':
    case 'bigint':
      return value.toString();
    default:
      return objectPrimitiveText(value);
  }
}

function objectPrimitiveText(value: Exclude<Primitive, string | boolean | number | bigint>): string {
  if (value instanceof Uint8Array) return `byte[${value.length}]`;
  if (value instanceof PsChar) return String.fromCharCode(value.code);
  if (value instanceof PsNumber) return value.wireText;
  if (value instanceof PsSecureString) return 'System.Security.SecureString';
  if (value instanceof PsProgress) return value.fields.activity;
  return value.text;
}
