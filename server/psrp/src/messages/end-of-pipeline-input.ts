import type { MessageCodec } from './codec.ts';

/** END_OF_PIPELINE_INPUT, client -> server: no more input comes. [MS-PSRP] 2.2.2.18 END_OF_PIPELINE_INPUT Message. */
export const endOfPipelineInput: MessageCodec<'END_OF_PIPELINE_INPUT', null> = {
  name: 'END_OF_PIPELINE_INPUT',
  type: 0x00041003,
  direction: 'c2s',
  target: 'pipeline',
  encode: () => undefined,
  decode: () => null,
};
