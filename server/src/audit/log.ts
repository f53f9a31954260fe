import { systemClock } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { SallyportError, codeOf } from '../errors.ts';
import type { AuditRecord, CheckpointRecord, Storage } from '../storage/contract.ts';
import { GENESIS, brokenLink, link } from './chain.ts';
import type { AuditEvent, AuditLog, NewAuditEvent } from './contract.ts';
import { openAuditSigner } from './signing.ts';
import type { AuditSigner } from './signing.ts';
import { AuditSpool, MAX_SPOOL_BYTES } from './spool.ts';

/** Events of one transaction: keeps one commit short (about 10 ms) under a storm. */
const MAX_BATCH = 500;
/** Events waiting for the writer; more than this and the storage is not keeping up. */
const MAX_WAITING = 10_000;
const CHECKPOINT_EVENTS = 1_000;
const CHECKPOINT_MS = 10_000;
/** How long the database is left alone after it failed. */
const RETRY_MS = 1_000;

export interface AuditLogOptions {
  readonly storage: Storage;
  readonly keyDirectory: string;
  /** `spool/audit.jsonl` of the data directory. */
  readonly spoolFile: string;
  readonly clock?: Clock;
  /** Each signed head, to be written to the log stream: an anchor outside the database. Must not throw. */
  readonly onCheckpoint?: (head: CheckpointRecord) => void;
  /** The database went away (true) or came back (false). Must not throw. */
  readonly onSpooling?: (isSpooling: boolean) => void;
  readonly maxSpoolBytes?: number;
}

interface Waiting {
  readonly event: NewAuditEvent;
  readonly resolve: (event: AuditEvent) => void;
  readonly reject: (error: unknown) => void;
}
interface Head {
  readonly sequence: number;
  readonly hash: string;
}

/** The audit log of a running gateway, with what operators and `audit verify` ask of it. */
export interface OpenAuditLog extends AuditLog {
  /** SPKI in PEM. */
  readonly publicKey: string;
  /** Last event, stored or spooled. */
  readonly head: Head;
}

/**
 * Opens the log: finds its head, brings in what an earlier run left in the spool.
 * @throws SallyportError audit_unavailable, key_missing, key_mismatch, config_invalid
 */
export async function openAuditLog(options: AuditLogOptions): Promise<OpenAuditLog> {
  const signer = await openAuditSigner(options.keyDirectory, options.storage);
  const log = new ChainedAuditLog(options, signer);
  await log.start();
  return log;
}

class ChainedAuditLog implements OpenAuditLog {
  readonly #options: AuditLogOptions;
  readonly #signer: AuditSigner;
  readonly #clock: Clock;
  readonly #spool: AuditSpool;
  #waiting: Waiting[] = [];
  #head: Head = { sequence: 0, hash: GENESIS };
  #signedThrough = 0;
  /** Head last given to the log stream: the same one is not told twice while the database is away. */
  #toldThrough = 0;
  #isSpooling = false;
  #retryAt = 0;
  #isClosed = false;
  /** INVARIANT: everything that writes runs in this chain, one after the other. */
  #tail: Promise<void> = Promise.resolve();
  #isFlushDue = false;
  #stopTimer: (() => void) | null = null;

  constructor(options: AuditLogOptions, signer: AuditSigner) {
    this.#options = options;
    this.#signer = signer;
    this.#clock = options.clock ?? systemClock;
    this.#spool = new AuditSpool(options.spoolFile, options.maxSpoolBytes ?? MAX_SPOOL_BYTES);
  }

  get publicKey(): string {
    return this.#signer.publicKey;
  }
  get head(): Head {
    return this.#head;
  }

  async start(): Promise<void> {
    const { audit } = this.#options.storage;
    const last = await audit.last();
    if (last !== null) this.#head = { sequence: last.sequence, hash: last.hash };
    const near = await audit.checkpoints(Math.max(0, this.#head.sequence - 4 * CHECKPOINT_EVENTS));
    this.#signedThrough = near.at(-1)?.sequence ?? 0;
    this.#toldThrough = this.#signedThrough;
    await this.#drain(last);
    if (this.#head.sequence > this.#signedThrough) this.#startTimer();
  }

  append(event: NewAuditEvent): Promise<AuditEvent> {
    if (this.#isClosed) return Promise.reject(new SallyportError('audit_unavailable', 'the audit log is closed'));
    if (this.#waiting.length >= MAX_WAITING)
      return Promise.reject(new SallyportError('audit_unavailable', `${MAX_WAITING} audit events wait already`));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ event, resolve, reject });
      this.#flushSoon();
    });
  }

  checkpoint(): Promise<void> {
    return this.#serial(async () => {
      await this.#flush();
      await this.#sign();
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return this.#tail;
    this.#isClosed = true;
    this.#stopTimer?.();
    await this.checkpoint();
  }

  /** Once per tick: what is appended until then shares one transaction. */
  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    setImmediate(() => {
      this.#isFlushDue = false;
      this.#inBackground(() => this.#flush());
    });
  }

  #serial(work: () => Promise<void>): Promise<void> {
    const done = this.#tail.then(work);
    this.#tail = done.catch(() => undefined);
    return done;
  }

  /** Nobody waits for it: a failure is the log's own, and the next checkpoint tries again. */
  #inBackground(work: () => Promise<void>): void {
    this.#serial(work).catch(() => this.#startTimer());
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, MAX_BATCH);
      await this.#write(batch);
      if (this.#head.sequence - this.#toldThrough >= CHECKPOINT_EVENTS) await this.#sign();
    }
    if (this.#head.sequence > this.#signedThrough) this.#startTimer();
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    const linked: { event: AuditEvent; record: AuditRecord; waiting: Waiting }[] = [];
    let head = this.#head;
    for (const waiting of batch) {
      try {
        const place = { sequence: head.sequence + 1, at: this.#clock.now(), previousHash: head.hash };
        const next = link(waiting.event, place);
        linked.push({ ...next, waiting });
        head = next.record;
      } catch (error) {
        waiting.reject(error);
      }
    }
    try {
      await this.#store(linked.map((one) => one.record));
      this.#head = { sequence: head.sequence, hash: head.hash };
      for (const { event, waiting } of linked) waiting.resolve(event);
    } catch (error) {
      for (const { waiting } of linked) waiting.reject(error);
    }
  }

  /** Into the database, or, while that is away, into the spool behind what waits there. */
  async #store(records: readonly AuditRecord[]): Promise<void> {
    if (this.#isSpooling && this.#clock.monotonic() >= this.#retryAt) await this.#tryDrain();
    if (!this.#isSpooling) {
      try {
        await this.#options.storage.audit.append(records);
        return;
      } catch (cause) {
        // Not away, but not ours alone any more: nothing may be written over what another one wrote.
        if (codeOf(cause) === 'conflict')
          throw new SallyportError('audit_unavailable', 'somebody else wrote to the audit log', { cause });
        this.#setSpooling(true);
      }
    }
    this.#spool.append(records);
  }

  #setSpooling(isSpooling: boolean): void {
    this.#retryAt = this.#clock.monotonic() + RETRY_MS;
    if (this.#isSpooling === isSpooling) return;
    this.#isSpooling = isSpooling;
    this.#options.onSpooling?.(isSpooling);
    if (isSpooling) this.#retrySoon();
  }

  #retrySoon(): void {
    this.#clock.after(RETRY_MS, () => {
      if (!this.#isSpooling || this.#isClosed) return;
      this.#inBackground(async () => {
        await this.#tryDrain();
        if (this.#isSpooling) this.#retrySoon();
      });
    });
  }

  async #tryDrain(): Promise<void> {
    if (!this.#isSpooling) return;
    try {
      await this.#drain(await this.#options.storage.audit.last());
      this.#setSpooling(false);
    } catch {
      this.#retryAt = this.#clock.monotonic() + RETRY_MS;
    }
  }

  /** Brings spooled rows into the database, in order. Rows that got there before a crash are not written twice. */
  async #drain(last: AuditRecord | null): Promise<void> {
    const rows = this.#spool.read();
    if (rows.length === 0) return;
    let previous: Head = last ?? { sequence: 0, hash: GENESIS };
    const fresh = rows.filter((row) => row.sequence > previous.sequence);
    for (const row of fresh) {
      const problem = brokenLink(row, previous);
      if (problem !== null) throw new SallyportError('audit_unavailable', `the audit spool does not fit: ${problem}`);
      previous = row;
    }
    for (let from = 0; from < fresh.length; from += MAX_BATCH)
      await this.#options.storage.audit.append(fresh.slice(from, from + MAX_BATCH));
    this.#spool.clear();
    this.#head = { sequence: previous.sequence, hash: previous.hash };
  }

  async #sign(): Promise<void> {
    const isNew = this.#head.sequence > (this.#isSpooling ? this.#toldThrough : this.#signedThrough);
    if (!isNew) return;
    const signed = this.#signer.sign({ ...this.#head, at: this.#clock.now() });
    // While the database is away the head goes to the log stream only; the table gets one when it is back.
    if (!this.#isSpooling) {
      try {
        await this.#options.storage.audit.addCheckpoint(signed);
        this.#signedThrough = signed.sequence;
      } catch {
        this.#startTimer();
      }
    }
    if (signed.sequence > this.#toldThrough) this.#options.onCheckpoint?.(signed);
    this.#toldThrough = signed.sequence;
  }

  #startTimer(): void {
    if (this.#stopTimer !== null || this.#isClosed) return;
    this.#stopTimer = this.#clock.after(CHECKPOINT_MS, () => {
      this.#stopTimer = null;
      this.#inBackground(async () => {
        await this.#sign();
        if (this.#head.sequence > this.#signedThrough) this.#startTimer();
      });
    });
  }
}
