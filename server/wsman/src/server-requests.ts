import type { WsManLimits } from './limits.ts';
import { toWireId } from './ids.ts';
import type { AnswerCodec } from './shell/operation.ts';
import { decodeEnvelope, encodeEnvelope } from './soap/envelope.ts';
import { encodeFault } from './soap/fault.ts';
import type { FaultToSend } from './soap/fault.ts';
import { decodeRequestHeader, encodeResponseHeader, notUnderstood } from './soap/header.ts';
import type { RequestHeader } from './soap/header.ts';
import { FAULT_ACTIONS } from './soap/namespaces.ts';
import type { XmlElement } from './xml/element.ts';

/** A request as a server reads it. */
export interface ReceivedRequest {
  readonly header: RequestHeader;
  /** For `operation.decodeRequest(body, header.options)`. */
  readonly body: XmlElement;
  /** Header elements that must be understood and are not: to be refused. */
  readonly notUnderstood: readonly string[];
}

/** Server role: takes a request apart; `OPERATIONS` and `header.action` say which it is. @throws WsManProtocolError */
export function readRequest(bytes: Uint8Array, limits?: Partial<WsManLimits>): ReceivedRequest {
  const { header, body } = decodeEnvelope(bytes, limits);
  return { header: decodeRequestHeader(header), body, notUnderstood: notUnderstood(header) };
}

/** Ids of an answer. */
export interface AnswerIds {
  /** MessageID of the request, as it was written. */
  readonly relatesTo: string;
  /** A new GUID. */
  readonly messageId: string;
  readonly activityId?: string;
}

const headerOf = (action: string, { relatesTo, messageId, activityId }: AnswerIds): string =>
  encodeResponseHeader({
    action,
    relatesTo,
    messageId: `uuid:${toWireId(messageId)}`,
    activityId: activityId ?? null,
  });

/** Server role: the answer to a request, as text. */
export const writeAnswer = <Response>(operation: AnswerCodec<Response>, ids: AnswerIds, response: Response): string =>
  encodeEnvelope(headerOf(operation.responseAction, ids), operation.encodeResponse(response), operation.prefixes);

/** Server role: a refusal, as text; goes out with HTTP status 500. */
export const writeFault = (ids: AnswerIds, fault: FaultToSend): string =>
  encodeEnvelope(
    headerOf(fault.subcode.startsWith('wsa:') ? FAULT_ACTIONS.addressing : FAULT_ACTIONS.management, ids),
    encodeFault(fault),
    ['f'],
  );
