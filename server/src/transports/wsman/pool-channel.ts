/** One runspace pool over WS-Management: the state machine of its shell, driven over the connections of the session. */
import { ClientPool, encodeError, ErrorRecord, versionTable } from '@sallyport/psrp';
import type { ClientEvent, ClientPoolOptions, OpenOptions } from '@sallyport/psrp';
import { WsManFaultError } from '@sallyport/wsman';
import type { Requests, SessionOptions } from '@sallyport/wsman';
import type { Clock } from '../../clock.ts';
import { SallyportError, toError } from '../../errors.ts';
import type { LeftCall, LeftPool, PoolChannel, PoolChannelEvents } from '../contract.ts';
import type { Connections } from './connections.ts';
import { CreateAgain } from './create-again.ts';
import type { EnvelopeSize } from './envelope-size.ts';
import { OpenCalls } from './open-calls.ts';
import { PollPace } from './poll-pace.ts';
import { rejoin } from './rejoin.ts';
import { TargetShells } from './target-shells.ts';
import { faultWords, toWsManTransportError } from './errors.ts';
import { WsManShell } from './shell.ts';
import { ownText } from './shell-types.ts';
import type { ShellEvent, ShellOpening, ShellRequest } from './shell.ts';

/** A request is answered within its operation time-out, and this for the way. */
const WAY_MS = 30_000;
/** Pauses before a request is made again over a new connection; the last one again and again. */
const AGAIN_MS: readonly number[] = [250, 1000, 4000, 10_000, 15_000];
/** How long a target that cannot be reached is asked again. wsman.md section 9. */
const ROBUST_MS = 240_000;
/** How long a shell is waited for when it is deleted while the channel closes, where the target's settings do not say. */
const DELETE_MS = 2000;
/** Words for a line that brought more than it may. */
const cutOffWords = (limit: number): string =>
  `The line was ended: more than ${limit.toLocaleString('en-US')} bytes came for it, the limit of this target (MaximumReceivedDataSizePerCommand).`;
/** How long it may take to leave a shell: Sends that are on their way, half messages, polls that are held. */
const LEAVE_MS = 15_000;
/** What a broken connection is told as. Whether the request was taken is not known, but for the last. */
const NETWORK: ReadonlySet<string> = new Set(['target_lost', 'target_timeout', 'target_unreachable']);
/** Faults of a shell that was taken from us, or that ends by itself. */
const TAKEN: ReadonlySet<string> = new Set(['shell_in_use', 'ending']);
const AWAY =
  'The target could not be reached, and may not know of the last thing that was asked of it. The session goes on there.';

export interface WsManPoolOptions {
  /** @param sessionId one for the life of a client; who goes on as the same client says the same */
  requests(sessionId: string): Requests;
  readonly sessionId: string;
  readonly connections: Connections;
  readonly opening: ShellOpening;
  /** What the target's settings ask for. */
  readonly options: SessionOptions;
  readonly size: EnvelopeSize;
  readonly clock: Clock;
  /** The connections are TLS: what comes over them is the target's, sealed or not. */
  readonly isTls: boolean;
  /** Until the pool must be open, as the target's settings say; null = they do not. */
  readonly openMs: number | null;
  /** Where the target had redirected to; absent at the target itself. */
  readonly at?: string;
  /** The id that the target gave the shell. */
  shellCreated(shellId: string): void;
  /** The target has not said, or not in time, that the shell is deleted: what runs there may go on. */
  notDeleted?(shellId: string): void;
  /**
   * Something is tried again; told once until it comes through. @param refusal what the target makes no shell for yet; null =
   * requests are made again because their connections broke
   */
  retrying(refusal: WsManFaultError | null): void;
}

interface Leave {
  readonly left: LeftPool;
  readonly resolve: (left: LeftPool) => void;
  readonly reject: (error: Error) => void;
  readonly cancel: () => void;
}

/** See `PoolChannel`. The caller closes the connections. */
export class WsManPool implements PoolChannel {
  readonly client: ClientPool;
  readonly #options: WsManPoolOptions;
  readonly #events: PoolChannelEvents;
  #shell: WsManShell;
  #sessionId: string;
  readonly #attempts = new Map<number, number>();
  readonly #timers = new Set<() => void>();
  readonly #calls = new OpenCalls();
  readonly #pace = new PollPace();
  /** Why pipelines are being ended that the target would have let go on, or did not start. */
  readonly #endedBy = new Map<string, string>();
  /** Answers to polls that came while nobody reads. */
  #held: (() => void)[] = [];
  #rest: readonly ClientEvent[] = [];
  #shellId: string | null = null;
  /** Until the shell is there. */
  #again: CreateAgain | null = null;
  #left: LeftPool | null = null;
  #leaving: Leave | null = null;
  /** The shell goes on without us: nothing is deleted. */
  #isLeft = false;
  /** Since when no request came through. */
  #lostSince: number | null = null;
  #isPaused = false;
  #isTold = false;
  #isClosed = false;
  #closing: Promise<void> | null = null;
  #over: () => void = () => undefined;
  readonly #gone = new AbortController();

  constructor(pool: ClientPoolOptions, events: PoolChannelEvents, options: WsManPoolOptions) {
    this.#options = options;
    this.#events = events;
    this.#sessionId = options.sessionId;
    const requests = options.requests(options.sessionId);
    const { size, options: asked } = options;
    const limits = pool.limits ?? {};
    const maxObjectBytes = smallest(asked.maximumReceivedObjectSize, limits.maxObjectBytes);
    this.client = new ClientPool({
      ...{ ...pool, fragmentBytes: requests.fragmentBytes(size.bytes) },
      limits: { ...limits, ...(maxObjectBytes === null ? {} : { maxObjectBytes }) },
    });
    this.#shell = this.#newShell(requests);
  }
  #newShell(requests: Requests): WsManShell {
    const { size, options } = this.#options;
    return new WsManShell(requests, this.client, size, options.maximumReceivedDataSizePerCommand);
  }

  get shellId(): string | null {
    return this.#shellId;
  }
  get left(): LeftPool | null {
    return this.#left;
  }
  get leftCalls(): readonly LeftCall[] {
    return this.#calls.list;
  }
  connect(): Promise<void> {
    return Promise.resolve();
  }
  open(options: OpenOptions): void {
    const { applicationArguments: own } = this.#options.options;
    const all = own.length === 0 ? options : { ...options, applicationArguments: versionTable(undefined, own) };
    const { openMs, isTls, clock } = this.#options;
    const times = this.#options.options.maxConnectionRetryCount;
    this.#again = new CreateAgain({ times, openMs, isTls, clock });
    this.#shell.open(this.#options.opening, all);
    this.send();
  }

  leave(idleMs: number | null): Promise<LeftPool> {
    const left = this.#left;
    if (left === null || this.#closing !== null || this.#leaving !== null)
      return Promise.reject(new SallyportError('session_not_leavable', 'there is no shell that can be left'));
    return new Promise((resolve, reject) => {
      const cancel = this.#options.clock.after(LEAVE_MS, () => this.#leaveLate());
      this.#leaving = { left, resolve, reject, cancel };
      // What has come is told, also to somebody who is behind.
      this.#shell.leave(idleMs, this.#options.opening.bufferMode);
      this.resume();
    });
  }
  async rejoin(left: LeftPool): Promise<readonly string[] | null> {
    this.#sessionId = left.holder ?? this.#sessionId;
    this.#shellId = left.shellId;
    const requests = this.#options.requests(this.#sessionId);
    this.#shell = this.#newShell(requests);
    // Whatever goes wrong now, nothing there is deleted.
    this.#isLeft = true;
    const shells = new TargetShells(requests, this.#options.size, (envelope) => this.#post('control', envelope));
    const { place, pipelineIds, answer } = await rejoin(left, {
      shells,
      pool: this.client,
      pause: (ms) => this.#pause(ms),
    });
    this.#options.shellCreated(left.shellId);
    this.#shell.joined(place);
    this.#isLeft = false;
    this.#tell(this.client.receive(null, answer));
    if (this.client.state !== 'Opened')
      throw new SallyportError('powershell_open_failed', 'the target did not let us into the pool');
    return pipelineIds;
  }
  takeUp(pipelineId: string, calls: readonly LeftCall[]): void {
    this.client.connectPipeline(pipelineId);
    this.#shell.takeUp(pipelineId);
    this.#repeat(calls.filter((call) => call.pipelineId === pipelineId));
  }
  #repeat(calls: readonly LeftCall[]): void {
    const events = calls.flatMap(({ pipelineId, body }) =>
      this.client.repeatHostCall({ pipelineId, body: new Uint8Array(Buffer.from(body, 'base64')) }),
    );
    this.#tell(events);
  }
  send(): void {
    if (this.#isClosed) return;
    for (const request of this.#shell.takeRequests()) this.#start(request);
  }
  ended(): readonly ClientEvent[] {
    return this.#rest;
  }
  pause(): void {
    if (this.#leaving !== null) return;
    this.#isPaused = true;
    this.#shell.pause();
  }
  resume(): void {
    this.#isPaused = false;
    while (this.#mayTake()) this.#held.shift()?.();
    // What was taken may have made the reader ask for another pause.
    if (!this.#isReading()) return;
    this.#shell.resume();
    this.send();
  }
  hold(isHeld: boolean): void {
    this.#shell.hold(isHeld);
    if (!isHeld) this.send();
  }
  #isReading = (): boolean => !this.#isPaused;
  #mayTake = (): boolean => !this.#isPaused && this.#held.length > 0;

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }
  async #close(): Promise<void> {
    this.#held = [];
    this.#left = null;
    if (!this.#isLeft) await this.#delete();
    this.#isClosed = true;
    this.#gone.abort(new SallyportError('target_lost', 'the session was closed'));
    for (const cancel of this.#timers) cancel();
    this.#leaving?.cancel();
    this.#leaving?.reject(new SallyportError('bad_state', 'the session was ended while it was being left'));
    this.#leaving = null;
  }
  async #delete(): Promise<void> {
    this.#shell.abandon();
    const deleted = new Promise<void>((resolve) => (this.#over = resolve));
    this.send();
    if (!this.#shell.isOver) {
      const { clock, options } = this.#options;
      const cancel = clock.after(options.cancelTimeoutMs ?? DELETE_MS, () => this.#over());
      await deleted;
      cancel();
    }
    if (this.#shellId !== null && this.#shell.end !== 'known') this.#options.notDeleted?.(this.#shellId);
  }

  // ---- leaving

  #leaveLate(): void {
    if (this.#shell.leaveNow()) this.#wasLeft();
    else this.#leaveFailed(new SallyportError('target_timeout', 'the target did not take what was on its way to it'));
  }
  #leaveFailed(error: Error): void {
    const leaving = this.#leaving;
    this.#leaving = null;
    leaving?.cancel();
    leaving?.reject(error);
    this.send();
  }
  #wasLeft(): void {
    const leaving = this.#leaving;
    this.#leaving = null;
    this.#isLeft = true;
    this.#isClosed = true;
    leaving?.cancel();
    leaving?.resolve(leaving.left);
  }

  // ---- requests

  #start(request: ShellRequest): void {
    const again = this.#attempts.get(request.id);
    const pauseMs = again === undefined ? 0 : (AGAIN_MS[Math.min(again, AGAIN_MS.length) - 1] ?? 0);
    const waitMs = Math.max(pauseMs, request.lane === 'poll' ? this.#pace.pauseMs : 0);
    if (again === undefined && waitMs === 0) {
      void this.#make(request);
      return;
    }
    const cancel = this.#options.clock.after(waitMs, () => {
      this.#timers.delete(cancel);
      void this.#make(request);
    });
    this.#timers.add(cancel);
  }
  #pause(ms: number): Promise<void> {
    const { signal } = this.#gone;
    return new Promise((resolve, reject) => {
      const cancel = this.#options.clock.after(ms, () => {
        signal.removeEventListener('abort', abort);
        resolve();
      });
      const abort = (): void => {
        cancel();
        reject(toError(signal.reason));
      };
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort, { once: true });
    });
  }

  #post(lane: ShellRequest['lane'], envelope: Uint8Array): Promise<Uint8Array> {
    return this.#options.connections.post(lane, envelope, this.#options.options.operationTimeoutMs + WAY_MS);
  }

  async #make(request: ShellRequest): Promise<void> {
    const askedAt = this.#options.clock.monotonic();
    try {
      const answer = await this.#post(request.lane, request.bytes);
      const tookMs = this.#options.clock.monotonic() - askedAt;
      this.#lostSince = null;
      this.#deliver(request.lane, () => {
        this.#attempts.delete(request.id);
        const before = this.#shell.takenBytes;
        const events = this.#shell.answered(request.id, answer);
        if (request.lane === 'poll') this.#pace.answered(tookMs, this.#shell.takenBytes - before);
        return events;
      });
    } catch (error) {
      this.#deliver(request.lane, () => this.#failed(request, error));
    }
  }

  #deliver(lane: ShellRequest['lane'], take: () => ShellEvent[]): void {
    const work = (): void => {
      this.#tell(take());
      this.send();
      if (this.#calls.update(this.client, this.#shell.isAnswering) && this.#left !== null) this.#events.leftChanged();
      if (this.#shell.isOver) this.#over();
    };
    if (this.#isClosed) return;
    if (lane === 'poll' && this.#isPaused && this.#closing === null) this.#held.push(work);
    else work();
  }

  /** Only a lost connection is worth another try; everything else is an answer, if a bad one. */
  #failed(request: ShellRequest, error: unknown): ShellEvent[] {
    if (error instanceof WsManFaultError && this.#again?.isWorthIt(error) === true)
      return this.#shell.answered(request.id, error);
    const known = toWsManTransportError(error);
    if (!NETWORK.has(known.code)) return this.#shell.failed(known);
    const times = (this.#attempts.get(request.id) ?? 0) + 1;
    this.#attempts.set(request.id, times);
    const now = this.#options.clock.monotonic();
    const isFirst = this.#lostSince === null;
    this.#lostSince ??= now;
    const mayRepeat =
      now - this.#lostSince < ROBUST_MS && times <= (this.#options.options.maxConnectionRetryCount ?? Infinity);
    const events = this.#shell.lost(request.id, known, mayRepeat, known.code === 'target_unreachable');
    if (events.length === 0 && isFirst) this.#options.retrying(null);
    return events;
  }
  /** The target has made no shell. */
  #createRefused(refusal: WsManFaultError, again: () => void): void {
    const pauseMs = this.#again?.pauseMs(refusal) ?? null;
    if (pauseMs === null) {
      this.#tell(this.#shell.failed(refusal));
      return;
    }
    if (this.#again?.times === 1) this.#options.retrying(refusal);
    const send = (): void => {
      again();
      this.send();
    };
    this.#pause(pauseMs).then(send, () => undefined);
  }

  #tell(events: readonly ShellEvent[]): void {
    const told: ClientEvent[] = [];
    let isLeft = false;
    let refusedLeave: Error | null = null;
    for (const [i, event] of events.entries()) {
      if (event.type === 'shellCreated') {
        const shellId = ownText(event.created.shellId);
        this.#shellId = shellId;
        this.#again = null;
        this.#options.shellCreated(shellId);
      } else if (event.type === 'createRefused') this.#createRefused(event.error, event.again);
      else if (event.type === 'left') isLeft = true;
      else if (event.type === 'leaveRefused') refusedLeave = toWsManTransportError(event.error);
      else if (event.type === 'pipelineRefused') this.#endedBy.set(event.pipelineId, faultWords(event.error));
      else if (event.type === 'pipelineCutOff') this.#endedBy.set(event.pipelineId, cutOffWords(event.limit));
      else if (event.type === 'shellFailed') {
        this.#end(event.error, told, events.slice(i + 1).filter(isClientEvent));
        return;
      } else told.push(this.#named(event));
    }
    if (this.#left === null && this.#shell.isLeavable) this.#left = this.#place();
    if (told.length > 0) this.#events.events(told);
    if (isLeft) this.#wasLeft();
    else if (refusedLeave !== null) this.#leaveFailed(refusedLeave);
  }
  /** The last state of a pipeline that we ended, with why. */
  #named(event: ClientEvent): ClientEvent {
    if (event.type !== 'pipelineState') return event;
    const why = this.#endedBy.get(event.pipelineId);
    return why === undefined || !this.#endedBy.delete(event.pipelineId) ? event : refused(event, why);
  }
  #place(): LeftPool {
    const { id: poolId } = this.client;
    const { at } = this.#options;
    const where = at === undefined ? {} : { at };
    return { shellId: this.#shellId ?? poolId.toUpperCase(), poolId, holder: this.#sessionId, ...where };
  }

  #end(error: Error, before: readonly ClientEvent[], rest: readonly ClientEvent[]): void {
    if (before.length > 0) this.#events.events(before);
    this.#rest = rest;
    if (this.#isTold) return;
    this.#isTold = true;
    const { code, peerText, explanation } = toWsManTransportError(error);
    this.#isLeft = this.#left !== null && NETWORK.has(code);
    this.#leaving?.cancel();
    this.#leaving?.reject(error);
    this.#leaving = null;
    const told = this.#isLeft
      ? ({ code: 'session_left', detail: '', explanation: AWAY } as const)
      : { code, detail: peerText, explanation };
    // Another client has taken it: it is theirs now, and not ours to delete.
    this.#isLeft ||= error instanceof WsManFaultError && TAKEN.has(error.explanation.kind);
    this.#events.closed({ exitCode: null, signal: null, error, ...told });
  }
}

const smallest = (...bounds: readonly (number | null | undefined)[]): number | null =>
  bounds.reduce<number | null>(
    (least, each) => (least === null ? (each ?? null) : Math.min(least, each ?? least)),
    null,
  );

const OWN = ['shellCreated', 'createRefused', 'pipelineRefused', 'pipelineCutOff', 'left', 'leaveRefused', 'shellFailed'] as const; // prettier-ignore
type OwnEvent = (typeof OWN)[number];
const isClientEvent = (event: ShellEvent): event is Exclude<ShellEvent, { readonly type: OwnEvent }> =>
  !OWN.some((type) => type === event.type);

/** What a pipeline that the target did not start has failed of. */
function refused(event: Extract<ClientEvent, { readonly type: 'pipelineState' }>, message: string): ClientEvent {
  const error = new ErrorRecord(encodeError({ message, category: 7, reason: 'PSRemotingTransportException' }));
  return { ...event, state: 'Failed', error };
}
