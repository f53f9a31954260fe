import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SallyportError } from '../errors.ts';
import type { CheckpointRecord, Storage } from '../storage/contract.ts';
import { makePrivateDirectory, readPrivateFile, writeWhole } from '../storage/files.ts';

/** Under this name the storage keeps the fingerprint of the public key whose signatures it holds. */
const FINGERPRINT_VALUE = 'audit.signingKey';

export interface AuditSigner {
  sign(head: Omit<CheckpointRecord, 'signature'>): CheckpointRecord;
  /** SPKI in PEM: all that `audit verify` needs. */
  readonly publicKey: string;
}

/** Exactly what is signed. Lines of digits and hex only, so no two heads have the same text. */
const signedText = (head: Omit<CheckpointRecord, 'signature'>): Buffer =>
  Buffer.from(`sallyport audit checkpoint 1\n${head.sequence}\n${head.hash}\n${head.at}\n`);

/** @throws SallyportError config_invalid when it is no Ed25519 public key */
export function parsePublicKey(pem: string): KeyObject {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (cause) {
    throw new SallyportError('config_invalid', 'the audit key is not a public key in PEM', { cause });
  }
  throw new SallyportError('config_invalid', 'the audit key is not an Ed25519 key');
}

export function isSignatureGood(head: CheckpointRecord, publicKey: KeyObject): boolean {
  const signature = Buffer.from(head.signature, 'base64');
  return signature.length === 64 && verify(null, signedText(head), publicKey, signature);
}

/** A backup is only as good as its list of files; no head has such a text. */
const backupText = (manifest: Uint8Array): Buffer => Buffer.concat([Buffer.from('sallyport backup 1\n'), manifest]);

/** The private key of a gateway. @throws SallyportError key_missing, config_invalid */
function readKey(keyDirectory: string): KeyObject {
  const file = join(keyDirectory, 'audit-signing.key');
  const stored = readPrivateFile(file);
  if (stored === null) throw new SallyportError('key_missing', `${file} is missing`);
  return parsePrivateKey(stored, file);
}

/** @returns base64. @throws SallyportError key_missing, config_invalid */
export const signBackup = (manifest: Uint8Array, keyDirectory: string): string =>
  sign(null, backupText(manifest), readKey(keyDirectory)).toString('base64');

/** Whether the gateway of these keys made the backup. @throws SallyportError key_missing, config_invalid */
export function isBackupGood(manifest: Uint8Array, signature: string, keyDirectory: string): boolean {
  const bytes = Buffer.from(signature, 'base64');
  return bytes.length === 64 && verify(null, backupText(manifest), createPublicKey(readKey(keyDirectory)), bytes);
}

const pemOf = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();
const fingerprint = (pem: string): string => createHash('sha256').update(pem).digest('hex');

/**
 * The key pair that signs heads: `audit-signing.key` (0600) and `audit-signing.pub`, made at first start.
 * @throws SallyportError key_missing, key_mismatch, config_invalid
 */
export async function openAuditSigner(keyDirectory: string, storage: Storage): Promise<AuditSigner> {
  const file = join(keyDirectory, 'audit-signing.key');
  const known = await storage.values.get(FINGERPRINT_VALUE);
  const stored = readPrivateFile(file);
  if (stored === null && known !== null)
    throw new SallyportError('key_missing', `${file} is missing, but checkpoints are signed with it`);
  const privateKey = stored === null ? createKey(keyDirectory, file) : parsePrivateKey(stored, file);
  const publicKey = pemOf(createPublicKey(privateKey));
  if (known !== null && known !== fingerprint(publicKey))
    throw new SallyportError('key_mismatch', `${file} is not the key that signed the checkpoints`);
  const publicFile = join(keyDirectory, 'audit-signing.pub');
  if (!existsSync(publicFile) || readFileSync(publicFile, 'utf8') !== publicKey)
    writeWhole(publicFile, publicKey, 0o644);
  if (known === null) await storage.values.set(FINGERPRINT_VALUE, fingerprint(publicKey));
  return {
    publicKey,
    sign: (head) => ({ ...head, signature: sign(null, signedText(head), privateKey).toString('base64') }),
  };
}

function createKey(directory: string, file: string): KeyObject {
  const { privateKey } = generateKeyPairSync('ed25519');
  makePrivateDirectory(directory);
  writeWhole(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), 0o600);
  return privateKey;
}

function parsePrivateKey(pem: string, file: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (cause) {
    throw new SallyportError('config_invalid', `${file} is not a private key in PEM`, { cause });
  }
  throw new SallyportError('config_invalid', `${file} is not an Ed25519 key`);
}
