import { bag } from '../clixml/build.ts';
import { toBigInt } from '../clixml/object.ts';
import { asBag, badContent, needBigInt } from './codec.ts';
import type { MessageCodec } from './codec.ts';

/** Answer to one of the pool calls: success for set and reset, a count for GET_AVAILABLE_RUNSPACES. */
export interface RunspaceAvailability {
  readonly callId: bigint;
  readonly response: boolean | bigint;
}

/**
 * RUNSPACE_AVAILABILITY, server -> client. The published text has an I64 count; PowerShell sends an I32, both are read.
 * [MS-PSRP] 2.2.2.8 RUNSPACE_AVAILABILITY Message.
 */
export const runspaceAvailability: MessageCodec<'RUNSPACE_AVAILABILITY', RunspaceAvailability> = {
  name: 'RUNSPACE_AVAILABILITY',
  type: 0x00021004,
  direction: 's2c',
  target: 'pool',
  encode: ({ callId, response }) =>
    bag({ SetMinMaxRunspacesResponse: typeof response === 'bigint' ? Number(response) : response, ci: callId }),
  decode: (body) => {
    const object = asBag(body, 'RUNSPACE_AVAILABILITY');
    const value = object.get('SetMinMaxRunspacesResponse') ?? null;
    const response =
      typeof value === 'boolean' ? value : (toBigInt(value) ?? badContent('a response of the wrong type'));
    return { callId: needBigInt(object, 'ci'), response };
  },
};
