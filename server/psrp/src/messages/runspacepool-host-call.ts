import type { MessageCodec } from './codec.ts';
import { decodeHostCallBody, encodeHostCallBody } from './host-call-body.ts';
import type { HostCallBody } from './host-call-body.ts';

/** RUNSPACEPOOL_HOST_CALL, server -> client. [MS-PSRP] 2.2.2.15 RUNSPACEPOOL_HOST_CALL Message. */
export const runspacePoolHostCall: MessageCodec<'RUNSPACEPOOL_HOST_CALL', HostCallBody> = {
  name: 'RUNSPACEPOOL_HOST_CALL',
  type: 0x00021100,
  direction: 's2c',
  target: 'pool',
  encode: encodeHostCallBody,
  decode: decodeHostCallBody,
};
