import type { ClientMessage } from '@sallyport/shared/wire/control';
import { MAX_SUBMIT_BYTES } from '@sallyport/shared/wire/credit';

/**
 * UTF-16 units of one part. A unit is at most 6 bytes of JSON (`\u0000`), so a part stays below 16 KiB:
 * 2,600 * 6 + 100 for the rest of the message.
 */
const UNITS_PER_PART = 2600;

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;

/**
 * A finished line as `submit` messages, none above the limit of a control message, no character cut in two.
 * @throws RangeError when the text is over MAX_SUBMIT_BYTES
 */
export function submitParts(lineId: number, text: string): ClientMessage[] {
  if (text.length > MAX_SUBMIT_BYTES || new TextEncoder().encode(text).length > MAX_SUBMIT_BYTES)
    throw new RangeError('line over 1 MiB');
  const parts: string[] = [];
  for (let at = 0; at < text.length;) {
    let end = Math.min(text.length, at + UNITS_PER_PART);
    if (end < text.length && isHighSurrogate(text.charCodeAt(end - 1))) end -= 1;
    parts.push(text.slice(at, end));
    at = end;
  }
  if (parts.length === 0) parts.push('');
  return parts.map((part, index) => ({
    type: 'submit',
    lineId,
    part: index,
    last: index === parts.length - 1,
    text: part,
  }));
}
