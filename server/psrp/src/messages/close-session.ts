import type { MessageCodec } from './codec.ts';

/** CLOSE_SESSION, client -> server: in the enumeration, never sent by current clients; means close. */
export const closeSession: MessageCodec<'CLOSE_SESSION', null> = {
  name: 'CLOSE_SESSION',
  type: 0x00010003,
  direction: 'c2s',
  target: 'pool',
  encode: () => undefined,
  decode: () => null,
};
