import type { PsValue } from '../clixml/object.ts';
import type { PsrpError } from '../errors.ts';
import type { RawMessage } from '../fragments/header.ts';
import type { HostCall } from '../host/methods.ts';
import type { RunspaceAvailability } from '../messages/runspace-availability.ts';
import type { RunspacePoolInitData } from '../messages/runspacepool-init-data.ts';
import type { UserEvent } from '../messages/user-event.ts';
import type { ErrorRecord } from '../records/error-record.ts';
import type { ProgressRecord } from '../records/progress-record.ts';
import type { InformationalRecord, InformationRecord } from '../records/stream-records.ts';
import type { PipelineStateName, PoolStateName } from './states.ts';
import type { ProtocolVersion } from './version.ts';

/** A whole message whose body was not decoded yet. */
export interface ReceivedMessage extends RawMessage {
  readonly objectId: bigint;
  /** Blob length of each fragment. */
  readonly cut: readonly number[];
}

/** What a client pool tells, in stream order. */
export type PoolEvent =
  | { readonly type: 'negotiated'; readonly protocolVersion: ProtocolVersion }
  | { readonly type: 'applicationPrivateData'; readonly data: PsValue; readonly psVersion: string | null }
  | ({ readonly type: 'runspacePoolInitData' } & RunspacePoolInitData)
  | { readonly type: 'poolState'; readonly state: PoolStateName; readonly error: ErrorRecord | null }
  | {
      readonly type: 'pipelineState';
      readonly pipelineId: string;
      readonly state: PipelineStateName;
      readonly error: ErrorRecord | null;
    }
  | { readonly type: 'output'; readonly pipelineId: string; readonly value: PsValue }
  | { readonly type: 'error'; readonly pipelineId: string; readonly record: ErrorRecord }
  | {
      readonly type: 'warning' | 'verbose' | 'debug';
      readonly pipelineId: string;
      readonly record: InformationalRecord;
    }
  | { readonly type: 'progress'; readonly pipelineId: string; readonly record: ProgressRecord }
  | { readonly type: 'information'; readonly pipelineId: string; readonly record: InformationRecord }
  | { readonly type: 'hostCall'; readonly pipelineId: string | null; readonly call: HostCall }
  /** A method or parameters that cannot be understood; the server got an error as answer if it waited for one. */
  | {
      readonly type: 'unanswerableHostCall';
      readonly pipelineId: string | null;
      readonly methodId: number;
      readonly methodName: string | null;
      readonly error: PsrpError;
    }
  | ({ readonly type: 'userEvent' } & UserEvent)
  | ({ readonly type: 'runspaceAvailability' } & RunspaceAvailability)
  /** An RSA-2048 key is wanted: `supplyPublicKey`. */
  | { readonly type: 'needsKeyPair' }
  /** 256 bytes, big endian: decrypt, take the padding off, `supplySessionKey`. */
  | { readonly type: 'unwrapSessionKey'; readonly wrapped: Uint8Array }
  | { readonly type: 'sessionKeyReady' }
  | { readonly type: 'pipelineClosed'; readonly pipelineId: string }
  | { readonly type: 'pipelineSignalled'; readonly pipelineId: string }
  /** The peer broke the rules; Broken and Failed follow. */
  | { readonly type: 'failed'; readonly error: PsrpError }
  /** An unknown type, or a message for a pipeline that has ended; dropped, as Microsoft clients do. */
  | { readonly type: 'ignoredMessage'; readonly messageType: number; readonly pipelineId: string | null }
  /** A body beyond `inlineBodyBytes`: what follows waits for `supplyBody`. */
  | { readonly type: 'largeBody'; readonly message: ReceivedMessage };
