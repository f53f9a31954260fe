import { parseBase64, toBase64 } from '../base64.ts';
import { PsrpEncodeError } from '../errors.ts';
import { parseGuid } from '../guid.ts';
import { decodeEscapes, encodeText } from './escape.ts';
import {
  PsChar,
  PsDateTime,
  PsDecimal,
  PsGuid,
  PsNumber,
  PsScriptBlock,
  PsSecureString,
  PsSemanticVersion,
  PsTimeSpan,
  PsUri,
  PsVersion,
  PsXml,
} from './scalars.ts';
import type { NumberTag, PsProgress, PsScalar } from './scalars.ts';

/** Turns the text of an element into a value; null means that the text is not one of this type. */
export type ParsePrimitive = (text: string) => { readonly value: PsScalar } | null;

const ok = (value: PsScalar): { value: PsScalar } => ({ value });
const orNull = (value: PsScalar | null): { value: PsScalar } | null => (value === null ? null : ok(value));

const INTEGER = /^[ \t\r\n]*([+-]?[0-9]{1,40})[ \t\r\n]*$/;

function parseInteger(text: string, low: bigint, high: bigint): bigint | null {
  const digits = INTEGER.exec(text)?.[1];
  if (digits === undefined) return null;
  const value = BigInt(digits.startsWith('+') ? digits.slice(1) : digits);
  return value < low || value > high ? null : value;
}

const small =
  (tag: NumberTag, low: number, high: number): ParsePrimitive =>
  (text) => {
    const value = parseInteger(text, BigInt(low), BigInt(high));
    return value === null ? null : ok(new PsNumber(tag, Number(value), value.toString()));
  };

function parseInt32(text: string): { value: PsScalar } | null {
  const value = parseInteger(text, -2147483648n, 2147483647n);
  return value === null ? null : ok(Number(value));
}

function parseInt64(text: string): { value: PsScalar } | null {
  const value = parseInteger(text, -9223372036854775808n, 9223372036854775807n);
  return value === null ? null : ok(value);
}

function parseUInt64(text: string): { value: PsScalar } | null {
  const value = parseInteger(text, 0n, 18446744073709551615n);
  return value === null ? null : ok(new PsNumber('U64', value, value.toString()));
}

const FLOAT = /^[ \t\r\n]*([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[ \t\r\n]*$/;
const SPECIAL_FLOATS = new Map([
  ['NaN', NaN],
  ['INF', Infinity],
  ['-INF', -Infinity],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
]);
const MAX_SINGLE = 3.4028235677973366e38;

const float =
  (tag: 'Sg' | 'Db'): ParsePrimitive =>
  (text) => {
    const special = SPECIAL_FLOATS.get(text.trim());
    if (special !== undefined) return ok(new PsNumber(tag, special, text));
    const value = FLOAT.test(text) ? Number(text) : NaN;
    if (Number.isNaN(value) || (tag === 'Sg' && Math.abs(value) >= MAX_SINGLE)) return null;
    return ok(new PsNumber(tag, value, text));
  };

const DECIMAL = /^[ \t\r\n]*([+-]?(?:([0-9]{1,64})\.?[0-9]{0,64}|\.[0-9]{1,64}))[ \t\r\n]*$/;
const MAX_DECIMAL = 79228162514264337593543950335n;

function parseDecimal(text: string): { value: PsScalar } | null {
  const [, digits, whole = '0'] = DECIMAL.exec(text) ?? [];
  return digits === undefined || BigInt(whole) > MAX_DECIMAL ? null : ok(new PsDecimal(digits));
}

function parseBoolean(text: string): { value: PsScalar } | null {
  const word = text.trim();
  if (word === 'true' || word === '1') return ok(true);
  return word === 'false' || word === '0' ? ok(false) : null;
}

function parseChar(text: string): { value: PsScalar } | null {
  const code = parseInteger(text, 0n, 65535n);
  return code === null ? null : ok(new PsChar(Number(code)));
}

function parseVersion(text: string): { value: PsScalar } | null {
  const m = /^\s*(\d{1,10})\.(\d{1,10})(?:\.(\d{1,10}))?(?:\.(\d{1,10}))?\s*$/.exec(text);
  if (m === null) return null;
  const part = (index: number): number => Number(m[index] ?? -1);
  const version = new PsVersion(part(1), part(2), part(3), part(4));
  const isTooHigh = [version.major, version.minor, version.build, version.revision].some((each) => each > 2147483647);
  return isTooHigh ? null : ok(version);
}

function parseGuidValue(text: string): { value: PsScalar } | null {
  const guid = parseGuid(text);
  return guid === null ? null : ok(new PsGuid(guid));
}

function parseSecure(text: string): { value: PsScalar } | null {
  return parseBase64(text) === null ? null : ok(new PsSecureString(text.trim()));
}

/** Tag -> reader of its text. [MS-PSRP] 2.2.5.1 Serialization of Primitive Type Objects. */
export const PRIMITIVES: ReadonlyMap<string, ParsePrimitive> = new Map<string, ParsePrimitive>([
  ['S', (text) => ok(decodeEscapes(text))],
  ['C', parseChar],
  ['B', parseBoolean],
  ['DT', (text) => orNull(PsDateTime.parse(text))],
  ['TS', (text) => orNull(PsTimeSpan.parse(text))],
  ['By', small('By', 0, 255)],
  ['SB', small('SB', -128, 127)],
  ['I16', small('I16', -32768, 32767)],
  ['U16', small('U16', 0, 65535)],
  ['I32', parseInt32],
  ['U32', small('U32', 0, 4294967295)],
  ['I64', parseInt64],
  ['U64', parseUInt64],
  ['Sg', float('Sg')],
  ['Db', float('Db')],
  ['D', parseDecimal],
  ['BA', (text) => orNull(parseBase64(text))],
  ['G', parseGuidValue],
  ['URI', (text) => ok(new PsUri(decodeEscapes(text)))],
  ['Version', parseVersion],
  ['SemanticVersion', (text) => ok(new PsSemanticVersion(decodeEscapes(text)))],
  ['XD', (text) => ok(new PsXml(decodeEscapes(text)))],
  ['SBK', (text) => ok(new PsScriptBlock(decodeEscapes(text)))],
  ['SS', parseSecure],
]);

/** A double as .NET writes it: `1E-05`, `1E+21`, `INF`. */
export function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'INF' : '-INF';
  if (Object.is(value, -0)) return '-0';
  const size = Math.abs(value);
  return value !== 0 && (size < 1e-4 || size >= 1e17) ? dotnetExponent(value.toExponential()) : value.toString();
}

const dotnetExponent = (text: string): string =>
  text.replace(/e([+-])(\d+)$/, (_, sign: string, digits: string) => `E${sign}${digits.padStart(2, '0')}`);

/** A new Db. */
export const double = (value: number): PsNumber => new PsNumber('Db', value, doubleText(value));

const INT_RANGES: Readonly<Record<Exclude<NumberTag, 'Sg' | 'Db'>, readonly [bigint, bigint]>> = {
  By: [0n, 255n],
  SB: [-128n, 127n],
  I16: [-32768n, 32767n],
  U16: [0n, 65535n],
  U32: [0n, 4294967295n],
  U64: [0n, 18446744073709551615n],
};

/** A new integer of a type that is neither Int32 nor Int64. @throws PsrpEncodeError when it does not fit */
export function integer(tag: Exclude<NumberTag, 'Sg' | 'Db'>, value: number | bigint): PsNumber {
  const [low, high] = INT_RANGES[tag];
  const wide = BigInt(value);
  if (wide < low || wide > high) throw new PsrpEncodeError(`${value.toString()} does not fit ${tag}`);
  return new PsNumber(tag, tag === 'U64' ? wide : Number(value), wide.toString());
}

/** What one scalar is on the wire: its tag and its escaped text; text null = an empty element. */
export interface WireScalar {
  readonly tag: string;
  readonly text: string | null;
}

function numberScalar(value: number): WireScalar {
  if (Number.isInteger(value) && !Object.is(value, -0)) {
    if (value >= -2147483648 && value <= 2147483647) return { tag: 'I32', text: value.toString() };
    if (Number.isSafeInteger(value)) return { tag: 'I64', text: value.toString() };
  }
  return { tag: 'Db', text: doubleText(value) };
}

function bigintScalar(value: bigint): WireScalar {
  const fits = value >= -9223372036854775808n && value <= 9223372036854775807n;
  if (value > MAX_DECIMAL || value < -MAX_DECIMAL) throw new PsrpEncodeError('an integer of more than 96 bits');
  return { tag: fits ? 'I64' : 'D', text: value.toString() };
}

/**
 * Tag and text of a scalar other than Nil and PR.
 * @throws PsrpEncodeError for an integer beyond 96 bits and for what is no value at all
 */
export function scalarToWire(value: Exclude<PsScalar, null | PsProgress>): WireScalar {
  switch (typeof value) {
    case 'string':
      return { tag: 'S', text: encodeText(value) };
    case 'boolean':
      return { tag: 'B', text: value ? 'true' : 'false' };
    case 'number':
      return numberScalar(value);
    case 'bigint':
      return bigintScalar(value);
    default:
      return classScalar(value);
  }
}

function classScalar(value: Exclude<PsScalar, null | string | boolean | number | bigint | PsProgress>): WireScalar {
  if (value instanceof Uint8Array) return { tag: 'BA', text: value.length === 0 ? null : toBase64(value) };
  if (value instanceof PsNumber) return { tag: value.tag, text: encodeText(value.wireText) };
  if (value instanceof PsChar) return { tag: 'C', text: value.code.toString() };
  if (value instanceof PsDateTime) return { tag: 'DT', text: encodeText(value.text) };
  if (value instanceof PsTimeSpan) return { tag: 'TS', text: encodeText(value.text) };
  if (value instanceof PsDecimal) return { tag: 'D', text: encodeText(value.text) };
  if (value instanceof PsGuid) return { tag: 'G', text: encodeText(value.text) };
  if (value instanceof PsUri) return { tag: 'URI', text: encodeText(value.text) };
  if (value instanceof PsVersion) return { tag: 'Version', text: value.text };
  if (value instanceof PsSemanticVersion) return { tag: 'SemanticVersion', text: encodeText(value.text) };
  if (value instanceof PsXml) return { tag: 'XD', text: encodeText(value.text) };
  if (value instanceof PsScriptBlock) return { tag: 'SBK', text: encodeText(value.text) };
  if (value instanceof PsSecureString) return { tag: 'SS', text: encodeText(value.cipherText) };
  // Callers without types can hand in anything.
  throw new PsrpEncodeError('a value of no CLIXML type');
}
