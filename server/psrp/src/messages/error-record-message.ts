import type { PsObject } from '../clixml/object.ts';
import { asBag } from './codec.ts';
import type { MessageCodec } from './codec.ts';

/** ERROR_RECORD, server -> client. [MS-PSRP] 2.2.2.20 ERROR_RECORD Message. Views: `records/error-record.ts`. */
export const errorRecordMessage: MessageCodec<'ERROR_RECORD', { readonly record: PsObject }> = {
  name: 'ERROR_RECORD',
  type: 0x00041005,
  direction: 's2c',
  target: 'pipeline',
  encode: (content) => content.record,
  decode: (body) => ({ record: asBag(body, 'ERROR_RECORD') }),
};
