/** The last output of a session, in memory, by absolute offset. What is older is read from the recording. */
const BLOCK_BYTES = 64 * 1024;
/** A session that shows little holds little: the first block begins so small and doubles. */
const FIRST_BYTES = 4 * 1024;
/** With the block being filled: always at least 1 MiB back. */
const MAX_BLOCKS = 17;

interface EchoMark {
  readonly from: number;
  readonly to: number;
  readonly lineId: number;
}

/** INVARIANT: [start, end) are exactly the last bytes that were recorded; `end` is the session's delivered offset. */
export class OutputWindow {
  #blocks = new Map<number, Uint8Array>();
  #echoes: EchoMark[] = [];
  #start = 0;
  #end = 0;

  get start(): number {
    return this.#start;
  }
  get end(): number {
    return this.#end;
  }

  push(bytes: Uint8Array, lineId: number | null): void {
    if (bytes.length === 0) return;
    if (lineId !== null) this.#echoes.push({ from: this.#end, to: this.#end + bytes.length, lineId });
    for (let at = 0; at < bytes.length;) {
      const number = Math.floor(this.#end / BLOCK_BYTES);
      const place = this.#end % BLOCK_BYTES;
      const piece = bytes.subarray(at, at + BLOCK_BYTES - place);
      this.#block(number, place + piece.length).set(piece, place);
      at += piece.length;
      this.#end += piece.length;
    }
  }

  /** Bytes from `from` on, at most `max`, never across the start or end of an echo. `lineId`: they begin that echo. */
  read(from: number, max: number): { readonly bytes: Uint8Array; readonly lineId: number | null } {
    const number = Math.floor(from / BLOCK_BYTES);
    const block = this.#blocks.get(number);
    if (block === undefined || from < this.#start) throw new RangeError('outside of the window');
    let to = Math.min(this.#end, from + max, (number + 1) * BLOCK_BYTES);
    let lineId: number | null = null;
    for (let index = this.#echoes.length - 1; index >= 0; index -= 1) {
      const echo = this.#echoes[index];
      if (echo === undefined || echo.to <= from) break;
      to = Math.min(to, echo.from > from ? echo.from : echo.to);
      if (echo.from === from) lineId = echo.lineId;
    }
    return { bytes: block.subarray(from % BLOCK_BYTES, to - number * BLOCK_BYTES), lineId };
  }

  /** Where the last `maxBytes` start, moved on to the start of a line where there is one. */
  tailStart(maxBytes: number): number {
    const from = Math.max(this.#start, this.#end - maxBytes);
    if (from === 0) return 0;
    for (let at = from; at < this.#end; at += 1) {
      const block = this.#blocks.get(Math.floor(at / BLOCK_BYTES));
      if (block?.[at % BLOCK_BYTES] === 0x0a && at + 1 < this.#end) return at + 1;
    }
    return from;
  }

  /** The block, with room for `bytes`. */
  #block(number: number, bytes: number): Uint8Array {
    const block = this.#blocks.get(number);
    if (block !== undefined && block.length >= bytes) return block;
    const made = new Uint8Array(number === 0 ? sizeFor(bytes) : BLOCK_BYTES);
    if (block !== undefined) made.set(block);
    this.#blocks.set(number, made);
    if (this.#blocks.size > MAX_BLOCKS) {
      this.#blocks.delete(number - MAX_BLOCKS);
      this.#start = (number - MAX_BLOCKS + 1) * BLOCK_BYTES;
      this.#echoes = this.#echoes.filter((echo) => echo.to > this.#start);
    }
    return made;
  }
}

function sizeFor(bytes: number): number {
  let size = FIRST_BYTES;
  while (size < bytes) size *= 2;
  return size;
}
