import { PsrpProtocolError } from '../errors.ts';

/** Where a state goes on an input; what is not in the row is an error. */
export type Table<S extends string, I extends string> = Readonly<Record<S, Readonly<Partial<Record<I, S>>>>>;

/** States of a runspace pool. [MS-PSRP] 3.1.1.2.2 RunspacePool State. */
export type PoolStateName =
  | 'BeforeOpen'
  | 'Opening'
  | 'Opened'
  | 'Closing'
  | 'Closed'
  | 'Broken'
  | 'Disconnecting'
  | 'Disconnected'
  | 'Connecting';
/** What can happen to a pool. */
export type PoolInput =
  'open' | 'connect' | 'opened' | 'close' | 'closed' | 'broken' | 'disconnect' | 'disconnected' | 'reconnect';

/** Moves of a pool as a client sees it. `connect` = join a pool of another client. */
export const POOL: Table<PoolStateName, PoolInput> = {
  BeforeOpen: { open: 'Opening', connect: 'Connecting', close: 'Closed', broken: 'Broken' },
  Opening: { opened: 'Opened', close: 'Closing', closed: 'Closed', broken: 'Broken' },
  Opened: { close: 'Closing', closed: 'Closed', broken: 'Broken', disconnect: 'Disconnecting' },
  Closing: { closed: 'Closed', broken: 'Broken' },
  Disconnecting: { disconnected: 'Disconnected', close: 'Closing', closed: 'Closed', broken: 'Broken' },
  Disconnected: { reconnect: 'Connecting', close: 'Closing', closed: 'Closed', broken: 'Broken' },
  Connecting: { opened: 'Opened', close: 'Closing', closed: 'Closed', broken: 'Broken' },
  Closed: {},
  Broken: {},
};

/** Numbers of RunspacePoolState on the wire. A server sends 2 to 5 only. */
export const POOL_STATE_NUMBERS = { Opened: 2, Closed: 3, Closing: 4, Broken: 5 } as const;

/** States of a pipeline. [MS-PSRP] 3.1.1.3.2 Pipeline State. */
export type PipelineStateName =
  'NotStarted' | 'Running' | 'Stopping' | 'Stopped' | 'Completed' | 'Failed' | 'Disconnected';
/** What can happen to a pipeline. */
export type PipelineInput = 'create' | 'stop' | 'stopped' | 'completed' | 'failed' | 'disconnect' | 'reconnect';

/** Moves of a pipeline. */
export const PIPELINE: Table<PipelineStateName, PipelineInput> = {
  NotStarted: { create: 'Running' },
  Running: {
    stop: 'Stopping',
    completed: 'Completed',
    failed: 'Failed',
    stopped: 'Stopped',
    disconnect: 'Disconnected',
  },
  Stopping: { stopped: 'Stopped', completed: 'Completed', failed: 'Failed' },
  Disconnected: { reconnect: 'Running', failed: 'Failed', stopped: 'Stopped' },
  Stopped: {},
  Completed: {},
  Failed: {},
};

/** States of a pool as its server sees it. [MS-PSRP] 3.2.1.2.2 RunspacePool State. */
export type ServerPoolState =
  'WaitCapability' | 'WaitInit' | 'Opening' | 'Opened' | 'Disconnected' | 'Connecting' | 'Closed' | 'Broken';
/** What can happen to a pool on a server. */
export type ServerPoolInput =
  | 'capability'
  | 'unsuitable'
  | 'init'
  | 'opened'
  | 'refused'
  | 'disconnect'
  | 'reconnect'
  | 'connect'
  | 'joined'
  | 'notJoined'
  | 'close'
  | 'broken';

/** Moves of a pool on a server. `unsuitable` = no common version; `connect` = another client wants to join. */
export const SERVER_POOL: Table<ServerPoolState, ServerPoolInput> = {
  WaitCapability: { capability: 'WaitInit', unsuitable: 'Closed', close: 'Closed', broken: 'Broken' },
  WaitInit: { init: 'Opening', close: 'Closed', broken: 'Broken' },
  Opening: { opened: 'Opened', refused: 'Broken', close: 'Closed', broken: 'Broken' },
  Opened: { disconnect: 'Disconnected', close: 'Closed', broken: 'Broken' },
  Disconnected: { reconnect: 'Opened', connect: 'Connecting', close: 'Closed', broken: 'Broken' },
  Connecting: { joined: 'Opened', notJoined: 'Disconnected', close: 'Closed', broken: 'Broken' },
  Closed: {},
  Broken: {},
};

/** States of a pipeline as its server sees it; NotStarted = it waits for a runspace. */
export type ServerPipelineState = 'NotStarted' | 'Running' | 'Stopping' | 'Stopped' | 'Completed' | 'Failed';
/** What can happen to a pipeline on a server. */
export type ServerPipelineInput = 'start' | 'stop' | 'stopped' | 'completed' | 'failed';

/** Moves of a pipeline on a server. */
export const SERVER_PIPELINE: Table<ServerPipelineState, ServerPipelineInput> = {
  NotStarted: { start: 'Running', stop: 'Stopping' },
  Running: { stop: 'Stopping', stopped: 'Stopped', completed: 'Completed', failed: 'Failed' },
  Stopping: { stopped: 'Stopped', completed: 'Completed', failed: 'Failed' },
  Stopped: {},
  Completed: {},
  Failed: {},
};

/** Numbers of PSInvocationState on the wire. */
export const PIPELINE_STATE_NUMBERS = {
  NotStarted: 0,
  Running: 1,
  Stopping: 2,
  Stopped: 3,
  Completed: 4,
  Failed: 5,
  Disconnected: 6,
} as const;

/** The next state. @throws PsrpProtocolError psrp_bad_state when the table has no such move */
export function move<S extends string, I extends string>(table: Table<S, I>, state: S, input: I): S {
  const next = table[state][input];
  if (next === undefined) {
    throw new PsrpProtocolError('psrp_bad_state', `${input} in state ${state}`, {
      section: 'MS-PSRP 3.1.1 Abstract Data Model',
    });
  }
  return next;
}

/** True when nothing more happens in a state. */
export const isFinal = <S extends string, I extends string>(table: Table<S, I>, state: S): boolean =>
  Object.keys(table[state]).length === 0;
