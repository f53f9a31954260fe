import { PsrpEncodeError } from './errors.ts';

/** The GUID of no pipeline. */
export const EMPTY_GUID = '00000000-0000-0000-0000-000000000000';

const HEX: readonly string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));
/** Text position order of the 16 wire bytes: .NET writes the first three groups little-endian. */
const ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15] as const;

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

/** GUIDs come again and again: the pool's in every message, a pipeline's in thousands. Slots of bytes and their text. */
const SLOTS = 4;
const known = new Uint8Array(16 * SLOTS);
const knownTexts: string[] = Array.from({ length: SLOTS }, () => EMPTY_GUID);
let nextSlot = 1;

function knownSlot(bytes: Uint8Array, at: number): number {
  for (let slot = 0; slot < SLOTS; slot++) {
    let i = 0;
    while (i < 16 && known[slot * 16 + i] === bytes[at + i]) i++;
    if (i === 16) return slot;
  }
  return -1;
}

/** Reads 16 bytes in .NET order; there must be 16. [MS-DTYP] 2.3.4.2 GUID--Packet Representation. */
export function readGuid(bytes: Uint8Array, at: number): string {
  const slot = knownSlot(bytes, at);
  if (slot >= 0) return knownTexts[slot] ?? EMPTY_GUID;
  const text = guidText(bytes, at);
  known.set(bytes.subarray(at, at + 16), nextSlot * 16);
  knownTexts[nextSlot] = text;
  // Slot 0 is the empty one for good.
  nextSlot = 1 + (nextSlot % (SLOTS - 1));
  return text;
}

function guidText(bytes: Uint8Array, at: number): string {
  let text = '';
  for (let i = 0; i < 16; i++) {
    text += HEX[bytes[at + (ORDER[i] ?? 0)] ?? 0] ?? '';
    if (i === 3 || i === 5 || i === 7 || i === 9) text += '-';
  }
  return text;
}

/** Writes 16 bytes in .NET order. @throws PsrpEncodeError when the text is no GUID */
export function writeGuid(text: string, out: Uint8Array, at: number): void {
  const guid = parseGuid(text);
  if (guid === null) throw new PsrpEncodeError(`${JSON.stringify(text)} is no guid`);
  const hex = guid.replaceAll('-', '');
  for (let i = 0; i < 16; i++) out[at + (ORDER[i] ?? 0)] = Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16);
}
