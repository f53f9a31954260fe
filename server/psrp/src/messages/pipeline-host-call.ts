import type { MessageCodec } from './codec.ts';
import { decodeHostCallBody, encodeHostCallBody } from './host-call-body.ts';
import type { HostCallBody } from './host-call-body.ts';

/** PIPELINE_HOST_CALL, server -> client. [MS-PSRP] 2.2.2.27 PIPELINE_HOST_CALL Message. */
export const pipelineHostCall: MessageCodec<'PIPELINE_HOST_CALL', HostCallBody> = {
  name: 'PIPELINE_HOST_CALL',
  type: 0x00041100,
  direction: 's2c',
  target: 'pipeline',
  encode: encodeHostCallBody,
  decode: decodeHostCallBody,
};
