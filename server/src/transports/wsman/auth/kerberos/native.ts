/** Small structures of GSSAPI in memory of our own, and what the library says when it refuses. */
import type { Library } from './library.ts';
import type { Refusal } from './messages.ts';

/** Where bytes of ours lie, for native code. */
export type Memory = Pick<Library, 'addressOf'>;

/** Bytes that native code may point to; never on the collector's heap, so they do not move. */
export const cells = (size: number): Uint8Array => new Uint8Array(new ArrayBuffer(size));
export const cString = (text: string): Uint8Array => {
  const encoded = new TextEncoder().encode(text);
  const cell = cells(encoded.length + 1);
  cell.set(encoded);
  encoded.fill(0);
  return cell;
};
const viewOf = (cell: Uint8Array): DataView => new DataView(cell.buffer, cell.byteOffset, cell.length);
export const setPointer = (cell: Uint8Array, at: number, value: bigint): void =>
  viewOf(cell).setBigUint64(at, value, true);
export const pointerIn = (cell: Uint8Array, at = 0): bigint => viewOf(cell).getBigUint64(at, true);
export const numberIn = (cell: Uint8Array, at = 0): number => viewOf(cell).getUint32(at, true);

/** What a cell points to lives as long as the cell: native code knows only addresses. */
const pointedAt = new WeakMap<Uint8Array, Uint8Array[]>();
export function pointTo(library: Memory, cell: Uint8Array, at: number, bytes: Uint8Array): void {
  if (bytes.length === 0) return;
  setPointer(cell, at, library.addressOf(bytes));
  const kept = pointedAt.get(cell);
  if (kept === undefined) pointedAt.set(cell, [bytes]);
  else kept.push(bytes);
}

/** Writes a `gss_buffer_desc` into a cell: 8 length + 8 address. */
export function setBuffer(library: Library, cell: Uint8Array, at: number, bytes: Uint8Array): void {
  setPointer(cell, at, BigInt(bytes.length));
  pointTo(library, cell, at + 8, bytes);
}
export function bufferCell(library: Library, bytes: Uint8Array): Uint8Array {
  const cell = cells(16);
  setBuffer(library, cell, 0, bytes);
  return cell;
}

/** `gss_OID_desc`: 4 length + 4 padding + 8 address. */
export function oidCell(library: Library, bytes: Uint8Array): Uint8Array {
  const cell = cells(16);
  viewOf(cell).setUint32(0, bytes.length, true);
  pointTo(library, cell, 8, bytes);
  return cell;
}

/** Takes what a `gss_buffer_desc` of the library holds, and gives its memory back. */
export function takeBuffer(library: Library, cell: Uint8Array): Uint8Array {
  const bytes = library.bytesAt(pointerIn(cell, 8), Number(pointerIn(cell, 0)));
  if (pointerIn(cell, 8) !== 0n) library.call.gss_release_buffer(cells(4), cell);
  return bytes;
}

/** A refusal of the library on its way to the gateway. */
export class KerberosRefusal extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.text);
    this.refusal = refusal;
  }
}

const MECHANISM_STATUS = 2;
const ROUTINE_STATUS = 1;
/** The upper half of a major status is an error; below are hints. RFC 2744 section 3.9.1. */
export const isGssError = (major: number): boolean => major >>> 16 !== 0;

function gssText(library: Library, status: number, kind: number, mechanism: Uint8Array): string {
  const text = cells(16);
  const more = cells(4);
  if (library.call.gss_display_status(cells(4), status >>> 0, kind, mechanism, more, text) !== 0) return '';
  return new TextDecoder().decode(takeBuffer(library, text));
}

/** @param minor as the call left it */
export function gssRefusal(
  library: Library,
  stage: Refusal['stage'],
  major: number,
  minor: number,
  mechanism: Uint8Array,
): KerberosRefusal {
  const said = gssText(library, minor, MECHANISM_STATUS, mechanism);
  const text = said === '' || said === 'Success' ? gssText(library, major, ROUTINE_STATUS, mechanism) : said;
  return new KerberosRefusal({ stage, major: major >>> 0, minor: minor | 0, text });
}
