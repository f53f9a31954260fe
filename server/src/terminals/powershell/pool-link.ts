/** A runspace pool over one channel: bytes in, events out, what may be sent is sent, the key for secrets is made. */
import { randomUUID } from 'node:crypto';
import { consoleHostInfo, PsrpError, versionTable } from '@sallyport/psrp';
import type {
  ClientEvent,
  CommandMetadataOptions,
  HostAnswer,
  HostCallOf,
  HostMethodName,
  PipelineOptions,
  PsSecureString,
} from '@sallyport/psrp';
import { isErrorCode } from '@sallyport/shared/error-codes';
import type { ErrorCode } from '@sallyport/shared/error-codes';
import { visibleText } from '@sallyport/shared/terminal-output/visible-text';
import type { Clock } from '../../clock.ts';
import { SallyportError, toError, toldOf } from '../../errors.ts';
import type { LeftCall, LeftPool, OpenPool, PoolChannel, PoolClient, PoolEnd } from '../../transports/contract.ts';
import type { TerminalEnd } from '../contract.ts';
import { KeyExchange, sessionCipher } from './session-key.ts';

const MAX_DETAIL = 4000;

/** Whom the link tells. */
export interface PoolLinkOptions {
  readonly openPool: OpenPool;
  readonly title: string;
  /** The pool to go on with; a new one without. */
  readonly rejoin?: LeftPool;
  /** What there is to go on with, should the channel be gone, is other now. */
  leftChanged?(): void;
  /** The version of the target's PowerShell, where it is told once the pool is open already. */
  version?(version: string): void;
  /** Every event after the pool was opened. */
  event(event: ClientEvent): void;
  /** All events of one read were told. */
  batchDone(): void;
  /** The peer broke the rules or the channel is gone. */
  lost(end: TerminalEnd): void;
}

/** How long opening may take, and who may give it up. */
export interface OpeningLimit {
  readonly clock: Clock;
  readonly ms: number;
  readonly signal: AbortSignal;
}

interface Opening {
  resolve(version: string | null): void;
  reject(error: SallyportError): void;
}

/** The code a person sees for an error of the codec: one for all faults of CLIXML, which is named in the detail. */
function codeOfPeer(error: PsrpError): ErrorCode {
  if (error.code.startsWith('clixml_')) return 'clixml_error';
  return isErrorCode(error.code) ? error.code : 'internal';
}
const detailOfPeer = (error: PsrpError): string =>
  visibleText(error.code.startsWith('clixml_') ? `${error.code}: ${error.message}` : error.message, MAX_DETAIL);

/** What shells give for a program that is not there: 126 and 127 on Unix; 1 with text, 3 and 9009 from cmd.exe. */
const NOT_FOUND_STATUS: ReadonlySet<number> = new Set([126, 127, 3, 9009]);
/** The texts of cmd.exe and PowerShell; translated ones are shown as they are, under the general code. */
const NOT_FOUND =
  /is not recognized as (?:an internal|a name|the name)|cannot find the (?:path|file) specified|No such file or directory|command not found/i;

/** A link that lives says how its program ended: then the shell is gone, and nothing else is lost. */
function codeOfEnd({ code, error, exitCode, signal }: PoolEnd): ErrorCode {
  if (code !== undefined) return code;
  if (error instanceof SallyportError) return error.code;
  return error === null && (exitCode !== null || signal !== null) ? 'target_shell_gone' : 'target_lost';
}
function detailOfEnd({ detail, error, exitCode, signal }: PoolEnd): string {
  if (detail !== undefined) return detail;
  if (error !== null) return toldOf(error).peerText;
  if (signal !== null) return `PowerShell was ended by signal ${visibleText(signal, 40, false)}`;
  return exitCode === null ? '' : `PowerShell ended with status ${String(exitCode)}`;
}
/** A link that breaks while the pool is in use. */
function lossOf(end: PoolEnd): TerminalEnd {
  const { explanation, at: hop } = toldOf(end.error);
  const own = { reason: codeOfEnd(end), exitCode: null, detail: detailOfEnd(end), hop };
  return { ...own, explanation: end.explanation ?? explanation };
}

/** One pool on one channel. */
export class PoolLink {
  readonly poolId: string;
  readonly #options: PoolLinkOptions;
  readonly #channel: PoolChannel;
  readonly #client: PoolClient;
  readonly #keys = new KeyExchange();
  readonly #over = new AbortController();
  #opening: Opening | null = null;
  #version: string | null = null;
  #peerText = '';
  #hasAnswered = false;
  #isPaused = false;
  #keyWaiters: (() => void)[] = [];

  constructor(options: PoolLinkOptions) {
    this.#options = options;
    this.poolId = options.rejoin?.poolId ?? randomUUID();
    const own = { poolId: this.poolId, newId: () => randomUUID(), cipher: sessionCipher };
    this.#channel = options.openPool(
      // A client that was cut off has perhaps had half a message.
      { ...own, skipToStart: options.rejoin !== undefined },
      {
        events: (events) => this.#received(events),
        leftChanged: () => this.#options.leftChanged?.(),
        closed: (end) => this.#closed(end),
      },
    );
    this.#client = this.#channel.client;
  }

  /** Under which ids the target knows the pool. */
  get ids(): { readonly runspacePoolId: string; readonly shellId: string | null } {
    return { runspacePoolId: this.poolId, shellId: this.#channel.shellId };
  }
  get isOpen(): boolean {
    return this.#client.state === 'Opened';
  }
  /** Of the target's PowerShell; null while it has not told. */
  get version(): string | null {
    return this.#version;
  }
  get isBroken(): boolean {
    return this.#client.state === 'Broken';
  }
  get isClosed(): boolean {
    return this.#client.state === 'Closed';
  }
  get isPaused(): boolean {
    return this.#isPaused;
  }
  /** Fires when the channel is given up. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /**
   * Opens channel and pool. @returns the version of the target's PowerShell
   * @throws SallyportError powershell_missing, powershell_open_failed, cancelled
   */
  open(size: { cols: number; rows: number }, limit: OpeningLimit): Promise<string | null> {
    return this.#within(limit, async (opened) => {
      this.#channel.open({
        hostInfo: consoleHostInfo({ ...size, title: this.#options.title }),
        applicationArguments: versionTable(),
      });
      return opened;
    });
  }

  /**
   * Takes up the pool that was left. @returns the pipelines that are there; null = the target does not tell
   * @throws SallyportError as `PoolChannel.rejoin`, cancelled, target_timeout
   */
  rejoin(left: LeftPool, limit: OpeningLimit): Promise<readonly string[] | null> {
    return this.#within(limit, async (opened) => {
      const joined = this.#channel.rejoin(left);
      joined.catch(() => undefined);
      await Promise.race([joined, opened]);
      return joined;
    });
  }

  async #within<T>(limit: OpeningLimit, work: (opened: Promise<string | null>) => Promise<T>): Promise<T> {
    const opened = new Promise<string | null>((resolve, reject) => (this.#opening = { resolve, reject }));
    // The channel may end before anybody waits for the pool.
    opened.catch(() => undefined);
    const abort = (): void => this.#failOpening('cancelled', 'opening was cancelled');
    const cancelTimer = limit.clock.after(limit.ms, () =>
      this.#failOpening('powershell_open_failed', 'the runspace pool was not opened in time'),
    );
    limit.signal.addEventListener('abort', abort, { once: true });
    try {
      const connected = this.#channel.connect();
      connected.catch(() => undefined);
      await Promise.race([connected, opened.then(() => connected)]);
      return await work(opened);
    } finally {
      cancelTimer();
      limit.signal.removeEventListener('abort', abort);
    }
  }

  /** Where the pool is found without us; null where it cannot be left. */
  get left(): LeftPool | null {
    return this.#channel.left;
  }
  /** Host calls that the target waits for. */
  get leftCalls(): readonly LeftCall[] {
    return this.#channel.leftCalls;
  }
  /** See `PoolChannel`. Nothing is sent any more once it resolves. */
  leave(idleMs: number | null): Promise<LeftPool> {
    return this.#channel.leave(idleMs);
  }
  /** The output of a pipeline that was there already may come, its questions first. */
  takeUp(pipelineId: string, calls: readonly LeftCall[]): void {
    this.#channel.takeUp(pipelineId, calls);
    this.send();
  }

  /** Writes what may be written now. */
  send(): void {
    if (!this.#over.signal.aborted) this.#channel.send();
  }
  createPipeline(options: PipelineOptions): string {
    return this.#client.createPipeline(options);
  }
  getCommandMetadata(options: CommandMetadataOptions): string {
    return this.#client.getCommandMetadata(options);
  }
  stop(pipelineId: string): void {
    this.#client.stop(pipelineId);
    this.send();
  }
  closePipeline(pipelineId: string): void {
    this.#client.closePipeline(pipelineId);
  }
  respond<M extends HostMethodName>(call: HostCallOf<M>, answer: HostAnswer<M>): void {
    this.#client.respondHostCall<M>(call, answer);
    this.send();
  }
  pause(): void {
    this.#isPaused = true;
    this.#channel.pause();
  }
  resume(): void {
    this.#isPaused = false;
    this.#channel.resume();
  }
  hold(isHeld: boolean): void {
    this.#channel.hold?.(isHeld);
  }
  /** Asks the target to close the pool; `poolState` Closed follows. */
  close(): void {
    this.#tell(this.#client.close());
  }
  async closeChannel(): Promise<void> {
    this.#over.abort();
    await this.#channel.close();
  }

  /** Seals a text for the target, making the session key first. Rejects when `signal` fires. */
  async seal(text: string, signal: AbortSignal): Promise<PsSecureString> {
    if (this.#client.sessionKeyState !== 'ready') await this.#sessionKey(signal);
    return this.#client.seal(text);
  }

  #sessionKey(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => reject(toError(signal.reason));
      signal.addEventListener('abort', abort, { once: true });
      this.#keyWaiters.push(() => {
        signal.removeEventListener('abort', abort);
        resolve();
      });
      if (signal.aborted) abort();
      else if (this.#client.sessionKeyState === 'none') this.#tell(this.#client.requestSessionKey());
    });
  }

  async #supplyPublicKey(): Promise<void> {
    try {
      const key = await this.#keys.publicKey();
      if (this.#over.signal.aborted) return;
      this.#client.supplyPublicKey(key);
      this.send();
    } catch (error) {
      this.#tell(this.#client.fail(toError(error).message));
    }
  }

  #unwrap(wrapped: Uint8Array): ClientEvent[] {
    try {
      return this.#client.supplySessionKey(this.#keys.unwrap(wrapped));
    } catch (error) {
      const code = error instanceof PsrpError ? codeOfPeer(error) : 'psrp_bad_length';
      this.#lost(code, '');
      return [];
    }
  }

  #received(events: readonly ClientEvent[]): void {
    if (!this.#over.signal.aborted) this.#tell(events);
  }

  #tell(events: readonly ClientEvent[]): void {
    for (const event of events) this.#one(event);
    this.send();
    this.#options.batchDone();
  }

  #one(event: ClientEvent): void {
    switch (event.type) {
      case 'negotiated':
        this.#hasAnswered = true;
        return;
      case 'applicationPrivateData':
        this.#version = event.psVersion;
        if (this.#opening === null && event.psVersion !== null) this.#options.version?.(event.psVersion);
        return;
      case 'noise':
      case 'errorLine':
        this.#peerText = `${this.#peerText}${event.text}\n`.slice(-MAX_DETAIL);
        return;
      case 'failed':
        this.#lost(codeOfPeer(event.error), detailOfPeer(event.error));
        return;
      case 'needsKeyPair':
        void this.#supplyPublicKey();
        return;
      case 'unwrapSessionKey':
        this.#tell(this.#unwrap(event.wrapped));
        return;
      case 'sessionKeyReady':
        for (const ready of this.#keyWaiters.splice(0)) ready();
        return;
      case 'poolState':
        if (this.#opening === null) {
          this.#options.event(event);
          return;
        }
        if (event.state === 'Opened') {
          this.#opening.resolve(this.#version);
          this.#opening = null;
        } else if (event.state === 'Broken' || event.state === 'Closed') {
          this.#failOpening('powershell_open_failed', 'the target did not open the pool', event.error?.message);
        }
        return;
      default:
        this.#options.event(event);
        return;
    }
  }

  #closed(end: PoolEnd): void {
    if (this.#opening !== null) {
      if (end.code !== undefined) {
        const { detail = '', explanation = '', error: cause } = end;
        this.#failOpening(end.code, cause?.message ?? 'the channel ended', detail, { explanation, cause });
        return;
      }
      const isNamed = NOT_FOUND_STATUS.has(end.exitCode ?? 0) || NOT_FOUND.test(this.#peerText);
      const isMissing = !this.#hasAnswered && (isNamed || this.#peerText.trim() === '');
      const code = isMissing ? 'powershell_missing' : 'powershell_open_failed';
      this.#failOpening(code, `the channel ended with status ${String(end.exitCode)}`);
      return;
    }
    // Before the pool tells it in its own words.
    if (this.#client.state !== 'Closing') this.#options.lost(lossOf(end));
    this.#tell(this.#channel.ended(end));
  }

  #lost(code: ErrorCode, detail: string): void {
    if (this.#opening !== null) this.#failOpening(code, detail);
    else this.#options.lost({ reason: code, exitCode: null, detail });
  }

  #failOpening(
    code: ErrorCode,
    message: string,
    detail = '',
    more: { explanation?: string; cause?: unknown } = {},
  ): void {
    const text = [this.#peerText.trim(), detail].filter((part) => part !== '').join('\n');
    this.#opening?.reject(new SallyportError(code, message, { ...more, peerText: visibleText(text, MAX_DETAIL) }));
    this.#opening = null;
  }
}
