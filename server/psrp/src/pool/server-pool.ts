import { decodeBody } from '../body.ts';
import { CliXmlReader } from '../clixml/reader.ts';
import type { PsObject, PsValue } from '../clixml/object.ts';
import type { PsSecureString } from '../clixml/scalars.ts';
import { PsrpError, PsrpProtocolError, PsrpStateError } from '../errors.ts';
import { DEFAULT_FRAGMENT_BYTES } from '../fragments/fragmenter.ts';
import { decodeMessage, DESTINATION } from '../fragments/header.ts';
import type { RawMessage } from '../fragments/header.ts';
import { joined, Reassembler } from '../fragments/reassembler.ts';
import { EMPTY_GUID } from '../guid.ts';
import { decodeHostResult, encodeHostCall } from '../host/calls.ts';
import { HOST_METHODS } from '../host/methods.ts';
import type { HostMethodName, HostParameters } from '../host/methods.ts';
import { SERVER_LIMITS, withLimits } from '../limits.ts';
import type { PsrpLimits } from '../limits.ts';
import { VOID_CALL_ID } from '../messages/host-call-body.ts';
import type { ConnectRunspacePool } from '../messages/connect-runspacepool.ts';
import type { HostResponseBody } from '../messages/host-call-body.ts';
import { messageName, MESSAGES } from '../messages/index.ts';
import type { UserEvent } from '../messages/user-event.ts';
import { encodeError, ErrorRecord } from '../records/error-record.ts';
import type { ProgressRecord } from '../records/progress-record.ts';
import { OutgoingQueue } from './outgoing.ts';
import type { Outgoing, Priority } from './outgoing.ts';
import { readConnect } from './server-connect.ts';
import type { ServerEvent } from './server-events.ts';
import { decodePublicKey, encodeWrappedKey, openSecureString, sealSecureString } from './session-key.ts';
import type { SessionCipher } from './session-key.ts';
import { move, PIPELINE_STATE_NUMBERS, SERVER_PIPELINE, SERVER_POOL } from './states.ts';
import type { ServerPipelineState, ServerPoolState } from './states.ts';
import { ServerPipelines } from './server-pipelines.ts';
import { ServerRunspaces } from './server-runspaces.ts';
import { acceptClient, capability } from './version.ts';
import type { ProtocolVersion } from './version.ts';

const SECTION = 'MS-PSRP 3.2.5.4 Message Processing';

/** How a server pool is made. */
export interface ServerPoolOptions {
  /** Highest version to speak; default 2.3. */
  readonly protocolVersion?: ProtocolVersion;
  readonly limits?: Partial<PsrpLimits>;
  readonly fragmentBytes?: number;
}

/** What ends a pipeline. */
export type PipelineEnd = 'Stopped' | 'Completed' | 'Failed';
const END_INPUTS = { Stopped: 'stopped', Completed: 'completed', Failed: 'failed' } as const;

/** The server's side of one runspace pool, for any transport. It runs nothing: the owner does. */
export class ServerPool {
  readonly #options: ServerPoolOptions;
  readonly #limits: PsrpLimits;
  readonly #reader: CliXmlReader;
  readonly #streams = new Map<string, Reassembler>();
  readonly #pipelines: ServerPipelines;
  #out = new OutgoingQueue(DESTINATION.client, EMPTY_GUID, DEFAULT_FRAGMENT_BYTES);
  #state: ServerPoolState = 'WaitCapability';
  #poolId = EMPTY_GUID;
  #version: ProtocolVersion | null = null;
  readonly #runspaces = new ServerRunspaces();
  #cipher: SessionCipher | null = null;
  /** What the client asked for that waits for `connected`. */
  #joining: ({ readonly version: ProtocolVersion } & ConnectRunspacePool) | null = null;
  readonly #poolCalls = new Map<bigint, HostMethodName>();
  #nextPoolCall = 1n;

  constructor(options: ServerPoolOptions = {}) {
    this.#options = options;
    this.#limits = withLimits(SERVER_LIMITS, options.limits);
    this.#reader = new CliXmlReader(this.#limits);
    this.#pipelines = new ServerPipelines(this.#limits);
  }

  get state(): ServerPoolState {
    return this.#state;
  }
  get id(): string {
    return this.#poolId;
  }
  get protocolVersion(): ProtocolVersion | null {
    return this.#version;
  }
  /** How many runspaces the client may have at most. */
  get maxRunspaces(): number {
    return this.#runspaces.max;
  }
  get minRunspaces(): number {
    return this.#runspaces.min;
  }
  /** Runspaces that no pipeline runs in: the answer to `getAvailableRunspaces`. */
  get availableRunspaces(): number {
    return Math.max(0, this.#runspaces.max - this.#pipelines.busy());
  }
  get hasSessionKey(): boolean {
    return this.#cipher !== null || this.#version === '2.4';
  }
  /** null = no such pipeline (any more). */
  pipelineState(pipelineId: string): ServerPipelineState | null {
    return this.#pipelines.get(pipelineId)?.state ?? null;
  }
  /** Fragments to send, in order. */
  takeOutgoing(): Outgoing[] {
    return this.#out.take();
  }

  // ---- from the transport

  /** Takes fragment bytes. A bad client gives `failed`, never an exception. */
  receive(pipelineId: string | null, bytes: Uint8Array, priority: Priority = 'default'): ServerEvent[] {
    if (SERVER_POOL[this.#state].broken === undefined) return [];
    const events: ServerEvent[] = [];
    try {
      if (pipelineId !== null) this.#pipelines.count(pipelineId, bytes.length);
      this.#stream(`${pipelineId ?? ''}/${priority}`).read(bytes, ({ bytes: whole }) => {
        for (const event of this.#message(decodeMessage(whole))) events.push(event);
      });
    } catch (error) {
      if (!(error instanceof PsrpError)) throw error;
      this.#state = 'Broken';
      events.push({ type: 'failed', error });
    }
    return events;
  }

  #stream(key: string): Reassembler {
    const known = this.#streams.get(key);
    if (known !== undefined) return known;
    // Two priorities for each pipeline and for the pool; more come only from a client that fills us up.
    if (this.#streams.size >= 2 * (this.#limits.maxPipelines + 1)) {
      throw new PsrpProtocolError('psrp_bad_state', 'too many streams', { section: SECTION });
    }
    const stream = new Reassembler(this.#limits);
    this.#streams.set(key, stream);
    return stream;
  }

  /** The transport's stop signal. True when `stop` was told or the pipeline has ended already. */
  stop(pipelineId: string): ServerEvent[] {
    const pipeline = this.#pipelines.get(pipelineId);
    if (pipeline === undefined || SERVER_PIPELINE[pipeline.state].stop === undefined) return [];
    const wasWaiting = pipeline.state === 'NotStarted';
    pipeline.state = move(SERVER_PIPELINE, pipeline.state, 'stop');
    pipeline.calls.clear();
    return wasWaiting ? this.finish(pipelineId, 'Stopped') : [{ type: 'stop', pipelineId }];
  }

  /** The transport forgets a pipeline. */
  forget(pipelineId: string): void {
    this.#pipelines.forget(pipelineId);
    this.#streams.delete(`${pipelineId}/default`);
    this.#streams.delete(`${pipelineId}/promptResponse`);
  }

  /** Closes the pool: states Closing and Closed are sent. Running pipelines must have been stopped. */
  close(): ServerEvent[] {
    if (SERVER_POOL[this.#state].close === undefined) return [];
    const isOpened = this.#state === 'Opened';
    this.#state = move(SERVER_POOL, this.#state, 'close');
    if (isOpened) {
      this.#out.send('RUNSPACEPOOL_STATE', { state: 4, error: null });
      this.#out.send('RUNSPACEPOOL_STATE', { state: 3, error: null });
    }
    return [{ type: 'closed' }];
  }

  /** The transport's Disconnect: the client is gone, pipelines go on, what they send waits. WSMan only. */
  disconnected(): void {
    this.#moveLocally('disconnect');
  }
  /** The transport's Reconnect of the same client. WSMan only. */
  reconnected(): void {
    this.#moveLocally('reconnect');
  }
  /** The transport's Connect of another client, with the bytes in it. A bad one is refused; the pool stays. WSMan only. */
  connect(bytes: Uint8Array): ServerEvent[] {
    try {
      const state = move(SERVER_POOL, this.#state, 'connect');
      const { capability: client, bounds } = readConnect(bytes, this.#poolId, this.#limits, this.#reader);
      const version = acceptClient(this.#options.protocolVersion ?? '2.3', client);
      // Joining came with 2.2.
      if (version === null || version < '2.2') {
        throw new PsrpProtocolError('psrp_version', `version ${client.protocolVersion.text}`, { section: SECTION });
      }
      if (!this.#runspaces.canBe(bounds.minRunspaces, bounds.maxRunspaces)) {
        throw new PsrpProtocolError('psrp_bad_state', 'bounds that cannot be', { section: SECTION });
      }
      this.#state = state;
      this.#joining = { version, ...bounds };
      return [{ type: 'connect', ...bounds }];
    } catch (error) {
      if (!(error instanceof PsrpError)) throw error;
      return [{ type: 'connectRefused', error }];
    }
  }

  /**
   * Answers `connect`. The new client starts its streams and its session key anew; input of its predecessor has ended.
   * @returns `response`, the fragments for the transport's answer to Connect, and what follows from the change
   */
  connected(privateData: PsValue): { readonly response: Uint8Array; readonly events: ServerEvent[] } {
    const joining = this.#joining;
    if (joining === null) throw new PsrpStateError('no client wants to join');
    this.#moveLocally('joined');
    this.#joining = null;
    this.#version = joining.version;
    this.#runspaces.set(joining.minRunspaces ?? this.minRunspaces, joining.maxRunspaces ?? this.maxRunspaces);
    this.#streams.clear();
    this.#cipher = null;
    const waiting = this.#out.take();
    this.#out.send('SESSION_CAPABILITY', capability(joining.version));
    this.#out.send('RUNSPACEPOOL_INIT_DATA', { minRunspaces: this.minRunspaces, maxRunspaces: this.maxRunspaces });
    const response = joined(this.#out.take().flatMap((item) => (item.kind === 'data' ? [item.fragment] : [])));
    this.#out.send('APPLICATION_PRIVATE_DATA', { data: privateData });
    this.#out.resume(waiting);
    return { response, events: [...this.#pipelines.endInputs(), ...this.#startWaiting()] };
  }
  /** Answers `connect`: the pool waits on for a client. */
  refuseConnect(): void {
    this.#moveLocally('notJoined');
    this.#joining = null;
  }

  #moveLocally(input: 'disconnect' | 'reconnect' | 'joined' | 'notJoined'): void {
    if (SERVER_POOL[this.#state][input] === undefined) throw new PsrpStateError(`${input} in state ${this.#state}`);
    this.#state = move(SERVER_POOL, this.#state, input);
  }

  // ---- the pool's owner

  /** Answers `open`. @param privateData a dictionary or null, see `primitiveDictionary` */
  opened(privateData: PsValue): void {
    this.#state = move(SERVER_POOL, this.#state, 'opened');
    this.#out.send('APPLICATION_PRIVATE_DATA', { data: privateData });
    this.#out.send('RUNSPACEPOOL_STATE', { state: 2, error: null });
  }
  /** Answers `open` with Broken. */
  refuse(error: PsObject): void {
    this.#state = move(SERVER_POOL, this.#state, 'refused');
    this.#out.send('RUNSPACEPOOL_STATE', { state: 5, error });
  }
  /**
   * Answers a call with a call id; a count for GET_AVAILABLE_RUNSPACES. True for a new bound moves it; the events say
   * what may start now.
   */
  respondAvailability(callId: bigint, response: boolean | bigint): ServerEvent[] {
    this.#out.send('RUNSPACE_AVAILABILITY', { callId, response: this.#runspaces.answer(callId, response) });
    return this.#startWaiting();
  }
  /** Sends USER_EVENT. */
  sendUserEvent(event: UserEvent): void {
    this.#out.send('USER_EVENT', event);
  }
  /** Asks the client to start the key exchange. */
  requestPublicKey(): void {
    this.#out.send('PUBLIC_KEY_REQUEST', null);
  }
  /** Answers `publicKey`. @param wrapped the key under the client's RSA key, 256 bytes, big endian */
  supplySessionKey(cipher: SessionCipher, wrapped: Uint8Array): void {
    this.#cipher = cipher;
    // Like its capability, a Microsoft server sends this with an all-zero pool id.
    this.#out.send('ENCRYPTED_SESSION_KEY', { blob: encodeWrappedKey(wrapped) }, null, { poolId: EMPTY_GUID });
  }
  /** @throws PsrpStateError while there is no key */
  seal(text: string): PsSecureString {
    return sealSecureString(text, this.#readyCipher());
  }
  /** @throws PsrpStateError while there is no key, PsrpProtocolError when it cannot be opened */
  unseal(value: PsSecureString): string {
    return openSecureString(value, this.#readyCipher());
  }
  #readyCipher(): SessionCipher | null {
    if (this.#version === '2.4') return null;
    if (this.#cipher === null) throw new PsrpStateError('there is no session key');
    return this.#cipher;
  }

  // ---- pipelines

  /** One object of output; nothing when the pipeline has ended. */
  sendOutput(pipelineId: string, value: PsValue): void {
    if (this.#pipelines.isLive(pipelineId)) this.#out.send('PIPELINE_OUTPUT', { value }, pipelineId);
  }
  /** Sends ERROR_RECORD, see `encodeError`. */
  sendError(pipelineId: string, record: PsObject): void {
    if (this.#pipelines.isLive(pipelineId)) this.#out.send('ERROR_RECORD', { record }, pipelineId);
  }
  /** Sends a record of a stream, see `encodeInformational` and `encodeInformation`. */
  sendRecord(
    kind: 'WARNING_RECORD' | 'VERBOSE_RECORD' | 'DEBUG_RECORD' | 'INFORMATION_RECORD',
    pipelineId: string,
    record: PsObject,
  ): void {
    if (this.#pipelines.isLive(pipelineId)) this.#out.send(kind, { record }, pipelineId);
  }
  /** Sends PROGRESS_RECORD. */
  sendProgress(pipelineId: string, record: ProgressRecord): void {
    if (this.#pipelines.isLive(pipelineId)) this.#out.send('PROGRESS_RECORD', { record }, pipelineId);
  }

  /** Calls the host of the client. @returns the call's id, null when no answer comes */
  callHost<M extends HostMethodName>(
    pipelineId: string | null,
    method: M,
    parameters: HostParameters<M>,
  ): bigint | null {
    const isVoid = HOST_METHODS[method].result === null;
    const calls = pipelineId === null ? this.#poolCalls : this.#pipelines.get(pipelineId)?.calls;
    if (calls === undefined || (pipelineId !== null && !this.#pipelines.isLive(pipelineId))) return null;
    const callId = isVoid ? VOID_CALL_ID : this.#newCallId(pipelineId);
    const name = pipelineId === null ? 'RUNSPACEPOOL_HOST_CALL' : 'PIPELINE_HOST_CALL';
    this.#out.send(name, encodeHostCall(method, parameters, callId), pipelineId);
    if (isVoid) return null;
    calls.set(callId, method);
    return callId;
  }

  #newCallId(pipelineId: string | null): bigint {
    const pipeline = pipelineId === null ? undefined : this.#pipelines.get(pipelineId);
    return pipeline === undefined ? this.#nextPoolCall++ : pipeline.nextCallId++;
  }

  /** Ends a pipeline: its final state is sent, once. The events say what may start now. */
  finish(pipelineId: string, end: PipelineEnd, error: PsObject | null = null): ServerEvent[] {
    const pipeline = this.#pipelines.get(pipelineId);
    if (pipeline === undefined) return [];
    pipeline.state = move(SERVER_PIPELINE, pipeline.state, END_INPUTS[end]);
    pipeline.calls.clear();
    this.#out.send('PIPELINE_STATE', { state: PIPELINE_STATE_NUMBERS[end], error }, pipelineId);
    return this.#startWaiting();
  }

  #startWaiting(): ServerEvent[] {
    return this.#pipelines.startWaiting(this.#runspaces.max);
  }

  // ---- messages

  #message(message: RawMessage): ServerEvent[] {
    const fail = (what: string, offset: number): never => {
      throw new PsrpProtocolError('psrp_unknown_message', what, { offset, section: SECTION });
    };
    if ((message.destination & DESTINATION.server) === 0) return fail(`destination ${message.destination}`, 0);
    const { messageType, pipelineId } = message;
    // Microsoft clients answer calls of the pool with type 0, an old slip that stayed.
    const name = messageType === 0 ? 'RUNSPACEPOOL_HOST_RESPONSE' : messageName(messageType);
    if (name === null) return [{ type: 'ignoredMessage', messageType, pipelineId }];
    if (MESSAGES[name].direction === 's2c') return fail(`${name} from a client`, 4);
    const isFirst = this.#state === 'WaitCapability';
    if (isFirst !== (name === 'SESSION_CAPABILITY')) return this.#outOfTurn(name);
    if (name === 'SESSION_CAPABILITY') return this.#negotiate(message);
    if (MESSAGES[name].target === 'pipeline') {
      if (this.#state !== 'Opened') return this.#outOfTurn(name);
      if (pipelineId === null) return fail(`${name} without pipeline`, 24);
      return this.#pipelineMessage(message, name, pipelineId);
    }
    if (this.#poolId !== EMPTY_GUID && message.poolId !== this.#poolId) return fail('a message of another pool', 8);
    return this.#poolMessage(message, name);
  }

  #outOfTurn(name: string): never {
    throw new PsrpProtocolError('psrp_bad_state', `${name} in state ${this.#state}`, { section: SECTION });
  }

  #negotiate(message: RawMessage): ServerEvent[] {
    const client = MESSAGES.SESSION_CAPABILITY.decode(decodeBody(message, this.#reader));
    const own = this.#options.protocolVersion ?? '2.3';
    const version = acceptClient(own, client);
    this.#out.send('SESSION_CAPABILITY', capability(version ?? own));
    this.#state = move(SERVER_POOL, this.#state, version === null ? 'unsuitable' : 'capability');
    if (version === null) return [{ type: 'unsuitable', announced: client.protocolVersion.text }];
    this.#version = version;
    return [{ type: 'negotiated', protocolVersion: version }];
  }

  #poolMessage(message: RawMessage, name: keyof typeof MESSAGES): ServerEvent[] {
    const body = decodeBody(message, this.#reader);
    if (name === 'CLOSE_SESSION') return this.close();
    if ((name === 'INIT_RUNSPACEPOOL') !== (this.#state === 'WaitInit')) return this.#outOfTurn(name);
    switch (name) {
      case 'INIT_RUNSPACEPOOL':
        return this.#init(message.poolId, body);
      case 'SET_MAX_RUNSPACES':
      case 'SET_MIN_RUNSPACES':
        return this.#resize(name, MESSAGES[name].decode(body));
      case 'GET_AVAILABLE_RUNSPACES':
        return [{ type: 'getAvailableRunspaces', ...MESSAGES[name].decode(body) }];
      case 'RESET_RUNSPACE_STATE':
        return [{ type: 'resetRunspaceState', ...MESSAGES[name].decode(body) }];
      case 'PUBLIC_KEY':
        return [{ type: 'publicKey', key: decodePublicKey(MESSAGES[name].decode(body).blob) }];
      case 'RUNSPACEPOOL_HOST_RESPONSE':
        return this.#response(null, MESSAGES[name].decode(body));
      default:
        return this.#outOfTurn(name);
    }
  }

  #resize(
    name: 'SET_MAX_RUNSPACES' | 'SET_MIN_RUNSPACES',
    { callId, count }: { readonly callId: bigint; readonly count: number },
  ): ServerEvent[] {
    const isMax = name === 'SET_MAX_RUNSPACES';
    if (!this.#runspaces.ask(isMax ? 'max' : 'min', callId, count)) return this.respondAvailability(callId, false);
    return [{ type: isMax ? 'setMaxRunspaces' : 'setMinRunspaces', callId, count }];
  }

  #init(poolId: string, body: PsValue | undefined): ServerEvent[] {
    const request = MESSAGES.INIT_RUNSPACEPOOL.decode(body);
    this.#state = move(SERVER_POOL, this.#state, 'init');
    this.#poolId = poolId;
    this.#runspaces.set(request.minRunspaces, request.maxRunspaces);
    const sent = this.#out.take();
    this.#out = new OutgoingQueue(DESTINATION.client, poolId, this.#options.fragmentBytes ?? DEFAULT_FRAGMENT_BYTES);
    this.#out.resume(sent);
    return [{ type: 'open', poolId, request }];
  }

  #pipelineMessage(message: RawMessage, name: keyof typeof MESSAGES, pipelineId: string): ServerEvent[] {
    const known = this.#pipelines.get(pipelineId);
    if (name === 'CREATE_PIPELINE' || name === 'GET_COMMAND_METADATA') {
      if (known !== undefined) return this.#outOfTurn(name);
      return this.#create(message, name, pipelineId);
    }
    // What comes for a pipeline that has ended is dropped, not even decoded.
    if (known === undefined || this.#pipelines.hasEnded(pipelineId)) {
      return [{ type: 'ignoredMessage', messageType: message.messageType, pipelineId }];
    }
    const body = decodeBody(message, this.#reader);
    switch (name) {
      case 'PIPELINE_INPUT':
        return known.takesInput ? [{ type: 'input', pipelineId, value: body ?? null }] : [];
      case 'END_OF_PIPELINE_INPUT':
        return known.takesInput ? [{ type: 'endOfInput', pipelineId }] : [];
      case 'STOP_PIPELINE':
        return this.stop(pipelineId);
      case 'PIPELINE_HOST_RESPONSE':
        return this.#response(pipelineId, MESSAGES[name].decode(body));
      default:
        return this.#outOfTurn(name);
    }
  }

  #create(message: RawMessage, name: 'CREATE_PIPELINE' | 'GET_COMMAND_METADATA', pipelineId: string): ServerEvent[] {
    this.#pipelines.mustHaveRoom();
    const body = decodeBody(message, this.#reader);
    this.#pipelines.add(
      name === 'CREATE_PIPELINE'
        ? { type: 'createPipeline', pipelineId, request: MESSAGES[name].decode(body) }
        : { type: 'commandMetadata', pipelineId, request: MESSAGES[name].decode(body) },
    );
    return this.#startWaiting();
  }

  #response(pipelineId: string | null, body: HostResponseBody): ServerEvent[] {
    const calls = pipelineId === null ? this.#poolCalls : this.#pipelines.get(pipelineId)?.calls;
    const method = calls?.get(body.callId);
    // An answer after a stop, or a second one: nobody waits.
    if (method === undefined) return [];
    calls?.delete(body.callId);
    const head = { type: 'hostResponse', pipelineId, callId: body.callId, method } as const;
    if (body.error !== undefined) return [{ ...head, result: null, error: new ErrorRecord(body.error) }];
    try {
      return [{ ...head, result: decodeHostResult(method, body.result ?? null), error: null }];
    } catch (error) {
      if (!(error instanceof PsrpError)) throw error;
      const record = encodeError({ message: error.message, category: 9, reason: 'InvalidCastException' });
      return [{ ...head, result: null, error: new ErrorRecord(record) }];
    }
  }
}
