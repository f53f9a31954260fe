import type { MessageCodec } from './codec.ts';
import { decodeHostResponseBody, encodeHostResponseBody } from './host-call-body.ts';
import type { HostResponseBody } from './host-call-body.ts';

/** PIPELINE_HOST_RESPONSE, client -> server. [MS-PSRP] 2.2.2.28 PIPELINE_HOST_RESPONSE Message. */
export const pipelineHostResponse: MessageCodec<'PIPELINE_HOST_RESPONSE', HostResponseBody> = {
  name: 'PIPELINE_HOST_RESPONSE',
  type: 0x00041101,
  direction: 'c2s',
  target: 'pipeline',
  encode: encodeHostResponseBody,
  decode: decodeHostResponseBody,
};
