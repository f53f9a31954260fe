import type { PsObject } from '../clixml/object.ts';
import { asBag } from './codec.ts';
import type { MessageCodec } from './codec.ts';

/** VERBOSE_RECORD, server -> client; its content is an informational record. [MS-PSRP] 2.2.2.23 VERBOSE_RECORD Message. */
export const verboseRecord: MessageCodec<'VERBOSE_RECORD', { readonly record: PsObject }> = {
  name: 'VERBOSE_RECORD',
  type: 0x00041008,
  direction: 's2c',
  target: 'pipeline',
  encode: (content) => content.record,
  decode: (body) => ({ record: asBag(body, 'VERBOSE_RECORD') }),
};
