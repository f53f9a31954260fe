import type { PsValue } from '../clixml/object.ts';
import type { PsrpError } from '../errors.ts';
import type { HostMethodName } from '../host/methods.ts';
import type { CreatePipeline } from '../messages/create-pipeline.ts';
import type { GetCommandMetadata } from '../messages/get-command-metadata.ts';
import type { InitRunspacePool } from '../messages/init-runspacepool.ts';
import type { ErrorRecord } from '../records/error-record.ts';
import type { PublicKey } from './session-key.ts';
import type { ProtocolVersion } from './version.ts';

/** What a server pool tells its owner, in stream order. */
export type ServerEvent =
  | { readonly type: 'negotiated'; readonly protocolVersion: ProtocolVersion }
  /** No common version; the capability was answered all the same, nothing else comes. */
  | { readonly type: 'unsuitable'; readonly announced: string }
  /** A client wants a pool: `opened` or `refuse`. */
  | { readonly type: 'open'; readonly poolId: string; readonly request: InitRunspacePool }
  /** Another client wants to join the pool, with these bounds or as it is (null): `connected` or `refuseConnect`. */
  | { readonly type: 'connect'; readonly minRunspaces: number | null; readonly maxRunspaces: number | null }
  /** A Connect that cannot be; the pool stays as it was. */
  | { readonly type: 'connectRefused'; readonly error: PsrpError }
  /** Run this. It is told when a runspace is free. */
  | { readonly type: 'createPipeline'; readonly pipelineId: string; readonly request: CreatePipeline }
  | { readonly type: 'commandMetadata'; readonly pipelineId: string; readonly request: GetCommandMetadata }
  | { readonly type: 'input'; readonly pipelineId: string; readonly value: PsValue }
  | { readonly type: 'endOfInput'; readonly pipelineId: string }
  /** End it: `finish` with Stopped. */
  | { readonly type: 'stop'; readonly pipelineId: string }
  | {
      readonly type: 'hostResponse';
      readonly pipelineId: string | null;
      readonly callId: bigint;
      readonly method: HostMethodName;
      /** Decoded by the method's codec; null for no result. */
      readonly result: unknown;
      /** The client could not do it, or its answer was of the wrong type. */
      readonly error: ErrorRecord | null;
    }
  /** Another bound that can be: `respondAvailability` with true moves it. What cannot be was refused already. */
  | { readonly type: 'setMinRunspaces' | 'setMaxRunspaces'; readonly callId: bigint; readonly count: number }
  | { readonly type: 'getAvailableRunspaces' | 'resetRunspaceState'; readonly callId: bigint }
  /** Make a session key, wrap it, `supplySessionKey`. */
  | { readonly type: 'publicKey'; readonly key: PublicKey }
  | { readonly type: 'ignoredMessage'; readonly messageType: number; readonly pipelineId: string | null }
  | { readonly type: 'closed' }
  /** The client broke the rules; the pool is Broken. */
  | { readonly type: 'failed'; readonly error: PsrpError };
