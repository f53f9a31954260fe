import type { MessageCodec } from './codec.ts';

/** STOP_PIPELINE, client -> server: stop; clients use the transport signal instead, servers obey this too. In the enumeration of PowerShell, not in MS-PSRP. */
export const stopPipeline: MessageCodec<'STOP_PIPELINE', null> = {
  name: 'STOP_PIPELINE',
  type: 0x00041012,
  direction: 'c2s',
  target: 'pipeline',
  encode: () => undefined,
  decode: () => null,
};
