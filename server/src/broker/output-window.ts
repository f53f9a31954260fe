/** The last output of a session, in memory, by absolute offset. What is older is read from the recording. */
import { MAX_FRAME_OUTPUT_BYTES } from '@sallyport/shared/wire/credit';
import { FrameKind } from '@sallyport/shared/wire/frames';

/** Always so much back, once there was so much. */
const WINDOW_BYTES = 1024 * 1024;
/** Output of this size is kept as the frame it goes out in: copied once, however many pages take it. */
const READY_BYTES = 8 * 1024;
/** Smaller output is gathered in segments that begin so small and double: a session that shows little holds little. */
const FIRST_BYTES = 4 * 1024;
const MOST_BYTES = 64 * 1024;

interface Segment {
  /** Offset of its first byte. */
  readonly start: number;
  /** Output bytes; of a gathering segment, those in use are `length`. */
  bytes: Uint8Array;
  length: number;
  /** Kind byte and all of `bytes`, ready to go out; null for a gathering segment. */
  readonly frame: Uint8Array | null;
}

interface EchoMark {
  readonly from: number;
  readonly to: number;
  readonly lineId: number;
}

/** What goes out next. `lineId`: these bytes begin that echo. `frame`: exactly these bytes as an output frame, when there is one. */
export interface WindowPart {
  readonly bytes: Uint8Array;
  readonly lineId: number | null;
  readonly frame: Uint8Array | null;
}

/** INVARIANT: [start, end) are exactly the last bytes that were recorded; `end` is the session's delivered offset. */
export class OutputWindow {
  #segments: Segment[] = [];
  #echoes: EchoMark[] = [];
  #end = 0;

  get start(): number {
    return this.#segments[0]?.start ?? this.#end;
  }
  get end(): number {
    return this.#end;
  }

  push(bytes: Uint8Array, lineId: number | null): void {
    if (bytes.length === 0) return;
    if (lineId !== null) this.#echoes.push({ from: this.#end, to: this.#end + bytes.length, lineId });
    for (let at = 0; at < bytes.length;) {
      const piece = bytes.subarray(at, at + MAX_FRAME_OUTPUT_BYTES);
      at += lineId === null && piece.length >= READY_BYTES ? this.#keepReady(piece) : this.#gather(piece);
    }
    this.#forget();
  }

  /** Bytes from `from` on, at most `max`, never across the start or end of an echo. */
  read(from: number, max: number): WindowPart {
    const segment = this.#segmentAt(from);
    if (segment === null) throw new RangeError('outside of the window');
    if (segment.frame !== null && segment.start === from && segment.length <= max)
      return { bytes: segment.bytes, lineId: null, frame: segment.frame };
    let to = Math.min(segment.start + segment.length, from + max);
    let lineId: number | null = null;
    for (let index = this.#echoes.length - 1; index >= 0; index -= 1) {
      const echo = this.#echoes[index];
      if (echo === undefined || echo.to <= from) break;
      to = Math.min(to, echo.from > from ? echo.from : echo.to);
      if (echo.from === from) lineId = echo.lineId;
    }
    return { bytes: segment.bytes.subarray(from - segment.start, to - segment.start), lineId, frame: null };
  }

  /** Where the last `maxBytes` start, moved on to the start of a line where there is one. */
  tailStart(maxBytes: number): number {
    const from = Math.max(this.start, this.#end - maxBytes);
    if (from === 0) return 0;
    for (const { start, length, bytes } of this.#segments) {
      if (start + length <= from) continue;
      const at = bytes.subarray(0, length).indexOf(0x0a, Math.max(0, from - start));
      if (at >= 0 && start + at + 1 < this.#end) return start + at + 1;
    }
    return from;
  }

  #segmentAt(offset: number): Segment | null {
    if (offset >= this.#end) return null;
    for (let index = this.#segments.length - 1; index >= 0; index -= 1) {
      const segment = this.#segments[index];
      if (segment !== undefined && segment.start <= offset) return segment;
    }
    return null;
  }

  /** @returns bytes taken: all */
  #keepReady(piece: Uint8Array): number {
    const frame = Buffer.allocUnsafeSlow(piece.length + 1); // Every byte is set below.
    frame[0] = FrameKind.output;
    frame.set(piece, 1);
    this.#add({ start: this.#end, bytes: frame.subarray(1), length: piece.length, frame });
    this.#end += piece.length;
    return piece.length;
  }

  /** @returns bytes taken: what fits the last segment */
  #gather(piece: Uint8Array): number {
    const segment = this.#gathering();
    const count = Math.min(piece.length, MOST_BYTES - segment.length);
    if (segment.bytes.length < segment.length + count) {
      const grown = new Uint8Array(sizeFor(segment.length + count));
      grown.set(segment.bytes.subarray(0, segment.length));
      segment.bytes = grown;
    }
    segment.bytes.set(piece.subarray(0, count), segment.length);
    segment.length += count;
    this.#end += count;
    return count;
  }

  #gathering(): Segment {
    const last = this.#segments.at(-1);
    if (last?.frame === null && last.length < MOST_BYTES) return last;
    return this.#add({ start: this.#end, bytes: new Uint8Array(0), length: 0, frame: null });
  }

  #add(segment: Segment): Segment {
    this.#segments.push(segment);
    return segment;
  }

  #forget(): void {
    let gone = 0;
    for (const { start, length } of this.#segments) {
      if (this.#end - start - length < WINDOW_BYTES) break;
      gone += 1;
    }
    if (gone === 0) return;
    this.#segments.splice(0, gone);
    if (this.#echoes.length > 0) this.#echoes = this.#echoes.filter((echo) => echo.to > this.start);
  }
}

function sizeFor(bytes: number): number {
  let size = FIRST_BYTES;
  while (size < bytes) size *= 2;
  return size;
}
