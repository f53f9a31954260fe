import type { PsObject } from '../clixml/object.ts';
import { asBag } from './codec.ts';
import type { MessageCodec } from './codec.ts';

/** WARNING_RECORD, server -> client; its content is an informational record. [MS-PSRP] 2.2.2.24 WARNING_RECORD Message. */
export const warningRecord: MessageCodec<'WARNING_RECORD', { readonly record: PsObject }> = {
  name: 'WARNING_RECORD',
  type: 0x00041009,
  direction: 's2c',
  target: 'pipeline',
  encode: (content) => content.record,
  decode: (body) => ({ record: asBag(body, 'WARNING_RECORD') }),
};
