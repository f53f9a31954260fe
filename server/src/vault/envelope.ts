import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { SallyportError } from '../errors.ts';
import type { Place } from './contract.ts';

/** Version byte of the envelope; part of the associated data, so it cannot be lowered. */
const VERSION = 1;
const KEY_ID_BYTES = 8;
const IV_BYTES = 12;
const KEY_BYTES = 32;
const TAG_BYTES = 16;
/**
 * 1 version + 8 key id + 12 IV of the wrap + 32 wrapped data key + 16 tag + 12 IV of the data, then the data and its 16
 * byte tag.
 */
const WRAP_AT = 1 + KEY_ID_BYTES;
const DATA_AT = WRAP_AT + IV_BYTES + KEY_BYTES + TAG_BYTES;
export const ENVELOPE_OVERHEAD = DATA_AT + IV_BYTES + TAG_BYTES;

/** A key-encryption key, and the id under which envelopes name it: a hash, so it tells nothing of the key. */
export interface KeyEncryptionKey {
  readonly key: Uint8Array;
  readonly id: Uint8Array;
}

export const toKeyEncryptionKey = (key: Uint8Array): KeyEncryptionKey => ({
  key,
  id: createHash('sha256').update('sallyport vault key id 1\0').update(key).digest().subarray(0, KEY_ID_BYTES),
});

/** Each part with its length before it, so that no two places have the same encoding. */
function associatedData(purpose: 'wrap' | 'data', id: Uint8Array, place: Place): Buffer {
  const parts = [purpose, place.table, place.row, place.field].map((text) => Buffer.from(text, 'utf8'));
  const framed = [...parts, Buffer.from(id)].flatMap((part) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    return [length, part];
  });
  return Buffer.concat([Buffer.of(VERSION), ...framed]);
}

/** iv + ciphertext + tag. */
function encrypt(key: Uint8Array, aad: Uint8Array, plain: Uint8Array): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
  cipher.setAAD(aad);
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Uint8Array, aad: Uint8Array, box: Uint8Array): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(box.subarray(box.length - TAG_BYTES));
  return Buffer.concat([decipher.update(box.subarray(IV_BYTES, box.length - TAG_BYTES)), decipher.final()]);
}

/** Seals with a data key of its own, itself wrapped by the key-encryption key. Both boxes are bound to the place. */
export function sealEnvelope(kek: KeyEncryptionKey, place: Place, plain: Uint8Array): Uint8Array {
  const dataKey = randomBytes(KEY_BYTES);
  try {
    const wrapped = encrypt(kek.key, associatedData('wrap', kek.id, place), dataKey);
    const data = encrypt(dataKey, associatedData('data', kek.id, place), plain);
    return new Uint8Array(Buffer.concat([Buffer.of(VERSION), kek.id, wrapped, data]));
  } finally {
    dataKey.fill(0);
  }
}

/** @throws SallyportError secret_unreadable, never saying more than which part does not fit */
export function openEnvelope(kek: KeyEncryptionKey, place: Place, sealed: Uint8Array): Uint8Array {
  const unreadable = (why: string, cause?: unknown): SallyportError =>
    new SallyportError('secret_unreadable', `${place.table}/${place.row}/${place.field}: ${why}`, { cause });
  if (sealed.length < ENVELOPE_OVERHEAD) throw unreadable('the envelope is cut');
  if (sealed[0] !== VERSION) throw unreadable('the envelope has an unknown version');
  if (Buffer.compare(sealed.subarray(1, WRAP_AT), kek.id) !== 0) throw unreadable('sealed with another key');
  let dataKey: Buffer | null = null;
  try {
    dataKey = decrypt(kek.key, associatedData('wrap', kek.id, place), sealed.subarray(WRAP_AT, DATA_AT));
    return new Uint8Array(decrypt(dataKey, associatedData('data', kek.id, place), sealed.subarray(DATA_AT)));
  } catch (cause) {
    throw unreadable('moved or changed', cause);
  } finally {
    dataKey?.fill(0);
  }
}
