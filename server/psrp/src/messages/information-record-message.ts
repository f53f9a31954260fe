import type { PsObject } from '../clixml/object.ts';
import { asBag } from './codec.ts';
import type { MessageCodec } from './codec.ts';

/** INFORMATION_RECORD, server -> client; protocol 2.3. [MS-PSRP] 2.2.2.26 INFORMATION_RECORD Message. */
export const informationRecordMessage: MessageCodec<'INFORMATION_RECORD', { readonly record: PsObject }> = {
  name: 'INFORMATION_RECORD',
  type: 0x00041011,
  direction: 's2c',
  target: 'pipeline',
  encode: (content) => content.record,
  decode: (body) => ({ record: asBag(body, 'INFORMATION_RECORD') }),
};
