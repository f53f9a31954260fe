import type { PsValue } from '../clixml/object.ts';
import type { HostMethodName, HostResult } from '../host/methods.ts';
import type { PsrpLimits } from '../limits.ts';
import type { PipelineCommand } from '../messages/create-pipeline.ts';
import type { HostInfo } from '../messages/host-info.ts';
import type { NewError } from '../records/error-record.ts';
import type { SessionCipherFactory } from './session-key.ts';
import type { ProtocolVersion } from './version.ts';

/** How a client pool is made. */
export interface ClientPoolOptions {
  /** The pool's GUID, from the caller's random source. */
  readonly poolId: string;
  /** Makes pipeline GUIDs. */
  readonly newId: () => string;
  /** Version to announce; default 2.3. */
  readonly protocolVersion?: ProtocolVersion;
  /** Makes the cipher for secure strings; without it `seal` and `unseal` throw. */
  readonly cipher?: SessionCipherFactory;
  readonly limits?: Partial<PsrpLimits>;
  /** Bytes of a fragment with its header. */
  readonly fragmentBytes?: number;
  /** Bodies beyond this are not decoded here but given out as `largeBody`; default: all are decoded here. */
  readonly inlineBodyBytes?: number;
  /** After a reconnect: the rest of a half-delivered object may come first. */
  readonly skipToStart?: boolean;
}

/** How a pool is opened. */
export interface OpenOptions {
  readonly hostInfo: HostInfo;
  /** A dictionary, see `versionTable`; null = empty. */
  readonly applicationArguments?: PsValue;
  readonly minRunspaces?: number;
  readonly maxRunspaces?: number;
  readonly apartmentState?: number;
  readonly threadOptions?: number;
}

/** How a pipeline is made. */
export interface PipelineOptions {
  readonly commands: readonly PipelineCommand[];
  readonly moreStatements?: readonly (readonly PipelineCommand[])[];
  /** False when input follows; default true. */
  readonly noInput?: boolean;
  readonly addToHistory?: boolean;
  readonly history?: string | null;
  readonly isNested?: boolean;
  readonly hostInfo?: HostInfo;
  readonly remoteStreamOptions?: number;
  readonly redirectErrors?: boolean;
  readonly apartmentState?: number;
  /** Default: a new one. */
  readonly pipelineId?: string;
}

/** What to ask for with `getCommandMetadata`. */
export interface CommandMetadataOptions {
  readonly names?: readonly string[] | null;
  readonly commandTypes?: number;
  readonly namespaces?: readonly string[] | null;
  /** Modules by name and version: strings or `Hashtable`s. */
  readonly fullyQualifiedModules?: readonly PsValue[] | null;
  readonly argumentList?: readonly PsValue[] | null;
  readonly pipelineId?: string;
}

/** An answer to a host call. */
export type HostAnswer<M extends HostMethodName> =
  { readonly result: HostResult<M> | null } | { readonly error: NewError };
