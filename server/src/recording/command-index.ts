/** Where in the output each command starts, so that nobody reads a whole recording to know. */
import type { JournalEvent } from './event-codec.ts';

/** Bound of one recording (12 bytes each in the file); what comes after is not found by its number. */
const MAX_COMMANDS = 100_000;
/** 4 number + 8 offset, double */
const ENTRY_BYTES = 12;

export class CommandIndex {
  readonly #offsets = new Map<number, number>();

  get offsets(): ReadonlyMap<number, number> {
    return this.#offsets;
  }

  /** @param writtenBytes output before the event, for a command that says no place of its own */
  add(event: JournalEvent, writtenBytes: number): void {
    if (event.type !== 'command' || this.#offsets.has(event.number) || this.#offsets.size >= MAX_COMMANDS) return;
    this.#offsets.set(event.number, event.offset ?? writtenBytes);
  }

  encode(): Buffer {
    const bytes = Buffer.alloc(this.#offsets.size * ENTRY_BYTES);
    let at = 0;
    for (const [number, offset] of this.#offsets) {
      at = bytes.writeUInt32BE(number, at);
      at = bytes.writeDoubleBE(offset, at);
    }
    return bytes;
  }
  static decode(bytes: Buffer): CommandIndex | null {
    if (bytes.length % ENTRY_BYTES !== 0) return null;
    const index = new CommandIndex();
    for (let at = 0; at < bytes.length; at += ENTRY_BYTES)
      index.#offsets.set(bytes.readUInt32BE(at), bytes.readDoubleBE(at + 4));
    return index;
  }
}
