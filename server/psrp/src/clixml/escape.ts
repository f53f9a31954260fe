import { TextParts } from './text-parts.ts';

/** Anything that the PowerShell layer or the XML layer must replace. */
const SPECIAL = /[\u0000-\u001f\u007f-\u009f\ud800-\udfff\ufffe\uffff&<>"]|_[xX]/;
const HEX4 = (code: number): string => code.toString(16).toUpperCase().padStart(4, '0');

function escaped(code: number): string | null {
  if (code < 0x20 || (code >= 0x7f && code <= 0x9f) || (code >= 0xd800 && code <= 0xdfff)) return `_x${HEX4(code)}_`;
  switch (code) {
    case 0x26:
      return '&amp;';
    case 0x3c:
      return '&lt;';
    case 0x3e:
      return '&gt;';
    case 0xfffe:
    case 0xffff:
      return `&#x${HEX4(code)};`;
    default:
      return null;
  }
}

/**
 * A string as CLIXML text: control characters, surrogates and `_x` become `_xHHHH_`, then the XML escapes.
 * @param isAttribute quotes are escaped too
 */
export function encodeText(text: string, isAttribute = false): string {
  if (!SPECIAL.test(text)) return text;
  let out = '';
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    let replacement = escaped(code);
    if (code === 0x5f && (text.charCodeAt(i + 1) | 0x20) === 0x78) replacement = '_x005F_';
    if (code === 0x22 && isAttribute) replacement = '&quot;';
    if (replacement === null) continue;
    out += text.slice(from, i) + replacement;
    from = i + 1;
  }
  return out + text.slice(from);
}

function hexDigits(text: string, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i);
    const lower = code | 0x20;
    const digit = code >= 48 && code <= 57 ? code - 48 : lower >= 97 && lower <= 102 ? lower - 87 : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

const UNDERSCORE = 0x5f;

/** The PowerShell layer only: `_xHHHH_` and `_xHHHHHHHH_`, left to right, what comes out is not read again. */
export function decodeEscapes(text: string): string {
  let at = text.indexOf('_');
  if (at < 0) return text;
  let parts: TextParts | null = null;
  let from = 0;
  while (at >= 0) {
    let next = at + 1;
    if ((text.charCodeAt(next) | 0x20) === 0x78) {
      const length = text.charCodeAt(at + 6) === UNDERSCORE ? 4 : text.charCodeAt(at + 10) === UNDERSCORE ? 8 : 0;
      const code = length === 0 ? -1 : hexDigits(text, at + 2, at + 2 + length);
      if (code >= 0 && code <= 0x10ffff) {
        parts ??= new TextParts();
        parts.add(text.slice(from, at));
        parts.add(String.fromCodePoint(code));
        next = at + length + 3;
        from = next;
      }
    }
    at = text.indexOf('_', next);
  }
  if (parts === null) return text;
  parts.add(text.slice(from));
  return parts.join();
}

/** One XML reference, without `&` and `;`. @returns null when it is none of the allowed */
export function decodeReference(name: string): string | null {
  switch (name) {
    case 'lt':
      return '<';
    case 'gt':
      return '>';
    case 'amp':
      return '&';
    case 'quot':
      return '"';
    case 'apos':
      return "'";
    default:
  }
  const digits = /^#(?:x([0-9a-fA-F]{1,8})|([0-9]{1,8}))$/.exec(name);
  if (digits === null) return null;
  const code = digits[1] === undefined ? Number(digits[2]) : Number.parseInt(digits[1], 16);
  return code === 0 || code > 0x10ffff ? null : String.fromCodePoint(code);
}
