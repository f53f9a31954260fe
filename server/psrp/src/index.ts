/**
 * PowerShell Remoting Protocol and CLIXML, sans-IO, both roles. Bytes in, events out; the caller owns sockets, clocks,
 * keys and randomness. [MS-PSRP] PowerShell Remoting Protocol.
 */
export * from './errors.ts';
export * from './limits.ts';
export { EMPTY_GUID, isGuid, parseGuid } from './guid.ts';
export { parseBase64, toBase64 } from './base64.ts';
export { bodyText, decodeBody, encodeBody } from './body.ts';

export * from './clixml/scalars.ts';
export {
  listItems,
  PsDictionary,
  PsList,
  PsMemberSet,
  PsObject,
  toBigInt,
  toBoolean,
  toDictionary,
  toNumber,
  toText,
  unwrap,
} from './clixml/object.ts';
export type { ListTag, PsBase, PsValue } from './clixml/object.ts';
export * from './clixml/build.ts';
export { displayText } from './clixml/display.ts';
export { PropertySet } from './clixml/properties.ts';
export type { Shape } from './clixml/properties.ts';
export { double, integer } from './clixml/primitives.ts';
export { CliXmlReader, readCliXml } from './clixml/reader.ts';
export type { ReadNotes } from './clixml/reader.ts';
export type { DateTimeKind } from './clixml/time.ts';
export { writeCliXml } from './clixml/writer.ts';

export * from './fragments/fragmenter.ts';
export * from './fragments/header.ts';
export { Reassembler } from './fragments/reassembler.ts';
export type { ReceivedObject } from './fragments/reassembler.ts';

export { messageName, MESSAGES } from './messages/index.ts';
export type { MessageContent, MessageName } from './messages/index.ts';
export type { Body, MessageCodec } from './messages/codec.ts';
export type { ConnectRunspacePool } from './messages/connect-runspacepool.ts';
export type { RunspaceAvailability } from './messages/runspace-availability.ts';
export type { RunspacePoolInitData } from './messages/runspacepool-init-data.ts';
export type { StateChange } from './messages/runspacepool-state.ts';
export type { SessionCapability } from './messages/session-capability.ts';
export { commandTypesText } from './messages/get-command-metadata.ts';
export type { GetCommandMetadata } from './messages/get-command-metadata.ts';
export { RESULT_TYPES, typedLineCommands } from './messages/create-pipeline.ts';
export type { CommandParameter, CreatePipeline, PipelineCommand } from './messages/create-pipeline.ts';
export { consoleHostInfo, NULL_HOST, RUNSPACE_HOST } from './messages/host-info.ts';
export type { Coordinates, HostDefaultData, HostInfo, Size } from './messages/host-info.ts';
export type { InitRunspacePool } from './messages/init-runspacepool.ts';
export type { UserEvent } from './messages/user-event.ts';
export { VOID_CALL_ID } from './messages/host-call-body.ts';
export type { HostCallBody, HostResponseBody } from './messages/host-call-body.ts';

export * from './records/error-record.ts';
export * from './records/stream-records.ts';
export * from './records/progress-record.ts';
export * from './records/completion.ts';
export * from './records/version-table.ts';

export { HOST_METHODS, hostMethodName } from './host/methods.ts';
export type {
  HostCall,
  HostCallOf,
  HostMethod,
  HostMethodName,
  HostParameters,
  HostResult,
  ParametersOf,
  ValueOf,
} from './host/methods.ts';
export { decodeHostCall, decodeHostResult, encodeHostCall, encodeHostResult } from './host/calls.ts';
export { asCredential, encodeCredential } from './host/codecs.ts';
export type {
  BufferCell,
  ChoiceDescription,
  Credential,
  HostCodec,
  FieldDescription,
  KeyInfo,
  Rectangle,
} from './host/codecs.ts';

export * from './pool/states.ts';
export * from './pool/version.ts';
export * from './pool/session-key.ts';
export type { Outgoing, Priority } from './pool/outgoing.ts';
export type { PoolEvent, ReceivedMessage } from './pool/events.ts';
export { ClientPool } from './pool/client-pool.ts';
export type { OpenHostCall } from './pool/client-pipeline.ts';
export { ServerPool } from './pool/server-pool.ts';
export type { PipelineEnd, ServerPoolOptions } from './pool/server-pool.ts';
export type { ServerEvent } from './pool/server-events.ts';
export type {
  ClientPoolOptions,
  CommandMetadataOptions,
  HostAnswer,
  OpenOptions,
  PipelineOptions,
} from './pool/client-options.ts';

export { decodePacket, encodePacket, LineReader, SIMPLE_ELEMENTS } from './outofproc/packets.ts';
export type { Packet, SimpleElement } from './outofproc/packets.ts';
export { OutOfProcClient } from './outofproc/client.ts';
export type { ChannelEndInfo, ClientEvent } from './outofproc/client.ts';
export { OutOfProcServer } from './outofproc/server.ts';
export type { OutOfProcServerEvent } from './outofproc/server.ts';
