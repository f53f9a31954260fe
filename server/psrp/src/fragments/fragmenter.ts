import { PsrpEncodeError } from '../errors.ts';

/** 8 ObjectId + 8 FragmentId + 1 flags + 4 BlobLength. */
export const FRAGMENT_HEADER_BYTES = 21;
/** Fragment with header as PowerShell cuts it over a subsystem. */
export const DEFAULT_FRAGMENT_BYTES = 32768;
/** Flag of the first fragment of a message. */
export const FLAG_START = 1;
/** Flag of the last fragment of a message. */
export const FLAG_END = 2;
const FLAGS_AT = 16;

/** Whether a fragment is the last of its message. [MS-PSRP] 2.2.4 Packet Fragment. */
export const endsMessage = (fragment: Uint8Array): boolean => ((fragment[FLAGS_AT] ?? 0) & FLAG_END) !== 0;

/** Writes one fragment. [MS-PSRP] 2.2.4 Packet Fragment. */
export function encodeFragment(objectId: bigint, fragmentId: bigint, flags: number, blob: Uint8Array): Uint8Array {
  const out = new Uint8Array(FRAGMENT_HEADER_BYTES + blob.length);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, objectId);
  view.setBigUint64(8, fragmentId);
  out[FLAGS_AT] = flags;
  view.setUint32(17, blob.length);
  out.set(blob, FRAGMENT_HEADER_BYTES);
  return out;
}

/** Cuts a message into fragments of at most `fragmentBytes`, headers counted. */
export function* fragmentsOf(
  objectId: bigint,
  message: Uint8Array,
  fragmentBytes = DEFAULT_FRAGMENT_BYTES,
): Generator<Uint8Array> {
  const room = Math.max(1, fragmentBytes - FRAGMENT_HEADER_BYTES);
  let fragmentId = 0n;
  let at = 0;
  do {
    const blob = message.subarray(at, at + room);
    const flags = (at === 0 ? FLAG_START : 0) | (at + blob.length >= message.length ? FLAG_END : 0);
    yield encodeFragment(objectId, fragmentId, flags, blob);
    at += blob.length;
    fragmentId++;
  } while (at < message.length);
}

/**
 * Cuts a message exactly as its sender had cut it.
 * @param cut blob length of each fragment, as `Reassembler` reports it; their sum is the length of the message
 * @throws PsrpEncodeError when the sum differs
 */
export function* fragmentsAs(objectId: bigint, message: Uint8Array, cut: readonly number[]): Generator<Uint8Array> {
  const length = cut.reduce((sum, each) => sum + each, 0);
  if (length !== message.length) throw new PsrpEncodeError(`a cut of ${length} bytes for ${message.length}`);
  let at = 0;
  for (const [index, size] of cut.entries()) {
    const flags = (index === 0 ? FLAG_START : 0) | (index === cut.length - 1 ? FLAG_END : 0);
    yield encodeFragment(objectId, BigInt(index), flags, message.subarray(at, at + size));
    at += size;
  }
}
