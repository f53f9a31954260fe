import { bag } from '../clixml/build.ts';
import { asBag } from './codec.ts';
import type { MessageCodec } from './codec.ts';
import { decodeStateChange } from './runspacepool-state.ts';
import type { StateChange } from './runspacepool-state.ts';

/** PIPELINE_STATE, server -> client: Stopped, Completed or Failed, once. [MS-PSRP] 2.2.2.21 PIPELINE_STATE Message. */
export const pipelineState: MessageCodec<'PIPELINE_STATE', StateChange> = {
  name: 'PIPELINE_STATE',
  type: 0x00041006,
  direction: 's2c',
  target: 'pipeline',
  encode: ({ state, error }) => bag({ PipelineState: state, ExceptionAsErrorRecord: error ?? undefined }),
  decode: (body) => decodeStateChange(asBag(body, 'PIPELINE_STATE'), 'PipelineState'),
};
