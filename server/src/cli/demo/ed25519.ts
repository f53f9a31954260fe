/**
 * A fresh Ed25519 key pair in OpenSSH's own form (openssh-key-v1, not encrypted). Not ssh2's generator: 1.17.0 drops
 * leading zero bytes of the public half, so that one pair in 256 cannot be read by anybody.
 */
import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';

export interface SshKeyPair {
  /** PEM text, `-----BEGIN OPENSSH PRIVATE KEY-----`. */
  readonly private: string;
  /** `ssh-ed25519 AAAA...`, without a comment. */
  readonly public: string;
}

const TYPE = 'ssh-ed25519';
/** PKCS #8 of an Ed25519 key up to its 32-byte seed. RFC 8410 section 7. */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');
const CIPHER_BLOCK = 8;

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const field = (data: Uint8Array | string): Buffer => {
  const bytes = Buffer.from(data);
  return Buffer.concat([u32(bytes.length), bytes]);
};

/** @param seed the 32 bytes of which an Ed25519 private key consists (RFC 8032 section 5.1.5) */
export function ed25519KeyPair(seed: Uint8Array = randomBytes(32)): SshKeyPair {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: 'der', type: 'pkcs8' });
  const point = Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x ?? '', 'base64url');
  const publicBlob = Buffer.concat([field(TYPE), field(point)]);
  const check = randomBytes(4);
  const body = Buffer.concat([check, check, field(TYPE), field(point), field(Buffer.concat([seed, point])), field('')]);
  const padding = Uint8Array.from(
    { length: (CIPHER_BLOCK - (body.length % CIPHER_BLOCK)) % CIPHER_BLOCK },
    (_, i) => i + 1,
  );
  const blob = Buffer.concat([
    ...[Buffer.from('openssh-key-v1\0'), field('none'), field('none'), field(''), u32(1)],
    ...[field(publicBlob), field(Buffer.concat([body, padding]))],
  ]);
  const lines = blob.toString('base64').match(/.{1,70}/g) ?? [];
  return {
    private: `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join('\n')}\n-----END OPENSSH PRIVATE KEY-----\n`,
    public: `${TYPE} ${publicBlob.toString('base64')}`,
  };
}
