import type { PsValue } from '../clixml/object.ts';
import type { MessageCodec } from './codec.ts';

/** PIPELINE_INPUT: one object for the input of a pipeline. [MS-PSRP] 2.2.2.17 PIPELINE_INPUT Message. */
export const pipelineInput: MessageCodec<'PIPELINE_INPUT', { readonly value: PsValue }> = {
  name: 'PIPELINE_INPUT',
  type: 0x00041002,
  direction: 'c2s',
  target: 'pipeline',
  encode: (content) => content.value,
  decode: (body) => ({ value: body ?? null }),
};
