/** One recording while it is written: made, appended to, sealed. Every wait for the disk has an end. */
import type { SessionId } from '@sallyport/shared/ids';
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import type { Storage } from '../storage/contract.ts';
import type { RecordedEvent, RecordingHeader, RecordingSummary, RecordingWriter, WriterEvents } from './contract.ts';
import type { DiskSlots } from './disk-slots.ts';
import type { JournalFile, RecordingFiles } from './files.ts';
import { chainStart, encodeHeader, type Chain, type ChainPoint } from './format.ts';
import { inTime } from './in-time.ts';
import { saveIndexes } from './index-file.ts';
import { JournalWriter, type Standing } from './journal-writer.ts';

export const JOURNAL_NAME = 'journal';

export interface LiveDeps {
  readonly files: RecordingFiles;
  readonly slots: DiskSlots;
  readonly clock: Clock;
  readonly catalogue: Storage['recordings'];
  readonly onSealed?: (sessionId: SessionId, summary: RecordingSummary) => Promise<void>;
}

/** Where the recording goes and under which key. */
export interface Place {
  readonly sessionId: SessionId;
  readonly folder: string;
  readonly chain: Chain;
  readonly sealedKey: Uint8Array;
}
/** A journal that is gone on with: what stands, and the place behind it. */
export interface Continued {
  readonly point: ChainPoint;
  readonly standing: Standing;
}

const writeWhole = (file: JournalFile, bytes: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) =>
    file.write(bytes, 0, (error, count) =>
      error === null && count === bytes.length ? resolve() : reject(error ?? new Error('short write')),
    ),
  );

export class LiveRecording implements RecordingWriter {
  readonly chain: Chain;
  readonly start: ChainPoint;
  readonly writer: JournalWriter;
  readonly #deps: LiveDeps;
  readonly #place: Place;
  readonly #file: JournalFile;
  readonly #onClosed: () => void;
  #closing: Promise<RecordingSummary> | null = null;
  #resting: Promise<RecordingSummary> | null = null;

  constructor(
    deps: LiveDeps,
    place: Place,
    file: JournalFile,
    events: WriterEvents,
    onClosed: () => void,
    continued: Continued | null = null,
  ) {
    const { chain } = place;
    const { clock, slots } = deps;
    this.#deps = deps;
    this.#place = place;
    this.#file = file;
    this.#onClosed = onClosed;
    this.chain = chain;
    this.start = chainStart(this.#plainHeader());
    this.writer = new JournalWriter({
      ...{ file, chain, start: continued?.point ?? this.start, clock, slots, events },
      ...(continued && { standing: continued.standing }),
    });
  }

  get outputBytes(): number {
    return this.writer.appendedBytes;
  }
  get writtenBytes(): number {
    return this.writer.written.outputBytes;
  }
  append(event: RecordedEvent, written?: () => void): void {
    if (this.#closing === null && this.#resting === null) this.writer.append(event, written);
  }
  close(reason: string): Promise<RecordingSummary> {
    return (this.#closing ??= this.#close(reason));
  }
  rest(): Promise<RecordingSummary> {
    return (this.#resting ??= this.#rest());
  }

  /** Header in plain and first chunk. Rejects when they are not in the file in time. */
  async begin(header: RecordingHeader): Promise<void> {
    const { clock } = this.#deps;
    await inTime(clock, writeWhole(this.#file, this.#plainHeader()));
    await new Promise<void>((resolve) => {
      this.writer.append({ type: 'header', header }, resolve);
      void this.writer.settle().then(resolve);
    });
    if (this.writer.failed) throw new Error('the first chunk could not be written');
  }

  #plainHeader(): Buffer {
    return encodeHeader(this.#place.sessionId, this.#place.sealedKey);
  }

  async #rest(): Promise<RecordingSummary> {
    const { clock, catalogue } = this.#deps;
    try {
      await inTime(clock, this.writer.settle());
      if (this.writer.failed) throw new Error('the journal has failed');
      await inTime(clock, this.#file.close());
      const summary = this.#summary();
      await inTime(clock, catalogue.update(this.#place.sessionId, summary));
      return summary;
    } catch (error) {
      void this.#file.close().catch(() => undefined); // The failure is told below.
      throw new SallyportError('recording_unavailable', 'the recording could not be put aside', { cause: error });
    } finally {
      this.writer.stop();
      this.#onClosed();
    }
  }

  async #close(reason: string): Promise<RecordingSummary> {
    try {
      const summary = await this.#seal(reason);
      await inTime(this.#deps.clock, this.#deps.onSealed?.(this.#place.sessionId, summary) ?? Promise.resolve());
      return summary;
    } catch (error) {
      void this.#file.close().catch(() => undefined); // The failure is told below.
      throw new SallyportError('recording_unavailable', 'the recording could not be closed', { cause: error });
    } finally {
      this.writer.stop();
      this.#onClosed();
    }
  }

  /** A journal that cannot be sealed stays open in the catalogue: recovery at the next start closes it. */
  async #seal(reason: string): Promise<RecordingSummary> {
    const { clock, catalogue, files } = this.#deps;
    this.writer.append({ type: 'end', reason });
    await inTime(clock, this.writer.settle());
    if (this.writer.failed) throw new Error('the journal has failed');
    await inTime(clock, this.#file.close());
    const summary = this.#summary();
    await inTime(clock, catalogue.update(this.#place.sessionId, { ...summary, state: 'closed' }));
    // Losing the index costs time, not truth.
    const indexes = { places: this.writer.index, commands: this.writer.commands };
    const saving = inTime(clock, saveIndexes(files, this.#place.folder, this.chain, indexes));
    await saving.catch(() => undefined);
    return summary;
  }

  #summary(): RecordingSummary {
    const { point, ...counts } = this.writer.written;
    return { ...counts, head: point.hash.toString('hex') };
  }
}
