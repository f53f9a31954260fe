import { decodeHostCall } from '../host/calls.ts';
import { hostMethodName } from '../host/methods.ts';
import type { PsObject, PsValue } from '../clixml/object.ts';
import { CliXmlError, PsrpProtocolError } from '../errors.ts';
import { EMPTY_GUID } from '../guid.ts';
import { DESTINATION } from '../fragments/header.ts';
import { VOID_CALL_ID } from '../messages/host-call-body.ts';
import type { HostCallBody, HostResponseBody } from '../messages/host-call-body.ts';
import { messageName, MESSAGES } from '../messages/index.ts';
import type { MessageName } from '../messages/index.ts';
import type { StateChange } from '../messages/runspacepool-state.ts';
import { encodeError, ErrorRecord } from '../records/error-record.ts';
import { InformationalRecord, InformationRecord } from '../records/stream-records.ts';
import { serverVersion } from '../records/version-table.ts';
import type { PoolEvent, ReceivedMessage } from './events.ts';
import { decodeWrappedKey } from './session-key.ts';
import { acceptServer } from './version.ts';
import type { ProtocolVersion } from './version.ts';

const SECTION = 'MS-PSRP 3.1.5.4 Message Processing';

/** What a message may ask of the pool that received it. */
export interface MessageContext {
  poolId(): string;
  announced(): ProtocolVersion;
  isNegotiated(): boolean;
  negotiated(version: ProtocolVersion): void;
  hasPipeline(pipelineId: string): boolean;
  movePool(input: 'opened' | 'closed' | 'broken', error: ErrorRecord | null): PoolEvent[];
  movePipeline(pipelineId: string, input: 'stopped' | 'completed' | 'failed', error: ErrorRecord | null): PoolEvent[];
  keyRequested(): PoolEvent[];
  isKeyExpected(): boolean;
  /** The pool was another client's: what that one was told last may come again. */
  isJoined(): boolean;
  callReceived(pipelineId: string | null, callId: bigint): void;
  respond(pipelineId: string | null, body: HostResponseBody): void;
}

function badState(what: string): never {
  throw new PsrpProtocolError('psrp_bad_state', what, { section: SECTION });
}

const record = (error: PsObject | null): ErrorRecord | null => (error === null ? null : new ErrorRecord(error));

function unknown(what: string, offset: number): never {
  throw new PsrpProtocolError('psrp_unknown_message', what, { offset, section: SECTION });
}

/**
 * Judges a message by its header, before its body is looked at. A message of an unknown type, or of a pipeline that is
 * not there (any more), is dropped: its body may be anything.
 * @returns the events of a dropped message; null = go on with its body
 * @throws PsrpProtocolError psrp_unknown_message when it is not for us, psrp_bad_state out of turn
 */
export function dropped(message: ReceivedMessage, pool: MessageContext): PoolEvent[] | null {
  const { messageType, pipelineId, poolId } = message;
  if ((message.destination & DESTINATION.client) === 0) unknown(`destination ${message.destination}`, 0);
  const name = messageName(messageType);
  const ignored: PoolEvent[] = [{ type: 'ignoredMessage', messageType, pipelineId }];
  if (name === null) return ignored;
  const { direction, target } = MESSAGES[name];
  if (direction === 'c2s') unknown(`${name} from a server`, 4);
  if (pool.isNegotiated() === (name === 'SESSION_CAPABILITY')) badState(`${name} out of turn`);
  if (name === 'SESSION_CAPABILITY') return null;
  if (target === 'pipeline') return pipelineId === null || !pool.hasPipeline(pipelineId) ? ignored : null;
  // PowerShell sends the session key, like its capability, with an all-zero pool id (captures secure-values 7.5.10).
  const isUnnamed = name === 'ENCRYPTED_SESSION_KEY' && poolId === EMPTY_GUID;
  if (poolId !== pool.poolId() && !isUnnamed) unknown('a message of another pool', 8);
  return null;
}

/**
 * Turns one message from a server, which `dropped` has let pass, into events.
 * @throws PsrpProtocolError psrp_bad_state out of turn, psrp_version
 * @throws CliXmlError when its content does not fit its type
 */
export function eventOf(message: ReceivedMessage, body: PsValue | undefined, pool: MessageContext): PoolEvent[] {
  const name = messageName(message.messageType);
  const { pipelineId } = message;
  if (name === 'SESSION_CAPABILITY') {
    const version = acceptServer(pool.announced(), MESSAGES[name].decode(body));
    pool.negotiated(version);
    return [{ type: 'negotiated', protocolVersion: version }];
  }
  if (name === null) return [];
  if (MESSAGES[name].target === 'pool') return poolEvent(name, body, pool);
  return pipelineId === null ? [] : pipelineEvent(name, body, pipelineId, pool);
}

function poolEvent(name: MessageName, body: PsValue | undefined, pool: MessageContext): PoolEvent[] {
  switch (name) {
    case 'APPLICATION_PRIVATE_DATA': {
      const { data } = MESSAGES[name].decode(body);
      return [{ type: 'applicationPrivateData', data, psVersion: serverVersion(data) }];
    }
    case 'RUNSPACEPOOL_STATE':
      return poolState(MESSAGES[name].decode(body), pool);
    case 'RUNSPACEPOOL_INIT_DATA':
      return [{ type: 'runspacePoolInitData', ...MESSAGES[name].decode(body) }, ...pool.movePool('opened', null)];
    case 'RUNSPACE_AVAILABILITY':
      return [{ type: 'runspaceAvailability', ...MESSAGES[name].decode(body) }];
    case 'USER_EVENT':
      return [{ type: 'userEvent', ...MESSAGES[name].decode(body) }];
    case 'PUBLIC_KEY_REQUEST':
      return pool.keyRequested();
    case 'ENCRYPTED_SESSION_KEY':
      if (!pool.isKeyExpected() && pool.isJoined()) return [];
      if (!pool.isKeyExpected()) badState('a session key that nobody asked for');
      return [{ type: 'unwrapSessionKey', wrapped: decodeWrappedKey(MESSAGES[name].decode(body).blob) }];
    case 'RUNSPACEPOOL_HOST_CALL':
      return hostCall(MESSAGES[name].decode(body), null, pool);
    default:
      return badState(`${name} for the pool`);
  }
}

function poolState({ state, error }: StateChange, pool: MessageContext): PoolEvent[] {
  switch (state) {
    case 2:
      return pool.movePool('opened', record(error));
    case 3:
      return pool.movePool('closed', record(error));
    case 4:
      // Closing: Closed follows.
      return [];
    default:
      return pool.movePool('broken', record(error));
  }
}

function pipelineEvent(
  name: MessageName,
  body: PsValue | undefined,
  pipelineId: string,
  pool: MessageContext,
): PoolEvent[] {
  switch (name) {
    case 'PIPELINE_OUTPUT':
      return [{ type: 'output', pipelineId, value: body ?? null }];
    case 'ERROR_RECORD':
      return [{ type: 'error', pipelineId, record: new ErrorRecord(MESSAGES[name].decode(body).record) }];
    case 'PIPELINE_STATE':
      return pipelineState(MESSAGES[name].decode(body), pipelineId, pool);
    case 'DEBUG_RECORD':
      return [{ type: 'debug', pipelineId, record: new InformationalRecord(MESSAGES[name].decode(body).record) }];
    case 'VERBOSE_RECORD':
      return [{ type: 'verbose', pipelineId, record: new InformationalRecord(MESSAGES[name].decode(body).record) }];
    case 'WARNING_RECORD':
      return [{ type: 'warning', pipelineId, record: new InformationalRecord(MESSAGES[name].decode(body).record) }];
    case 'PROGRESS_RECORD':
      return [{ type: 'progress', pipelineId, record: MESSAGES[name].decode(body).record }];
    case 'INFORMATION_RECORD':
      return [{ type: 'information', pipelineId, record: new InformationRecord(MESSAGES[name].decode(body).record) }];
    case 'PIPELINE_HOST_CALL':
      return hostCall(MESSAGES[name].decode(body), pipelineId, pool);
    default:
      return badState(`${name} for a pipeline`);
  }
}

function pipelineState({ state, error }: StateChange, pipelineId: string, pool: MessageContext): PoolEvent[] {
  switch (state) {
    case 3:
      return pool.movePipeline(pipelineId, 'stopped', record(error));
    case 4:
      return pool.movePipeline(pipelineId, 'completed', record(error));
    case 5:
      return pool.movePipeline(pipelineId, 'failed', record(error));
    case 0:
    case 1:
    case 2:
    case 6:
      // Not final; a Microsoft server does not send them, others may.
      return [];
    default:
      return badState(`pipeline state ${state}`);
  }
}

function hostCall(body: HostCallBody, pipelineId: string | null, pool: MessageContext): PoolEvent[] {
  const expectsAnswer = body.callId !== VOID_CALL_ID;
  if (expectsAnswer) pool.callReceived(pipelineId, body.callId);
  try {
    return [{ type: 'hostCall', pipelineId, call: decodeHostCall(body, pipelineId) }];
  } catch (error) {
    if (!(error instanceof CliXmlError)) throw error;
    if (expectsAnswer) {
      const refusal = { message: 'the host does not know this call', category: 11, reason: 'NotImplementedException' };
      pool.respond(pipelineId, { ...body, error: encodeError(refusal) });
    }
    const methodName = hostMethodName(body.methodId);
    return [{ type: 'unanswerableHostCall', pipelineId, methodId: body.methodId, methodName, error }];
  }
}
