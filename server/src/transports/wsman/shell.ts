import type { ClientPool, OpenOptions, Outgoing } from '@sallyport/psrp';
import { isRetriedAtCreate, OPERATIONS, SIGNAL, WsManError, WsManFaultError } from '@sallyport/wsman';
import type { BufferMode, CreateRequest, InputStream, Operation, ReceiveResponse, Requests } from '@sallyport/wsman';
import { ControlQueue } from './control-queue.ts';
import { type EnvelopeSize, isSizeRefused } from './envelope-size.ts';
import { RequestBook } from './request-book.ts';
import { SendQueue } from './send-queue.ts';
import type { Command, Lane, Leaving, ShellEvent, ShellOpening, ShellPlace, ShellRequest } from './shell-types.ts';
import { idleTimeoutOf, newCommand, placeOf, targetOf } from './shell-types.ts';

export type { Lane, ShellEvent, ShellOpening, ShellPlace, ShellRequest } from './shell-types.ts';

const ENDED: ReadonlySet<string | null> = new Set(['Completed', 'Failed', 'Stopped']);
type Polled = { readonly pipelineId: string; readonly command: Command };

/**
 * One shell with its pool, sans-IO: what the pool puts out becomes Create, Command, Send, Signal and Delete; answers to
 * Receive go into the pool in their order. After every call make the requests that `takeRequests` gives.
 * [MS-PSRP] 3.1.5.3 Rules for WS-Management Messages.
 */
export class WsManShell {
  /** Bytes of output that answers to polls have brought so far. */
  takenBytes = 0;
  /** It is over: `known`, the server has said that nothing is open there any more; `supposed`, nobody can know. */
  end: 'known' | 'supposed' | null = null;
  readonly #requests: Requests;
  readonly #pool: ClientPool;
  readonly #queue: SendQueue;
  readonly #commands = new Map<string, Command>();
  readonly #book: RequestBook;
  readonly #controls = new ControlQueue();
  #place: ShellPlace | null = null;
  #isShellPolled = false;
  #isDeleting = false;
  readonly #waits = { isPaused: false, isHeld: false };
  #isReconnecting = false;
  #answersUnderWay = 0;
  #leaving: Leaving | null = null;
  /** Largest answer to a poll; null = as for every request. */
  #answerBytes: number | null = null;
  readonly #size: EnvelopeSize;
  readonly #maxCommandBytes: number;

  /** @param maxCommandBytes what is received for one pipeline before it is ended */
  constructor(requests: Requests, pool: ClientPool, size: EnvelopeSize, maxCommandBytes = Infinity) {
    this.#requests = requests;
    this.#book = new RequestBook(requests);
    this.#pool = pool;
    this.#size = size;
    this.#maxCommandBytes = maxCommandBytes;
    this.#queue = new SendQueue(requests.fragmentBytes(size.bytes));
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
    this.#create(request);
  }
  #create(request: CreateRequest): void {
    const { bytes } = this.#size;
    this.#put('send', OPERATIONS.create, request, {
      answered: (created) => {
        this.#place = placeOf(created);
        // Windows 7 and Server 2008 R2 take the smaller one only, and say nothing of the shell.
        if (created.shell !== null) this.#answerBytes = this.#size.currentBytes;
        if (this.#isDeleting) this.#sendDelete();
        return [{ type: 'shellCreated', created }];
      },
      refused: (error) => {
        if (this.#isDeleting) return this.#deleted(true);
        if (isSizeRefused(error) && this.#size.lower(bytes)) {
          // Nothing was opened: the same again, with the next smaller size.
          this.#fit();
          this.#create(request);
          return [];
        }
        if (!isRetriedAtCreate(error.number)) return this.#fail(error);
        const again = (): void => (this.#isDeleting ? undefined : this.#create(request));
        return [{ type: 'createRefused', error, again }];
      },
    }); // prettier-ignore
  }
  /** What goes out from now on is cut for the size that the target takes. */
  #fit(): void {
    const fragmentBytes = this.#requests.fragmentBytes(this.#size.bytes);
    this.#pool.sizeFragments(fragmentBytes);
    this.#queue.resize(fragmentBytes);
  }

  /** In place of `open`: the pool has joined a shell that was left. */
  joined(place: ShellPlace): void {
    this.#place = place;
    this.#answerBytes = this.#size.currentBytes;
    this.#fit();
  }
  /** A pipeline of the former client, which the pool has joined: its output may come. */
  takeUp(pipelineId: string): void {
    const command = newCommand(pipelineId.toUpperCase());
    this.#commands.set(pipelineId, command);
    const taken = (isReady: boolean): ShellEvent[] => {
      command.isJoining = false;
      command.isReady = isReady;
      return [];
    };
    this.#put('control', OPERATIONS.connect, { commandId: pipelineId }, {
      answered: () => taken(true),
      refused: (error) => {
        taken(false);
        if (error.explanation.kind !== 'gone') return this.#fail(error);
        this.#commands.delete(pipelineId);
        return this.#pool.closed(pipelineId);
      },
    }); // prettier-ignore
  }

  /** The server keeps the shell when nobody is connected. */
  get isLeavable(): boolean {
    return this.#place?.isLeavable === true && this.#pool.state === 'Opened';
  }
  /**
   * Leaves the shell at the target: what waits goes out, half a message is waited for, then Disconnect. `left` or
   * `leaveRefused` follows. [MS-PSRP] 3.1.5.3.11 Rules for the wxf:Disconnect Message.
   */
  leave(idleTimeoutMs: number | null, bufferMode: BufferMode | null = null): void {
    this.#leaving ??= { idleTimeoutMs, bufferMode, phase: 'sending' };
  }
  /** It took too long. @returns false when nothing was left: the shell goes on */
  leaveNow(): boolean {
    const isLeft = this.#leaving?.phase === 'gone' || this.#leaving?.phase === 'told';
    if (!isLeft) this.#leaving = null;
    return isLeft;
  }

  /** Answers to host calls wait to be sent, or for the server to take them. */
  get isAnswering(): boolean {
    return this.#queue.hasAnswers || this.#answersUnderWay > 0;
  }

  /** No further Receive until `resume`: who reads the output is behind. */
  pause(): void {
    this.#waits.isPaused = true;
  }
  /** While it is held no further Receive is made either: what came is not written down yet. */
  readonly hold = (isHeld: boolean): void => void (this.#waits.isHeld = isHeld);
  /** Output may come again. */
  resume(): void {
    this.#waits.isPaused = false;
  }

  /** Gives up a shell, mostly a broken one: Delete goes out as soon as there is something to delete. */
  abandon(): void {
    this.#delete();
  }

  /** Nothing is open on the server any more, as far as can be known. */
  get isOver(): boolean {
    return this.end !== null || (this.#place === null && this.#book.isEmpty);
  }

  /** What carries the shell cannot go on: not an answer to a request, and none will come. */
  failed(error: Error): ShellEvent[] {
    return this.#isDeleting ? this.#deleted(false) : this.#fail(error);
  }

  /** The requests to make now. */
  takeRequests(): ShellRequest[] {
    this.#sort(this.#pool.takeOutgoing());
    const isOver = this.#pool.state === 'Broken' || this.#pool.state === 'Closed';
    if (this.#place !== null && !this.#isDeleting && !isOver) {
      const isOurs = this.#leaving === null || this.#leaving.phase === 'sending';
      if (isOurs) this.#nextSend(this.#place);
      // Polls first: the person waits for the output.
      if (this.#leaving === null && !this.#waits.isPaused && !this.#waits.isHeld) this.#polls();
      if (isOurs) this.#nextControl();
      // A target that is full takes nothing before it is read.
      if (this.#leaving?.phase === 'sending' && (this.#book.isBusy('send') || this.#book.isBusy('control')))
        this.#polls();
      if (this.#leaving !== null) this.#nextLeave(this.#leaving);
    }
    return this.#book.take();
  }

  /** Takes the body of an answer with status 200, or 500 and 400 with a fault; or a refusal that came without an envelope. */
  answered(id: number, body: Uint8Array | WsManFaultError): ShellEvent[] {
    const pending = this.#book.get(id);
    if (pending === undefined) return [];
    this.#book.done(id);
    let answer: unknown;
    try {
      if (body instanceof WsManFaultError) throw body;
      answer = this.#requests.read(pending.prepared, body);
    } catch (error) {
      if (error instanceof WsManFaultError) return this.#last(pending.refused(error, pending.isRepeated));
      if (error instanceof WsManError) return this.#fail(error);
      throw error;
    }
    return this.#last(pending.answered(answer));
  }

  /**
   * The connection of a request broke before its answer. What changes nothing on the server when it comes twice is made
   * again; anything else may have happened or not, so the shell is given up.
   * @param mayRepeat there is time for another try @param isUnsent the request cannot have reached the server
   */
  lost(id: number, error: Error, mayRepeat: boolean, isUnsent = false): ShellEvent[] {
    const pending = this.#book.get(id);
    if (pending === undefined) return [];
    const isGone = this.#leaving !== null && this.#leaving.phase !== 'sending';
    if (mayRepeat && (pending.isRepeatable || isUnsent) && !this.#isDeleting && !isGone) {
      pending.isRepeated ||= !isUnsent;
      this.#book.repeat(id, pending);
      return [];
    }
    this.#book.done(id);
    // What was polled for is of no interest then: the answer to Delete counts.
    if (this.#isDeleting) return pending.lane === 'poll' ? [] : this.#deleted(false);
    if (!isGone) return this.#fail(error);
    // Disconnect may have been taken or not; the server keeps the shell either way.
    if (this.#leaving?.phase === 'disconnecting' && pending.lane === 'control') this.#leaving.phase = 'gone';
    return this.#last([]);
  }

  #put<Request, Response>(
    lane: Lane,
    operation: Operation<Request, Response>,
    request: Request,
    on: {
      readonly answered: (answer: Response) => ShellEvent[];
      readonly refused: (error: WsManFaultError, isRepeated: boolean) => ShellEvent[];
    },
    isRepeatable = lane === 'poll',
  ): void {
    const answerBytes = (lane === 'poll' ? this.#answerBytes : null) ?? this.#size.bytes;
    this.#book.put(lane, operation, request, targetOf(this.#place, answerBytes), { ...on, isRepeatable });
  }

  /** Takes what the pool wants sent. */
  #sort(outgoing: readonly Outgoing[]): void {
    for (const item of outgoing) {
      if (item.kind === 'data') this.#queue.add(item.pipelineId, item.priority, item.fragment);
      else if (item.kind === 'command') {
        this.#commands.set(item.pipelineId, newCommand(null));
        this.#queue.begin(item.pipelineId);
      } else if (item.kind === 'signal') this.#controls.add({ kind: 'stop', pipelineId: item.pipelineId });
      else if (item.pipelineId === null) this.#delete();
      else {
        const command = this.#commands.get(item.pipelineId);
        if (command !== undefined) command.isClosing = true;
        this.#controls.add({ kind: 'terminate', pipelineId: item.pipelineId });
      }
    }
  }

  #nextSend(place: ShellPlace): void {
    if (this.#book.isBusy('send')) return;
    const unit = this.#queue.take();
    if (unit === null) return;
    const { pipelineId, stream, bytes, isCommand, isWholeMessage } = unit;
    const command = pipelineId === null ? undefined : this.#commands.get(pipelineId);
    if (pipelineId !== null && command === undefined) {
      this.#nextSend(place);
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
    const answers = stream === 'pr' ? 1 : 0;
    this.#answersUnderWay += answers;
    this.#put('send', OPERATIONS.send, request, {
      answered: () => {
        this.#answersUnderWay -= answers;
        if (command !== null && isWhole) command.isReady = true;
        return [];
      },
      // What was meant for a command that has ended meanwhile is of no use to anybody.
      refused: (error) => {
        this.#answersUnderWay -= answers;
        return error.explanation.kind === 'gone' && command !== null ? [] : this.#fail(error);
      },
    });
  }

  #nextControl(): void {
    if (this.#controls.isEmpty || this.#book.isBusy('control')) return;
    const hasEnded = (pipelineId: string): boolean => ENDED.has(this.#pool.pipelineState(pipelineId));
    // What is left goes out before: what is waited for may never end.
    const mayRest = this.#leaving === null && !this.#pool.pipelineIds.every(hasEnded);
    const next = this.#controls.take(this.#commands, this.#book.isStarting(), mayRest ? hasEnded : () => false);
    if (next === null) return;
    const { pipelineId, command } = next;
    if (next.kind === 'stop') this.#signal(command, SIGNAL.stop, () => this.#stopTaken(pipelineId, command));
    else {
      this.#signal(command, SIGNAL.terminate, () => {
        this.#commands.delete(pipelineId);
        return this.#pool.closed(pipelineId);
      });
    }
  }

  #signal(command: Command, signalCode: string, taken: () => ShellEvent[]): void {
    const refused = (error: WsManFaultError): ShellEvent[] =>
      error.explanation.kind === 'gone' ? taken() : this.#fail(error);
    // Twice the same signal is as good as once.
    this.#put(
      'control',
      OPERATIONS.signal,
      { commandId: command.wireId, signalCode },
      { answered: taken, refused },
      true,
    );
  }

  /**
   * The answer comes over another connection than the output and may be faster: what was put out before the stop, and the
   * state Stopped itself, are still to come.
   */
  #stopTaken(pipelineId: string, command: Command): ShellEvent[] {
    command.isStopTaken = true;
    return command.isDone ? this.#pool.signalled(pipelineId) : [];
  }

  // ---- leaving and coming back

  #nextLeave(leaving: Leaving): void {
    if (leaving.phase !== 'sending' || this.#book.isBusy('send') || this.#book.isBusy('control')) return;
    if (!this.#controls.isEmpty || this.#polls((pipelineId) => this.#pool.isAmid(pipelineId))) return;
    leaving.phase = 'disconnecting';
    const idleTimeoutMs = idleTimeoutOf(leaving.idleTimeoutMs, this.#place?.maxIdleTimeoutMs ?? null);
    this.#put('control', OPERATIONS.disconnect, { idleTimeoutMs, bufferMode: leaving.bufferMode }, {
      answered: () => {
        leaving.phase = 'gone';
        return [];
      },
      refused: (error) => {
        this.#leaving = null;
        return error.explanation.code === 'target_shell_gone' ? this.#fail(error) : [{ type: 'leaveRefused', error }];
      },
    }); // prettier-ignore
  }

  /** Polls that were under way are answered or refused before the shell is left for good. */
  #last(events: ShellEvent[]): ShellEvent[] {
    if (this.#leaving?.phase !== 'gone' || this.#book.isBusy('poll')) return events;
    this.#leaving.phase = 'told';
    return [...events, { type: 'left' }];
  }

  /**
   * A poll that was made again is refused: the server may have left the shell by itself meanwhile, and takes the same
   * client back. [MS-WSMV] 3.1.4.16 Reconnect.
   */
  #reconnect(refusal: WsManFaultError): ShellEvent[] {
    if (this.#isReconnecting) return [];
    this.#isReconnecting = true;
    this.#put('control', OPERATIONS.reconnect, { commandId: null }, {
      answered: () => {
        this.#isReconnecting = false;
        return [];
      },
      refused: () => this.#fail(refusal),
    }); // prettier-ignore
    return [];
  }

  /**
   * @param isWanted which polls are made; all without. null = the pool's
   * @returns whether one of them is under way now
   */
  #polls(isWanted: (pipelineId: string | null) => boolean = () => true): boolean {
    if (this.#isReconnecting) return true;
    let isAny = isWanted(null);
    if (isAny && !this.#isShellPolled) {
      this.#isShellPolled = true;
      this.#poll(null, (isPolled) => {
        this.#isShellPolled = isPolled;
      });
    }
    for (const [pipelineId, command] of this.#commands) {
      if (!command.isReady || command.isDone || !isWanted(pipelineId)) continue;
      isAny = true;
      if (command.isPolled) continue;
      command.isPolled = true;
      this.#poll({ pipelineId, command }, (isPolled) => {
        command.isPolled = isPolled;
      });
    }
    return isAny;
  }

  #poll(of: Polled | null, set: (isPolled: boolean) => void): void {
    const answerBytes = this.#answerBytes;
    this.#put('poll', OPERATIONS.receive, { commandId: of?.command.wireId ?? null }, {
      answered: (answer) => {
        set(false);
        return this.#received(of, answer);
      },
      refused: (error, isRepeated) => {
        set(false);
        const isLeft = this.#leaving !== null && this.#leaving.phase !== 'sending';
        if (error.isTimeout || this.#isDeleting || isLeft) return [];
        if (answerBytes !== null && isSizeRefused(error)) {
          // The target is set to less than others of its kind: the same is asked for in smaller pieces.
          this.#answerBytes = null;
          return [];
        }
        if (isRepeated && this.isLeavable && error.explanation.kind !== 'gone') return this.#reconnect(error);
        return of === null ? this.#fail(error) : this.#pollRefused(of, error);
      },
    }); // prettier-ignore
  }

  #received(of: Polled | null, answer: ReceiveResponse): ShellEvent[] {
    const events: ShellEvent[] = [];
    for (const { bytes } of answer.streams) {
      this.takenBytes += bytes.length;
      if (of !== null) of.command.receivedBytes += bytes.length;
      if (of !== null && of.command.receivedBytes > this.#maxCommandBytes) return [...events, ...this.#cutOff(of)];
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

  /** More came than may come: nothing of it is asked for any more, and the target frees it. */
  #cutOff({ pipelineId, command }: Polled): ShellEvent[] {
    command.isDone = true;
    const limit = this.#maxCommandBytes;
    const signalled = command.isStopTaken ? this.#pool.signalled(pipelineId) : [];
    return [{ type: 'pipelineCutOff', pipelineId, limit }, ...signalled, ...this.#gone(pipelineId)];
  }

  #gone(pipelineId: string): ShellEvent[] {
    return this.#pool.closePipeline(pipelineId) ? [] : this.#pool.closed(pipelineId);
  }

  #pollRefused(of: Polled, error: WsManFaultError): ShellEvent[] {
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
    this.#controls.clear();
    // While Create is under way there is nothing to delete yet.
    if (this.#place === null) return;
    this.#book.dropReady();
    this.#sendDelete();
  }

  #sendDelete(): void {
    this.#put('control', OPERATIONS.deleteShell, null, {
      answered: () => this.#deleted(true),
      refused: ({ explanation: { kind } }) => this.#deleted(kind === 'gone' || kind === 'ending'),
    });
  }

  #deleted(isKnown: boolean): ShellEvent[] {
    this.end = isKnown ? 'known' : 'supposed';
    this.#commands.clear();
    this.#book.clear();
    return this.#pool.closed(null);
  }

  #fail(error: Error): ShellEvent[] {
    if (this.#isDeleting) return [];
    this.#controls.clear();
    this.#book.dropReady();
    this.#book.clear();
    this.#commands.clear();
    return [{ type: 'shellFailed', error }, ...this.#pool.fail(error.message)];
  }
}
