import type { PsObject } from '../clixml/object.ts';
import { asBag } from './codec.ts';
import type { MessageCodec } from './codec.ts';

/** DEBUG_RECORD, server -> client; its content is an informational record. [MS-PSRP] 2.2.2.22 DEBUG_RECORD Message. */
export const debugRecord: MessageCodec<'DEBUG_RECORD', { readonly record: PsObject }> = {
  name: 'DEBUG_RECORD',
  type: 0x00041007,
  direction: 's2c',
  target: 'pipeline',
  encode: (content) => content.record,
  decode: (body) => ({ record: asBag(body, 'DEBUG_RECORD') }),
};
