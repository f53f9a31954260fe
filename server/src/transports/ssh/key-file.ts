/**
 * What a private key file says of itself before anything is decrypted: its form, whether it is encrypted, and how much
 * work its passphrase costs. The work is set by whoever made the file, so it is bounded here and not by patience.
 */
import { SallyportError } from '../../errors.ts';
import type { Secret } from '../../secret.ts';

export const MAX_KEY_BYTES = 64 * 1024;
/** `ssh-keygen -a`: 16 or 24 by default, 100 is the usual advice. 256 take about 6 s of one core. */
export const MAX_BCRYPT_ROUNDS = 256;
/** PKCS #8 with PBKDF2: OpenSSL writes 2,048, OWASP's advice is 600,000. */
const MAX_PBKDF2_ROUNDS = 10_000_000;
/** PKCS #8 with scrypt: N x r x p; OpenSSL writes 2^14 x 8 x 1. */
const MAX_SCRYPT_WORK = 2 ** 22;
const MAX_DER_DEPTH = 8;
/** 1.3.6.1.4.1.11591.4.11, RFC 7914 section 7. */
const SCRYPT_OID = '2b06010401da470b';

export interface KeyFile {
  readonly form: 'openssh' | 'pem';
  readonly text: string;
  readonly isEncrypted: boolean;
  /** The public half that an OpenSSH file shows even when it is encrypted; null for PEM. */
  readonly publicBlob: Uint8Array | null;
}

/** @returns the error for a file that is no private key we can use */
export const unreadable = (why: string): SallyportError => new SallyportError('key_unreadable', `private key: ${why}`);
const tooSlow = (why: string): SallyportError => new SallyportError('key_too_slow', `private key: ${why}`);

const blockOf = (text: string, label: string): Buffer => {
  const [, body = ''] = text.split(`-----BEGIN ${label}-----`);
  return Buffer.from(body.split('-----END ')[0] ?? '', 'base64');
};

/** openssh-key-v1: magic, cipher, KDF name, KDF options, number of keys, public keys, private part (PROTOCOL.key). */
function readOpenSsh(text: string): KeyFile {
  const blob = blockOf(text, 'OPENSSH PRIVATE KEY');
  const magic = 'openssh-key-v1\0';
  if (blob.toString('latin1', 0, magic.length) !== magic) throw unreadable('file is cut off');
  let at = magic.length;
  const uint32 = (from: Buffer, offset: number): number => {
    if (offset + 4 > from.length) throw unreadable('file is cut off');
    return from.readUInt32BE(offset);
  };
  const string = (): Buffer => {
    const length = uint32(blob, at);
    if (at + 4 + length > blob.length) throw unreadable('file is cut off');
    const body = blob.subarray(at + 4, at + 4 + length);
    at += 4 + length;
    return body;
  };
  const isEncrypted = string().toString('latin1') !== 'none';
  const kdf = string().toString('latin1');
  const options = string();
  if (uint32(blob, at) !== 1) throw unreadable('file holds several keys');
  at += 4;
  if (isEncrypted && kdf === 'bcrypt') {
    const rounds = uint32(options, 4 + uint32(options, 0));
    if (rounds > MAX_BCRYPT_ROUNDS) throw tooSlow(`${rounds} bcrypt rounds, ${MAX_BCRYPT_ROUNDS} is the limit`);
  }
  return { form: 'openssh', text, isEncrypted, publicBlob: string() };
}

interface DerItem {
  readonly tag: number;
  readonly body: Buffer;
}
/** Items of one level, X.690 with definite lengths; anything else is refused. */
function readDer(bytes: Buffer): DerItem[] {
  const items: DerItem[] = [];
  for (let at = 0; at < bytes.length;) {
    const [tag = 0, first = 0x80] = bytes.subarray(at, at + 2);
    const more = first > 0x80 ? first - 0x80 : 0;
    if (first === 0x80 || more > 3 || at + 2 + more > bytes.length) throw unreadable('DER is damaged');
    const length = more === 0 ? first : bytes.readUIntBE(at + 2, more);
    const start = at + 2 + more;
    if (start + length > bytes.length) throw unreadable('DER is damaged');
    items.push({ tag, body: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return items;
}
/** Everything inside `items` that is not a SEQUENCE, in order. */
function leaves(items: readonly DerItem[], depth = 0): DerItem[] {
  if (depth > MAX_DER_DEPTH) throw unreadable('DER is too deep');
  return items.flatMap((item) => (item.tag === 0x30 ? leaves(readDer(item.body), depth + 1) : [item]));
}

/** EncryptedPrivateKeyInfo, RFC 5958 section 3: { algorithm with its parameters, encrypted bytes }. */
function checkPkcs8Work(der: Buffer): void {
  const [algorithm] = readDer(readDer(der)[0]?.body ?? Buffer.alloc(0));
  if (algorithm?.tag !== 0x30) throw unreadable('DER is damaged');
  const parts = leaves([algorithm]);
  const numbers = parts
    .filter(({ tag }) => tag === 0x02)
    .map(({ body }) => (body.length === 0 ? 0 : Number(BigInt(`0x${body.toString('hex')}`))));
  const isScrypt = parts.some(({ tag, body }) => tag === 0x06 && body.toString('hex') === SCRYPT_OID);
  const [first = 0, second = 0, third = 0] = numbers;
  if (isScrypt && first * second * third > MAX_SCRYPT_WORK) throw tooSlow('scrypt costs too much');
  if (!isScrypt && first > MAX_PBKDF2_ROUNDS)
    throw tooSlow(`${first} PBKDF2 rounds, ${MAX_PBKDF2_ROUNDS} is the limit`);
}

function readPem(text: string): KeyFile {
  const isPkcs8 = text.includes('-----BEGIN ENCRYPTED PRIVATE KEY-----');
  if (isPkcs8) checkPkcs8Work(blockOf(text, 'ENCRYPTED PRIVATE KEY'));
  const isEncrypted = isPkcs8 || text.includes('Proc-Type: 4,ENCRYPTED');
  return { form: 'pem', text, isEncrypted, publicBlob: null };
}

/**
 * @throws SallyportError key_unreadable when it is no private key file, or one with several keys; key_too_slow when its
 * passphrase costs more work than the limits
 */
export function parseKeyFile(secret: Secret): KeyFile {
  const text = secret.reveal();
  if (text.length > MAX_KEY_BYTES) throw unreadable('file is too long');
  const labels = [...text.matchAll(/-----BEGIN ([A-Z ]*PRIVATE KEY)-----/g)].map(([, label]) => label);
  if (labels.length > 1) throw unreadable('file holds several keys');
  const [label] = labels;
  if (label === 'OPENSSH PRIVATE KEY') return readOpenSsh(text);
  if (label !== undefined && /^(?:(?:RSA|EC|ENCRYPTED) )?PRIVATE KEY$/.test(label)) return readPem(text);
  throw unreadable('not a private key file');
}
