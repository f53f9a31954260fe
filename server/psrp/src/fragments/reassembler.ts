import { PsrpProtocolError } from '../errors.ts';
import type { PsrpErrorCode } from '../errors.ts';
import { HeldBytes } from '../held-bytes.ts';
import { DEFAULT_LIMITS, withLimits } from '../limits.ts';
import type { PsrpLimits } from '../limits.ts';
import { FLAG_END, FLAG_START, FRAGMENT_HEADER_BYTES } from './fragmenter.ts';

const SECTION = 'MS-PSRP 2.2.4 Packet Fragment';
/** Blobs below this are copied together; larger ones are kept as views until the message is whole. */
const SMALL_BLOB_BYTES = 1024;

/** A message put together again. */
export interface ReceivedObject {
  readonly objectId: bigint;
  readonly bytes: Uint8Array;
  /** Blob length of each fragment, in order: how the sender had cut it. */
  readonly cut: readonly number[];
}

/**
 * Puts messages together from one stream of fragments: one (pipeline or pool, priority) pair in one direction. Packets
 * may cut the stream anywhere, inside a header too. [MS-PSRP] 3.1.5.1.2 Fragmentation Defragmentation.
 */
export class Reassembler {
  readonly #limits: PsrpLimits;
  /** The beginning of a fragment whose rest has not come. */
  readonly #held = new HeldBytes();
  #parts: Uint8Array[] = [];
  #cut: number[] = [];
  /** Blobs below `SMALL_BLOB_BYTES` since the last part. */
  readonly #small = new HeldBytes();
  #objectId = 0n;
  #nextFragment = 0n;
  /** Blob bytes and headers of the object at hand. */
  #size = 0;
  #consumed = 0;
  #isSkipping: boolean;

  /** @param skipToStart after a reconnect: the rest of a half-delivered object may come first and is passed over */
  constructor(limits?: Partial<PsrpLimits>, skipToStart = false) {
    this.#limits = withLimits(DEFAULT_LIMITS, limits);
    this.#isSkipping = skipToStart;
  }

  /** True while an object or a fragment is incomplete: an end of stream now cuts something off. */
  get isIncomplete(): boolean {
    return this.#cut.length > 0 || this.#held.length > 0;
  }

  /** True while the bytes so far end inside a fragment. */
  get hasPartialFragment(): boolean {
    return this.#held.length > 0;
  }

  /**
   * Takes bytes; gives back the messages they complete.
   * @throws PsrpProtocolError psrp_bad_length, psrp_fragment_sequence, psrp_object_mismatch, psrp_object_too_large; the
   * stream cannot go on then, and messages that these bytes completed before the fault are lost: see `read`
   */
  receive(bytes: Uint8Array): ReceivedObject[] {
    const complete: ReceivedObject[] = [];
    this.read(bytes, (object) => complete.push(object));
    return complete;
  }

  /**
   * Takes bytes and tells every message as soon as it is complete, also those before a fault. The bytes of a message of
   * one fragment may share memory with `bytes`.
   * @throws PsrpProtocolError as `receive`
   */
  read(bytes: Uint8Array, each: (object: ReceivedObject) => void): void {
    let rest = bytes;
    while (this.#held.length > 0 && rest.length > 0) {
      const needed = this.#lengthOf(this.#held.view()) - this.#held.length;
      this.#held.add(rest.subarray(0, needed));
      if (rest.length < needed) return;
      rest = rest.subarray(needed);
      const known = this.#lengthOf(this.#held.view());
      // The header is whole only now; its blob may be longer.
      if (known === this.#held.length) this.#fragment(this.#held.take(), each);
    }
    while (rest.length > 0) {
      const length = this.#lengthOf(rest);
      if (rest.length < length) break;
      this.#fragment(rest.subarray(0, length), each);
      rest = rest.subarray(length);
    }
    if (rest.length > 0) this.#held.add(rest);
  }

  /** Length of the fragment that begins here, as far as it can be told: at least its header's. */
  #lengthOf(bytes: Uint8Array): number {
    if (bytes.length < FRAGMENT_HEADER_BYTES) return FRAGMENT_HEADER_BYTES;
    const view = new DataView(bytes.buffer, bytes.byteOffset, FRAGMENT_HEADER_BYTES);
    const blobLength = view.getUint32(17);
    this.#checkLength(view.getBigUint64(0), blobLength);
    return FRAGMENT_HEADER_BYTES + blobLength;
  }

  #fragment(bytes: Uint8Array, each: (object: ReceivedObject) => void): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, FRAGMENT_HEADER_BYTES);
    const blob = bytes.subarray(FRAGMENT_HEADER_BYTES);
    const done = this.#accept(view.getBigUint64(0), view.getBigUint64(8), view.getUint8(16), blob);
    this.#consumed += bytes.length;
    if (done !== null) each(done);
  }

  /** Says that no more bytes come. @throws PsrpProtocolError psrp_fragment_truncated when a fragment is cut off */
  end(): void {
    if (this.#held.length > 0) this.#fail('psrp_fragment_truncated', 'the stream ends inside a fragment');
  }

  #fail(code: PsrpErrorCode, message: string): never {
    throw new PsrpProtocolError(code, message, { offset: this.#consumed, section: SECTION });
  }

  #checkLength(objectId: bigint, blobLength: number): void {
    if (objectId === 0n || objectId > 0x7fff_ffff_ffff_ffffn) this.#fail('psrp_bad_length', 'a bad object id');
    if (blobLength > this.#limits.maxFragmentBytes) this.#fail('psrp_bad_length', `a fragment of ${blobLength} bytes`);
  }

  #accept(objectId: bigint, fragmentId: bigint, flags: number, blob: Uint8Array): ReceivedObject | null {
    const isStart = (flags & FLAG_START) !== 0;
    if (this.#isSkipping && !isStart) return null;
    this.#isSkipping = false;
    if (isStart) this.#begin(objectId, fragmentId);
    else this.#checkOrder(objectId, fragmentId);
    this.#size += FRAGMENT_HEADER_BYTES + blob.length;
    if (this.#size > this.#limits.maxObjectBytes) this.#fail('psrp_object_too_large', 'an object beyond the limit');
    const isEnd = (flags & FLAG_END) !== 0;
    if (isStart && isEnd) return { objectId, bytes: blob, cut: [blob.length] };
    this.#cut.push(blob.length);
    if (blob.length < SMALL_BLOB_BYTES) this.#small.add(blob);
    else {
      this.#flushSmall();
      this.#parts.push(blob);
    }
    this.#nextFragment = fragmentId + 1n;
    return isEnd ? this.#finish() : null;
  }

  #flushSmall(): void {
    if (this.#small.length > 0) this.#parts.push(this.#small.take());
  }

  #begin(objectId: bigint, fragmentId: bigint): void {
    if (this.#cut.length > 0) this.#fail('psrp_fragment_sequence', 'a start inside another object');
    if (fragmentId !== 0n) this.#fail('psrp_fragment_sequence', 'a start that is not the first fragment');
    this.#objectId = objectId;
    this.#size = 0;
  }

  #checkOrder(objectId: bigint, fragmentId: bigint): void {
    if (this.#cut.length === 0) this.#fail('psrp_fragment_sequence', 'a fragment without start');
    if (objectId !== this.#objectId) this.#fail('psrp_object_mismatch', 'fragments of two objects are mixed');
    if (fragmentId !== this.#nextFragment) this.#fail('psrp_fragment_sequence', 'a fragment out of order');
  }

  #finish(): ReceivedObject {
    this.#flushSmall();
    const parts = this.#parts;
    const cut = this.#cut;
    this.#parts = [];
    this.#cut = [];
    const [only] = parts;
    const bytes = parts.length === 1 && only !== undefined ? only : joined(parts);
    return { objectId: this.#objectId, bytes, cut };
  }
}

/** Joins pieces into one array. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
