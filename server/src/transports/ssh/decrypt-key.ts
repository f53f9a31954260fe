/** The slow half of reading an encrypted private key. Runs in a worker; nothing here may be called on the event loop. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import ssh2 from 'ssh2';

/** What the worker is given. */
export interface DecryptTask {
  readonly form: 'openssh' | 'pem';
  readonly text: string;
  readonly passphrase: string;
}
/** What it answers: the key as unencrypted PEM, or null for a wrong passphrase or an unknown form. */
export type DecryptAnswer = string | null;

/** PEM that holds the key in the clear: PKCS #1, SEC 1, and PKCS #8 for Ed25519. */
export function exportKey(key: KeyObject): string | null {
  if (key.asymmetricKeyType === 'rsa') return key.export({ type: 'pkcs1', format: 'pem' }).toString();
  if (key.asymmetricKeyType === 'ec') return key.export({ type: 'sec1', format: 'pem' }).toString();
  return key.asymmetricKeyType === 'ed25519' ? key.export({ type: 'pkcs8', format: 'pem' }).toString() : null;
}

/** @returns the key in the clear; null when it cannot be read */
export function decryptKey({ form, text, passphrase }: DecryptTask): DecryptAnswer {
  try {
    // PEM goes through OpenSSL, which knows every old and new encryption of it; openssh-key-v1 is known to ssh2 only.
    if (form === 'pem') return exportKey(createPrivateKey({ key: text, format: 'pem', passphrase }));
    const [key] = [ssh2.utils.parseKey(text, passphrase)].flat();
    return key === undefined || key instanceof Error || !key.isPrivateKey() ? null : key.getPrivatePEM();
  } catch {
    return null;
  }
}
