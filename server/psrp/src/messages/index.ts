import { applicationPrivateData } from './application-private-data.ts';
import { closeSession } from './close-session.ts';
import { connectRunspacePool } from './connect-runspacepool.ts';
import { createPipeline } from './create-pipeline.ts';
import { debugRecord } from './debug-record.ts';
import { encryptedSessionKey } from './encrypted-session-key.ts';
import { endOfPipelineInput } from './end-of-pipeline-input.ts';
import { errorRecordMessage } from './error-record-message.ts';
import { getAvailableRunspaces } from './get-available-runspaces.ts';
import { getCommandMetadata } from './get-command-metadata.ts';
import { informationRecordMessage } from './information-record-message.ts';
import { initRunspacePool } from './init-runspacepool.ts';
import { pipelineHostCall } from './pipeline-host-call.ts';
import { pipelineHostResponse } from './pipeline-host-response.ts';
import { pipelineInput } from './pipeline-input.ts';
import { pipelineOutput } from './pipeline-output.ts';
import { pipelineState } from './pipeline-state.ts';
import { progressRecordMessage } from './progress-record-message.ts';
import { publicKeyRequest } from './public-key-request.ts';
import { publicKey } from './public-key.ts';
import { resetRunspaceState } from './reset-runspace-state.ts';
import { runspaceAvailability } from './runspace-availability.ts';
import { runspacePoolHostCall } from './runspacepool-host-call.ts';
import { runspacePoolHostResponse } from './runspacepool-host-response.ts';
import { runspacePoolInitData } from './runspacepool-init-data.ts';
import { runspacePoolState } from './runspacepool-state.ts';
import { sessionCapability } from './session-capability.ts';
import { setMaxRunspaces } from './set-max-runspaces.ts';
import { setMinRunspaces } from './set-min-runspaces.ts';
import { stopPipeline } from './stop-pipeline.ts';
import { userEvent } from './user-event.ts';
import { verboseRecord } from './verbose-record.ts';
import { warningRecord } from './warning-record.ts';

/** Every message type, in the order of their numbers. [MS-PSRP] 2.2.1 PowerShell Remoting Protocol Message. */
export const MESSAGES = {
  SESSION_CAPABILITY: sessionCapability,
  CLOSE_SESSION: closeSession,
  INIT_RUNSPACEPOOL: initRunspacePool,
  PUBLIC_KEY: publicKey,
  ENCRYPTED_SESSION_KEY: encryptedSessionKey,
  PUBLIC_KEY_REQUEST: publicKeyRequest,
  CONNECT_RUNSPACEPOOL: connectRunspacePool,
  SET_MAX_RUNSPACES: setMaxRunspaces,
  SET_MIN_RUNSPACES: setMinRunspaces,
  RUNSPACE_AVAILABILITY: runspaceAvailability,
  RUNSPACEPOOL_STATE: runspacePoolState,
  CREATE_PIPELINE: createPipeline,
  GET_AVAILABLE_RUNSPACES: getAvailableRunspaces,
  USER_EVENT: userEvent,
  APPLICATION_PRIVATE_DATA: applicationPrivateData,
  GET_COMMAND_METADATA: getCommandMetadata,
  RUNSPACEPOOL_INIT_DATA: runspacePoolInitData,
  RESET_RUNSPACE_STATE: resetRunspaceState,
  RUNSPACEPOOL_HOST_CALL: runspacePoolHostCall,
  RUNSPACEPOOL_HOST_RESPONSE: runspacePoolHostResponse,
  PIPELINE_INPUT: pipelineInput,
  END_OF_PIPELINE_INPUT: endOfPipelineInput,
  PIPELINE_OUTPUT: pipelineOutput,
  ERROR_RECORD: errorRecordMessage,
  PIPELINE_STATE: pipelineState,
  DEBUG_RECORD: debugRecord,
  VERBOSE_RECORD: verboseRecord,
  WARNING_RECORD: warningRecord,
  PROGRESS_RECORD: progressRecordMessage,
  INFORMATION_RECORD: informationRecordMessage,
  STOP_PIPELINE: stopPipeline,
  PIPELINE_HOST_CALL: pipelineHostCall,
  PIPELINE_HOST_RESPONSE: pipelineHostResponse,
} as const;

/** A message of the table, in the words of the specification. */
export type MessageName = keyof typeof MESSAGES;
/** The decoded content of a message. */
export type MessageContent<N extends MessageName> = ReturnType<(typeof MESSAGES)[N]['decode']>;

const NAMES: ReadonlyMap<number, MessageName> = new Map(
  Object.values(MESSAGES).map((codec) => [codec.type, codec.name]),
);

/** The name of a MessageType; null when it is not known. */
export const messageName = (type: number): MessageName | null => NAMES.get(type) ?? null;
