import type { Credential, NewCredential } from '@sallyport/shared/api/targets';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import { randomId } from '../random.ts';
import { Secret } from '../secret.ts';
import type { CredentialRecord, Storage } from '../storage/contract.ts';
import type { Vault } from './contract.ts';

/** A credential opened for one connection. Wipe it when the sign-in is over. */
export type OpenedCredential =
  | { readonly kind: 'password'; readonly user: string; readonly password: Secret }
  | { readonly kind: 'privateKey'; readonly user: string; readonly key: Secret; readonly passphrase: Secret | null };

/** Plain text of the envelope. */
const Sealed = z.object({ secret: z.string(), passphrase: z.string().nullable() });

/** Credentials for targets, sealed. No role reads a stored secret; it is only opened for a connection. security.md T14. */
export interface Credentials {
  list(): Promise<readonly Credential[]>;
  byId(id: string): Promise<Credential | null>;
  /** @throws SallyportError key_unreadable when a private key cannot be read with its passphrase */
  create(credential: NewCredential): Promise<Credential>;
  delete(id: string): Promise<boolean>;
  /** @throws SallyportError not_found, secret_unreadable */
  open(id: string): Promise<OpenedCredential>;
}

const placeOf = (id: string) => ({ table: 'credentials', row: id, field: 'sealed' });
const toCredential = ({ id, label, kind, user, publicFacts, createdAt }: CredentialRecord): Credential => ({
  id,
  label,
  kind,
  user,
  publicFacts,
  createdAt,
});

export function createCredentials(deps: {
  readonly storage: Pick<Storage, 'credentials'>;
  readonly vault: Vault;
  readonly clock: Clock;
  /** Type and fingerprint of a private key's public half; handed in, since only the SSH transport reads keys. @throws SallyportError key_unreadable */
  readonly describeKey: (key: Secret, passphrase: Secret | null) => Promise<string>;
}): Credentials {
  const { storage, vault, clock, describeKey } = deps;
  return {
    list: async () => (await storage.credentials.list()).map(toCredential),
    async byId(id) {
      const row = await storage.credentials.byId(id);
      return row === null ? null : toCredential(row);
    },
    async create({ label, kind, user, secret, passphrase }) {
      const phrase = passphrase === null ? null : new Secret(passphrase);
      const publicFacts = kind === 'privateKey' ? await describeKey(new Secret(secret), phrase) : '';
      const id = randomId();
      const plain = new TextEncoder().encode(
        JSON.stringify({ secret, passphrase: kind === 'privateKey' ? passphrase : null }),
      );
      const row = {
        id,
        label,
        kind,
        user,
        publicFacts,
        sealed: vault.seal(placeOf(id), plain),
        createdAt: clock.now(),
      };
      plain.fill(0);
      await storage.credentials.insert(row);
      return toCredential(row);
    },
    delete: (id) => storage.credentials.delete(id),
    async open(id) {
      const row = await storage.credentials.byId(id);
      if (row === null) throw new SallyportError('not_found', `no credential ${id}`);
      const opened = vault.open(placeOf(id), row.sealed);
      const { secret, passphrase } = Sealed.parse(JSON.parse(opened.reveal()));
      opened.wipe();
      if (row.kind === 'password') return { kind: 'password', user: row.user, password: new Secret(secret) };
      return {
        kind: 'privateKey',
        user: row.user,
        key: new Secret(secret),
        passphrase: passphrase === null ? null : new Secret(passphrase),
      };
    },
  };
}
