/** Reads a journal chunk by chunk and proves each one before anything of it is given on. */
import type { ReadableFile } from './files.ts';
import { parseEvents, wallOf, type ParsedEvent } from './event-codec.ts';
import { after, CHUNK_HEAD_BYTES, chunkLength, openChunk, type Chain, type ChainPoint } from './format.ts';

const WINDOW_BYTES = 256 * 1024;

/** One proven chunk. */
export interface ReadChunk {
  readonly point: ChainPoint;
  readonly next: ChainPoint;
  readonly events: readonly ParsedEvent[];
  /** When it was begun, UTC ms. */
  readonly wallMs: number;
}
/**
 * How reading stopped. `whole`: at `limit`, between two chunks. `torn`: the file stops inside a chunk (or in zeros that a
 * power cut left). `bad`: the next chunk is not what was sealed here.
 */
export interface ReadStop {
  readonly kind: 'whole' | 'torn' | 'bad';
  readonly point: ChainPoint;
}

/** A window over the file, so that small chunks do not cost a read each. */
class Window {
  readonly #file: ReadableFile;
  readonly #limit: number;
  #bytes: Buffer = Buffer.alloc(0);
  #from = 0;
  constructor(file: ReadableFile, limit: number) {
    this.#file = file;
    this.#limit = limit;
  }
  /** Up to `length` bytes at `position`; fewer only at the limit. */
  async take(position: number, length: number): Promise<Buffer> {
    if (position < this.#from || position + length > this.#from + this.#bytes.length) {
      const wanted = Math.min(Math.max(length, WINDOW_BYTES), Math.max(0, this.#limit - position));
      const bytes = Buffer.allocUnsafeSlow(wanted);
      const count = await this.#file.read(bytes, position);
      this.#bytes = bytes.subarray(0, count);
      this.#from = position;
    }
    const at = position - this.#from;
    return this.#bytes.subarray(at, at + length);
  }
}

const isZeros = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0);

/** @param limit file position where to stop: the file's size, or what a live writer has written */
export async function* readChunks(
  file: ReadableFile,
  chain: Chain,
  start: ChainPoint,
  limit: number,
): AsyncGenerator<ReadChunk, ReadStop> {
  const window = new Window(file, limit);
  let point = start;
  while (point.position < limit) {
    const head = await window.take(point.position, CHUNK_HEAD_BYTES);
    if (head.length < CHUNK_HEAD_BYTES) return { kind: 'torn', point };
    const length = chunkLength(head);
    if (length === null) return { kind: isZeros(head) ? 'torn' : 'bad', point };
    const bytes = await window.take(point.position, length);
    if (bytes.length < length) return { kind: 'torn', point };
    const plain = openChunk(chain, point, bytes);
    const events = plain === null ? null : parseEvents(plain);
    if (plain === null || events === null) return { kind: 'bad', point };
    const next = after(point, bytes);
    yield { point, next, events, wallMs: wallOf(plain) };
    point = next;
  }
  return { kind: 'whole', point };
}
