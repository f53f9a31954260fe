import type { CertificateFacts, ClientCertificateFacts } from '@sallyport/shared/api/certificates';
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
  /** A client certificate with its key, as `KeyReader.readClientCertificate` gave it. */
  | {
      readonly kind: 'certificate';
      readonly user: string;
      readonly material: Secret;
      readonly passphrase: Secret | null;
    }
  /** `user` comes out of the seal: whoever can write rows must not choose the principal. Empty: the person's own name. */
  | { readonly kind: 'signed'; readonly user: string };

/** Plain text of the envelope. `user` is there for `signed` only. */
const Sealed = z.object({
  secret: z.string(),
  passphrase: z.string().nullable(),
  user: z.string().optional(),
  /** Of a client certificate: the thumbprint that it was chosen by must be that of what is sealed. */
  clientSha256: z.string().optional(),
});

/** Credentials for targets, sealed. No role reads a stored secret; it is only opened for a connection. security.md T14. */
export interface Credentials {
  list(): Promise<readonly Credential[]>;
  byId(id: string): Promise<Credential | null>;
  /**
   * @throws SallyportError key_unreadable when a private key cannot be read with its passphrase; certificate_unreadable when
   * its certificate is none, or another key's (for a client certificate alike); key_too_slow; bad_request for an agent's key without a fingerprint
   */
  create(credential: NewCredential): Promise<Credential>;
  delete(id: string): Promise<boolean>;
  /** @throws SallyportError not_found, secret_unreadable */
  open(id: string): Promise<OpenedCredential>;
}

/** What only the transports know of keys; handed in. */
export interface KeyReader {
  /** Type and fingerprint of a private key's public half. @throws SallyportError key_unreadable */
  describeKey(key: Secret, passphrase: Secret | null): Promise<string>;
  /** @throws SallyportError certificate_unreadable */
  readCertificate(line: string): CertificateFacts;
  /**
   * @returns what is to be sealed, and PEM of the certificate alone
   * @throws SallyportError key_unreadable, key_too_slow, certificate_unreadable
   */
  readClientCertificate(text: Secret, passphrase: Secret | null): Promise<SealableCertificate>;
  /** @throws SallyportError certificate_unreadable */
  describeClientCertificate(pem: string): ClientCertificateFacts;
}
/** A client certificate that was read. */
export interface SealableCertificate {
  readonly facts: ClientCertificateFacts;
  readonly leaf: string;
  readonly material: string;
  readonly passphrase: string | null;
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

function sealedText({ kind, secret, passphrase, user }: NewCredential, own: SealableCertificate | null): Uint8Array {
  const plain =
    own === null
      ? { secret, passphrase: kind === 'privateKey' ? passphrase : null }
      : { secret: own.material, passphrase: own.passphrase, clientSha256: own.facts.sha256 };
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
    const facts = <T>(read: (text: string) => T): T | null => readable(row.certificate, read);
    const isClient = kind === 'certificate';
    const certificate = isClient ? null : facts((text) => keys.readCertificate(text));
    const clientCertificate = isClient ? facts((text) => keys.describeClientCertificate(text)) : null;
    return { ...{ id, label, kind, user, publicFacts, createdAt }, certificate, clientCertificate };
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
      const own = kind === 'certificate' ? await keys.readClientCertificate(new Secret(wish.secret), phrase) : null;
      const certificate = own?.leaf ?? (kind === 'privateKey' ? (wish.certificate ?? null) : null);
      const publicFacts = await factsOf(wish, phrase, keys);
      if (certificate !== null && own === null) keys.readCertificate(certificate);
      const id = randomId();
      const plain = sealedText(wish, own);
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
      if (row.kind === 'certificate') checkThumbprint(row, sealed, keys);
      return toOpened(row, sealed);
    },
  };
}

/** It was read when it came in; a row that was damaged since must not hide the others. */
function readable<T>(text: string | null, read: (text: string) => T): T | null {
  try {
    return text === null ? null : read(text);
  } catch (error) {
    if (error instanceof SallyportError) return null;
    throw error;
  }
}

/** Who can write rows must not choose what a thumbprint stands for. */
function checkThumbprint({ certificate }: CredentialRecord, sealed: z.infer<typeof Sealed>, keys: KeyReader): void {
  const shown = readable(certificate, (text) => keys.describeClientCertificate(text));
  if (shown?.sha256 !== sealed.clientSha256)
    throw new SallyportError('secret_unreadable', 'the certificate is not the one that was sealed');
}

function toOpened({ kind, user, certificate }: CredentialRecord, sealed: z.infer<typeof Sealed>): OpenedCredential {
  const { secret, passphrase } = sealed;
  // What is sealed decides, not the row: a row that was changed to another kind opens as nothing.
  const isOther =
    (sealed.user !== undefined) !== (kind === 'signed') ||
    (sealed.clientSha256 !== undefined) !== (kind === 'certificate');
  if (isOther || (kind === 'agent' && !FINGERPRINT.test(secret)))
    throw new SallyportError('secret_unreadable', 'the credential is not of the kind that was sealed');
  if (kind === 'password') return { kind, user, password: new Secret(secret) };
  if (kind === 'agent') return { kind, user, fingerprint: secret };
  if (kind === 'signed') return { kind, user: sealed.user ?? '' };
  const phrase = passphrase === null ? null : new Secret(passphrase);
  if (kind === 'certificate') return { kind, user, material: new Secret(secret), passphrase: phrase };
  return { ...{ kind, user, certificate }, key: new Secret(secret), passphrase: phrase };
}
