import { PsSecureString } from '../clixml/scalars.ts';
import { parseBase64, toBase64 } from '../base64.ts';
import { PsrpEncodeError, PsrpProtocolError } from '../errors.ts';

const SECTION = 'MS-PSRP 2.2.2.4 ENCRYPTED_SESSION_KEY Message';
/** RSA-2048. */
const MODULUS_BYTES = 256;
const KEY_BYTES = 32;
const PUBLIC_HEAD = [6, 2, 0, 0, 0, 0xa4, 0, 0, 0x52, 0x53, 0x41, 0x31, 0, 8, 0, 0];
const SESSION_HEAD = [1, 2, 0, 0, 0x10, 0x66, 0, 0, 0, 0xa4, 0, 0];

/** The public half of an RSA-2048 key; both numbers big endian. */
export interface PublicKey {
  /** 256 bytes. */
  readonly modulus: Uint8Array;
  /** 1 to 4 bytes; 65537 is `01 00 01`. */
  readonly exponent: Uint8Array;
}

/** AES-256-CBC with an IV of zeros and PKCS#7 padding, made for one key. */
export interface SessionCipher {
  /** Pads and encrypts. */
  encrypt(plain: Uint8Array): Uint8Array;
  /** May throw; the codec makes a `clixml_bad_value` of it. */
  decrypt(cipherText: Uint8Array): Uint8Array;
}
/** Makes the cipher for a session key of 32 bytes. */
export type SessionCipherFactory = (key: Uint8Array) => SessionCipher;

/** A CAPI PUBLICKEYBLOB, little endian inside. [MS-PSRP] 2.2.2.3 PUBLIC_KEY Message. */
export function encodePublicKey(key: PublicKey): Uint8Array {
  if (key.modulus.length !== MODULUS_BYTES) throw new PsrpEncodeError(`a modulus of ${key.modulus.length} bytes`);
  if (key.exponent.length < 1 || key.exponent.length > 4) throw new PsrpEncodeError('a bad exponent');
  const blob = new Uint8Array(PUBLIC_HEAD.length + 4 + MODULUS_BYTES);
  blob.set(PUBLIC_HEAD);
  blob.set(key.exponent.toReversed(), PUBLIC_HEAD.length);
  blob.set(key.modulus.toReversed(), PUBLIC_HEAD.length + 4);
  return blob;
}

/** The other way, on a server. @throws PsrpProtocolError psrp_bad_length when it is no RSA-2048 key */
export function decodePublicKey(blob: Uint8Array): PublicKey {
  const isHead = PUBLIC_HEAD.every((byte, index) => blob[index] === byte);
  if (!isHead || blob.length !== PUBLIC_HEAD.length + 4 + MODULUS_BYTES) {
    throw new PsrpProtocolError('psrp_bad_length', 'not an RSA-2048 public key', { section: SECTION });
  }
  const exponent = blob.slice(PUBLIC_HEAD.length, PUBLIC_HEAD.length + 4).toReversed();
  const firstUsed = exponent.findIndex((byte) => byte !== 0);
  return {
    modulus: blob.slice(PUBLIC_HEAD.length + 4).toReversed(),
    exponent: exponent.slice(firstUsed < 0 ? 3 : firstUsed),
  };
}

/** RSA ciphertext (256 bytes, big endian) as a CAPI SIMPLEBLOB. */
export function encodeWrappedKey(wrapped: Uint8Array): Uint8Array {
  const blob = new Uint8Array(SESSION_HEAD.length + wrapped.length);
  blob.set(SESSION_HEAD);
  blob.set(wrapped.toReversed(), SESSION_HEAD.length);
  return blob;
}

/** The other way; the head is not judged. @throws PsrpProtocolError psrp_bad_length */
export function decodeWrappedKey(blob: Uint8Array): Uint8Array {
  if (blob.length !== SESSION_HEAD.length + MODULUS_BYTES) {
    throw new PsrpProtocolError('psrp_bad_length', 'a wrapped key of a wrong length', { section: SECTION });
  }
  return blob.slice(SESSION_HEAD.length).toReversed();
}

/**
 * Takes the PKCS#1 v1.5 padding off a block that was decrypted without padding: `00 02 <nonzero> 00 <32 bytes>`. One
 * generic error, so that nothing is learned from it.
 * @throws PsrpProtocolError psrp_bad_length
 */
export function unpadSessionKey(block: Uint8Array): Uint8Array {
  const separator = MODULUS_BYTES - KEY_BYTES - 1;
  let wrong = block.length === MODULUS_BYTES && block[0] === 0 && block[1] === 2 && block[separator] === 0 ? 0 : 1;
  for (let i = 2; i < separator; i++) wrong |= block[i] === 0 ? 1 : 0;
  if (wrong !== 0)
    throw new PsrpProtocolError('psrp_bad_length', 'the session key cannot be unwrapped', { section: SECTION });
  return block.slice(separator + 1);
}

/** UTF-16LE without terminator. */
export function secureStringBytes(text: string): Uint8Array {
  const out = new Uint8Array(text.length * 2);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    out[i * 2] = code & 255;
    out[i * 2 + 1] = code >>> 8;
  }
  return out;
}

function secureStringText(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let text = '';
  for (let i = 0; i + 1 < bytes.length; i += 2) text += String.fromCharCode(view.getUint16(i, true));
  return text;
}

/** Seals a text. @param cipher null = protocol 2.4 on both sides: no encryption */
export function sealSecureString(text: string, cipher: SessionCipher | null): PsSecureString {
  const plain = secureStringBytes(text);
  const sealed = new PsSecureString(toBase64(cipher === null ? plain : cipher.encrypt(plain)));
  plain.fill(0);
  return sealed;
}

/** Opens a sealed text. @throws PsrpProtocolError clixml_bad_value when it cannot be opened */
export function openSecureString(value: PsSecureString, cipher: SessionCipher | null): string {
  const bad = (cause?: unknown): never => {
    throw new PsrpProtocolError('clixml_bad_value', 'a secure string that cannot be opened', {
      section: SECTION,
      cause,
    });
  };
  const bytes = parseBase64(value.cipherText) ?? bad();
  if (cipher === null) return secureStringText(bytes);
  let plain: Uint8Array;
  try {
    plain = cipher.decrypt(bytes);
  } catch (cause) {
    return bad(cause);
  }
  const text = secureStringText(plain);
  plain.fill(0);
  return text;
}
