/** One recording opened for reading: its chain, its catalogue row, how far it may be read. */
import type { SessionId } from '@sallyport/shared/ids';
import type { RecordingRecord } from '../storage/contract.ts';
import type { RecordingHeader, RecordingSummary, TimedEvent } from './contract.ts';
import { RecordingCorruptError } from './errors.ts';
import type { ReadableFile } from './files.ts';
import type { Chain, ChainPoint } from './format.ts';
import { readChunks, type ReadChunk, type ReadStop } from './journal-reader.ts';
import type { IndexEntry } from './sparse-index.ts';

/** What is known of the end: of a live journal what is written; of a closed one its catalogue row. */
export type KnownEnd =
  | { readonly kind: 'live'; readonly position: number }
  | { readonly kind: 'sealed'; readonly row: RecordingRecord }
  /** Put aside, and nobody has gone on with it: it ends where its catalogue row says, without an end. */
  | { readonly kind: 'rested'; readonly row: RecordingRecord }
  /** Left open by a gateway that died, not recovered yet. */
  | { readonly kind: 'orphan' };

interface Walk {
  events: number;
  outputBytes: number;
  durationMs: number;
  header: RecordingHeader | null;
  hasEnd: boolean;
}

/** What a whole walk found. */
export interface WalkResult extends RecordingSummary {
  readonly stop: ReadStop;
}

export class OpenedRecording {
  readonly file: ReadableFile;
  readonly chain: Chain;
  readonly start: ChainPoint;
  readonly #end: KnownEnd;
  readonly sessionId: SessionId;

  constructor(sessionId: SessionId, file: ReadableFile, chain: Chain, start: ChainPoint, end: KnownEnd) {
    this.sessionId = sessionId;
    this.file = file;
    this.chain = chain;
    this.start = start;
    this.#end = end;
  }

  /**
   * Events from an index entry (null = the start) to the known end. @throws RecordingCorruptError after the proven part
   */
  async *events(from: IndexEntry | null): AsyncGenerator<TimedEvent, WalkResult> {
    const walk: Walk = {
      events: from?.events ?? 0,
      outputBytes: from?.offset ?? 0,
      durationMs: from?.timeMs ?? 0,
      header: null,
      hasEnd: false,
    };
    const limit = this.#end.kind === 'live' ? this.#end.position : await this.file.size();
    const chunks = readChunks(this.file, this.chain, from?.point ?? this.start, limit);
    let step = await chunks.next();
    for (; step.done !== true; step = await chunks.next()) yield* this.#chunk(step.value, walk);
    const stop = step.value;
    this.#judge(stop, walk, from !== null);
    return {
      events: walk.events,
      outputBytes: walk.outputBytes,
      durationMs: walk.durationMs,
      head: stop.point.hash.toString('hex'),
      stop,
    };
  }

  *#chunk(chunk: ReadChunk, walk: Walk): Generator<TimedEvent> {
    for (const { event, timeMs } of chunk.events) {
      if (walk.hasEnd) throw new RecordingCorruptError(walk.events, 'something follows the end');
      if (event.type === 'header') {
        if (chunk.point.chunk !== 0 || walk.header !== null)
          throw new RecordingCorruptError(walk.events, 'two headers');
        walk.header = event.header;
        continue;
      }
      walk.durationMs = timeMs;
      if (event.type === 'end') {
        walk.hasEnd = true;
        continue;
      }
      yield { index: walk.events, timeMs, offset: walk.outputBytes, event };
      walk.events += 1;
      if (event.type === 'output') walk.outputBytes += event.bytes.length;
    }
  }

  /** Was that the end that was sealed? */
  #judge(stop: ReadStop, walk: Walk, isPart: boolean): void {
    const bad = (why: string): never => {
      throw new RecordingCorruptError(walk.events, why);
    };
    if (stop.kind === 'bad') bad('a chunk is not what was sealed');
    if (this.#end.kind === 'orphan') return;
    if (stop.kind === 'torn') bad('the file stops inside a chunk');
    if (this.#end.kind === 'live') return;
    const { row } = this.#end;
    if (stop.point.hash.toString('hex') !== row.head) bad('it does not end as the catalogue says');
    if (this.#end.kind === 'sealed' && row.state === 'closed' && !walk.hasEnd) bad('its end is missing');
    if (!isPart && (walk.events !== row.events || walk.outputBytes !== row.outputBytes))
      bad('it has not as much as the catalogue says');
  }

  async header(): Promise<RecordingHeader> {
    const first = await readChunks(this.file, this.chain, this.start, await this.file.size()).next();
    if (first.done === true) throw new RecordingCorruptError(0, 'it has no first chunk');
    const event = first.value.events[0]?.event;
    if (event?.type !== 'header' || event.header.sessionId !== this.sessionId)
      throw new RecordingCorruptError(0, 'it has no header');
    return event.header;
  }
}
