import { bag } from '../clixml/build.ts';
import type { PsObject } from '../clixml/object.ts';
import { asBag, needNumber } from './codec.ts';
import type { MessageCodec } from './codec.ts';

/** A state of a pool or pipeline, with the error that led to it. */
export interface StateChange {
  readonly state: number;
  /** An error record object, or null. */
  readonly error: PsObject | null;
}

/** RUNSPACEPOOL_STATE, server -> client. [MS-PSRP] 2.2.2.9 RUNSPACEPOOL_STATE Message. */
export const runspacePoolState: MessageCodec<'RUNSPACEPOOL_STATE', StateChange> = {
  name: 'RUNSPACEPOOL_STATE',
  type: 0x00021005,
  direction: 's2c',
  target: 'pool',
  encode: ({ state, error }) => bag({ RunspaceState: state, ExceptionAsErrorRecord: error ?? undefined }),
  decode: (body) => decodeStateChange(asBag(body, 'RUNSPACEPOOL_STATE'), 'RunspaceState'),
};

/** Reads the state under `name` and the error. */
export function decodeStateChange(object: PsObject, name: string): StateChange {
  return { state: needNumber(object, name), error: object.getObject('ExceptionAsErrorRecord') };
}
