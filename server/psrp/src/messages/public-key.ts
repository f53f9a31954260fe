import { parseBase64, toBase64 } from '../base64.ts';
import { bag } from '../clixml/build.ts';
import { asBag, badContent, needText } from './codec.ts';
import type { MessageCodec } from './codec.ts';

/** PUBLIC_KEY, client -> server: the blob of an RSA key. [MS-PSRP] 2.2.2.3 PUBLIC_KEY Message. */
export const publicKey: MessageCodec<'PUBLIC_KEY', { readonly blob: Uint8Array }> = {
  name: 'PUBLIC_KEY',
  type: 0x00010005,
  direction: 'c2s',
  target: 'pool',
  encode: (content) => bag({ PublicKey: toBase64(content.blob) }),
  decode: (body) => ({
    blob: parseBase64(needText(asBag(body, 'PUBLIC_KEY'), 'PublicKey')) ?? badContent('the key is no base64'),
  }),
};
