/**
 * The last output of a session, in memory, by absolute offset. What is older is read from the recording.
 *
 * One ring, used again and again: pieces that live as long as the window does would be promoted by the garbage collector
 * and freed only by a full collection, and a flood then makes one after the other (docs/performance.md).
 */

/** At least 1 MiB back, once there was so much, and a frame's worth of room to write into. */
const MOST_BYTES = 1024 * 1024 + 64 * 1024;
/** A session that shows little holds little: the ring begins so small and doubles. */
const FIRST_BYTES = 1024;
const LINE_FEED = 0x0a;

interface EchoMark {
  readonly from: number;
  readonly to: number;
  readonly lineId: number;
}

/** INVARIANT: [start, end) are exactly the last bytes that were recorded; `end` is the session's delivered offset. */
export class OutputWindow {
  /** The byte of offset `o` stands at `o % length`. */
  #ring: Uint8Array = new Uint8Array(0);
  #echoes: EchoMark[] = [];
  #start: number;
  #end: number;

  /** @param from where the output begins that it will be given */
  constructor(from = 0) {
    this.#start = from;
    this.#end = from;
  }

  get start(): number {
    return this.#start;
  }
  get end(): number {
    return this.#end;
  }

  push(bytes: Uint8Array, lineId: number | null): void {
    if (bytes.length === 0) return;
    if (lineId !== null) this.#echoes.push({ from: this.#end, to: this.#end + bytes.length, lineId });
    this.#makeRoom(bytes.length);
    this.#end += bytes.length;
    this.#start = Math.max(this.#start, this.#end - this.#ring.length);
    this.#write(bytes.subarray(Math.max(0, bytes.length - this.#ring.length)));
    if (this.#echoes.length > 0) this.#echoes = this.#echoes.filter((echo) => echo.to > this.#start);
  }

  /**
   * Bytes from `from` on, at most `max`, never across the start or end of an echo. `lineId`: they begin that echo.
   * A view that is valid until the next `push`.
   */
  read(from: number, max: number): { readonly bytes: Uint8Array; readonly lineId: number | null } {
    if (from < this.#start || from >= this.#end) throw new RangeError('outside of the window');
    let to = Math.min(this.#end, from + max);
    let lineId: number | null = null;
    for (let index = this.#echoes.length - 1; index >= 0; index -= 1) {
      const echo = this.#echoes[index];
      if (echo === undefined || echo.to <= from) break;
      to = Math.min(to, echo.from > from ? echo.from : echo.to);
      if (echo.from === from) lineId = echo.lineId;
    }
    return { bytes: this.#viewOf(from, to), lineId };
  }

  /** Where the last `maxBytes` start, moved on to the start of a line where there is one. */
  tailStart(maxBytes: number): number {
    const from = Math.max(this.#start, this.#end - maxBytes);
    if (from === 0) return 0;
    for (let at = from; at < this.#end;) {
      const view = this.#viewOf(at, this.#end);
      const found = view.indexOf(LINE_FEED);
      if (found >= 0) return at + found + 1 < this.#end ? at + found + 1 : from;
      at += view.length;
    }
    return from;
  }

  /** From `from` on, to `to` or to the edge of the ring. */
  #viewOf(from: number, to: number): Uint8Array {
    const place = from % this.#ring.length;
    return this.#ring.subarray(place, Math.min(place + to - from, this.#ring.length));
  }

  /** The last `bytes` of the window. */
  #write(bytes: Uint8Array): void {
    const place = (this.#end - bytes.length) % this.#ring.length;
    const untilEdge = bytes.subarray(0, this.#ring.length - place);
    this.#ring.set(untilEdge, place);
    this.#ring.set(bytes.subarray(untilEdge.length), 0);
  }

  #makeRoom(more: number): void {
    const needed = Math.min(MOST_BYTES, this.#end - this.#start + more);
    if (needed <= this.#ring.length) return;
    let size = Math.max(FIRST_BYTES, this.#ring.length);
    while (size < needed) size *= 2;
    const grown = new Uint8Array(Math.min(size, MOST_BYTES));
    for (let at = this.#start; at < this.#end;) {
      const view = this.#viewOf(at, this.#end);
      const place = at % grown.length;
      const untilEdge = view.subarray(0, grown.length - place);
      grown.set(untilEdge, place);
      at += untilEdge.length;
    }
    this.#ring = grown;
  }
}
