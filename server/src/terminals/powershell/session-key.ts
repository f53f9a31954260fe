/** The key exchange for secure strings. psrp.md section 9. */
import { constants, createCipheriv, createDecipheriv, generateKeyPair, privateDecrypt } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { unpadSessionKey } from '@sallyport/psrp';
import type { PublicKey, SessionCipher } from '@sallyport/psrp';

const makePair = promisify(generateKeyPair);

/** AES-256-CBC as the protocol wants it: the IV is all zeros. */
export function sessionCipher(key: Uint8Array): SessionCipher {
  const iv = new Uint8Array(16);
  const run = (cipher: ReturnType<typeof createCipheriv> | ReturnType<typeof createDecipheriv>, bytes: Uint8Array) =>
    new Uint8Array(Buffer.concat([cipher.update(bytes), cipher.final()]));
  return {
    encrypt: (plain) => run(createCipheriv('aes-256-cbc', key, iv), plain),
    decrypt: (cipherText) => run(createDecipheriv('aes-256-cbc', key, iv), cipherText),
  };
}

/** One pool's RSA key pair. The private half never leaves this object. */
export class KeyExchange {
  #privateKey: KeyObject | null = null;

  async publicKey(): Promise<PublicKey> {
    const { publicKey, privateKey } = await makePair('rsa', { modulusLength: 2048, publicExponent: 0x10001 });
    this.#privateKey = privateKey;
    const { n = '' } = publicKey.export({ format: 'jwk' });
    return { modulus: new Uint8Array(Buffer.from(n, 'base64url')), exponent: Uint8Array.of(1, 0, 1) };
  }

  /** @throws PsrpProtocolError psrp_bad_length */
  unwrap(wrapped: Uint8Array): Uint8Array {
    if (this.#privateKey === null) return unpadSessionKey(new Uint8Array());
    const block = privateDecrypt({ key: this.#privateKey, padding: constants.RSA_NO_PADDING }, wrapped);
    return unpadSessionKey(new Uint8Array(block));
  }
}
