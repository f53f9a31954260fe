/** Objects of a pipeline as plain JSON values: properties by name, dates and GUIDs as text, never a secret. */
import {
  displayText,
  PsDecimal,
  PsDictionary,
  PsList,
  PsNumber,
  PsObject,
  PsProgress,
  PsSecureString,
  unwrap,
} from '@sallyport/psrp';
import type { PsValue } from '@sallyport/psrp';

/** Deeper values become their text, as ConvertTo-Json does it; the target sends one or two levels of most types. */
const MAX_DEPTH = 16;
/** An object may stand in many places: what it grows to is bounded too. */
const MAX_NODES = 200_000;

/** What JSON can hold. */
export type PlainValue =
  null | boolean | number | string | readonly PlainValue[] | { readonly [name: string]: PlainValue };

const wide = (value: number | bigint, text: string): number | string => {
  const number = Number(value);
  return typeof value === 'bigint'
    ? Number.isSafeInteger(number)
      ? number
      : text
    : Number.isFinite(number)
      ? number
      : text;
};

function scalar(value: Exclude<PsValue, PsObject>): PlainValue {
  if (value === null || typeof value === 'boolean' || typeof value === 'string' || typeof value === 'number')
    return value;
  if (typeof value === 'bigint') return wide(value, value.toString());
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof PsNumber) return wide(value.value, value.wireText);
  if (value instanceof PsDecimal) return String(Number(value.text)) === value.text ? Number(value.text) : value.text;
  if (value instanceof PsSecureString) return '[secret]';
  if (value instanceof PsProgress) return { ...value.fields };
  return displayText(value);
}

class Plain {
  #nodes = 0;

  of(value: PsValue, depth: number): PlainValue {
    this.#nodes += 1;
    if (!(value instanceof PsObject)) return scalar(value);
    if (depth >= MAX_DEPTH || this.#nodes > MAX_NODES) return displayText(value);
    const inner = unwrap(value);
    if (inner instanceof PsList) return inner.items.map((item) => this.of(item, depth + 1));
    if (inner instanceof PsDictionary)
      return this.#named(
        [...inner.entries()].map(([key, each]) => [displayText(key), each]),
        depth,
      );
    // A primitive with notes is the primitive; an enumeration is its name.
    if (inner !== undefined && !(inner instanceof PsObject))
      return typeof inner === 'number' && value.text !== null ? value.text : scalar(inner);
    const properties = [...value.properties()];
    return properties.length === 0 ? value.text : this.#named(properties, depth);
  }

  #named(pairs: readonly (readonly [string, PsValue])[], depth: number): PlainValue {
    // Without a prototype `__proto__` is a name like any other.
    const object = Object.create(null) as Record<string, PlainValue>;
    for (const [name, each] of pairs) object[name] ??= this.of(each, depth + 1);
    return object;
  }
}

/** One output object as JSON has it. */
export const plainValue = (value: PsValue): PlainValue => new Plain().of(value, 0);
