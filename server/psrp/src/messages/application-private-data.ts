import { bag } from '../clixml/build.ts';
import type { PsValue } from '../clixml/object.ts';
import { asBag } from './codec.ts';
import type { MessageCodec } from './codec.ts';

/** APPLICATION_PRIVATE_DATA, server -> client: a dictionary or null. [MS-PSRP] 2.2.2.13 APPLICATION_PRIVATE_DATA Message. */
export const applicationPrivateData: MessageCodec<'APPLICATION_PRIVATE_DATA', { readonly data: PsValue }> = {
  name: 'APPLICATION_PRIVATE_DATA',
  type: 0x00021009,
  direction: 's2c',
  target: 'pool',
  encode: (content) => bag({ ApplicationPrivateData: content.data }),
  decode: (body) => ({ data: asBag(body, 'APPLICATION_PRIVATE_DATA').get('ApplicationPrivateData') ?? null }),
};
