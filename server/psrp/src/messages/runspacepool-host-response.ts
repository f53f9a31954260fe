import type { MessageCodec } from './codec.ts';
import { decodeHostResponseBody, encodeHostResponseBody } from './host-call-body.ts';
import type { HostResponseBody } from './host-call-body.ts';

/** RUNSPACEPOOL_HOST_RESPONSE, client -> server. [MS-PSRP] 2.2.2.16 RUNSPACEPOOL_HOST_RESPONSE Message. */
export const runspacePoolHostResponse: MessageCodec<'RUNSPACEPOOL_HOST_RESPONSE', HostResponseBody> = {
  name: 'RUNSPACEPOOL_HOST_RESPONSE',
  type: 0x00021101,
  direction: 'c2s',
  target: 'pool',
  encode: encodeHostResponseBody,
  decode: decodeHostResponseBody,
};
