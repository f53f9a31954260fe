/** The recordings of one data directory: folders, catalogue rows, live writers, readers. */
import { createSecretKey } from 'node:crypto';
import { SessionId } from '@sallyport/shared/ids';
import type { Clock } from '../clock.ts';
import { SallyportError, toError } from '../errors.ts';
import type { RecordingRecord, Storage } from '../storage/contract.ts';
import type {
  RecordingCheck,
  RecordingHeader,
  RecordingKeys,
  Recordings,
  RecordingSummary,
  RecordingWriter,
  RecoveredRecording,
  TimedEvent,
  WriterEvents,
} from './contract.ts';
import { DiskSlots } from './disk-slots.ts';
import { RecordingCorruptError } from './errors.ts';
import { systemFiles, type JournalFile, type RecordingFiles } from './files.ts';
import { chainStart, MAX_HEADER_BYTES, parseHeader, type Chain } from './format.ts';
import { inTime } from './in-time.ts';
import { CommandIndex } from './command-index.ts';
import { loadCommands, loadIndex } from './index-file.ts';
import { JOURNAL_NAME, LiveRecording, type Continued, type Place } from './live-recording.ts';
import { OpenedRecording, type KnownEnd, type WalkResult } from './opened-recording.ts';
import { examineJournal, recoverJournal, type Examined } from './recovery.ts';
import type { SparseIndex } from './sparse-index.ts';

/** product.md "Recording": warning at 20 % free, new sessions refused at 5 %. */
const WARNING_FRACTION = 0.2;
const REFUSED_FRACTION = 0.05;
/** Recordings deleted per look into the catalogue. */
const DELETE_BATCH = 100;

export interface RecordingsDeps {
  /** The `recordings` folder of the data directory. */
  readonly directory: string;
  readonly catalogue: Storage['recordings'];
  readonly keys: RecordingKeys;
  readonly clock: Clock;
  readonly files?: RecordingFiles;
  /** After the head of a recording is in the catalogue: the caller signs an audit checkpoint. */
  readonly onSealed?: (sessionId: SessionId, summary: RecordingSummary) => Promise<void>;
}

function chainOf(sessionId: SessionId, key: Uint8Array): Chain {
  // Memory of its own: cut from Node's pool, 26 bytes hold on to 8 KiB for as long as a session lives.
  const id = Buffer.alloc(sessionId.length);
  id.write(sessionId, 'latin1');
  return { key: createSecretKey(key), sessionId: id };
}

/** An open one whose head is known was put aside; `reopen` takes the head out before it writes. */
const isRested = (row: RecordingRecord): boolean => row.state === 'open' && row.head !== '';
function endOf(row: RecordingRecord): KnownEnd {
  if (row.state !== 'open') return { kind: 'sealed', row };
  return isRested(row) ? { kind: 'rested', row } : { kind: 'orphan' };
}
/** Where it was put aside. @throws RecordingCorruptError when that is not where it ends now */
function requireRested(row: RecordingRecord, { point, tornBytes, events }: Examined): void {
  if (isRested(row) && (tornBytes > 0 || point.hash.toString('hex') !== row.head))
    throw new RecordingCorruptError(events, 'it does not end where it was put aside');
}

/** `YYYY/MM/<sessionId>`, from the start's UTC date. */
function folderName(startedAt: number, sessionId: SessionId): string {
  const date = new Date(startedAt);
  return `${date.getUTCFullYear()}/${String(date.getUTCMonth() + 1).padStart(2, '0')}/${sessionId}`;
}

class FileRecordings implements Recordings {
  readonly #deps: RecordingsDeps;
  readonly #files: RecordingFiles;
  readonly #slots: DiskSlots;
  readonly #live = new Map<SessionId, LiveRecording>();
  /** Those that are being gone on with: nobody else may cut their files. */
  readonly #reopening = new Set<SessionId>();

  constructor(deps: RecordingsDeps) {
    this.#deps = deps;
    this.#files = deps.files ?? systemFiles;
    this.#slots = new DiskSlots(deps.clock);
  }

  async create(header: RecordingHeader, events: WriterEvents): Promise<RecordingWriter> {
    if ((await this.space()).state === 'refused')
      throw new SallyportError('recording_space', 'less than 5 % of the file system is free');
    const { sessionId, startedAt } = header;
    const { key, sealed } = this.#deps.keys.create(sessionId);
    const path = folderName(startedAt, sessionId);
    const place: Place = { sessionId, folder: this.#folder(path), chain: chainOf(sessionId, key), sealedKey: sealed };
    const blank = { state: 'open', events: 0, outputBytes: 0, durationMs: 0, head: '' } as const;
    try {
      await this.#deps.catalogue.insert({ ...blank, sessionId, path, startedAt, sealedKey: sealed });
      return await this.#begin(place, header, events);
    } catch (error) {
      throw new SallyportError('recording_unavailable', 'the recording cannot be created', { cause: error });
    }
  }

  #newLive(place: Place, file: JournalFile, events: WriterEvents, continued: Continued | null = null): LiveRecording {
    const { clock, catalogue, onSealed } = this.#deps;
    const { sessionId } = place;
    const deps = { files: this.#files, slots: this.#slots, clock, catalogue, ...(onSealed && { onSealed }) };
    const live = new LiveRecording(deps, place, file, events, () => this.#live.delete(sessionId), continued);
    this.#live.set(sessionId, live);
    return live;
  }

  async #begin(place: Place, header: RecordingHeader, events: WriterEvents): Promise<RecordingWriter> {
    const { clock } = this.#deps;
    const { sessionId } = place;
    const creating = this.#files.create(place.folder, JOURNAL_NAME);
    try {
      const live = this.#newLive(place, await inTime(clock, creating), events);
      await live.begin(header);
      return live;
    } catch (error) {
      this.#live.get(sessionId)?.writer.stop();
      this.#live.delete(sessionId);
      void this.#abandon(sessionId, place.folder, creating);
      throw error;
    }
  }

  async reopen(sessionId: SessionId, events: WriterEvents): Promise<RecordingWriter> {
    if (this.#live.has(sessionId) || this.#reopening.has(sessionId))
      throw new SallyportError('bad_state', 'the recording is written');
    this.#reopening.add(sessionId);
    try {
      return await this.#reopen(sessionId, events);
    } finally {
      this.#reopening.delete(sessionId);
    }
  }

  async #reopen(sessionId: SessionId, events: WriterEvents): Promise<RecordingWriter> {
    const { opened, row } = await this.#open(sessionId);
    const place: Place = { sessionId, folder: this.#folder(row.path), chain: opened.chain, sealedKey: row.sealedKey };
    try {
      if (row.state !== 'open') throw new SallyportError('bad_state', 'the recording is closed');
      const examined = await examineJournal(opened, this.#deps.clock.now());
      const { kind, point, hasEnd, ...standing } = examined;
      if (kind === 'bad') throw new RecordingCorruptError(standing.events, 'a chunk is not what was sealed');
      if (standing.events === 0 && point.chunk === 0) throw new RecordingCorruptError(0, 'it has no first chunk');
      if (hasEnd) throw new SallyportError('bad_state', 'the recording has its end');
      requireRested(row, examined);
      const live = await this.#goOn(place, { point, standing }, events);
      const { gapMs, tornBytes } = standing;
      const torn = tornBytes === 0 ? '' : `, ${tornBytes} bytes that nobody was shown were cut off`;
      live.append({ type: 'note', text: `went on after ${(gapMs / 1000).toFixed(1)} s${torn}` });
      return live;
    } finally {
      await opened.file.close();
    }
  }

  async #goOn(place: Place, continued: Continued, events: WriterEvents): Promise<LiveRecording> {
    const { clock } = this.#deps;
    const opening = this.#files.reopen(`${place.folder}/${JOURNAL_NAME}`);
    try {
      const file = await inTime(clock, opening);
      await inTime(clock, file.truncate(continued.point.position));
      // From the first chunk on it ends elsewhere: a gateway that dies then has no head of it.
      await inTime(clock, this.#deps.catalogue.update(place.sessionId, { head: '' }));
      return this.#newLive(place, file, events, continued);
    } catch (error) {
      // In its own time: the disk is not well.
      void opening.then((file) => file.close()).catch(() => undefined);
      throw new SallyportError('recording_unavailable', 'the recording cannot be gone on with', { cause: error });
    }
  }

  /** Takes a recording back that never began, in its own time: the disk is not well. What stays is closed at the next start. */
  async #abandon(sessionId: SessionId, folder: string, creating: Promise<JournalFile>): Promise<void> {
    try {
      await (await creating).close();
      await this.#files.removeFolder(folder);
      await this.#deps.catalogue.update(sessionId, { state: 'deleted' });
    } catch {
      // Its journal is not there, or cannot be removed now; recovery finds the row.
    }
  }

  #folder(path: string): string {
    return `${this.#deps.directory}/${path}`;
  }

  /** The row, with its path proven: the database is not trusted to name files. */
  async #row(sessionId: SessionId): Promise<RecordingRecord> {
    const row = await this.#deps.catalogue.bySession(sessionId);
    if (row === null || row.state === 'deleted') throw new SallyportError('not_found', 'there is no such recording');
    if (row.path !== folderName(row.startedAt, sessionId))
      throw new RecordingCorruptError(0, 'the catalogue names another folder');
    return row;
  }

  async #open(
    sessionId: SessionId,
  ): Promise<{ opened: OpenedRecording; row: RecordingRecord; index: SparseIndex | null }> {
    const row = await this.#row(sessionId);
    const folder = this.#folder(row.path);
    const live = this.#live.get(sessionId);
    const file = await this.#files.open(`${folder}/${JOURNAL_NAME}`).catch((error: unknown) => {
      throw new RecordingCorruptError(0, `its journal cannot be opened: ${toError(error).message}`);
    });
    try {
      if (live !== undefined) {
        const end: KnownEnd = { kind: 'live', position: live.writer.written.point.position };
        const opened = new OpenedRecording(sessionId, file, live.chain, live.start, end);
        return { opened, row, index: live.writer.index };
      }
      const chain = chainOf(sessionId, this.#deps.keys.open(sessionId, row.sealedKey));
      const bytes = Buffer.alloc(MAX_HEADER_BYTES);
      const parsed = parseHeader(bytes.subarray(0, await file.read(bytes, 0)));
      if (parsed === null || parsed.sessionId !== sessionId || !parsed.sealedKey.equals(row.sealedKey))
        throw new RecordingCorruptError(0, 'its header is not the one that was written');
      const start = chainStart(bytes.subarray(0, parsed.length));
      const end = endOf(row);
      const opened = new OpenedRecording(sessionId, file, chain, start, end);
      return { opened, row, index: await loadIndex(this.#files, folder, chain) };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async *readEvents(sessionId: SessionId, fromIndex = 0): AsyncGenerator<TimedEvent> {
    const { opened, index } = await this.#open(sessionId);
    try {
      const from = fromIndex > 0 ? (index?.beforeEvent(fromIndex) ?? null) : null;
      for await (const event of opened.events(from)) if (event.index >= fromIndex) yield event;
    } finally {
      await opened.file.close();
    }
  }

  async *readOutput(sessionId: SessionId, from: number, to: number): AsyncGenerator<Uint8Array> {
    if (from >= to) return;
    const { opened, index } = await this.#open(sessionId);
    let at = from;
    try {
      for await (const { event, offset } of opened.events(index?.beforeOffset(from) ?? null)) {
        if (event.type !== 'output' || offset + event.bytes.length <= at) continue;
        const piece = event.bytes.subarray(at - offset, to - offset);
        at += piece.length;
        yield piece;
        if (at >= to) return;
      }
    } finally {
      await opened.file.close();
    }
    throw new RangeError(`the recording has no output bytes ${at} to ${to}`);
  }

  async header(sessionId: SessionId): Promise<RecordingHeader> {
    const { opened } = await this.#open(sessionId);
    try {
      return await opened.header();
    } finally {
      await opened.file.close();
    }
  }

  async commandOffsets(sessionId: SessionId): Promise<ReadonlyMap<number, number>> {
    const live = this.#live.get(sessionId);
    if (live !== undefined) return live.writer.commands.offsets;
    const { opened, row } = await this.#open(sessionId);
    try {
      // Beside one that is open they are of a time before.
      const isOpen = row.state === 'open';
      const stored = isOpen ? null : await loadCommands(this.#files, this.#folder(row.path), opened.chain);
      if (stored !== null) return stored.offsets;
      const found = new CommandIndex();
      try {
        for await (const { event, offset } of opened.events(null)) found.add(event, offset);
      } catch (error) {
        if (!(error instanceof RecordingCorruptError)) throw error;
      }
      return found.offsets;
    } finally {
      await opened.file.close();
    }
  }

  async tail(sessionId: SessionId, maxBytes: number): Promise<{ offset: number; bytes: Uint8Array }> {
    const live = this.#live.get(sessionId);
    const row = await this.#row(sessionId);
    const total =
      live?.writer.written.outputBytes ??
      (row.state === 'open' ? (await this.check(sessionId)).summary.outputBytes : row.outputBytes);
    const from = Math.max(0, total - maxBytes);
    const pieces: Uint8Array[] = [];
    for await (const piece of this.readOutput(sessionId, from, total)) pieces.push(piece);
    const bytes = Buffer.concat(pieces);
    const cut = from === 0 ? 0 : bytes.indexOf(0x0a) + 1;
    return { offset: from + cut, bytes: bytes.subarray(cut) };
  }

  async check(sessionId: SessionId): Promise<RecordingCheck> {
    const row = await this.#row(sessionId);
    try {
      const { opened } = await this.#open(sessionId);
      try {
        const { events, outputBytes, durationMs, head } = await walkAll(opened);
        const summary = { events, outputBytes, durationMs, head };
        return { chain: row.state === 'open' ? 'open' : 'verified', firstBad: null, summary };
      } finally {
        await opened.file.close();
      }
    } catch (error) {
      if (!(error instanceof RecordingCorruptError)) throw error;
      const { events, outputBytes, durationMs, head } = row;
      return { chain: 'broken', firstBad: error.firstBad, summary: { events, outputBytes, durationMs, head } };
    }
  }

  async recover(
    failed: (sessionId: SessionId, error: unknown) => Promise<void>,
    isKept: (sessionId: SessionId) => boolean = () => false,
  ): Promise<RecoveredRecording[]> {
    const recovered: RecoveredRecording[] = [];
    for (const row of await this.#deps.catalogue.open()) {
      const sessionId = SessionId.parse(row.sessionId);
      if (this.#live.has(sessionId) || isKept(sessionId)) continue;
      try {
        const result = await this.#recoverOne(sessionId);
        await this.#deps.catalogue.update(sessionId, { ...result.summary, state: 'recovered' });
        recovered.push(result);
        await this.#deps.onSealed?.(sessionId, result.summary);
      } catch (error) {
        await failed(sessionId, error);
      }
    }
    return recovered;
  }

  async #recoverOne(sessionId: SessionId): Promise<RecoveredRecording> {
    let found: Awaited<ReturnType<FileRecordings['check']>>['summary'] & { tornBytes: number };
    try {
      const { opened, row } = await this.#open(sessionId);
      try {
        if (isRested(row)) requireRested(row, await examineJournal(opened, this.#deps.clock.now()));
        found = await recoverJournal(this.#files, this.#folder(row.path), opened, this.#deps.clock.now());
      } finally {
        await opened.file.close();
      }
    } catch (error) {
      // Nothing of it can be read: no file yet when the gateway died, or changed since. Readers will say so. Of one that was
      // put aside it is known what it was; it stays as it is.
      if (!(error instanceof RecordingCorruptError)) throw error;
      const { events, outputBytes, durationMs, head } = await this.#row(sessionId);
      found = { events, outputBytes, durationMs, head, tornBytes: 0 };
    }
    const { tornBytes, ...summary } = found;
    return { sessionId, summary, tornBytes };
  }

  async delete(sessionId: SessionId): Promise<void> {
    const row = await this.#row(sessionId);
    if (row.state === 'open') throw new SallyportError('bad_state', 'the recording is not closed');
    await this.#remove(row, sessionId);
  }

  async #remove(row: RecordingRecord, sessionId: SessionId): Promise<void> {
    await this.#files.removeFolder(this.#folder(folderName(row.startedAt, sessionId)));
    await this.#deps.catalogue.update(sessionId, { state: 'deleted' });
  }

  async deleteOlderThan(startedBefore: number, deleting: (sessionId: SessionId) => Promise<void>): Promise<number> {
    const kept = new Map<string, unknown>();
    let count = 0;
    for (;;) {
      const rows = await this.#deps.catalogue.olderThan(startedBefore, DELETE_BATCH + kept.size);
      const due = rows.filter((row) => !kept.has(row.sessionId));
      for (const row of due) {
        const sessionId = SessionId.parse(row.sessionId);
        await deleting(sessionId);
        try {
          await this.#remove(row, sessionId);
          count += 1;
        } catch (error) {
          kept.set(sessionId, error);
        }
      }
      if (due.length === 0) break;
    }
    if (kept.size === 0) return count;
    const [cause] = kept.values();
    throw new SallyportError('recording_unavailable', `${kept.size} old recordings cannot be deleted`, { cause });
  }

  async space(): Promise<{ freeFraction: number; state: 'ok' | 'warning' | 'refused' }> {
    const asking = inTime(this.#deps.clock, this.#files.freeFraction(this.#deps.directory));
    const freeFraction = await asking.catch((error: unknown) => {
      throw new SallyportError('recording_unavailable', 'free space cannot be told', { cause: error });
    });
    const state = freeFraction < REFUSED_FRACTION ? 'refused' : freeFraction < WARNING_FRACTION ? 'warning' : 'ok';
    return { freeFraction, state };
  }
}

async function walkAll(opened: OpenedRecording): Promise<WalkResult> {
  const events = opened.events(null);
  let step = await events.next();
  while (step.done !== true) step = await events.next();
  return step.value;
}

/** The recordings under `directory`. One object per data directory and process. */
export const createRecordings = (deps: RecordingsDeps): Recordings => new FileRecordings(deps);
