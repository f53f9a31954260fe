import { parseBase64, toBase64 } from '../base64.ts';
import { bag } from '../clixml/build.ts';
import { asBag, badContent, needText } from './codec.ts';
import type { MessageCodec } from './codec.ts';

/** ENCRYPTED_SESSION_KEY, server -> client: the AES key, wrapped. [MS-PSRP] 2.2.2.4 ENCRYPTED_SESSION_KEY Message. */
export const encryptedSessionKey: MessageCodec<'ENCRYPTED_SESSION_KEY', { readonly blob: Uint8Array }> = {
  name: 'ENCRYPTED_SESSION_KEY',
  type: 0x00010006,
  direction: 's2c',
  target: 'pool',
  encode: (content) => bag({ EncryptedSessionKey: toBase64(content.blob) }),
  decode: (body) => ({
    blob:
      parseBase64(needText(asBag(body, 'ENCRYPTED_SESSION_KEY'), 'EncryptedSessionKey')) ??
      badContent('the session key is no base64'),
  }),
};
