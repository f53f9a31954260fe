/**
 * Writes one journal: seals, chains, writes, and only then calls `written`. INVARIANT (T7): nothing is called `written`
 * before write(2) has returned for the whole chunk that holds it; after a failure nothing is called at all.
 */
import type { Clock } from '../clock.ts';
import { toError } from '../errors.ts';
import type { WriterEvents } from './contract.ts';
import { CommandIndex } from './command-index.ts';
import type { DiskSlots } from './disk-slots.ts';
import { ChunkBuilder, MAX_EVENT_BYTES, type JournalEvent } from './event-codec.ts';
import type { JournalFile } from './files.ts';
import { beginSeal, sealChunk } from './format.ts';
import type { BegunSeal, Chain, ChainPoint, NonceKind, SealedChunk } from './format.ts';
import { SparseIndex } from './sparse-index.ts';

/** security.md section 4 "Recording write": no acknowledgement, or no flush, for so long = pause the target ... */
const SLOW_MS = 2000;
/** ... and so much longer = the session ends. */
const FAILED_MS = 5000;
/** security.md section 3: flushed to disk at least each 250 ms; the rest is for the flush itself. */
const SYNC_AFTER_MS = 200;

/** What one write in the turn of the event loop may hold: some 50 us of copying into the page cache. */
const MAX_TURN_BYTES = 256 * 1024;

interface Waiting {
  readonly event: JournalEvent;
  readonly timeMs: number;
  readonly written: (() => void) | undefined;
}

/** What stands in a journal that is gone on with. */
export interface Standing {
  readonly events: number;
  readonly outputBytes: number;
  /** Of its last event. */
  readonly durationMs: number;
  readonly index: SparseIndex;
  readonly commands: CommandIndex;
  /** Since its last chunk, in which nothing was written. */
  readonly gapMs: number;
}

/** One for all writers: a chunk is filled and sealed in one turn. */
const builder = new ChunkBuilder();

/** One journal being written. Never throws into its caller; failures go to `events.failed`. */
export class JournalWriter {
  readonly #file: JournalFile;
  readonly #chain: Chain;
  readonly #clock: Clock;
  readonly #slots: DiskSlots;
  readonly #events: WriterEvents;
  readonly #startedAt: number;
  readonly #nonces: NonceKind;
  readonly index: SparseIndex;
  readonly commands: CommandIndex;
  #point: ChainPoint;
  #begun: BegunSeal | null = null;
  #waiting: Waiting[] = [];
  #waitingSince = 0;
  #inFlight: Waiting[] = [];
  #flightSince = 0;
  #isFlying = false;
  #isScheduled = false;
  #state: 'open' | 'slow' | 'failed' = 'open';
  #cancelWatch: (() => void) | null = null;
  #isDirty = false;
  #cancelSync: (() => void) | null = null;
  #isSyncing = false;
  #syncSince = 0;
  #idleWaiters: (() => void)[] = [];
  #appendedBytes = 0;
  #writtenBytes = 0;
  #writtenEvents = 0;
  #lastTimeMs = 0;

  constructor(options: {
    file: JournalFile;
    chain: Chain;
    start: ChainPoint;
    clock: Clock;
    slots: DiskSlots;
    events: WriterEvents;
    /** Absent for a new journal; else `start` is behind it. */
    standing?: Standing;
  }) {
    const { standing } = options;
    this.#file = options.file;
    this.#chain = options.chain;
    this.#point = options.start;
    this.#clock = options.clock;
    this.#slots = options.slots;
    this.#events = options.events;
    this.#startedAt = options.clock.monotonic() - (standing === undefined ? 0 : standing.durationMs + standing.gapMs);
    this.#nonces = standing === undefined ? 'counted' : 'explicit';
    this.index = standing?.index ?? new SparseIndex();
    this.commands = standing?.commands ?? new CommandIndex();
    this.#writtenEvents = standing?.events ?? 0;
    this.#writtenBytes = this.#appendedBytes = standing?.outputBytes ?? 0;
    this.#lastTimeMs = standing?.durationMs ?? 0;
  }

  get appendedBytes(): number {
    return this.#appendedBytes;
  }
  get failed(): boolean {
    return this.#state === 'failed';
  }
  /** What is in the file: a reader of the live journal may go so far. */
  get written(): { point: ChainPoint; events: number; outputBytes: number; durationMs: number } {
    return {
      point: this.#point,
      events: this.#writtenEvents,
      outputBytes: this.#writtenBytes,
      durationMs: this.#lastTimeMs,
    };
  }

  append(event: JournalEvent, written?: () => void): void {
    if (this.#state === 'failed') return;
    const now = this.#clock.monotonic();
    if (this.#waiting.length === 0) this.#waitingSince = now;
    this.#push(event, now - this.#startedAt, written);
    if (!this.#isFlying) this.#schedule();
  }

  /** Later in this turn: what one socket read brings becomes one chunk. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    process.nextTick(this.#flush);
  }

  #push(event: JournalEvent, timeMs: number, written: (() => void) | undefined): void {
    if (event.type !== 'output') {
      this.#waiting.push({ event, timeMs, written });
      return;
    }
    const { bytes } = event;
    this.#appendedBytes += bytes.length;
    let from = 0;
    for (; bytes.length - from > MAX_EVENT_BYTES; from += MAX_EVENT_BYTES) {
      const piece = bytes.subarray(from, from + MAX_EVENT_BYTES);
      this.#waiting.push({ event: { type: 'output', bytes: piece }, timeMs, written: undefined });
    }
    const rest = from === 0 ? event : { type: 'output' as const, bytes: bytes.subarray(from) };
    this.#waiting.push({ event: rest, timeMs, written });
  }

  readonly #flush = (): void => {
    this.#isScheduled = false;
    if (this.#isFlying || this.#waiting.length === 0 || this.#state === 'failed') return;
    const plain = this.#takeChunk();
    const begun = this.#begun?.point === this.#point ? this.#begun : this.#nonces;
    const chunk = sealChunk(this.#chain, this.#point, plain, begun);
    this.#begun = null;
    const count = chunk.length <= MAX_TURN_BYTES && this.#slots.isPrompt() ? this.#writeNow(chunk) : 0;
    if (count === chunk.length) this.#landed(chunk.next);
    else if (count !== null) this.#fly(chunk, count);
  };

  /** @returns bytes written, or null after a failure */
  #writeNow({ pieces }: SealedChunk): number | null {
    try {
      return this.#slots.runNow(() => this.#file.writeNow(pieces, this.#point.position));
    } catch (error) {
      this.#fail(toError(error));
      return null;
    }
  }

  /** What is left of the chunk from `from` on goes through the thread pool. */
  #fly({ pieces, next }: SealedChunk, from: number): void {
    const [first] = pieces;
    const bytes = pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces);
    this.#isFlying = true;
    this.#watch();
    this.#slots.run('write', (done) => {
      this.#write(bytes, from, next, done);
    });
  }

  #takeChunk(): Uint8Array {
    builder.start(this.#clock.now());
    let taken = 0;
    for (const item of this.#waiting) {
      if (!builder.add(item.event, item.timeMs)) break;
      taken += 1;
    }
    this.#flightSince = this.#waitingSince;
    if (taken === this.#waiting.length) {
      this.#inFlight = this.#waiting;
      this.#waiting = [];
    } else {
      this.#inFlight = this.#waiting.splice(0, taken);
    }
    return builder.bytes();
  }

  #write(bytes: Buffer, from: number, next: ChainPoint, done: () => void): void {
    if (this.#state === 'failed') {
      done(); // It failed while this waited for its turn.
      return;
    }
    const piece = from === 0 ? bytes : bytes.subarray(from);
    this.#file.write(piece, this.#point.position + from, (error, count) => {
      const isPart = error === null && count > 0 && from + count < bytes.length;
      if (isPart && this.#state !== 'failed') {
        this.#write(bytes, from + count, next, done);
        return;
      }
      done();
      if (this.#state === 'failed') return;
      if (error !== null) this.#fail(error);
      else if (count === 0) this.#fail(new Error('nothing more could be written to the journal'));
      else this.#landed(next);
    });
  }

  #landed(next: ChainPoint): void {
    this.index.add(this.#point, this.#writtenEvents, this.#writtenBytes, this.#lastTimeMs);
    this.#point = next;
    const landed = this.#inFlight;
    this.#inFlight = [];
    this.#isFlying = false;
    for (const { event, timeMs } of landed) {
      this.#lastTimeMs = timeMs;
      if (event.type === 'header' || event.type === 'end') continue;
      this.commands.add(event, this.#writtenBytes);
      this.#writtenEvents += 1;
      if (event.type === 'output') this.#writtenBytes += event.bytes.length;
    }
    this.#markDirty();
    this.#answered();
    for (const { written } of landed) written?.();
    if (this.#waiting.length > 0) this.#schedule();
    else {
      this.#wake();
      process.nextTick(this.#begin);
    }
  }

  /** For the next chunk, behind the delivery of this one: whatever it queued for this turn leaves first. */
  readonly #begin = (): void => {
    if (this.#isFlying || this.#state === 'failed') return;
    this.#begun = beginSeal(this.#chain, this.#point, this.#nonces);
  };

  /** How long the disk owes an answer: to the write under way or to the flush. */
  #lateMs(): number {
    const now = this.#clock.monotonic();
    return Math.max(this.#isFlying ? now - this.#flightSince : 0, this.#isSyncing ? now - this.#syncSince : 0);
  }

  #answered(): void {
    if (this.#state !== 'slow' || this.#lateMs() >= SLOW_MS) return;
    this.#state = 'open';
    this.#events.recovered();
  }

  /** Armed when work goes to the disk; fires at most once per SLOW_MS while there is some. */
  #watch(): void {
    this.#cancelWatch ??= this.#clock.after(SLOW_MS, this.#onWatch);
  }

  readonly #onWatch = (): void => {
    this.#cancelWatch = null;
    if (this.#state === 'failed' || !(this.#isFlying || this.#isSyncing)) return;
    const lateMs = this.#lateMs();
    if (lateMs >= SLOW_MS + FAILED_MS) {
      this.#fail(new Error(`no answer of the disk for ${Math.round(lateMs)} ms`));
      return;
    }
    if (lateMs >= SLOW_MS && this.#state === 'open') {
      this.#state = 'slow';
      this.#events.slow();
    }
    const nextAt = lateMs >= SLOW_MS ? SLOW_MS + FAILED_MS : SLOW_MS;
    this.#cancelWatch = this.#clock.after(Math.max(1, nextAt - lateMs), this.#onWatch);
  };

  #markDirty(): void {
    this.#isDirty = true;
    if (this.#isSyncing) return;
    this.#cancelSync ??= this.#clock.after(SYNC_AFTER_MS, this.#sync);
  }

  readonly #sync = (): void => {
    this.#cancelSync = null;
    if (this.#isSyncing || !this.#isDirty || this.#state === 'failed') return;
    this.#isSyncing = true;
    this.#syncSince = this.#clock.monotonic();
    this.#isDirty = false;
    this.#watch();
    this.#slots.run('sync', (done) => {
      this.#file.sync((error) => {
        done();
        this.#synced(error);
      });
    });
  };

  #synced(error: Error | null): void {
    this.#isSyncing = false;
    if (this.#state === 'failed') return;
    if (error !== null) {
      this.#fail(error);
      return;
    }
    this.#answered();
    if (this.#isDirty) this.#markDirty();
    this.#wake();
  }

  #fail(error: Error): void {
    if (this.#state === 'failed') return;
    this.#state = 'failed';
    this.#cancelWatch?.();
    this.#cancelSync?.();
    this.#waiting = [];
    this.#inFlight = [];
    this.#events.failed(error);
    this.#wake();
  }

  #wake(): void {
    const waiters = this.#idleWaiters;
    if (waiters.length === 0) return;
    this.#idleWaiters = [];
    for (const waiter of waiters) waiter();
  }

  /** Resolves when all that was appended is written and flushed to disk, or the journal has failed. */
  async settle(): Promise<void> {
    while (this.#state !== 'failed') {
      if (!this.#isFlying && this.#waiting.length === 0) {
        if (!this.#isDirty && !this.#isSyncing) return;
        this.#cancelSync?.();
        this.#sync();
      }
      await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    }
  }

  /** Stops the timers; the owner closes the file. */
  stop(): void {
    this.#cancelWatch?.();
    this.#cancelSync?.();
    this.#state = 'failed';
    this.#waiting = [];
    this.#wake();
  }
}
