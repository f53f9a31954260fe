/** Private keys as people bring them: OpenSSH and PEM (PKCS #1, SEC 1, PKCS #8), encrypted or not. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import ssh2, { type ParsedKey } from 'ssh2';
import { SallyportError } from '../../errors.ts';
import type { Secret } from '../../secret.ts';
import { exportKey } from './decrypt-key.ts';
import { fingerprintOf, rsaBits } from './host-key.ts';
import { parseKeyFile, unreadable } from './key-file.ts';
import { decryptInWorker } from './key-worker.ts';
import { sshString } from './wire.ts';

/** A signature takes 33 ms of the event loop at 8192 bits, and eight times that at twice the length. */
const MAX_RSA_BITS = 8192;

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

/** A key that was made here, as ssh2 takes it. */
export const parseEd25519 = (key: KeyObject): ParsedKey => parseClear(toOpenSshEd25519(key));

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
