import { PsrpEncodeError } from './errors.ts';

/** The GUID of no pipeline. */
export const EMPTY_GUID = '00000000-0000-0000-0000-000000000000';

/** A GUID in braces with some white space around. */
const MAX_GUID_CHARS = 128;

/** True for lower-case `00112233-4455-6677-8899-aabbccddeeff`. */
export const isGuid = (text: string): boolean =>
  /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(text);

/**
 * Any form of a GUID that .NET reads (hyphens or not, braces or parentheses, upper case) as lower case with hyphens.
 * @returns null when it is none
 */
export function parseGuid(text: string): string | null {
  if (isGuid(text)) return text;
  // Longer texts are no GUID; the pattern below would walk over their blanks again and again.
  if (text.length > MAX_GUID_CHARS) return null;
  const inner = /^\s*(?:\{(.*)\}|\((.*)\)|(.*?))\s*$/.exec(text);
  const bare = (inner?.[1] ?? inner?.[2] ?? inner?.[3] ?? '').toLowerCase();
  if (isGuid(bare)) return bare;
  if (!/^[0-9a-f]{32}$/.test(bare)) return null;
  return [bare.slice(0, 8), bare.slice(8, 12), bare.slice(12, 16), bare.slice(16, 20), bare.slice(20)].join('-');
}

/** GUIDs come again and again: the pool's in every message, a pipeline's in thousands. The newest replaces the oldest. */
const SLOTS = 3;
interface Known {
  readonly bytes: Uint8Array;
  readonly text: string;
}
const NONE: Known = { bytes: new Uint8Array(16), text: EMPTY_GUID };
let known: readonly Known[] = [];

function stands({ bytes }: Known, source: Uint8Array, at: number): boolean {
  for (let i = 0; i < 16; i++) if (bytes[i] !== source[at + i]) return false;
  return true;
}

/** Reads 16 bytes in .NET order; there must be 16. [MS-DTYP] 2.3.4.2 GUID--Packet Representation. */
export function readGuid(bytes: Uint8Array, at: number): string {
  for (const each of known) if (stands(each, bytes, at)) return each.text;
  if (stands(NONE, bytes, at)) return NONE.text;
  const own = bytes.slice(at, at + 16);
  const text = guidText(own);
  known = [{ bytes: own, text }, ...known.slice(0, SLOTS - 1)];
  return text;
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

/** .NET writes the first three groups little-endian. */
function guidText(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const node = hex(view.getUint16(10), 4) + hex(view.getUint32(12), 8);
  const middle = `${hex(view.getUint16(4, true), 4)}-${hex(view.getUint16(6, true), 4)}-${hex(view.getUint16(8), 4)}`;
  return `${hex(view.getUint32(0, true), 8)}-${middle}-${node}`;
}

/** Writes 16 bytes in .NET order. @throws PsrpEncodeError when the text is no GUID */
export function writeGuid(text: string, out: Uint8Array, at: number): void {
  const guid = parseGuid(text);
  if (guid === null) throw new PsrpEncodeError(`${JSON.stringify(text)} is no guid`);
  const view = new DataView(out.buffer, out.byteOffset + at, 16);
  const group = (from: number, to: number): number => Number.parseInt(guid.slice(from, to), 16);
  view.setUint32(0, group(0, 8), true);
  view.setUint16(4, group(9, 13), true);
  view.setUint16(6, group(14, 18), true);
  view.setUint16(8, group(19, 23));
  view.setUint16(10, group(24, 28));
  view.setUint32(12, group(28, 36));
}
