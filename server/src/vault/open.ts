import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { SallyportError } from '../errors.ts';
import { Secret } from '../secret.ts';
import type { Storage } from '../storage/contract.ts';
import { makePrivateDirectory, readPrivateFile, writeWhole } from '../storage/files.ts';
import type { Place, Vault } from './contract.ts';
import { openEnvelope, sealEnvelope, toKeyEncryptionKey } from './envelope.ts';
import type { KeyEncryptionKey } from './envelope.ts';

/** Under this name the storage keeps which key sealed its rows. */
const KEY_ID_VALUE = 'vault.keyId';
const HEAD = 'sallyport-vault-key-1:';
const KEY_BYTES = 32;

export interface VaultOptions {
  /** `keys` of the data directory; made with mode 0700. */
  readonly keyDirectory: string;
  readonly storage: Storage;
  /** Told of every secret that does not open: an alert event belongs there. Must not throw. */
  readonly onUnreadable?: (place: Place, error: SallyportError) => void;
}

/**
 * Opens the vault with the key in `vault.key` (mode 0600), which is made when there is neither a key nor sealed data.
 * @throws SallyportError key_missing, key_mismatch, config_invalid (open to others, or no key file of ours)
 */
export async function openVault(options: VaultOptions): Promise<Vault> {
  const { storage } = options;
  const file = join(options.keyDirectory, 'vault.key');
  const knownId = await storage.values.get(KEY_ID_VALUE);
  let kek = readKey(file);
  if (kek === null) {
    if (knownId !== null || (await hasSealedRows(storage)))
      throw new SallyportError('key_missing', `${file} is missing, but rows are sealed with it`);
    kek = createKey(options.keyDirectory, file);
  }
  const id = Buffer.from(kek.id).toString('hex');
  if (knownId !== null && knownId !== id)
    throw new SallyportError('key_mismatch', `${file} has id ${id}, the data was sealed with ${knownId}`);
  if (knownId === null) await storage.values.set(KEY_ID_VALUE, id);
  return vaultWith(kek, options.onUnreadable ?? (() => undefined));
}

function vaultWith(kek: KeyEncryptionKey, onUnreadable: NonNullable<VaultOptions['onUnreadable']>): Vault {
  return {
    seal: (place, plain) => sealEnvelope(kek, place, plain),
    open(place, sealed) {
      try {
        return new Secret(openEnvelope(kek, place, sealed));
      } catch (error) {
        if (error instanceof SallyportError) onUnreadable(place, error);
        throw error;
      }
    },
  };
}

function readKey(file: string): KeyEncryptionKey | null {
  const text = readPrivateFile(file);
  if (text === null) return null;
  const encoded = text.startsWith(HEAD) ? text.slice(HEAD.length).trim() : '';
  const key = Buffer.from(encoded, 'base64');
  if (key.length !== KEY_BYTES || key.toString('base64') !== encoded)
    throw new SallyportError('config_invalid', `${file} is not a vault key`);
  return toKeyEncryptionKey(new Uint8Array(key));
}

function createKey(directory: string, file: string): KeyEncryptionKey {
  const key = randomBytes(KEY_BYTES);
  makePrivateDirectory(directory);
  writeWhole(file, `${HEAD}${key.toString('base64')}\n`, 0o600);
  return toKeyEncryptionKey(new Uint8Array(key));
}

/** Whether anything was sealed already, even if the note of the key's id is gone. */
async function hasSealedRows(storage: Storage): Promise<boolean> {
  const one = { userId: null, before: null, limit: 1 };
  const [credentials, ledger, open, old] = [
    await storage.credentials.list(),
    await storage.ledger.list(one),
    await storage.recordings.open(),
    await storage.recordings.olderThan(Number.MAX_SAFE_INTEGER, 1),
  ];
  if ((await storage.authorities.current()) !== null) return true;
  return credentials.length + ledger.length + open.length + old.length > 0;
}
