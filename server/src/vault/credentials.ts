import type { CertificateFacts } from '@sallyport/shared/api/certificates';
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
  | {
      readonly kind: 'privateKey';
      readonly user: string;
      readonly key: Secret;
      readonly passphrase: Secret | null;
      readonly certificate: string | null;
    }
  | { readonly kind: 'agent'; readonly user: string; readonly fingerprint: string }
  /** `user` comes out of the seal: whoever can write rows must not choose the principal. Empty: the person's own name. */
  | { readonly kind: 'signed'; readonly user: string };

/** Plain text of the envelope. `user` is there for `signed` only. */
const Sealed = z.object({ secret: z.string(), passphrase: z.string().nullable(), user: z.string().optional() });

/** Credentials for targets, sealed. No role reads a stored secret; it is only opened for a connection. security.md T14. */
export interface Credentials {
  list(): Promise<readonly Credential[]>;
  byId(id: string): Promise<Credential | null>;
  /**
   * @throws SallyportError key_unreadable when a private key cannot be read with its passphrase; certificate_unreadable when
   * its certificate is none, or another key's; bad_request for an agent's key without a fingerprint
   */
  create(credential: NewCredential): Promise<Credential>;
  delete(id: string): Promise<boolean>;
  /** @throws SallyportError not_found, secret_unreadable */
  open(id: string): Promise<OpenedCredential>;
}

/** What only the SSH transport knows of keys; handed in. */
export interface KeyReader {
  /** Type and fingerprint of a private key's public half. @throws SallyportError key_unreadable */
  describeKey(key: Secret, passphrase: Secret | null): Promise<string>;
  /** @throws SallyportError certificate_unreadable */
  readCertificate(line: string): CertificateFacts;
}

const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}$/;
const placeOf = (id: string) => ({ table: 'credentials', row: id, field: 'sealed' });

/** @returns the credential's public facts */
async function factsOf(
  { kind, secret, certificate }: NewCredential,
  passphrase: Secret | null,
  keys: KeyReader,
): Promise<string> {
  if (kind === 'agent') {
    if (!FINGERPRINT.test(secret)) throw new SallyportError('bad_request', 'secret: not the fingerprint of a key');
    return secret;
  }
  if (kind !== 'privateKey') return '';
  const facts = await keys.describeKey(new Secret(secret), passphrase);
  const line = certificate ?? null;
  // A PEM that is encrypted and has no passphrase here shows no public half; it is looked at when it is used.
  if (line !== null && facts.includes('SHA256:') && !facts.includes(keys.readCertificate(line).keyFingerprint))
    throw new SallyportError('certificate_unreadable', 'certificate: it is for another private key');
  return facts;
}

function sealedText({ kind, secret, passphrase, user }: NewCredential): Uint8Array {
  const plain = { secret, passphrase: kind === 'privateKey' ? passphrase : null };
  return new TextEncoder().encode(JSON.stringify(kind === 'signed' ? { ...plain, user } : plain));
}

export function createCredentials(deps: {
  readonly storage: Pick<Storage, 'credentials'>;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly keys: KeyReader;
}): Credentials {
  const { storage, vault, clock, keys } = deps;
  const toCredential = (row: CredentialRecord): Credential => {
    const { id, label, kind, user, publicFacts, createdAt } = row;
    return { id, label, kind, user, publicFacts, certificate: certificateOf(row), createdAt };
  };
  const certificateOf = ({ certificate }: CredentialRecord): CertificateFacts | null => {
    try {
      return certificate === null ? null : keys.readCertificate(certificate);
    } catch (error) {
      // It was read when it came in; a row that was damaged since must not hide the others.
      if (error instanceof SallyportError) return null;
      throw error;
    }
  };
  return {
    list: async () => (await storage.credentials.list()).map(toCredential),
    async byId(id) {
      const row = await storage.credentials.byId(id);
      return row === null ? null : toCredential(row);
    },
    async create(wish) {
      const { label, kind, user, passphrase } = wish;
      const phrase = passphrase === null ? null : new Secret(passphrase);
      const certificate = kind === 'privateKey' ? (wish.certificate ?? null) : null;
      const publicFacts = await factsOf(wish, phrase, keys);
      if (certificate !== null) keys.readCertificate(certificate);
      const id = randomId();
      const plain = sealedText(wish);
      const sealed = vault.seal(placeOf(id), plain);
      plain.fill(0);
      const row = { id, label, kind, user, publicFacts, certificate, sealed, createdAt: clock.now() };
      await storage.credentials.insert(row);
      return toCredential(row);
    },
    delete: (id) => storage.credentials.delete(id),
    async open(id) {
      const row = await storage.credentials.byId(id);
      if (row === null) throw new SallyportError('not_found', `no credential ${id}`);
      const opened = vault.open(placeOf(id), row.sealed);
      const sealed = Sealed.parse(JSON.parse(opened.reveal()));
      opened.wipe();
      return toOpened(row, sealed);
    },
  };
}

function toOpened({ kind, user, certificate }: CredentialRecord, sealed: z.infer<typeof Sealed>): OpenedCredential {
  const { secret, passphrase } = sealed;
  // What is sealed decides, not the row: a row that was changed to another kind opens as nothing.
  if ((sealed.user !== undefined) !== (kind === 'signed') || (kind === 'agent' && !FINGERPRINT.test(secret)))
    throw new SallyportError('secret_unreadable', 'the credential is not of the kind that was sealed');
  if (kind === 'password') return { kind, user, password: new Secret(secret) };
  if (kind === 'agent') return { kind, user, fingerprint: secret };
  if (kind === 'signed') return { kind, user: sealed.user ?? '' };
  return {
    ...{ kind, user, certificate },
    key: new Secret(secret),
    passphrase: passphrase === null ? null : new Secret(passphrase),
  };
}
