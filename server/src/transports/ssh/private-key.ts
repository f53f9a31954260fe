/** Private keys as people bring them: OpenSSH and PEM (PKCS #1, SEC 1, PKCS #8), encrypted or not. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import ssh2, { type ParsedKey } from 'ssh2';
import { SallyportError } from '../../errors.ts';
import type { Secret } from '../../secret.ts';
import { exportKey } from './decrypt-key.ts';
import { fingerprintOf, rsaBits } from './host-key.ts';
import { parseKeyFile, unreadable } from './key-file.ts';
import { decryptInWorker } from './key-worker.ts';

/** A signature takes 33 ms of the event loop at 8192 bits, and eight times that at twice the length. */
const MAX_RSA_BITS = 8192;

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

/** From unencrypted PEM to what ssh2 reads. */
function fromPem(text: string): string {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: text, format: 'pem' });
  } catch {
    throw unreadable('unknown form');
  }
  const pem = key.asymmetricKeyType === 'ed25519' ? toOpenSshEd25519(key) : exportKey(key);
  if (pem === null) throw unreadable(`type ${key.asymmetricKeyType ?? 'unknown'} is not supported`);
  return pem;
}

/** @param text unencrypted, in a form that ssh2 knows */
function parseClear(text: string): ParsedKey {
  let parsed: unknown;
  try {
    // For a file of several keys ssh2 gives an array, which its types do not say.
    [parsed] = [ssh2.utils.parseKey(text)].flat();
  } catch (cause) {
    throw new SallyportError('key_unreadable', 'private key: unknown form', { cause });
  }
  const key = parsed as ParsedKey | Error | undefined;
  if (key === undefined || key instanceof Error || !key.isPrivateKey()) throw unreadable('unknown form');
  if (!/^(?:ssh-ed25519|ecdsa-sha2-nistp(?:256|384|521)|ssh-rsa)$/.test(key.type))
    throw unreadable(`type ${key.type} is not supported`);
  const bits = key.type === 'ssh-rsa' ? rsaBits(key.getPublicSSH()) : 0;
  if (bits > MAX_RSA_BITS) throw unreadable(`RSA with ${bits} bits, ${MAX_RSA_BITS} is the most`);
  return key;
}

/** A key that signs in one way. ssh2 takes `type` for the algorithm's name when it does not know it as a type of key. */
const signingAs = (key: ParsedKey, type: string, hash: string | undefined, signing: () => void): ParsedKey =>
  new Proxy(key, {
    get(target, name): unknown {
      if (name === 'type') return type;
      if (name !== 'sign') return Reflect.get(target, name, target);
      return (data: Buffer | string): Buffer => {
        signing();
        return target.sign(data, hash);
      };
    },
  });

/**
 * The ways to offer a key, to be tried in turn until the target wants a signature. RFC 8332 and security.md: never
 * SHA-1, so an RSA key is offered as rsa-sha2-512 and rsa-sha2-256 only; ssh2 would offer just one of them.
 * @param signing called before each signature; may throw
 */
export function toOffers(key: ParsedKey, signing: () => void): ParsedKey[] {
  if (key.type !== 'ssh-rsa') return [signingAs(key, key.type, undefined, signing)];
  return [signingAs(key, 'rsa-sha2-512', 'sha512', signing), signingAs(key, 'rsa-sha2-256', 'sha256', signing)];
}

/** Whether a passphrase is needed to read the key. @throws SallyportError key_unreadable, key_too_slow */
export const isEncryptedKey = (secret: Secret): boolean => parseKeyFile(secret).isEncrypted;

/**
 * An encrypted key is decrypted in a thread of its own.
 * @throws SallyportError key_unreadable: wrong passphrase, damaged, or a type that is not supported (DSA, security keys);
 * key_too_slow; cancelled
 */
export async function readPrivateKey(
  secret: Secret,
  passphrase: Secret | null,
  signal: AbortSignal,
): Promise<ParsedKey> {
  const { form, text, isEncrypted } = parseKeyFile(secret);
  if (!isEncrypted) return parseClear(form === 'pem' ? fromPem(text) : text);
  if (passphrase === null) throw unreadable('it is encrypted and there is no passphrase');
  const clear = await decryptInWorker({ form, text, passphrase: passphrase.reveal() }, signal);
  if (clear === null) throw unreadable('wrong passphrase or unknown form');
  return parseClear(fromPem(clear));
}

/**
 * Type and fingerprint of the public half, as `ssh-keygen -l` shows them. An encrypted key without its passphrase shows
 * them only in OpenSSH's form; of PEM it is said that it is encrypted.
 * @throws SallyportError key_unreadable, key_too_slow
 */
export async function describePrivateKey(secret: Secret, passphrase: Secret | null): Promise<string> {
  const { isEncrypted, publicBlob } = parseKeyFile(secret);
  if (isEncrypted && passphrase === null) {
    if (publicBlob === null) return 'encrypted private key';
    const type = Buffer.from(publicBlob.subarray(4, 4 + (publicBlob[3] ?? 0))).toString('latin1');
    if (!/^[a-z0-9@.-]{1,64}$/.test(type)) throw unreadable('file is damaged');
    return `${type} ${fingerprintOf(publicBlob)}, encrypted`;
  }
  const key = await readPrivateKey(secret, passphrase, new AbortController().signal);
  return `${key.type} ${fingerprintOf(key.getPublicSSH())}`;
}
