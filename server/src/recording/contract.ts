/**
 * Terminal recordings: written before delivered, sealed at rest, hash-chained. security.md section 3 "Recording and audit".
 * The broker owns the writer of a live session; readers work on live and ended recordings alike.
 */
import type { SessionId } from '@sallyport/shared/ids';

export type RecordedEvent =
  /** Terminal bytes as they were sent towards the page, raw. */
  | { readonly type: 'output'; readonly bytes: Uint8Array }
  | { readonly type: 'resize'; readonly cols: number; readonly rows: number }
  /** Start and end of a command; `number` is the ledger's, `offset` where its echo starts in the output, once known. */
  | { readonly type: 'command'; readonly number: number; readonly state: string; readonly offset?: number }
  | { readonly type: 'title'; readonly text: string }
  | { readonly type: 'clear' }
  /** Something about the session that is no output: attached, detached, taken over, question asked (never its answer). */
  | { readonly type: 'note'; readonly text: string };

/** An event as read back. `timeMs`: monotonic milliseconds since the start. `offset`: output bytes before it. */
export interface TimedEvent {
  readonly index: number;
  readonly timeMs: number;
  readonly offset: number;
  readonly event: RecordedEvent;
}

export interface RecordingHeader {
  readonly sessionId: SessionId;
  readonly startedAt: number;
  readonly cols: number;
  readonly rows: number;
  readonly kind: 'powershell' | 'pty';
  readonly user: string;
  readonly target: string;
  readonly identity: string;
}

export interface RecordingSummary {
  readonly events: number;
  readonly outputBytes: number;
  readonly durationMs: number;
  /** Hash of the last chunk of the chain, hex. */
  readonly head: string;
}

export interface RecordingWriter {
  /** Output bytes appended so far: the stream offset. */
  readonly outputBytes: number;
  /** Output bytes that are in the file: a reader may ask for so many. */
  readonly writtenBytes: number;
  /**
   * Appends one event. `written` is called, in order, once the event is in the file (it survives a kill -9 of the
   * gateway); only then it may be delivered. Never throws: a failure goes to `failed` and nothing is called after it.
   */
  append(event: RecordedEvent, written?: () => void): void;
  /**
   * Writes the end, seals, flushes to disk, enters the head in the catalogue. Idempotent; settles in bounded time.
   * @throws SallyportError recording_unavailable when the disk failed or did not answer: recovery closes it at the next start
   */
  close(reason: string): Promise<RecordingSummary>;
  /**
   * Writes and flushes what there is and lets go of the file, without an end: `reopen` goes on. Where it stood is entered
   * in the catalogue, and what is shorter, longer or other than that is not gone on with. Idempotent; settles in bounded
   * time. @throws SallyportError recording_unavailable
   */
  rest(): Promise<RecordingSummary>;
}
export interface WriterEvents {
  /** No acknowledgement of a write or a flush for 2 s: pause the target. */
  slow(): void;
  /** It goes again. */
  recovered(): void;
  /** It failed, or 5 s more have passed. The session must end with recording_unavailable. */
  failed(error: Error): void;
}

export interface Recordings {
  /** @throws SallyportError recording_space below 5 % free, recording_unavailable when it cannot be created */
  create(header: RecordingHeader, events: WriterEvents): Promise<RecordingWriter>;
  /**
   * Goes on with a recording that was put aside, or that a dead gateway left open: a torn tail is cut off; chain, key, offsets
   * and time go on, and a note says how long nothing was written. All of it is read and proven first.
   * @throws SallyportError not_found; bad_state when it is written now or has its end; recording_corrupt;
   * (also when it is not what was put aside); secret_unreadable; recording_unavailable
   */
  reopen(sessionId: SessionId, events: WriterEvents): Promise<RecordingWriter>;
  /** Output bytes [from, to) of a live or ended recording, in pieces. For resume: exact. */
  readOutput(sessionId: SessionId, from: number, to: number): AsyncIterable<Uint8Array>;
  /** All events from `fromIndex` on. @throws SallyportError recording_corrupt at the first bad chunk, after the good ones */
  readEvents(sessionId: SessionId, fromIndex?: number): AsyncIterable<TimedEvent>;
  header(sessionId: SessionId): Promise<RecordingHeader>;
  /** Where each command starts in the output, by its number: from the index, or as far as the recording can be read. */
  commandOffsets(sessionId: SessionId): Promise<ReadonlyMap<number, number>>;
  /** The last `maxBytes` of output, cut at a line start where possible. `offset`: where it starts. */
  tail(sessionId: SessionId, maxBytes: number): Promise<{ offset: number; bytes: Uint8Array }>;
  /** Reads the whole chain now. `broken`: changed, damaged or cut since it was sealed; `firstBad` is the event index there. */
  check(sessionId: SessionId): Promise<RecordingCheck>;
  /**
   * At start: closes what a dead gateway left open. Whole valid chunks are kept, a torn tail is cut off and said. One that
   * cannot be closed (its key or its file is unreadable) is told to `failed`, stays open, and does not stop the others.
   * Those that `isKept` names are left as they are: `reopen` goes on with them.
   */
  recover(
    failed: (sessionId: SessionId, error: unknown) => Promise<void>,
    isKept?: (sessionId: SessionId) => boolean,
  ): Promise<readonly RecoveredRecording[]>;
  /** Deletes one that is closed. @throws SallyportError not_found; bad_state while it is written */
  delete(sessionId: SessionId): Promise<void>;
  /**
   * Deletes recordings that started before `startedBefore`; `deleting` is awaited first for each (audit), a rejection
   * keeps it and stops. One that the disk does not give up does not stop the others.
   * @throws SallyportError recording_unavailable at the end, when some could not be deleted
   */
  deleteOlderThan(startedBefore: number, deleting: (sessionId: SessionId) => Promise<void>): Promise<number>;
  /** Free space of the file system: below 20 % `warning`, below 5 % `refused` (no new session). */
  space(): Promise<{ readonly freeFraction: number; readonly state: 'ok' | 'warning' | 'refused' }>;
}

export interface RecordingCheck {
  readonly chain: 'verified' | 'broken' | 'open';
  readonly firstBad: number | null;
  readonly summary: RecordingSummary;
}
export interface RecoveredRecording {
  readonly sessionId: SessionId;
  readonly summary: RecordingSummary;
  /** Bytes of a chunk that was being written when the gateway died, never acknowledged, cut off. */
  readonly tornBytes: number;
}

/**
 * Data keys of recordings, wrapped by the vault; `app` implements it (this room may not import the vault).
 * The key is 32 random bytes, one per session.
 */
export interface RecordingKeys {
  create(sessionId: SessionId): { readonly key: Uint8Array; readonly sealed: Uint8Array };
  /** @throws SallyportError secret_unreadable */
  open(sessionId: SessionId, sealed: Uint8Array): Uint8Array;
}
