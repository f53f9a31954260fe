import type { PsValue } from '../clixml/object.ts';
import type { MessageCodec } from './codec.ts';

/** PIPELINE_OUTPUT: one object out of a pipeline. [MS-PSRP] 2.2.2.19 PIPELINE_OUTPUT Message. */
export const pipelineOutput: MessageCodec<'PIPELINE_OUTPUT', { readonly value: PsValue }> = {
  name: 'PIPELINE_OUTPUT',
  type: 0x00041004,
  direction: 's2c',
  target: 'pipeline',
  encode: (content) => content.value,
  decode: (body) => ({ value: body ?? null }),
};
