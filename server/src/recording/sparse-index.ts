/** Where in the journal what is: one entry per so many bytes, so that a reader need not begin at the beginning. */
import type { ChainPoint } from './format.ts';

/** Journal bytes between two entries, doubled each time the index is full. */
const FIRST_SPACING_BYTES = 64 * 1024;
/** Bound of the index of one recording (about 400 KiB in memory); thinned by half when full. */
const MAX_ENTRIES = 4096;

export interface IndexEntry {
  /** The chunk that begins here ... */
  readonly point: ChainPoint;
  /** ... and what stands before it: events, output bytes, milliseconds since the start. */
  readonly events: number;
  readonly offset: number;
  readonly timeMs: number;
}

/** 8 position + 6 chunk + 32 hash + 8 events + 8 offset + 8 time */
const ENTRY_BYTES = 70;

export class SparseIndex {
  #entries: IndexEntry[] = [];
  #spacing = FIRST_SPACING_BYTES;

  add(point: ChainPoint, events: number, offset: number, timeMs: number): void {
    const last = this.#entries.at(-1);
    if (last !== undefined && point.position - last.point.position < this.#spacing) return;
    this.#entries.push({ point, events, offset, timeMs });
    if (this.#entries.length < MAX_ENTRIES) return;
    this.#entries = this.#entries.filter((_, i) => i % 2 === 0);
    this.#spacing *= 2;
  }
  /** The last entry with at most so many output bytes before it, or null when the reader must begin at the start. */
  beforeOffset(offset: number): IndexEntry | null {
    return this.#last((entry) => entry.offset <= offset);
  }
  beforeEvent(index: number): IndexEntry | null {
    return this.#last((entry) => entry.events <= index);
  }
  /** Entries grow in every field: halving finds the last that fits. */
  #last(fits: (entry: IndexEntry) => boolean): IndexEntry | null {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = this.#entries[middle];
      if (entry !== undefined && fits(entry)) low = middle + 1;
      else high = middle;
    }
    return this.#entries[low - 1] ?? null;
  }

  encode(): Buffer {
    const bytes = Buffer.alloc(this.#entries.length * ENTRY_BYTES);
    let at = 0;
    for (const { point, events, offset, timeMs } of this.#entries) {
      at = bytes.writeDoubleBE(point.position, at);
      at = bytes.writeUIntBE(point.chunk, at, 6);
      at += point.hash.copy(bytes, at);
      at = bytes.writeDoubleBE(events, at);
      at = bytes.writeDoubleBE(offset, at);
      at = bytes.writeDoubleBE(timeMs, at);
    }
    return bytes;
  }
  static decode(bytes: Buffer): SparseIndex | null {
    if (bytes.length % ENTRY_BYTES !== 0) return null;
    const index = new SparseIndex();
    for (let at = 0; at < bytes.length; at += ENTRY_BYTES)
      index.#entries.push({
        point: {
          position: bytes.readDoubleBE(at),
          chunk: bytes.readUIntBE(at + 8, 6),
          hash: Buffer.from(bytes.subarray(at + 14, at + 46)),
        },
        events: bytes.readDoubleBE(at + 46),
        offset: bytes.readDoubleBE(at + 54),
        timeMs: bytes.readDoubleBE(at + 62),
      });
    return index;
  }
}
