import type { MessageCodec } from './codec.ts';

/** PUBLIC_KEY_REQUEST, server -> client: start the key exchange. [MS-PSRP] 2.2.2.5 PUBLIC_KEY_REQUEST Message. */
export const publicKeyRequest: MessageCodec<'PUBLIC_KEY_REQUEST', null> = {
  name: 'PUBLIC_KEY_REQUEST',
  type: 0x00010007,
  direction: 's2c',
  target: 'pool',
  encode: () => '',
  decode: () => null,
};
