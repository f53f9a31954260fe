import type { ClientPool, OpenOptions, Outgoing, PoolEvent } from '@sallyport/psrp';
import { ENVELOPE_BYTES, OPERATIONS, SIGNAL, WsManError, WsManFaultError } from '@sallyport/wsman';
import type {
  BufferMode,
  CreateResponse,
  InputStream,
  Operation,
  Prepared,
  ReceiveResponse,
  Requests,
} from '@sallyport/wsman';
import { SendQueue } from './send-queue.ts';

/**
 * What a request is for; each kind has a connection of its own, so that a poll that is held, or a Send that the server
 * delays, never holds up a stop. Within a lane one request is under way at a time, for polls one of each command.
 */
export type Lane = 'send' | 'control' | 'poll';

/** One POST to be made; its answer goes to `answered`. */
export interface ShellRequest {
  readonly id: number;
  readonly lane: Lane;
  readonly bytes: Uint8Array;
}

/** What a shell tells its owner: the events of its pool, and its own. */
export type ShellEvent =
  | PoolEvent
  | { readonly type: 'shellCreated'; readonly created: CreateResponse }
  /** The server did not start this pipeline; it is closed. */
  | { readonly type: 'pipelineRefused'; readonly pipelineId: string; readonly error: WsManError }
  /** The shell cannot go on; Broken follows. */
  | { readonly type: 'shellFailed'; readonly error: Error };

/** How the shell is opened, besides the pool. */
export interface ShellOpening {
  readonly name: string | null;
  readonly idleTimeoutMs: number | null;
  readonly bufferMode: BufferMode | null;
  readonly isNoProfile: boolean;
}

interface Command {
  /** The id that the server chose; null until Command was answered. */
  wireId: string | null;
  /** CREATE_PIPELINE was taken in whole: its output may be asked for. */
  isReady: boolean;
  isPolled: boolean;
  /** Nothing more will come. */
  isDone: boolean;
  isClosing: boolean;
  /** The server took a stop; told when all output is there. */
  isStopTaken: boolean;
}

interface Pending {
  readonly prepared: Prepared<unknown>;
  readonly lane: Lane;
  readonly answered: (answer: unknown) => ShellEvent[];
  readonly refused: (error: WsManFaultError) => ShellEvent[];
  /** May be sent again when its connection broke: it changes nothing on the server. */
  readonly isRepeatable: boolean;
  repeats: number;
}

type Control = { readonly kind: 'stop' | 'terminate'; readonly pipelineId: string };

/** Faults of who announces larger answers than the target makes. wsman.md section 6. */
const ENVELOPE_REFUSED: ReadonlySet<number> = new Set([2150858823, 2150858824, 2150858825]);
/** How often one poll is sent again after lost connections. */
const MAX_REPEATS = 5;

/**
 * One shell with its pool, sans-IO: what the pool puts out becomes Create, Command, Send, Signal and Delete; answers to
 * Receive go into the pool in their order. After every call make the requests that `takeRequests` gives.
 * [MS-PSRP] 3.1.5.3 Rules for WS-Management Messages.
 */
export class WsManShell {
  readonly #requests: Requests;
  readonly #pool: ClientPool;
  readonly #queue: SendQueue;
  readonly #commands = new Map<string, Command>();
  readonly #pending = new Map<number, Pending>();
  #controls: Control[] = [];
  readonly #ready: ShellRequest[] = [];
  #created: CreateResponse | null = null;
  #isShellPolled = false;
  #isDeleting = false;
  #isDeleted = false;
  #isPaused = false;
  #nextId = 1;
  /** Largest answer to a poll; null = as for every request. */
  #answerBytes: number | null = null;

  constructor(requests: Requests, pool: ClientPool) {
    this.#requests = requests;
    this.#pool = pool;
    this.#queue = new SendQueue(requests.fragmentBytes());
  }

  /** Sends Create with the opening messages of the pool. */
  open(opening: ShellOpening, options: OpenOptions, protocolVersion = '2.3'): void {
    this.#pool.open(options);
    this.#sort(this.#pool.takeOutgoing());
    const request = {
      ...opening,
      shellId: this.#pool.id,
      protocolVersion,
      creationXml: this.#queue.take()?.bytes ?? new Uint8Array(),
    };
    this.#put('send', OPERATIONS.create, request, {
      answered: (created) => {
        this.#created = created;
        // Windows 7 and Server 2008 R2 take the smaller one only, and say nothing of the shell.
        if (created.shell !== null) this.#answerBytes = ENVELOPE_BYTES.current;
        if (this.#isDeleting) this.#sendDelete();
        return [{ type: 'shellCreated', created }];
      },
      refused: (error) => (this.#isDeleting ? this.#deleted() : this.#fail(error)),
    });
  }

  /** No further Receive until `resume`: who reads the output is behind. */
  pause(): void {
    this.#isPaused = true;
  }
  /** Output may come again. */
  resume(): void {
    this.#isPaused = false;
  }

  /** Gives up a shell, mostly a broken one: Delete goes out as soon as there is something to delete. */
  abandon(): void {
    this.#delete();
  }

  /** Nothing is open on the server any more, as far as can be known. */
  get isOver(): boolean {
    return this.#isDeleted || (this.#created === null && this.#pending.size === 0 && this.#ready.length === 0);
  }

  /** What carries the shell cannot go on: not an answer to a request, and none will come. */
  failed(error: Error): ShellEvent[] {
    return this.#isDeleting ? this.#deleted() : this.#fail(error);
  }

  /** The requests to make now. */
  takeRequests(): ShellRequest[] {
    this.#sort(this.#pool.takeOutgoing());
    const isOver = this.#pool.state === 'Broken' || this.#pool.state === 'Closed';
    if (this.#created !== null && !this.#isDeleting && !isOver) {
      this.#nextSend(this.#created);
      // Polls first: the person waits for the output.
      if (!this.#isPaused) this.#polls();
      this.#nextControl();
    }
    return this.#ready.splice(0);
  }

  /** Takes the body of an answer with status 200, or 500 and 400 with a fault. */
  answered(id: number, bytes: Uint8Array): ShellEvent[] {
    const pending = this.#pending.get(id);
    if (pending === undefined) return [];
    this.#pending.delete(id);
    let answer: unknown;
    try {
      answer = this.#requests.read(pending.prepared, bytes);
    } catch (error) {
      if (error instanceof WsManFaultError) return pending.refused(error);
      if (error instanceof WsManError) return this.#fail(error);
      throw error;
    }
    return pending.answered(answer);
  }

  /**
   * The connection of a request broke before its answer. A poll is made again, a few times; anything else may have
   * happened or not, so the shell is given up.
   */
  lost(id: number, error: Error): ShellEvent[] {
    const pending = this.#pending.get(id);
    if (pending === undefined) return [];
    if (!pending.isRepeatable || pending.repeats >= MAX_REPEATS || this.#isDeleting) {
      this.#pending.delete(id);
      return this.#isDeleting ? this.#deleted() : this.#fail(error);
    }
    pending.repeats++;
    this.#ready.push({ id, lane: pending.lane, bytes: pending.prepared.bytes });
    return [];
  }

  #put<Request, Response>(
    lane: Lane,
    operation: Operation<Request, Response>,
    request: Request,
    on: {
      readonly answered: (answer: Response) => ShellEvent[];
      readonly refused: (error: WsManFaultError) => ShellEvent[];
    },
  ): void {
    const target = this.#created === null ? {} : this.#target(this.#created, lane);
    const prepared = this.#requests.prepare(operation, request, target);
    const id = this.#nextId++;
    // What is read by the operation is what its handler takes.
    const answered = on.answered as (answer: unknown) => ShellEvent[];
    this.#pending.set(id, { prepared, lane, answered, refused: on.refused, isRepeatable: lane === 'poll', repeats: 0 });
    this.#ready.push({ id, lane, bytes: prepared.bytes });
  }

  #target({ resourceUri, selectors }: CreateResponse, lane: Lane): Parameters<Requests['prepare']>[2] {
    const size = lane === 'poll' && this.#answerBytes !== null ? { maxEnvelopeBytes: this.#answerBytes } : {};
    return resourceUri === null ? { selectors, ...size } : { resourceUri, selectors, ...size };
  }

  #isBusy(lane: Lane): boolean {
    for (const pending of this.#pending.values()) if (pending.lane === lane) return true;
    return false;
  }

  /** A pipeline is being started: what is left of the one before can wait, the person does not. */
  #isStarting(): boolean {
    for (const { prepared } of this.#pending.values()) if (prepared.operation === OPERATIONS.command) return true;
    return false;
  }

  /** Takes what the pool wants sent. */
  #sort(outgoing: readonly Outgoing[]): void {
    for (const item of outgoing) {
      if (item.kind === 'data') this.#queue.add(item.pipelineId, item.priority, item.fragment);
      else if (item.kind === 'command') {
        const command = {
          wireId: null,
          isReady: false,
          isPolled: false,
          isDone: false,
          isClosing: false,
          isStopTaken: false,
        };
        this.#commands.set(item.pipelineId, command);
        this.#queue.begin(item.pipelineId);
      } else if (item.kind === 'signal') this.#controls.push({ kind: 'stop', pipelineId: item.pipelineId });
      else if (item.pipelineId === null) this.#delete();
      else {
        const command = this.#commands.get(item.pipelineId);
        if (command !== undefined) command.isClosing = true;
        this.#controls.push({ kind: 'terminate', pipelineId: item.pipelineId });
      }
    }
  }

  #nextSend(created: CreateResponse): void {
    if (this.#isBusy('send')) return;
    const unit = this.#queue.take();
    if (unit === null) return;
    const { pipelineId, stream, bytes, isCommand, isWholeMessage } = unit;
    const command = pipelineId === null ? undefined : this.#commands.get(pipelineId);
    if (pipelineId !== null && command === undefined) {
      this.#nextSend(created);
      return;
    }
    if (isCommand && pipelineId !== null && command !== undefined) {
      this.#startCommand(pipelineId, command, bytes, isWholeMessage);
      return;
    }
    this.#send(stream, command ?? null, bytes, isWholeMessage);
  }

  #startCommand(pipelineId: string, command: Command, bytes: Uint8Array, isWhole: boolean): void {
    const request = { commandId: pipelineId, label: '', arguments: bytes };
    this.#put('send', OPERATIONS.command, request, {
      answered: ({ commandId }) => {
        command.wireId = commandId;
        command.isReady = isWhole;
        return [];
      },
      refused: (error) => {
        if (error.explanation.code === 'target_shell_gone') return this.#fail(error);
        this.#commands.delete(pipelineId);
        return [{ type: 'pipelineRefused', pipelineId, error }, ...this.#pool.closed(pipelineId)];
      },
    });
  }

  #send(stream: InputStream, command: Command | null, bytes: Uint8Array, isWhole: boolean): void {
    const request = { stream, commandId: command?.wireId ?? null, bytes };
    this.#put('send', OPERATIONS.send, request, {
      answered: () => {
        if (command !== null && isWhole) command.isReady = true;
        return [];
      },
      // What was meant for a command that has ended meanwhile is of no use to anybody.
      refused: (error) => (error.explanation.kind === 'gone' && command !== null ? [] : this.#fail(error)),
    });
  }

  #nextControl(): void {
    if (this.#isBusy('control')) return;
    // A signal waits for its command; one for a command that is gone is dropped.
    this.#controls = this.#controls.filter(({ pipelineId }) => this.#commands.has(pipelineId));
    const index = this.#controls.findIndex(
      ({ kind, pipelineId }) =>
        (this.#commands.get(pipelineId)?.wireId ?? null) !== null && (kind === 'stop' || !this.#isStarting()),
    );
    const [next] = index < 0 ? [] : this.#controls.splice(index, 1);
    const command = next === undefined ? undefined : this.#commands.get(next.pipelineId);
    if (next === undefined || command === undefined) return;
    if (next.kind === 'stop') this.#signal(command, SIGNAL.stop, () => this.#stopTaken(next.pipelineId, command));
    else {
      this.#signal(command, SIGNAL.terminate, () => {
        this.#commands.delete(next.pipelineId);
        return this.#pool.closed(next.pipelineId);
      });
    }
  }

  #signal(command: Command, signalCode: string, taken: () => ShellEvent[]): void {
    this.#put('control', OPERATIONS.signal, { commandId: command.wireId, signalCode }, {
      answered: taken,
      refused: (error) => (error.explanation.kind === 'gone' ? taken() : this.#fail(error)),
    }); // prettier-ignore
  }

  /**
   * The answer comes over another connection than the output and may be faster: what was put out before the stop, and the
   * state Stopped itself, are still to come.
   */
  #stopTaken(pipelineId: string, command: Command): ShellEvent[] {
    command.isStopTaken = true;
    return command.isDone ? this.#pool.signalled(pipelineId) : [];
  }

  #polls(): void {
    if (!this.#isShellPolled) {
      this.#isShellPolled = true;
      this.#poll(null, (isPolled) => {
        this.#isShellPolled = isPolled;
      });
    }
    for (const [pipelineId, command] of this.#commands) {
      if (!command.isReady || command.isPolled || command.isDone) continue;
      command.isPolled = true;
      this.#poll({ pipelineId, command }, (isPolled) => {
        command.isPolled = isPolled;
      });
    }
  }

  #poll(of: { readonly pipelineId: string; readonly command: Command } | null, set: (isPolled: boolean) => void): void {
    const answerBytes = this.#answerBytes;
    this.#put('poll', OPERATIONS.receive, { commandId: of?.command.wireId ?? null }, {
      answered: (answer) => {
        set(false);
        return this.#received(of, answer);
      },
      refused: (error) => {
        set(false);
        if (error.isTimeout || this.#isDeleting) return [];
        if (answerBytes !== null && ENVELOPE_REFUSED.has(error.number)) {
          // The target is set to less than others of its kind: the same is asked for in smaller pieces.
          this.#answerBytes = null;
          return [];
        }
        return of === null ? this.#fail(error) : this.#pollRefused(of, error);
      },
    }); // prettier-ignore
  }

  #received(
    of: { readonly pipelineId: string; readonly command: Command } | null,
    answer: ReceiveResponse,
  ): ShellEvent[] {
    const events: ShellEvent[] = [];
    for (const { bytes } of answer.streams) {
      if (bytes.length > 0) for (const event of this.#pool.receive(of?.pipelineId ?? null, bytes)) events.push(event);
    }
    if (of === null || answer.commandState?.state !== 'Done') return events;
    of.command.isDone = true;
    // Done without a final state: the command will never tell how it ended.
    const state = this.#pool.pipelineState(of.pipelineId);
    if (state === 'Running') events.push(...this.#gone(of.pipelineId));
    if (of.command.isStopTaken) events.push(...this.#pool.signalled(of.pipelineId));
    return events;
  }

  #gone(pipelineId: string): ShellEvent[] {
    return this.#pool.closePipeline(pipelineId) ? [] : this.#pool.closed(pipelineId);
  }

  #pollRefused(of: { readonly pipelineId: string; readonly command: Command }, error: WsManFaultError): ShellEvent[] {
    of.command.isDone = true;
    const { kind } = error.explanation;
    if (of.command.isClosing && (kind === 'gone' || kind === 'ending')) return [];
    // Whether the shell is gone too, its own poll tells.
    if (kind !== 'gone') return this.#fail(error);
    const signalled = of.command.isStopTaken ? this.#pool.signalled(of.pipelineId) : [];
    return [...signalled, ...this.#gone(of.pipelineId)];
  }

  #delete(): void {
    if (this.#isDeleting) return;
    this.#isDeleting = true;
    this.#controls = [];
    // While Create is under way there is nothing to delete yet.
    if (this.#created === null) return;
    this.#ready.length = 0;
    this.#sendDelete();
  }

  #sendDelete(): void {
    this.#put('control', OPERATIONS.deleteShell, null, {
      answered: () => this.#deleted(),
      refused: () => this.#deleted(),
    });
  }

  #deleted(): ShellEvent[] {
    this.#isDeleted = true;
    this.#commands.clear();
    this.#pending.clear();
    return this.#pool.closed(null);
  }

  #fail(error: Error): ShellEvent[] {
    if (this.#isDeleting) return [];
    this.#controls = [];
    this.#ready.length = 0;
    this.#pending.clear();
    this.#commands.clear();
    return [{ type: 'shellFailed', error }, ...this.#pool.fail(error.message)];
  }
}
