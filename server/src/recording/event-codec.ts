/** Events inside a chunk's plain bytes: docs/recording-format.md section 3. Chunk: 8 wall clock (UTC ms, double), then events. */
import { assertNever } from '../errors.ts';
import { CHUNK_PLAIN_BYTES } from './format.ts';
import type { RecordedEvent, RecordingHeader } from './contract.ts';

/** Tags of events. Never renumber. */
const Tag = { header: 0, output: 1, resize: 2, command: 3, title: 4, clear: 5, note: 6, end: 7 } as const;
/** 1 tag + 4 length + 8 time (ms since the start, double). */
const HEAD_BYTES = 13;
/** Wall clock at the front of a chunk. */
export const WALL_BYTES = 8;
/** Longer output is split by the writer; longer texts are cut, with a mark. */
export const MAX_EVENT_BYTES = 256 * 1024;
const MAX_TEXT_BYTES = 4096;

/** What stands in a journal: the events of the contract, and its first and last entry. */
export type JournalEvent =
  | RecordedEvent
  | { readonly type: 'header'; readonly header: RecordingHeader }
  | { readonly type: 'end'; readonly reason: string };

const NOTHING = Buffer.alloc(0);

function textBytes(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  return bytes.length <= MAX_TEXT_BYTES
    ? bytes
    : Buffer.concat([bytes.subarray(0, MAX_TEXT_BYTES), Buffer.from(' [cut]')]);
}

function payload(event: JournalEvent): { tag: number; body: Uint8Array } {
  switch (event.type) {
    case 'output':
      return { tag: Tag.output, body: event.bytes };
    case 'resize': {
      const body = Buffer.alloc(4);
      body.writeUInt16BE(event.cols, 0);
      body.writeUInt16BE(event.rows, 2);
      return { tag: Tag.resize, body };
    }
    case 'command':
      return { tag: Tag.command, body: Buffer.from(JSON.stringify({ ...event, type: undefined })) };
    case 'title':
      return { tag: Tag.title, body: textBytes(event.text) };
    case 'clear':
      return { tag: Tag.clear, body: NOTHING };
    case 'note':
      return { tag: Tag.note, body: textBytes(event.text) };
    case 'header':
      return { tag: Tag.header, body: Buffer.from(JSON.stringify(event.header)) };
    case 'end':
      return { tag: Tag.end, body: textBytes(event.reason) };
    default:
      return assertNever(event);
  }
}

/**
 * Builds the plain bytes of chunks. One scratch buffer for all writers: filling and sealing happen in one turn.
 */
export class ChunkBuilder {
  readonly #scratch = Buffer.allocUnsafeSlow(CHUNK_PLAIN_BYTES + MAX_EVENT_BYTES);
  #length = 0;

  start(wallMs: number): void {
    this.#length = this.#scratch.writeDoubleBE(wallMs, 0);
  }
  /** @returns false when the chunk is full; the event then belongs into the next one */
  add(event: JournalEvent, timeMs: number): boolean {
    const size = HEAD_BYTES + (event.type === 'output' ? event.bytes.length : MAX_TEXT_BYTES * 2);
    if (this.#length > WALL_BYTES && this.#length + size > CHUNK_PLAIN_BYTES) return false;
    const { tag, body } = payload(event);
    const scratch = this.#scratch;
    let at = scratch.writeUInt8(tag, this.#length);
    at = scratch.writeUInt32BE(body.length, at);
    at = scratch.writeDoubleBE(timeMs, at);
    scratch.set(body, at);
    this.#length = at + body.length;
    return true;
  }
  /** A view that is valid until the next `start`. */
  bytes(): Buffer {
    return this.#scratch.subarray(0, this.#length);
  }
}

/**
 * An object of our own making, sealed under the session's key by `payload`: its shape is trusted, not its being there.
 * null when the text is no JSON object.
 */
function parseJson(body: Buffer): object | null {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

function parseBody(tag: number, body: Buffer): JournalEvent | null {
  switch (tag) {
    case Tag.output:
      return { type: 'output', bytes: body };
    case Tag.resize:
      return body.length === 4 ? { type: 'resize', cols: body.readUInt16BE(0), rows: body.readUInt16BE(2) } : null;
    case Tag.command: {
      const value = parseJson(body) as { number: number; state: string; offset?: number } | null;
      if (value === null) return null;
      const { number, state, offset } = value;
      return { type: 'command', number, state, ...(offset === undefined ? {} : { offset }) };
    }
    case Tag.title:
      return { type: 'title', text: body.toString('utf8') };
    case Tag.clear:
      return { type: 'clear' };
    case Tag.note:
      return { type: 'note', text: body.toString('utf8') };
    case Tag.header: {
      const header = parseJson(body) as RecordingHeader | null;
      return header === null ? null : { type: 'header', header };
    }
    case Tag.end:
      return { type: 'end', reason: body.toString('utf8') };
    default:
      return null;
  }
}

export interface ParsedEvent {
  readonly timeMs: number;
  readonly event: JournalEvent;
}

/** When the chunk of these plain bytes was begun, UTC ms; `parseEvents` has accepted them. */
export const wallOf = (plain: Buffer): number => plain.readDoubleBE(0);

/** Events of one chunk's plain bytes, or null when they are malformed. Output bytes are views into `plain`. */
export function parseEvents(plain: Buffer): readonly ParsedEvent[] | null {
  const events: ParsedEvent[] = [];
  let at = WALL_BYTES;
  if (plain.length < at) return null;
  while (at < plain.length) {
    if (plain.length - at < HEAD_BYTES) return null;
    const tag = plain.readUInt8(at);
    const length = plain.readUInt32BE(at + 1);
    const timeMs = plain.readDoubleBE(at + 5);
    at += HEAD_BYTES;
    if (length > plain.length - at) return null;
    const event = parseBody(tag, plain.subarray(at, at + length));
    if (event === null) return null;
    events.push({ timeMs, event });
    at += length;
  }
  return events;
}
