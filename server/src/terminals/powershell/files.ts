/**
 * Files of a target that has PowerShell and no SFTP: the same face over a runspace pool of their own, one pipeline a request.
 * The pool has one runspace, so requests are answered in their order; handles of files live in it and end with it.
 */
import { randomUUID } from 'node:crypto';
import { NULL_HOST, PsObject, unwrap } from '@sallyport/psrp';
import type { ClientEvent, CommandParameter, PipelineCommand, PsValue } from '@sallyport/psrp';
import type { ErrorCode } from '@sallyport/shared/error-codes';
import { visibleText } from '@sallyport/shared/terminal-output/visible-text';
import type { Clock } from '../../clock.ts';
import { SallyportError } from '../../errors.ts';
import type { OpenPool, RemoteEntry, RemoteFile, RemoteFiles } from '../../transports/contract.ts';
import { COMMANDS, ENTRIES_A_BATCH, PRELUDE } from './files-script.ts';
import { Jobs } from './jobs.ts';
import { PoolLink } from './pool-link.ts';
import { plainValue, type PlainValue } from './plain-value.ts';
import { shownPath, typedWindowsPath, windowsPath } from './target-path.ts';

const OPEN_MS = 30_000;
const CLOSE_MS = 2_000;
/** Without any answer while one is owed. */
const QUIET_MS = 60_000;
/** Without a request and without an open file: the target's second PowerShell is let go. */
const IDLE_MS = 120_000;
/** What one request reads; two of them are under way, so that the line is never idle. */
const READ_BYTES = 1024 * 1024;
const READS_AHEAD = 2;
/** What one request writes. */
const WRITE_BYTES = 256 * 1024;
/** Requests at the target at once; others wait here. */
const MAX_UNDER_WAY = 8;
/** Objects that an answer may have beside its contents. */
const MAX_OBJECTS = 64;
const MAX_TEXT = 4000;

/** Classes of .NET's exceptions; any other is `file_failed`. */
const FAULTS: ReadonlyMap<PlainValue, ErrorCode> = new Map<PlainValue, ErrorCode>([
  ['FileNotFoundException', 'file_not_found'],
  ['DirectoryNotFoundException', 'file_not_found'],
  ['DriveNotFoundException', 'file_not_found'],
  ['UnauthorizedAccessException', 'file_refused'],
  ['SecurityException', 'file_refused'],
  ['SallyportRefused', 'file_refused'],
]);
const KINDS: ReadonlyMap<PlainValue | undefined, RemoteEntry['kind']> = new Map([
  ['file', 'file'],
  ['directory', 'directory'],
  ['link', 'link'],
  ['other', 'other'],
]);

type Values = Readonly<Record<string, PsValue>>;
interface Answer {
  readonly bytes: readonly Uint8Array[];
  readonly values: readonly PlainValue[];
}
interface Request {
  readonly answer: Promise<Answer>;
  /** Nobody waits for the answer any more. */
  drop(): void;
}
const isRecord = (value: PlainValue | undefined): value is { readonly [name: string]: PlainValue } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const broken = (): SallyportError => new SallyportError('file_failed', 'the target gave no fitting answer');
const lost = (): SallyportError => new SallyportError('target_lost', 'the runspace of the files has ended');

/** A name that leads elsewhere, or is none, is not shown: a target that sends one is broken or worse. */
const isName = (name: string): boolean => name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);

function entryOf([name, kind, size, seconds]: readonly (PlainValue | undefined)[]): RemoteEntry {
  const known = KINDS.get(kind);
  if (typeof name !== 'string' || known === undefined) throw broken();
  if (typeof size !== 'number' || size < 0 || !Number.isSafeInteger(size)) throw broken();
  if (typeof seconds !== 'number' || !Number.isSafeInteger(seconds * 1000)) throw broken();
  return { name, kind: known, size, modifiedAt: seconds * 1000 };
}

function faultOf({ fault = null, text }: { readonly [name: string]: PlainValue }): SallyportError {
  const peerText = visibleText(typeof text === 'string' ? text : '', MAX_TEXT);
  return new SallyportError(FAULTS.get(fault) ?? 'file_failed', 'request for files failed', { peerText });
}

/** Takes what a request gives out. */
class Collector {
  readonly bytes: Uint8Array[] = [];
  readonly values: PlainValue[] = [];
  readonly #maxBytes: number;
  readonly #maxValues: number;
  #count = 0;
  fault: SallyportError | null = null;
  constructor(maxBytes: number, maxValues: number) {
    this.#maxBytes = maxBytes;
    this.#maxValues = maxValues;
  }
  /** @returns false when it is more than was asked for */
  take(value: PsValue): boolean {
    const inner = value instanceof PsObject ? unwrap(value) : value;
    if (inner instanceof Uint8Array) {
      this.#count += inner.length;
      this.bytes.push(inner);
    } else {
      const plain = plainValue(value);
      if (isRecord(plain) && 'fault' in plain) this.fault ??= faultOf(plain);
      else this.values.push(plain);
    }
    return this.#count <= this.#maxBytes && this.values.length <= this.#maxValues;
  }
}

/** What files need of a target. */
export interface PowerShellFilesOptions {
  /** Of a PowerShell of its own. */
  readonly openPool: OpenPool;
  readonly clock: Clock;
}

class PowerShellFiles implements RemoteFiles {
  readonly over = 'powershell';
  readonly #clock: Clock;
  readonly #link: PoolLink;
  readonly #jobs: Jobs;
  readonly #failures = new Set<(error: SallyportError) => void>();
  readonly #queue: (() => void)[] = [];
  #underWay = 0;
  #openFiles = 0;
  #lost: SallyportError | null = null;
  #isWindows = false;
  #closing: Promise<void> | null = null;
  #poolClosed: () => void = () => undefined;
  #cancelTimer: () => void = () => undefined;

  constructor({ openPool, clock }: PowerShellFilesOptions) {
    this.#clock = clock;
    this.#link = new PoolLink({
      openPool,
      title: 'files',
      event: (event) => this.#event(event),
      batchDone: () => this.#watch(),
      // Nobody comes back for files, and who ended their runspace (the session, mostly) is not known here.
      lost: ({ reason: given, detail }) => {
        const code = given === 'session_left' || given === 'target_shell_gone' ? 'target_lost' : given;
        this.#fail(new SallyportError(code, 'the runspace of the files is lost', { peerText: detail }));
      },
    });
    this.#jobs = new Jobs(this.#link, () => NULL_HOST);
  }

  async start(): Promise<void> {
    const { signal } = new AbortController();
    try {
      await this.#link.open({ cols: 80, rows: 24 }, { clock: this.#clock, ms: OPEN_MS, signal });
      const { values } = await this.#ask({ command: PRELUDE, isScript: true }).answer;
      const facts = values.find(isRecord);
      if (facts === undefined) throw broken();
      this.#isWindows = facts['separator'] === '\\';
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  get isOver(): boolean {
    return this.#lost !== null;
  }

  // ---- requests

  #event(event: ClientEvent): void {
    if (event.type === 'poolState') {
      this.#poolClosed();
      this.#fail(lost());
    } else if ('pipelineId' in event && event.pipelineId !== null)
      this.#jobs.tell({ ...event, pipelineId: event.pipelineId });
  }

  #fail(error: SallyportError): void {
    this.#lost ??= error;
    this.#cancelTimer();
    for (const reject of [...this.#failures]) reject(this.#lost);
    this.#jobs.clear();
    void this.#link.closeChannel();
  }

  /** Sets the clock anew after each sign of life. */
  #watch(): void {
    this.#cancelTimer();
    if (this.#lost !== null) return;
    if (this.#underWay > 0)
      this.#cancelTimer = this.#clock.after(QUIET_MS, () =>
        this.#fail(new SallyportError('target_timeout', 'the target gives no answer about files')),
      );
    else if (this.#openFiles === 0) this.#cancelTimer = this.#clock.after(IDLE_MS, () => void this.close());
  }

  /** Runs in its turn, and is told of the end of the pool whenever that comes. */
  #ask(command: PipelineCommand, maxBytes = 0, maxValues = MAX_OBJECTS): Request {
    const taken = new Collector(maxBytes, maxValues);
    let pipelineId: string | null = null;
    let isDropped = false;
    const answer = new Promise<Answer>((resolve, reject) => {
      const fail = (error: SallyportError): void => {
        this.#failures.delete(fail);
        reject(error);
      };
      if (this.#lost !== null || !this.#link.isOpen) {
        reject(this.#lost ?? lost());
        return;
      }
      this.#failures.add(fail);
      const ended = (event: Extract<ClientEvent, { type: 'pipelineState' }>): void => {
        this.#failures.delete(fail);
        this.#underWay -= 1;
        if (event.state === 'Completed' && taken.fault === null) resolve(taken);
        else reject(taken.fault ?? this.#refusal(event));
        this.#next();
      };
      const run = (): void => {
        if (isDropped) {
          fail(lost());
          this.#next();
          return;
        }
        this.#underWay += 1;
        pipelineId = this.#jobs.start([command], { pipelineId: randomUUID() }, (event) => {
          if (event.type === 'pipelineState') ended(event);
          else if (event.type === 'hostCall' || (event.type === 'output' && !taken.take(event.value))) {
            taken.fault ??= broken();
            this.#jobs.stop(event.pipelineId);
          } else if (event.type === 'error') taken.fault ??= this.#refused(event.record.message);
        });
        this.#link.send();
        this.#watch();
      };
      this.#queue.push(run);
      this.#next();
    });
    const drop = (): void => {
      isDropped = true;
      if (pipelineId !== null && this.#link.isOpen) this.#jobs.stop(pipelineId);
    };
    return { answer, drop };
  }
  #next(): void {
    while (this.#link.isOpen && this.#underWay < MAX_UNDER_WAY && this.#queue.length > 0) this.#queue.shift()?.();
  }
  #refused(text: string): SallyportError {
    return new SallyportError('file_refused', 'the endpoint runs no such request', {
      peerText: visibleText(text, MAX_TEXT),
    });
  }
  #refusal({ state, error }: Extract<ClientEvent, { type: 'pipelineState' }>): SallyportError {
    if (this.#link.isBroken) return lost();
    if (state === 'Stopped') return new SallyportError('cancelled', 'the request was stopped');
    return this.#refused(error?.message ?? '');
  }

  request(name: keyof typeof COMMANDS, values: Values, maxBytes = 0, maxValues = MAX_OBJECTS): Request {
    const parameters: CommandParameter[] = Object.entries(values).map(([each, value]) => ({ name: each, value }));
    return this.#ask({ command: COMMANDS[name], parameters }, maxBytes, maxValues);
  }

  // ---- RemoteFiles

  #native(path: string): string {
    return this.#isWindows ? windowsPath(path) : path;
  }

  async resolve(path: string): Promise<string> {
    if (this.#isWindows && path === '/') return path;
    const typed = this.#isWindows ? typedWindowsPath(path) : path;
    const [full] = (await this.request('full', { Path: typed }).answer).values;
    if (typeof full !== 'string') throw broken();
    if (!this.#isWindows) return full.length > 1 ? full.replace(/\/+$/, '') : full;
    const shown = shownPath(full);
    windowsPath(shown); // A way around the rules about names shows here at the latest.
    return shown;
  }

  async list(path: string, limit: number): Promise<{ entries: RemoteEntry[]; isCut: boolean }> {
    const batches = Math.ceil(limit / ENTRIES_A_BATCH) + 3;
    const { values } = await this.request('list', { Path: this.#native(path), Limit: limit }, 0, batches).answer;
    const end = values.at(-1);
    if (!isRecord(end)) throw broken();
    const cells = values
      .slice(0, -1)
      .flatMap((batch) => (Array.isArray(batch) ? (batch as readonly PlainValue[]) : []));
    const entries: RemoteEntry[] = [];
    for (let at = 0; at < cells.length && entries.length < limit; at += 4) {
      const entry = entryOf(cells.slice(at, at + 4));
      if (isName(entry.name)) entries.push(entry);
    }
    return { entries, isCut: end['isCut'] === true };
  }

  async look(path: string): Promise<RemoteEntry | null> {
    try {
      const [cells] = (await this.request('look', { Path: this.#native(path) }).answer).values;
      if (!Array.isArray(cells)) throw broken();
      return entryOf([path.slice(path.lastIndexOf('/') + 1), ...(cells as readonly PlainValue[])]);
    } catch (error) {
      if (error instanceof SallyportError && error.code === 'file_not_found') return null;
      throw error;
    }
  }

  async open(path: string, mode: 'read' | 'create' | 'continue'): Promise<RemoteFile> {
    const id = randomUUID();
    const [cells] = (await this.request('open', { Path: this.#native(path), Mode: mode, Id: id }).answer).values;
    if (!Array.isArray(cells)) throw broken();
    const { size, modifiedAt } = entryOf([path, ...(cells as readonly PlainValue[])]);
    this.#openFiles += 1;
    return new PowerShellFile(this, id, size, modifiedAt, () => (this.#openFiles -= 1));
  }

  async rename(from: string, to: string): Promise<void> {
    await this.request('rename', { From: this.#native(from), To: this.#native(to) }).answer;
  }
  async remove(path: string): Promise<void> {
    await this.request('remove', { Path: this.#native(path) }).answer;
  }

  close(): Promise<void> {
    this.#closing ??= this.#leave();
    return this.#closing;
  }
  async #leave(): Promise<void> {
    if (this.#lost === null && this.#link.isOpen) {
      const said = new Promise<void>((resolve) => (this.#poolClosed = resolve));
      const late = this.#clock.after(CLOSE_MS, () => this.#poolClosed());
      this.#link.close();
      await said;
      late();
    }
    this.#fail(lost());
    await this.#link.closeChannel();
  }
}

class PowerShellFile implements RemoteFile {
  readonly size: number;
  readonly modifiedAt: number;
  readonly #files: PowerShellFiles;
  readonly #id: string;
  readonly #closed: () => void;
  #closing: Promise<void> | null = null;
  constructor(files: PowerShellFiles, id: string, size: number, modifiedAt: number, closed: () => void) {
    this.#files = files;
    this.#id = id;
    this.size = size;
    this.modifiedAt = modifiedAt;
    this.#closed = closed;
  }

  async *read(offset: number): AsyncGenerator<Uint8Array, void, undefined> {
    const ahead: Request[] = [];
    let next = offset;
    const ask = (): void => {
      const values = { Id: this.#id, Offset: BigInt(next), Count: READ_BYTES };
      const request = this.#files.request('read', values, READ_BYTES);
      request.answer.catch(() => undefined); // Whoever waits for it is told; nobody may be waiting yet.
      ahead.push(request);
      next += READ_BYTES;
    };
    try {
      // One more than there is to read, so that a file that grew meanwhile is read to its end.
      while (ahead.length < READS_AHEAD && next <= this.size) ask();
      for (let head = ahead.shift(); head !== undefined; head = ahead.shift()) {
        const { bytes } = await head.answer;
        yield* bytes;
        if (bytes.reduce((sum, { length }) => sum + length, 0) < READ_BYTES) return;
        ask();
      }
    } finally {
      for (const request of ahead) request.drop();
    }
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    const pieces: Promise<unknown>[] = [];
    for (let at = 0; at < bytes.length; at += WRITE_BYTES) {
      const values = { Id: this.#id, Offset: BigInt(offset + at), Bytes: bytes.subarray(at, at + WRITE_BYTES) };
      pieces.push(this.#files.request('write', values).answer);
    }
    await Promise.all(pieces);
  }

  close(): Promise<void> {
    this.#closing ??= this.#files
      .request('close', { Id: this.#id })
      .answer.then(() => undefined)
      .finally(this.#closed);
    return this.#closing;
  }
}

/**
 * Opens a PowerShell of its own for files.
 * @throws SallyportError as opening a console does; file_refused where the endpoint runs no scripts
 */
export async function openPowerShellFiles(options: PowerShellFilesOptions): Promise<RemoteFiles> {
  const files = new PowerShellFiles(options);
  await files.start();
  return files;
}
