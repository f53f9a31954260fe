/** Private keys as people bring them: OpenSSH and PEM (PKCS #1, SEC 1, PKCS #8), encrypted or not. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import ssh2, { type ParsedKey } from 'ssh2';
import { SallyportError } from '../../errors.ts';
import type { Secret } from '../../secret.ts';

export const MAX_KEY_BYTES = 64 * 1024;

const isOpenSsh = (text: string): boolean => text.includes('-----BEGIN OPENSSH PRIVATE KEY-----');
const unreadable = (why: string): SallyportError => new SallyportError('key_unreadable', why);

const sshString = (data: string | Uint8Array): Buffer => {
  const bytes = Buffer.from(data);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

/** Ed25519 has no PEM form that ssh2 reads, so it is written as an unencrypted openssh-key-v1 (PROTOCOL.key of OpenSSH). */
function toOpenSshEd25519(key: KeyObject): string {
  const jwk = key.export({ format: 'jwk' });
  const open = Buffer.from(jwk.x ?? '', 'base64url');
  const secret = Buffer.concat([Buffer.from(jwk.d ?? '', 'base64url'), open]);
  const name = sshString('ssh-ed25519');
  const body = Buffer.concat([Buffer.alloc(8), name, sshString(open), sshString(secret), sshString('')]);
  const padding = Buffer.from(Array.from({ length: (8 - (body.length % 8)) % 8 }, (_, i) => i + 1));
  const count = Buffer.from([0, 0, 0, 1]);
  const blob = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    sshString('none'),
    sshString('none'),
    sshString(''),
    count,
    sshString(Buffer.concat([name, sshString(open)])),
    sshString(Buffer.concat([body, padding])),
  ]);
  const lines = blob.toString('base64').match(/.{1,70}/g) ?? [];
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join('\n')}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

/** PEM goes through OpenSSL, which knows every old and new encryption of it. */
function fromPem(text: string, passphrase: string | null): string {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: text, format: 'pem', passphrase: passphrase ?? '' });
  } catch {
    throw unreadable('private key: wrong passphrase or unknown form');
  }
  if (key.asymmetricKeyType === 'rsa') return key.export({ type: 'pkcs1', format: 'pem' }).toString();
  if (key.asymmetricKeyType === 'ec') return key.export({ type: 'sec1', format: 'pem' }).toString();
  if (key.asymmetricKeyType === 'ed25519') return toOpenSshEd25519(key);
  throw unreadable(`private key of type ${key.asymmetricKeyType ?? 'unknown'} is not supported`);
}

/** The cipher name stands after the magic; `none` = not encrypted. */
function isOpenSshEncrypted(text: string): boolean {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END/.exec(text)?.[1] ?? '';
  const blob = Buffer.from(body, 'base64');
  const start = 'openssh-key-v1\0'.length;
  if (blob.length < start + 8) throw unreadable('private key: file is cut off');
  return blob.toString('latin1', start + 4, start + 4 + blob.readUInt32BE(start)) !== 'none';
}

/** Whether a passphrase is needed to read the key. @throws SallyportError key_unreadable when it is no private key */
export function isEncryptedKey(secret: Secret): boolean {
  const text = secret.reveal();
  if (text.length > MAX_KEY_BYTES) throw unreadable('private key: file is too long');
  if (isOpenSsh(text)) return isOpenSshEncrypted(text);
  if (!/-----BEGIN (?:RSA |EC |ENCRYPTED )?PRIVATE KEY-----/.test(text)) throw unreadable('not a private key file');
  return /-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED/.test(text);
}

/** RFC 8332 and security.md: no signature with SHA-1, so an RSA key is used with rsa-sha2-256 or -512 only. */
function withoutSha1(key: ParsedKey): ParsedKey {
  const sign = key.sign.bind(key);
  const careful = (data: Buffer | string, algorithm?: string): Buffer =>
    algorithm === 'sha1' ? refuseSha1() : sign(data, algorithm);
  return new Proxy(key, {
    get: (target, name): unknown => (name === 'sign' ? careful : Reflect.get(target, name, target)),
  });
}
function refuseSha1(): never {
  throw new SallyportError('target_auth_unsupported', 'target takes RSA keys only with SHA-1');
}

/** @throws SallyportError key_unreadable: wrong passphrase, damaged, or a type that is not supported (DSA, security keys) */
export function readPrivateKey(secret: Secret, passphrase: Secret | null): ParsedKey {
  const isEncrypted = isEncryptedKey(secret);
  if (isEncrypted && passphrase === null) throw unreadable('private key is encrypted and there is no passphrase');
  const phrase = isEncrypted && passphrase !== null ? passphrase.reveal() : null;
  const text = isOpenSsh(secret.reveal()) ? secret.reveal() : fromPem(secret.reveal(), phrase);
  const parsed = ssh2.utils.parseKey(text, isOpenSsh(secret.reveal()) && phrase !== null ? phrase : undefined);
  // For a file of several keys ssh2 gives an array, which its types do not say.
  const [key] = [parsed].flat();
  if (key === undefined || key instanceof Error || !key.isPrivateKey())
    throw unreadable('private key: wrong passphrase or unknown form');
  if (!/^(?:ssh-ed25519|ecdsa-sha2-nistp(?:256|384|521)|ssh-rsa)$/.test(key.type))
    throw unreadable(`private key of type ${key.type} is not supported`);
  return key.type === 'ssh-rsa' ? withoutSha1(key) : key;
}
