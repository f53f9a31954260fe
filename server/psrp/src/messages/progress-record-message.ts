import { decodeProgress, encodeProgress } from '../records/progress-record.ts';
import type { ProgressRecord } from '../records/progress-record.ts';
import { asBag } from './codec.ts';
import type { MessageCodec } from './codec.ts';

/** PROGRESS_RECORD, server -> client. [MS-PSRP] 2.2.2.25 PROGRESS_RECORD Message. */
export const progressRecordMessage: MessageCodec<'PROGRESS_RECORD', { readonly record: ProgressRecord }> = {
  name: 'PROGRESS_RECORD',
  type: 0x00041010,
  direction: 's2c',
  target: 'pipeline',
  encode: (content) => encodeProgress(content.record),
  decode: (body) => ({ record: decodeProgress(asBag(body, 'PROGRESS_RECORD')) }),
};
