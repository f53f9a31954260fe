import { PsDictionary, PsList, PsObject, toText, unwrap } from './object.ts';
import type { PsValue } from './object.ts';

/** Values shown of a list, as `$FormatEnumerationLimit` has it. */
const SHOWN_ITEMS = 4;

/**
 * Text for a person: the text of a primitive, else ToString, else the first items or property names. Never a secret,
 * never a walk into depth, so cycles do no harm.
 */
export function displayText(value: PsValue): string {
  const text = toText(value);
  if (text !== null || !(value instanceof PsObject)) return text ?? '';
  const inner = unwrap(value);
  if (inner instanceof PsList) {
    const shown = inner.items.slice(0, SHOWN_ITEMS).map((item) => toText(item) ?? '');
    return `{${shown.join(', ')}${inner.items.length > SHOWN_ITEMS ? '…' : ''}}`;
  }
  if (inner instanceof PsDictionary)
    return `{${inner.keys
      .slice(0, SHOWN_ITEMS)
      .map((k) => toText(k) ?? '')
      .join(', ')}}`;
  const parts = [...value.properties()].map(([name, each]) => `${name}=${toText(each) ?? ''}`);
  return parts.length === 0 ? value.typeName : `@{${parts.join('; ')}}`;
}
