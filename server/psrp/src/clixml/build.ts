import { PropertySet } from './properties.ts';
import { PsDictionary, PsList, PsObject } from './object.ts';
import type { PsValue } from './object.ts';

/** Named values; a property whose value is undefined is left out. */
export type Named = Readonly<Record<string, PsValue | undefined>> | Iterable<readonly [string, PsValue]>;

function* entriesOf(named: Named): Generator<readonly [string, PsValue]> {
  if (isIterable(named)) yield* named;
  else for (const [name, value] of Object.entries(named)) if (value !== undefined) yield [name, value];
}

const isIterable = (named: Named): named is Iterable<readonly [string, PsValue]> => Symbol.iterator in named;

/** A property bag as messages use it: note properties, no type names. */
export function bag(named: Named): PsObject {
  const object = new PsObject();
  object.extended = PropertySet.of(entriesOf(named));
  return object;
}

/** What `[pscustomobject]@{}` sends. */
export function customObject(named: Named): PsObject {
  return withTypes(bag(named), ['System.Management.Automation.PSCustomObject', 'System.Object']);
}

/** Sets the type names and gives the object back. */
export function withTypes(object: PsObject, typeNames: readonly string[], text: string | null = null): PsObject {
  object.wireTypeNames = typeNames;
  object.text = text;
  return object;
}

const ARRAY_LIST = ['System.Collections.ArrayList', 'System.Object'] as const;
const HASHTABLE = ['System.Collections.Hashtable', 'System.Object'] as const;
const PRIMITIVE_DICTIONARY = [
  'System.Management.Automation.PSPrimitiveDictionary',
  'System.Collections.Hashtable',
  'System.Object',
] as const;
const OBJECT_ARRAY = ['System.Object[]', 'System.Array', 'System.Object'] as const;

/** An ArrayList. */
export function list(items: Iterable<PsValue>, typeNames: readonly string[] = ARRAY_LIST): PsObject {
  const object = withTypes(new PsObject(), typeNames);
  object.base = new PsList('LST', [...items]);
  return object;
}

/** An `Object[]`. */
export const array = (items: Iterable<PsValue>): PsObject => list(items, OBJECT_ARRAY);

/** A Hashtable; keys may be any value. */
export function dictionary(
  entries: Iterable<readonly [PsValue, PsValue]>,
  typeNames: readonly string[] = HASHTABLE,
): PsObject {
  const object = withTypes(new PsObject(), typeNames);
  const base = new PsDictionary([], []);
  for (const [key, value] of entries) {
    base.keys.push(key);
    base.values.push(value);
  }
  object.base = base;
  return object;
}

/** A PSPrimitiveDictionary, the form of application arguments and private data. */
export const primitiveDictionary = (entries: Iterable<readonly [string, PsValue]>): PsObject =>
  dictionary(entries, PRIMITIVE_DICTIONARY);

/** An enum value in full form. [MS-PSRP] 2.2.5.2.7 Enums. */
export function enumValue(typeName: string, name: string, value: number): PsObject {
  const object = withTypes(new PsObject(), [typeName, 'System.Enum', 'System.ValueType', 'System.Object'], name);
  object.base = value;
  return object;
}
