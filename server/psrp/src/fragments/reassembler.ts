import { PsrpProtocolError } from '../errors.ts';
import type { PsrpErrorCode } from '../errors.ts';
import { DEFAULT_LIMITS, withLimits } from '../limits.ts';
import type { PsrpLimits } from '../limits.ts';
import { FLAG_END, FLAG_START, FRAGMENT_HEADER_BYTES } from './fragmenter.ts';

const SECTION = 'MS-PSRP 2.2.4 Packet Fragment';
const NOTHING = new Uint8Array(0);

/** A message put together again. */
export interface ReceivedObject {
  readonly objectId: bigint;
  readonly bytes: Uint8Array;
  /** Blob length of each fragment, in order: how the sender had cut it. */
  readonly cut: readonly number[];
}

/** A list of pieces of a byte stream that gives up whole runs without joining everything again and again. */
class ByteQueue {
  #pieces: Uint8Array[] = [];
  #first = 0;
  #used = 0;
  length = 0;

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#pieces.push(bytes);
    this.length += bytes.length;
  }
  /** Copies `count` bytes from the front without taking them; the caller knows that they are there. */
  peek(count: number): Uint8Array {
    const first = this.#pieces[this.#first] ?? NOTHING;
    if (first.length - this.#used >= count) return first.subarray(this.#used, this.#used + count);
    const out = new Uint8Array(count);
    let filled = 0;
    let used = this.#used;
    for (let i = this.#first; filled < count; i++) {
      const piece = this.#pieces[i] ?? NOTHING;
      const part = piece.subarray(used, used + count - filled);
      out.set(part, filled);
      filled += part.length;
      used = 0;
    }
    return out;
  }
  /** Takes `count` bytes; shares memory with what was pushed where the run lies in one piece. */
  take(count: number): Uint8Array {
    const out = this.peek(count);
    let left = count;
    while (left > 0) {
      const piece = this.#pieces[this.#first] ?? NOTHING;
      const here = piece.length - this.#used;
      if (here > left) {
        this.#used += left;
        break;
      }
      left -= here;
      this.#used = 0;
      this.#pieces[this.#first] = NOTHING;
      this.#first++;
    }
    this.length -= count;
    if (this.#first === this.#pieces.length) {
      this.#pieces = [];
      this.#first = 0;
    } else if (this.#first > 1024) {
      this.#pieces = this.#pieces.slice(this.#first);
      this.#first = 0;
    }
    return out;
  }
}

/**
 * Puts messages together from one stream of fragments: one (pipeline or pool, priority) pair in one direction. Packets
 * may cut the stream anywhere, inside a header too. [MS-PSRP] 3.1.5.1.2 Fragmentation Defragmentation.
 */
export class Reassembler {
  readonly #limits: PsrpLimits;
  readonly #queue = new ByteQueue();
  #parts: Uint8Array[] = [];
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
    return this.#parts.length > 0 || this.#queue.length > 0;
  }

  /** True while the bytes so far end inside a fragment. */
  get hasPartialFragment(): boolean {
    return this.#queue.length > 0;
  }

  /**
   * Takes bytes; gives back the messages they complete.
   * @throws PsrpProtocolError psrp_bad_length, psrp_fragment_sequence, psrp_object_mismatch, psrp_object_too_large; the
   * stream cannot go on then
   */
  receive(bytes: Uint8Array): ReceivedObject[] {
    this.#queue.push(bytes);
    const complete: ReceivedObject[] = [];
    while (this.#queue.length >= FRAGMENT_HEADER_BYTES) {
      const header = this.#queue.peek(FRAGMENT_HEADER_BYTES);
      const view = new DataView(header.buffer, header.byteOffset, FRAGMENT_HEADER_BYTES);
      const blobLength = view.getUint32(17);
      this.#checkLength(view.getBigUint64(0), blobLength);
      if (this.#queue.length < FRAGMENT_HEADER_BYTES + blobLength) break;
      const flags = header[16] ?? 0;
      const objectId = view.getBigUint64(0);
      const fragmentId = view.getBigUint64(8);
      this.#queue.take(FRAGMENT_HEADER_BYTES);
      const done = this.#accept(objectId, fragmentId, flags, this.#queue.take(blobLength));
      if (done !== null) complete.push(done);
      this.#consumed += FRAGMENT_HEADER_BYTES + blobLength;
    }
    return complete;
  }

  /** Says that no more bytes come. @throws PsrpProtocolError psrp_fragment_truncated when a fragment is cut off */
  end(): void {
    if (this.#queue.length > 0) this.#fail('psrp_fragment_truncated', 'the stream ends inside a fragment');
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
    this.#parts.push(blob);
    this.#nextFragment = fragmentId + 1n;
    return (flags & FLAG_END) === 0 ? null : this.#finish();
  }

  #begin(objectId: bigint, fragmentId: bigint): void {
    if (this.#parts.length > 0) this.#fail('psrp_fragment_sequence', 'a start inside another object');
    if (fragmentId !== 0n) this.#fail('psrp_fragment_sequence', 'a start that is not the first fragment');
    this.#objectId = objectId;
    this.#size = 0;
  }

  #checkOrder(objectId: bigint, fragmentId: bigint): void {
    if (this.#parts.length === 0) this.#fail('psrp_fragment_sequence', 'a fragment without start');
    if (objectId !== this.#objectId) this.#fail('psrp_object_mismatch', 'fragments of two objects are mixed');
    if (fragmentId !== this.#nextFragment) this.#fail('psrp_fragment_sequence', 'a fragment out of order');
  }

  #finish(): ReceivedObject {
    const parts = this.#parts;
    this.#parts = [];
    const cut = parts.map((part) => part.length);
    const [only] = parts;
    if (parts.length === 1 && only !== undefined) return { objectId: this.#objectId, bytes: only, cut };
    return { objectId: this.#objectId, bytes: joined(parts), cut };
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
