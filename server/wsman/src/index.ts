/**
 * WS-Management for PowerShell remoting, sans-IO, both roles: envelopes, operations of a shell, faults. Bytes in, values
 * out; the caller owns sockets, sign-in, clocks and randomness. [MS-WSMV] Web Services Management Protocol Extensions for
 * Windows Vista.
 */
export * from './errors.ts';
export * from './limits.ts';
export { base64Length, decodeBase64, encodeBase64 } from './base64.ts';
export { encodeDuration, parseDuration } from './duration.ts';
export { isSameId, isWireGuid, toWireId } from './ids.ts';

export { XmlElement } from './xml/element.ts';
export type { XmlAttribute } from './xml/element.ts';
export { readXml, readXmlBytes } from './xml/reader.ts';
export { element, escapeXml, textElement } from './xml/writer.ts';
export type { AttributeList } from './xml/writer.ts';

export * from './soap/namespaces.ts';
export { decodeEnvelope, encodeEnvelope } from './soap/envelope.ts';
export type { Envelope } from './soap/envelope.ts';
export type { RequestHeader, ResponseHeader, Selector, WsManOption } from './soap/header.ts';
export { decodeFault, encodeFault, WsManFaultError } from './soap/fault.ts';
export type { FaultToSend, WsManFault } from './soap/fault.ts';
export { explainFault, FAULT_CODE, faultCode, FAULTS, hexCode, isRetriedAtCreate } from './soap/fault-codes.ts';
export type { FaultExplanation, FaultKind, FaultRow } from './soap/fault-codes.ts';

export { OPERATIONS } from './shell/index.ts';
export type { OperationName } from './shell/index.ts';
export type { AnswerCodec, Operation, RequestContent } from './shell/operation.ts';
export { canDisconnect, SHELL_SELECTOR } from './shell/create.ts';
export type { BufferMode, CreateRequest, CreateResponse } from './shell/create.ts';
export type { CommandRequest, CommandResponse } from './shell/command.ts';
export type { InputStream, SendRequest } from './shell/send.ts';
export type { CommandStateName, ReceiveRequest, ReceiveResponse } from './shell/receive.ts';
export { SIGNAL, signalEffect } from './shell/signal.ts';
export type { SignalRequest } from './shell/signal.ts';
export type { DisconnectRequest } from './shell/disconnect.ts';
export type { ReconnectRequest } from './shell/reconnect.ts';
export type { ConnectRequest, ConnectResponse } from './shell/connect.ts';
export type { CommandInfo, EnumerateRequest, EnumerateResponse } from './shell/enumerate.ts';
export type { ServiceConfig } from './shell/get.ts';
export type { ShellInfo } from './shell/shell-info.ts';
export { decodeIdentity, encodeIdentify, encodeIdentity, isIdentify } from './shell/identify.ts';
export type { Identity } from './shell/identify.ts';

export * from './endpoint.ts';
export * from './fragment-size.ts';
export { Requests } from './requests.ts';
export type { Prepared, RequestsOptions, RequestTarget } from './requests.ts';
export { readRequest, writeAnswer, writeFault } from './server-requests.ts';
export type { AnswerIds, ReceivedRequest } from './server-requests.ts';
export {
  checkAnswerHead,
  faultOfStatus,
  isRedirectStatus,
  redirectOf,
  WsManRedirectError,
  WsManStatusError,
} from './http-answer.ts';
export type { AnswerHead } from './http-answer.ts';
export * from './session-options.ts';
export { decodeSealedBody, encodeSealedBody, isSealedType, joinPlain, SOAP_CONTENT_TYPE } from './sealed-body.ts';
export type { BodyPart, SealedBody, SealedBodyForm, SealedBodyParts } from './sealed-body.ts';

export { fromUtf16, upperUnits, utf16 } from './auth/utf16.ts';
export { md4 } from './auth/md4.ts';
export { Rc4 } from './auth/rc4.ts';
export { toFileTime } from './auth/primitives.ts';
export type { NtlmPrimitives } from './auth/primitives.ts';
export { AV, claimsMic, clientTargetInfo, decodeTargetInfo, encodeTargetInfo } from './auth/target-info.ts';
export type { OwnInfo, TargetInfo } from './auth/target-info.ts';
export * from './auth/ntlm-messages.ts';
export { channelBindingHash, lmResponse, ntHash, ntResponse, responseKey } from './auth/ntlm-keys.ts';
export type { ClientBlob } from './auth/ntlm-keys.ts';
export { NtlmSession, SIGNATURE_BYTES } from './auth/ntlm-session.ts';
export type { Sealed } from './auth/ntlm-session.ts';
export { NtlmClient, splitUser } from './auth/ntlm-client.ts';
export type { NtlmClientOptions, ServerNames } from './auth/ntlm-client.ts';
export { contextTag, der, DerReader, TAG } from './auth/der.ts';
export * from './auth/spnego.ts';
export { SpnegoNtlmClient } from './auth/spnego-ntlm.ts';
export { SpnegoNtlmServer } from './auth/ntlm-server.ts';
export type { NtlmServerOptions, NtlmSignedIn } from './auth/ntlm-server.ts';
export type { SpnegoStep } from './auth/spnego-ntlm.ts';
export {
  CREDSSP_MIN_VERSION,
  CREDSSP_NONCE_BYTES,
  CREDSSP_VERSION,
  decodeTsRequest,
  derLength,
  encodeTsCredentials,
  encodeTsRequest,
  publicKeyBinding,
  subjectPublicKey,
} from './auth/credssp.ts';
export type { DelegatedPassword, TsRequest } from './auth/credssp.ts';
