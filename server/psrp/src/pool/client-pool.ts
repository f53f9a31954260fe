import { decodeBody } from '../body.ts';
import { CliXmlReader } from '../clixml/reader.ts';
import type { PsValue } from '../clixml/object.ts';
import type { PsSecureString } from '../clixml/scalars.ts';
import { PsrpError, PsrpStateError } from '../errors.ts';
import { DEFAULT_FRAGMENT_BYTES } from '../fragments/fragmenter.ts';
import { decodeMessage, DESTINATION } from '../fragments/header.ts';
import { Reassembler } from '../fragments/reassembler.ts';
import { hostResponse } from '../host/calls.ts';
import type { HostCall, HostCallOf, HostMethodName } from '../host/methods.ts';
import { DEFAULT_LIMITS, withLimits } from '../limits.ts';
import type { PsrpLimits } from '../limits.ts';
import { RUNSPACE_HOST } from '../messages/host-info.ts';
import { MESSAGES } from '../messages/index.ts';
import type { HostResponseBody } from '../messages/host-call-body.ts';
import { encodeError, ErrorRecord } from '../records/error-record.ts';
import type {
  ClientPoolOptions,
  CommandMetadataOptions,
  HostAnswer,
  OpenOptions,
  PipelineOptions,
} from './client-options.ts';
import { dropped, eventOf } from './client-messages.ts';
import type { MessageContext } from './client-messages.ts';
import { newPipeline } from './client-pipeline.ts';
import type { ClientPipeline, Incoming, OpenHostCall } from './client-pipeline.ts';
import type { PoolEvent, ReceivedMessage } from './events.ts';
import { OutgoingQueue } from './outgoing.ts';
import type { Outgoing, Priority } from './outgoing.ts';
import { encodePublicKey, openSecureString, sealSecureString } from './session-key.ts';
import type { PublicKey } from './session-key.ts';
import { ClientSessionKey } from './client-session-key.ts';
import { isFinal, move, PIPELINE, POOL } from './states.ts';
import type { PipelineInput, PipelineStateName, PoolInput, PoolStateName } from './states.ts';
import { capability } from './version.ts';
import type { ProtocolVersion } from './version.ts';

/** Written out: a spread costs more than the rest of the message's way together. */
function received(bytes: Uint8Array, objectId: bigint, cut: readonly number[]): ReceivedMessage {
  const { destination, messageType, poolId, pipelineId, body, hasBom } = decodeMessage(bytes);
  return { destination, messageType, poolId, pipelineId, body, hasBom, objectId, cut };
}

/** The client's side of one runspace pool, for any transport. Synchronous; no clock, no random source, no I/O. */
export class ClientPool {
  readonly id: string;
  readonly #options: ClientPoolOptions;
  readonly #limits: PsrpLimits;
  /** What it remembers is worth keeping while pipelines run. */
  #reader: CliXmlReader | null = null;
  readonly #out: OutgoingQueue;
  readonly #streams = new Map<string, Reassembler>();
  readonly #pipelines = new Map<string, ClientPipeline>();
  readonly #poolCalls = new Map<bigint, Uint8Array>();
  #inbox: Incoming[] = [];
  #waitsFor: ReceivedMessage | null = null;
  /** Body of the message that is being told. */
  #body: Uint8Array = new Uint8Array();
  #isJoined = false;
  #state: PoolStateName = 'BeforeOpen';
  #version: ProtocolVersion | null = null;
  #callId = 0n;
  readonly #key: ClientSessionKey;

  constructor(options: ClientPoolOptions) {
    this.id = options.poolId;
    this.#options = options;
    this.#limits = withLimits(DEFAULT_LIMITS, options.limits);
    this.#key = new ClientSessionKey(options.cipher);
    this.#out = new OutgoingQueue(DESTINATION.server, options.poolId, options.fragmentBytes ?? DEFAULT_FRAGMENT_BYTES);
  }

  get state(): PoolStateName {
    return this.#state;
  }
  /** The version both sides speak; null before the server answered. */
  get protocolVersion(): ProtocolVersion | null {
    return this.#version;
  }
  get sessionKeyState(): 'none' | 'requested' | 'ready' {
    return this.#key.state;
  }
  /** State of a pipeline; null when there is none of that id (any more). */
  pipelineState(pipelineId: string): PipelineStateName | null {
    return this.#pipelines.get(pipelineId)?.state ?? null;
  }
  /** Ids of pipelines that were not closed yet. */
  get pipelineIds(): string[] {
    return [...this.#pipelines.keys()];
  }
  /** The server takes less, or more, than was said when the pool was made: for messages from now on. @param bytes with header */
  sizeFragments(bytes: number): void {
    this.#out.fragmentBytes = bytes;
  }
  /** What the transport is to send, in order. */
  takeOutgoing(): Outgoing[] {
    return this.#out.take();
  }

  // ---- the pool

  /** Sends SESSION_CAPABILITY and INIT_RUNSPACEPOOL. @throws PsrpStateError when it was opened already */
  open(options: OpenOptions): void {
    this.#moveLocally('open');
    this.#out.send('SESSION_CAPABILITY', capability(this.#options.protocolVersion ?? '2.3'));
    this.#out.send('INIT_RUNSPACEPOOL', {
      minRunspaces: options.minRunspaces ?? 1,
      maxRunspaces: options.maxRunspaces ?? 1,
      threadOptions: options.threadOptions ?? 0,
      apartmentState: options.apartmentState ?? 2,
      hostInfo: options.hostInfo,
      applicationArguments: options.applicationArguments ?? null,
    });
    this.#out.coalesce();
  }

  /** Sends SESSION_CAPABILITY and CONNECT_RUNSPACEPOOL: joins a pool that another client left. WSMan only. */
  connect(bounds: { readonly minRunspaces: number; readonly maxRunspaces: number } | null = null): void {
    if ((this.#options.protocolVersion ?? '2.3') < '2.2') throw new PsrpStateError('joining a pool needs 2.2');
    this.#moveLocally('connect');
    this.#isJoined = true;
    this.#out.send('SESSION_CAPABILITY', capability(this.#options.protocolVersion ?? '2.3'));
    this.#out.send('CONNECT_RUNSPACEPOOL', bounds ?? { minRunspaces: null, maxRunspaces: null });
    this.#out.coalesce();
  }

  /** Tells that the transport's Disconnect, its end, or its Reconnect happened. WSMan only. */
  transportMoved(input: 'disconnect' | 'disconnected' | 'reconnect' | 'opened'): PoolEvent[] {
    if (this.#version !== null && this.#version < '2.2') throw new PsrpStateError('the server cannot disconnect');
    this.#moveLocally(input);
    const events: PoolEvent[] = [{ type: 'poolState', state: this.#state, error: null }];
    const forPipelines = input === 'disconnected' ? 'disconnect' : input === 'opened' ? 'reconnect' : null;
    if (forPipelines === null) return events;
    for (const [pipelineId, pipeline] of this.#pipelines) {
      if (PIPELINE[pipeline.state][forPipelines] === undefined) continue;
      pipeline.state = move(PIPELINE, pipeline.state, forPipelines);
      events.push({ type: 'pipelineState', pipelineId, state: pipeline.state, error: null });
    }
    return events;
  }

  /** Closes every pipeline, then the pool. Nothing happens when it is closed or closing already. */
  close(): PoolEvent[] {
    if (POOL[this.#state].close === undefined) return [];
    this.#state = move(POOL, this.#state, 'close');
    if (this.#state === 'Closed') return this.#ended('Closed', null);
    for (const pipelineId of this.#pipelines.keys()) this.closePipeline(pipelineId);
    this.#out.push({ kind: 'close', pipelineId: null });
    return [{ type: 'poolState', state: this.#state, error: null }];
  }

  /** The owner or the transport gives up: the pool is Broken, every pipeline Failed. */
  fail(reason: string | PsrpError): PoolEvent[] {
    if (POOL[this.#state].broken === undefined) return [];
    this.#state = move(POOL, this.#state, 'broken');
    const message = typeof reason === 'string' ? reason : reason.message;
    const record = new ErrorRecord(encodeError({ message, category: 27, reason: 'PSRemotingTransportException' }));
    const first: PoolEvent[] = typeof reason === 'string' ? [] : [{ type: 'failed', error: reason }];
    return [...first, ...this.#ended('Broken', record)];
  }

  /** Asks for another lower bound. @returns the call id that `runspaceAvailability` will have */
  setMinRunspaces(count: number): bigint {
    return this.#call((callId) => this.#out.send('SET_MIN_RUNSPACES', { count, callId }));
  }
  /** Asks for another upper bound. @returns the call id */
  setMaxRunspaces(count: number): bigint {
    return this.#call((callId) => this.#out.send('SET_MAX_RUNSPACES', { count, callId }));
  }
  /** Asks how many runspaces are free. @returns the call id */
  getAvailableRunspaces(): bigint {
    return this.#call((callId) => this.#out.send('GET_AVAILABLE_RUNSPACES', { callId }));
  }
  /** Protocol 2.3. @throws PsrpStateError with an older server */
  resetRunspaceState(): bigint {
    if (this.#version !== null && this.#version < '2.3') throw new PsrpStateError('the server cannot reset runspaces');
    return this.#call((callId) => this.#out.send('RESET_RUNSPACE_STATE', { callId }));
  }

  #call(send: (callId: bigint) => void): bigint {
    this.#mustBeOpened();
    this.#callId++;
    send(this.#callId);
    return this.#callId;
  }

  // ---- pipelines

  /** Sends CREATE_PIPELINE. @returns the pipeline's id @throws PsrpStateError when the pool is not Opened */
  createPipeline(options: PipelineOptions): string {
    const pipelineId = this.#newPipeline(options.pipelineId, options.noInput ?? true, (id) => {
      this.#out.send(
        'CREATE_PIPELINE',
        {
          noInput: options.noInput ?? true,
          apartmentState: options.apartmentState ?? 2,
          remoteStreamOptions: options.remoteStreamOptions ?? 0,
          addToHistory: options.addToHistory ?? false,
          hostInfo: options.hostInfo ?? RUNSPACE_HOST,
          isNested: options.isNested ?? false,
          history: options.history ?? null,
          redirectErrors: options.redirectErrors ?? false,
          commands: options.commands,
          moreStatements: options.moreStatements ?? [],
          protocolMinor: Number((this.#version ?? '2.3').slice(2)),
        },
        id,
      );
    });
    return pipelineId;
  }

  /** Sends GET_COMMAND_METADATA; the answer is output, a count first. @returns the pipeline's id */
  getCommandMetadata(options: CommandMetadataOptions = {}): string {
    return this.#newPipeline(options.pipelineId, true, (id) => {
      this.#out.send(
        'GET_COMMAND_METADATA',
        {
          names: options.names ?? null,
          commandTypes: options.commandTypes ?? 0x10f,
          namespaces: options.namespaces ?? null,
          fullyQualifiedModules: options.fullyQualifiedModules ?? null,
          argumentList: options.argumentList ?? null,
        },
        id,
      );
    });
  }

  /**
   * Joins a pipeline of the pool's former client: its output comes once the transport has connected to it. Its input is
   * closed. WSMan only. @throws PsrpStateError
   */
  connectPipeline(pipelineId: string): void {
    this.#mustHaveRoomFor(pipelineId);
    const state = move(PIPELINE, 'Disconnected', 'reconnect');
    this.#pipelines.set(pipelineId, newPipeline(state, true));
  }

  #mustHaveRoomFor(pipelineId: string): void {
    this.#mustBeOpened();
    if (this.#pipelines.size >= this.#limits.maxPipelines) throw new PsrpStateError('too many pipelines');
    if (this.#pipelines.has(pipelineId)) throw new PsrpStateError(`pipeline ${pipelineId} exists already`);
  }

  #newPipeline(wanted: string | undefined, noInput: boolean, send: (pipelineId: string) => void): string {
    this.#mustBeOpened();
    const pipelineId = wanted ?? this.#options.newId();
    this.#mustHaveRoomFor(pipelineId);
    this.#out.push({ kind: 'command', pipelineId });
    send(pipelineId);
    this.#pipelines.set(pipelineId, newPipeline(move(PIPELINE, 'NotStarted', 'create'), noInput));
    return pipelineId;
  }

  /** @throws PsrpStateError when the pipeline takes no input (any more) */
  sendInput(pipelineId: string, value: PsValue): void {
    const pipeline = this.#live(pipelineId);
    if (pipeline.isInputEnded) throw new PsrpStateError('the pipeline takes no input');
    this.#out.send('PIPELINE_INPUT', { value }, pipelineId);
  }
  /** Must follow the last input, or the pipeline waits forever. */
  endInput(pipelineId: string): void {
    const pipeline = this.#live(pipelineId);
    if (!pipeline.hasInput || pipeline.isInputEnded) return;
    pipeline.isInputEnded = true;
    this.#out.send('END_OF_PIPELINE_INPUT', null, pipelineId);
  }
  /** Asks the transport to stop a pipeline. False when it is not running. */
  stop(pipelineId: string): boolean {
    const pipeline = this.#pipelines.get(pipelineId);
    if (pipeline === undefined || PIPELINE[pipeline.state].stop === undefined) return false;
    pipeline.state = move(PIPELINE, pipeline.state, 'stop');
    pipeline.openCalls.clear();
    this.#out.push({ kind: 'signal', pipelineId });
    return true;
  }
  /** Ends a pipeline at the transport; a running one is stopped by that. False when it is closed already. */
  closePipeline(pipelineId: string): boolean {
    const pipeline = this.#pipelines.get(pipelineId);
    if (pipeline === undefined || pipeline.isClosing) return false;
    pipeline.isClosing = true;
    pipeline.openCalls.clear();
    this.#out.push({ kind: 'close', pipelineId });
    return true;
  }

  /**
   * Answers a host call. False when nobody waits for the answer (any more): the pipeline was stopped or has ended, the
   * call was void, or it was answered.
   * @throws PsrpEncodeError when the result has no form on the wire
   */
  respondHostCall<M extends HostMethodName>(call: HostCallOf<M>, answer: HostAnswer<M>): boolean {
    const { callId, pipelineId } = call as HostCall;
    const calls = pipelineId === null ? this.#poolCalls : this.#pipelines.get(pipelineId)?.openCalls;
    if (calls?.has(callId) !== true || POOL[this.#state].close === undefined) return false;
    const wire = 'error' in answer ? { error: encodeError(answer.error) } : answer;
    this.#respond(pipelineId, hostResponse(call, wire));
    return true;
  }

  #respond(pipelineId: string | null, body: HostResponseBody): void {
    const calls = pipelineId === null ? this.#poolCalls : this.#pipelines.get(pipelineId)?.openCalls;
    const name = pipelineId === null ? 'RUNSPACEPOOL_HOST_RESPONSE' : 'PIPELINE_HOST_RESPONSE';
    this.#out.send(name, body, pipelineId, { priority: 'promptResponse' });
    calls?.delete(body.callId);
  }

  /** Host calls that were not answered, with what `repeatHostCall` wants. The bodies are copies. */
  openHostCalls(): OpenHostCall[] {
    const of = (pipelineId: string | null, calls: ReadonlyMap<bigint, Uint8Array>): OpenHostCall[] =>
      Array.from(calls, ([callId, body]) => ({ pipelineId, callId, body: body.slice() }));
    return [
      ...of(null, this.#poolCalls),
      ...Array.from(this.#pipelines).flatMap(([pipelineId, { openCalls }]) => of(pipelineId, openCalls)),
    ];
  }
  /**
   * Tells a call again that the pool's former client has not answered: the server waits for it still, and will not send
   * it twice. Its pipeline was connected before. @throws PsrpError when it is no host call
   */
  repeatHostCall({ pipelineId, body }: Pick<OpenHostCall, 'pipelineId' | 'body'>): PoolEvent[] {
    this.#mustBeOpened();
    const name = pipelineId === null ? 'RUNSPACEPOOL_HOST_CALL' : 'PIPELINE_HOST_CALL';
    if (pipelineId !== null && !this.#context.hasPipeline(pipelineId)) return [];
    const message = { destination: DESTINATION.client, messageType: MESSAGES[name].type, poolId: this.id, pipelineId };
    const held = { ...message, body, hasBom: false, objectId: 0n, cut: [] };
    return this.#handle(held, decodeBody(held, (this.#reader ??= new CliXmlReader(this.#limits))));
  }
  /** True while a message of this stream has come in part. */
  isAmid(pipelineId: string | null): boolean {
    return this.#streams.get(`${pipelineId ?? ''}/default`)?.isIncomplete ?? false;
  }

  // ---- secure strings

  /** Starts the key exchange unless there is a key. The events say what is needed. */
  requestSessionKey(): PoolEvent[] {
    this.#mustBeOpened();
    return this.#key.request(this.#version);
  }
  /** Sends PUBLIC_KEY. */
  supplyPublicKey(key: PublicKey): void {
    this.#key.mustBeRequested();
    this.#out.send('PUBLIC_KEY', { blob: encodePublicKey(key) });
  }
  /** The unwrapped AES key, 32 bytes; the caller may wipe it afterwards. */
  supplySessionKey(key: Uint8Array): PoolEvent[] {
    return this.#key.supply(key);
  }
  /** @throws PsrpStateError while there is no key */
  seal(text: string): PsSecureString {
    return sealSecureString(text, this.#key.cipher(this.#version));
  }
  /** @throws PsrpStateError while there is no key, PsrpProtocolError when it cannot be opened */
  unseal(value: PsSecureString): string {
    return openSecureString(value, this.#key.cipher(this.#version));
  }

  // ---- from the transport

  /**
   * Takes fragment bytes of one stream; gives back the events they complete. Never throws for what a peer sent: a bad
   * peer gives `failed` and the pool is Broken.
   */
  receive(pipelineId: string | null, bytes: Uint8Array, priority: Priority = 'default'): PoolEvent[] {
    if (POOL[this.#state].broken === undefined || this.#state === 'BeforeOpen') return [];
    if (pipelineId !== null && !this.#pipelines.has(pipelineId)) return [];
    try {
      const stream = this.#stream(`${pipelineId ?? ''}/${priority}`);
      stream.read(bytes, ({ objectId, bytes: whole, cut }) => {
        this.#inbox.push({ kind: 'message', message: received(whole, objectId, cut) });
      });
    } catch (error) {
      // What was complete before the fault is still told.
      return [...this.#work(), ...this.#broken(error)];
    }
    return this.#work();
  }

  #stream(key: string): Reassembler {
    let stream = this.#streams.get(key);
    if (stream === undefined) {
      stream = new Reassembler(this.#limits, this.#options.skipToStart ?? false);
      this.#streams.set(key, stream);
    }
    return stream;
  }

  /** The body that a `largeBody` event asked for; gives the events that waited. */
  supplyBody(message: ReceivedMessage, body: PsValue | undefined): PoolEvent[] {
    if (this.#waitsFor !== message) throw new PsrpStateError('nothing waits for that body');
    this.#waitsFor = null;
    let events: PoolEvent[];
    try {
      events = this.#handle(message, body);
    } catch (error) {
      return this.#broken(error);
    }
    return [...events, ...this.#work()];
  }

  /** The transport says that a stop was taken. */
  signalled(pipelineId: string): PoolEvent[] {
    this.#inbox.push({ kind: 'signalled', pipelineId });
    return this.#work();
  }
  /** The transport says that a pipeline, or the pool, is closed. */
  closed(pipelineId: string | null): PoolEvent[] {
    this.#inbox.push({ kind: 'closed', pipelineId });
    return this.#work();
  }

  #work(): PoolEvent[] {
    const events: PoolEvent[] = [];
    let next = 0;
    try {
      for (; this.#waitsFor === null && next < this.#inbox.length; next++) {
        const item = this.#inbox[next];
        if (item === undefined) break;
        for (const event of this.#take(item)) events.push(event);
      }
    } catch (error) {
      events.push(...this.#broken(error));
      next = this.#inbox.length;
    }
    this.#inbox = next >= this.#inbox.length ? [] : this.#inbox.slice(next);
    return events;
  }

  #take(item: Incoming): PoolEvent[] {
    if (item.kind === 'message') {
      const { message } = item;
      const events = dropped(message, this.#context);
      if (events !== null) return events;
      if (message.body.length > (this.#options.inlineBodyBytes ?? Infinity)) {
        this.#waitsFor = message;
        return [{ type: 'largeBody', message }];
      }
      return this.#handle(message, decodeBody(message, (this.#reader ??= new CliXmlReader(this.#limits))));
    }
    const { pipelineId } = item;
    if (pipelineId === null) {
      if (POOL[this.#state].closed === undefined) return [];
      this.#state = move(POOL, this.#state, 'closed');
      return this.#ended('Closed', null);
    }
    return item.kind === 'signalled' ? this.#onSignalled(pipelineId) : this.#onPipelineClosed(pipelineId);
  }

  #onSignalled(pipelineId: string): PoolEvent[] {
    const pipeline = this.#pipelines.get(pipelineId);
    if (pipeline === undefined) return [];
    // A server that acknowledges without a state has stopped the pipeline all the same.
    const state = pipeline.state === 'Stopping' ? this.#movePipeline(pipelineId, 'stopped', null) : [];
    return [...state, { type: 'pipelineSignalled', pipelineId }];
  }

  #onPipelineClosed(pipelineId: string): PoolEvent[] {
    const pipeline = this.#pipelines.get(pipelineId);
    if (pipeline === undefined) return [];
    const state = isFinal(PIPELINE, pipeline.state) ? [] : this.#movePipeline(pipelineId, 'stopped', null);
    this.#forget(pipelineId);
    return [...state, { type: 'pipelineClosed', pipelineId }];
  }

  #forget(pipelineId: string): void {
    this.#pipelines.delete(pipelineId);
    if (this.#pipelines.size === 0) this.#reader = null;
    this.#streams.delete(`${pipelineId}/default`);
    this.#streams.delete(`${pipelineId}/promptResponse`);
  }

  #handle(message: ReceivedMessage, body: PsValue | undefined): PoolEvent[] {
    this.#body = message.body;
    return eventOf(message, body, this.#context);
  }

  readonly #context: MessageContext = {
    poolId: () => this.id,
    announced: () => this.#options.protocolVersion ?? '2.3',
    isNegotiated: () => this.#version !== null,
    negotiated: (version) => {
      this.#version = version;
    },
    hasPipeline: (pipelineId) => {
      const pipeline = this.#pipelines.get(pipelineId);
      return pipeline !== undefined && !isFinal(PIPELINE, pipeline.state);
    },
    movePool: (input, error) => this.#movePool(input, error),
    movePipeline: (pipelineId, input, error) => this.#movePipeline(pipelineId, input, error),
    keyRequested: () => this.#key.requestedByServer(),
    isKeyExpected: () => this.#key.state === 'requested',
    isJoined: () => this.#isJoined,
    callReceived: (pipelineId, callId) => {
      const calls = pipelineId === null ? this.#poolCalls : this.#pipelines.get(pipelineId)?.openCalls;
      calls?.set(callId, this.#body);
    },
    respond: (pipelineId, body) => {
      this.#respond(pipelineId, body);
    },
  };

  // ---- moves

  #moveLocally(input: PoolInput): void {
    if (POOL[this.#state][input] === undefined) throw new PsrpStateError(`${input} in state ${this.#state}`);
    this.#state = move(POOL, this.#state, input);
  }

  #mustBeOpened(): void {
    if (this.#state !== 'Opened') throw new PsrpStateError(`the pool is ${this.#state}`);
  }

  #live(pipelineId: string): ClientPipeline {
    const pipeline = this.#pipelines.get(pipelineId);
    if (pipeline === undefined || pipeline.state !== 'Running') throw new PsrpStateError('the pipeline is not running');
    return pipeline;
  }

  #movePool(input: 'opened' | 'closed' | 'broken', error: ErrorRecord | null): PoolEvent[] {
    // A repeated Opened comes after a reconnect; a state while we close or after it says nothing new.
    if (input === 'opened' && this.#state !== 'Opening' && this.#state !== 'Connecting') return [];
    // The transport's acknowledgement ends a close that we asked for.
    if (input === 'closed' && this.#state === 'Closing') return [];
    this.#state = move(POOL, this.#state, input);
    if (input === 'opened') return [{ type: 'poolState', state: this.#state, error }];
    return this.#ended(input === 'closed' ? 'Closed' : 'Broken', error);
  }

  #movePipeline(pipelineId: string, input: PipelineInput, error: ErrorRecord | null): PoolEvent[] {
    const pipeline = this.#pipelines.get(pipelineId);
    if (pipeline === undefined) return [];
    pipeline.state = move(PIPELINE, pipeline.state, input);
    pipeline.openCalls.clear();
    return [{ type: 'pipelineState', pipelineId, state: pipeline.state, error }];
  }

  /** Every live pipeline ends with the pool. */
  #ended(state: 'Closed' | 'Broken', error: ErrorRecord | null): PoolEvent[] {
    const events: PoolEvent[] = [];
    for (const [pipelineId, pipeline] of this.#pipelines) {
      if (!isFinal(PIPELINE, pipeline.state)) {
        events.push(...this.#movePipeline(pipelineId, state === 'Closed' ? 'stopped' : 'failed', error));
      }
    }
    this.#pipelines.clear();
    this.#streams.clear();
    this.#poolCalls.clear();
    this.#inbox = [];
    this.#waitsFor = null;
    return [...events, { type: 'poolState', state, error }];
  }

  #broken(error: unknown): PoolEvent[] {
    if (error instanceof PsrpError) return this.fail(error);
    throw error;
  }
}
