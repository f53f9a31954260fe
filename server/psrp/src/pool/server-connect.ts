import { decodeBody } from '../body.ts';
import type { CliXmlReader } from '../clixml/reader.ts';
import { PsrpProtocolError } from '../errors.ts';
import type { PsrpErrorCode } from '../errors.ts';
import { decodeMessage, DESTINATION } from '../fragments/header.ts';
import type { RawMessage } from '../fragments/header.ts';
import { Reassembler } from '../fragments/reassembler.ts';
import type { PsrpLimits } from '../limits.ts';
import type { ConnectRunspacePool } from '../messages/connect-runspacepool.ts';
import { messageName, MESSAGES } from '../messages/index.ts';
import type { SessionCapability } from '../messages/session-capability.ts';

/** What a client says that joins a pool of another client. */
export interface ConnectRequest {
  readonly capability: SessionCapability;
  readonly bounds: ConnectRunspacePool;
}

function refuse(code: PsrpErrorCode, what: string, offset = -1): never {
  throw new PsrpProtocolError(code, what, { offset, section: 'MS-PSRP 3.2.5.4.29 CONNECT_RUNSPACEPOOL Message' });
}

function mustBe(message: RawMessage, name: 'SESSION_CAPABILITY' | 'CONNECT_RUNSPACEPOOL', poolId: string): void {
  if ((message.destination & DESTINATION.server) === 0)
    refuse('psrp_unknown_message', `destination ${message.destination}`, 0);
  if (messageName(message.messageType) !== name) refuse('psrp_bad_state', `not ${name}`, 4);
  if (message.poolId !== poolId) refuse('psrp_unknown_message', 'a message of another pool', 8);
}

/**
 * Reads what a client sends inside the transport's Connect: SESSION_CAPABILITY and CONNECT_RUNSPACEPOOL, each in one
 * fragment, and nothing else.
 * @throws PsrpProtocolError, CliXmlError
 */
export function readConnect(
  bytes: Uint8Array,
  poolId: string,
  limits: PsrpLimits,
  reader: CliXmlReader,
): ConnectRequest {
  const stream = new Reassembler(limits);
  const objects = stream.receive(bytes);
  const [first, second] = objects;
  const isSingle = objects.every(({ cut }) => cut.length === 1);
  if (first === undefined || second === undefined || objects.length > 2 || !isSingle || stream.isIncomplete)
    return refuse('psrp_fragment_sequence', 'a Connect that is not two messages of one fragment');
  const capability = decodeMessage(first.bytes);
  const connect = decodeMessage(second.bytes);
  mustBe(capability, 'SESSION_CAPABILITY', poolId);
  mustBe(connect, 'CONNECT_RUNSPACEPOOL', poolId);
  return {
    capability: MESSAGES.SESSION_CAPABILITY.decode(decodeBody(capability, reader)),
    bounds: MESSAGES.CONNECT_RUNSPACEPOOL.decode(decodeBody(connect, reader)),
  };
}
