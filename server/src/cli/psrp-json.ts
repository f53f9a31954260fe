/** CLIXML values as JSON, for people and scripts that look at captures. */
import {
  PsChar,
  PsDateTime,
  PsDecimal,
  PsDictionary,
  PsGuid,
  PsList,
  PsNumber,
  PsObject,
  PsProgress,
  PsScriptBlock,
  PsSecureString,
  PsSemanticVersion,
  PsTimeSpan,
  PsUri,
  PsVersion,
  PsXml,
  toBase64,
} from '@sallyport/psrp';
import type { PropertySet, PsValue } from '@sallyport/psrp';

/** What JSON.stringify takes without surprise. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Names of properties come from the wire: an object without prototype takes `__proto__` as any other name. */
const emptyObject = (): Record<string, Json> => Object.create(null) as Record<string, Json>;

const finite = (value: number): Json => (Number.isFinite(value) ? value : String(value));
/** A number where it fits one exactly, else its digits. */
export const integerToJson = (value: bigint): Json =>
  Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();

/** A scalar without its type. Secure strings are never shown: under protocol 2.4 they are plain. */
function plainScalar(value: Exclude<PsValue, PsObject>): Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return finite(value);
  if (typeof value === 'bigint') return integerToJson(value);
  if (value instanceof Uint8Array) return toBase64(value);
  if (value instanceof PsNumber)
    return typeof value.value === 'bigint' ? integerToJson(value.value) : finite(value.value);
  if (value instanceof PsChar) return String.fromCharCode(value.code);
  if (value instanceof PsSecureString) return '[secret]';
  if (value instanceof PsProgress) return { ...value.fields };
  return value.text;
}

/** The tag of a scalar. */
function tagOf(value: Exclude<PsValue, PsObject>): string {
  if (value === null) return 'Nil';
  if (typeof value === 'string') return 'S';
  if (typeof value === 'boolean') return 'B';
  if (typeof value === 'number') return 'I32';
  if (typeof value === 'bigint') return 'I64';
  if (value instanceof Uint8Array) return 'BA';
  if (value instanceof PsNumber) return value.tag;
  return CLASS_TAGS.find(([type]) => value instanceof type)?.[1] ?? 'PR';
}
const CLASS_TAGS = [
  [PsChar, 'C'],
  [PsDateTime, 'DT'],
  [PsTimeSpan, 'TS'],
  [PsDecimal, 'D'],
  [PsGuid, 'G'],
  [PsUri, 'URI'],
  [PsVersion, 'Version'],
  [PsSemanticVersion, 'SemanticVersion'],
  [PsXml, 'XD'],
  [PsScriptBlock, 'SBK'],
  [PsSecureString, 'SS'],
] as const;

/**
 * One document. An object that occurs again is `{"$ref": n}`, n counted from 0 in order of appearance: cycles end, and a
 * few references cannot blow a small document up.
 */
class Printer {
  readonly #numbers = new Map<PsObject, number>();
  readonly #isFull: boolean;

  constructor(isFull: boolean) {
    this.#isFull = isFull;
  }

  print(value: PsValue): Json {
    if (value instanceof PsObject) return this.#object(value);
    return this.#isFull ? { [tagOf(value)]: plainScalar(value) } : plainScalar(value);
  }

  #object(object: PsObject): Json {
    const known = this.#numbers.get(object);
    if (known !== undefined) return { $ref: known };
    const number = this.#numbers.size;
    this.#numbers.set(object, number);
    return this.#isFull ? this.#full(object, number) : this.#plain(object);
  }

  /** Type names, ToString, base and both property sets, names in their order. */
  #full(object: PsObject, id: number): Json {
    const out = emptyObject();
    out['id'] = id;
    if (object.wireTypeNames !== null) out['types'] = object.wireTypeNames;
    if (object.text !== null) out['toString'] = object.text;
    if (object.base !== undefined) out['base'] = this.#base(object.base);
    if (object.adapted !== null) out['props'] = this.#set(object.adapted);
    if (object.extended !== null) out['ms'] = this.#set(object.extended);
    return out;
  }

  #set(set: PropertySet<PsValue>): Json {
    return [...set.entries()].map(([name, value]) => [name, this.print(value)]);
  }

  #base(base: Exclude<PsObject['base'], undefined>): Json {
    if (base instanceof PsList) {
      const items = base.items.map((item) => this.print(item));
      return this.#isFull ? { [base.tag]: items } : items;
    }
    if (!(base instanceof PsDictionary)) return this.print(base);
    const entries = [...base.entries()].map(([key, value]): [Json, Json] => [this.print(key), this.print(value)]);
    return this.#isFull ? { DCT: entries } : entries.map(([key, value]) => ({ key, value }));
  }

  /** Properties by name (MS first); a base value alone where there are none; ToString where there is nothing else. */
  #plain(object: PsObject): Json {
    const base = object.base === undefined ? undefined : this.#base(object.base);
    const out = emptyObject();
    for (const [name, value] of object.properties()) if (!(name in out)) out[name] = this.print(value);
    const hasProperties = Object.keys(out).length > 0;
    if (base !== undefined) return hasProperties ? { value: base, properties: out } : base;
    return hasProperties || object.text === null ? out : object.text;
  }
}

/**
 * A value as JSON.
 * @param isFull with type names, tags and order, instead of what a person wants to read
 */
export const valueToJson = (value: PsValue, isFull: boolean): Json => new Printer(isFull).print(value);
