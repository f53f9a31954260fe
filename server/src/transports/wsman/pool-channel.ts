/** One runspace pool over WS-Management: the state machine of its shell, driven over the connections of the session. */
import { ClientPool, encodeError, ErrorRecord } from '@sallyport/psrp';
import type { ClientEvent, ClientPoolOptions, OpenOptions } from '@sallyport/psrp';
import type { Requests } from '@sallyport/wsman';
import type { Clock } from '../../clock.ts';
import { SallyportError } from '../../errors.ts';
import type { LeftCall, LeftPool, PoolChannel, PoolChannelEvents } from '../contract.ts';
import type { Connections } from './connections.ts';
import { faultWords, toWsManTransportError } from './errors.ts';
import { WsManShell } from './shell.ts';
import type { ShellEvent, ShellOpening, ShellRequest } from './shell.ts';

/** A request is answered within its operation time-out, and this for the way. */
const WAY_MS = 30_000;
/** Pauses before a poll is made again over a new connection, and after the last of them no more. */
const AGAIN_MS: readonly number[] = [250, 1000, 4000, 15_000, 60_000];
/** How long a shell is waited for when it is deleted while the channel closes. */
const DELETE_MS = 2000;

export interface WsManPoolOptions {
  readonly requests: Requests;
  readonly connections: Connections;
  readonly opening: ShellOpening;
  readonly operationTimeoutMs: number;
  readonly clock: Clock;
  /** The id that the target gave the shell. */
  shellCreated(shellId: string): void;
  /** A poll is made again because its connection broke. */
  retrying(): void;
}

/** See `PoolChannel`. The caller closes the connections. */
export class WsManPool implements PoolChannel {
  readonly client: ClientPool;
  readonly #options: WsManPoolOptions;
  readonly #events: PoolChannelEvents;
  readonly #shell: WsManShell;
  readonly #attempts = new Map<number, number>();
  readonly #timers = new Set<() => void>();
  /** Answers to polls that came while nobody reads. */
  #held: (() => void)[] = [];
  #rest: readonly ClientEvent[] = [];
  #shellId: string | null = null;
  #isPaused = false;
  #isTold = false;
  #isClosed = false;
  #closing: Promise<void> | null = null;
  #over: () => void = () => undefined;

  constructor(pool: ClientPoolOptions, events: PoolChannelEvents, options: WsManPoolOptions) {
    this.#options = options;
    this.#events = events;
    this.client = new ClientPool({ ...pool, fragmentBytes: options.requests.fragmentBytes() });
    this.#shell = new WsManShell(options.requests, this.client);
  }

  get shellId(): string | null {
    return this.#shellId;
  }
  connect(): Promise<void> {
    return Promise.resolve();
  }
  open(options: OpenOptions): void {
    this.#shell.open(this.#options.opening, options);
    this.send();
  }
  readonly left: LeftPool | null = null;
  readonly leftCalls: readonly LeftCall[] = [];
  leave(): Promise<LeftPool> {
    return Promise.reject(new SallyportError('session_not_leavable', 'not yet'));
  }
  rejoin(): Promise<readonly string[]> {
    return Promise.reject(new SallyportError('session_not_leavable', 'not yet'));
  }
  takeUp(): void {
    // Nothing was left.
  }
  send(): void {
    if (this.#isClosed) return;
    for (const request of this.#shell.takeRequests()) this.#start(request);
  }
  ended(): readonly ClientEvent[] {
    return this.#rest;
  }
  pause(): void {
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
  #isReading = (): boolean => !this.#isPaused;
  #mayTake = (): boolean => !this.#isPaused && this.#held.length > 0;

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }
  async #close(): Promise<void> {
    this.#held = [];
    this.#shell.abandon();
    const deleted = new Promise<void>((resolve) => (this.#over = resolve));
    this.send();
    if (!this.#shell.isOver) {
      const cancel = this.#options.clock.after(DELETE_MS, () => this.#over());
      await deleted;
      cancel();
    }
    this.#isClosed = true;
    for (const cancel of this.#timers) cancel();
  }

  #start(request: ShellRequest): void {
    const again = this.#attempts.get(request.id);
    if (again === undefined) {
      void this.#make(request);
      return;
    }
    const cancel = this.#options.clock.after(AGAIN_MS[again - 1] ?? 0, () => {
      this.#timers.delete(cancel);
      void this.#make(request);
    });
    this.#timers.add(cancel);
  }

  async #make(request: ShellRequest): Promise<void> {
    const { connections, operationTimeoutMs } = this.#options;
    try {
      const answer = await connections.post(request.lane, request.bytes, operationTimeoutMs + WAY_MS);
      this.#deliver(request.lane, () => {
        this.#attempts.delete(request.id);
        return this.#shell.answered(request.id, answer);
      });
    } catch (error) {
      this.#deliver(request.lane, () => this.#failed(request, error));
    }
  }

  #deliver(lane: ShellRequest['lane'], take: () => ShellEvent[]): void {
    const work = (): void => {
      this.#tell(take());
      this.send();
      if (this.#shell.isOver) this.#over();
    };
    if (this.#isClosed) return;
    if (lane === 'poll' && this.#isPaused && this.#closing === null) this.#held.push(work);
    else work();
  }

  /** Only a lost connection is worth another try; everything else is an answer, if a bad one. */
  #failed(request: ShellRequest, error: unknown): ShellEvent[] {
    const known = toWsManTransportError(error);
    if (known.code !== 'target_lost' && known.code !== 'target_timeout' && known.code !== 'target_unreachable')
      return this.#shell.failed(known);
    this.#attempts.set(request.id, (this.#attempts.get(request.id) ?? 0) + 1);
    const events = this.#shell.lost(request.id, known);
    if (events.length === 0 && request.lane === 'poll') this.#options.retrying();
    return events;
  }

  #tell(events: readonly ShellEvent[]): void {
    const told: ClientEvent[] = [];
    let refusal: string | null = null;
    for (const [i, event] of events.entries()) {
      if (event.type === 'shellCreated') {
        this.#shellId = event.created.shellId;
        this.#options.shellCreated(this.#shellId);
      } else if (event.type === 'pipelineRefused') refusal = faultWords(event.error);
      else if (event.type === 'shellFailed') {
        this.#end(event.error, told, events.slice(i + 1).filter(isClientEvent));
        return;
      } else if (event.type === 'pipelineState' && refusal !== null) told.push(refused(event, refusal));
      else told.push(event);
    }
    if (told.length > 0) this.#events.events(told);
  }

  #end(error: Error, before: readonly ClientEvent[], rest: readonly ClientEvent[]): void {
    if (before.length > 0) this.#events.events(before);
    this.#rest = rest;
    if (this.#isTold) return;
    this.#isTold = true;
    const { code, peerText } = toWsManTransportError(error);
    this.#events.closed({ exitCode: null, signal: null, error, code, detail: peerText });
  }
}

type OwnEvent = 'shellCreated' | 'pipelineRefused' | 'shellFailed';
const isClientEvent = (event: ShellEvent): event is Exclude<ShellEvent, { readonly type: OwnEvent }> =>
  event.type !== 'shellCreated' && event.type !== 'pipelineRefused' && event.type !== 'shellFailed';

/** What a pipeline that the target did not start has failed of. */
function refused(event: Extract<ClientEvent, { readonly type: 'pipelineState' }>, message: string): ClientEvent {
  const error = new ErrorRecord(encodeError({ message, category: 7, reason: 'PSRemotingTransportException' }));
  return { ...event, state: 'Failed', error };
}
