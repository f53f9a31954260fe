/**
 * The gateway's own certificate authority: certificates of minutes for keys that live in memory for one sign-in, so that
 * the log of the target names the person and the session. Its private key is sealed in the vault and never given out; its
 * public half is derived from what was sealed, so that nobody who can write rows puts another beside it.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import type { Authority } from '@sallyport/shared/api/certificates';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { parseRange } from '../config/addresses.ts';
import { SallyportError } from '../errors.ts';
import { randomId } from '../random.ts';
import type { Storage } from '../storage/contract.ts';
import { parseUser } from '../targets/address.ts';
import type { IssuedKey } from '../transports/contract.ts';
import { ed25519Blob, writeCertificate } from '../transports/ssh/certificate.ts';
import { fingerprintOf } from '../transports/ssh/host-key.ts';
import { toSentUser } from '../transports/ssh/user.ts';
import type { Vault } from '../vault/contract.ts';

/** How far a target's clock may be off, either way: what Kerberos allows. The key is gone after the sign-in anyhow. */
const SKEW_MS = 300_000;
/**
 * Names that mean a machine's own administrator. Nobody gets them because an account here happens to be called so; an
 * administrator may still write them into a credential.
 */
const NOBODYS: ReadonlySet<string> = new Set(['root', 'toor', 'administrator', 'system', 'localsystem']);
/** What a console needs; no forwarding, no `~/.ssh/rc`. A hop of a chain must be allowed to open the next one. */
const CONSOLE = ['permit-pty'] as const;
const HOP = ['permit-port-forwarding'] as const;

const Sealed = z.strictObject({ key: z.string(), sourceAddresses: z.array(z.string()) });

/** Who asks for a certificate, and for what. */
export interface IssueWish {
  /** As the credential says; empty: the person's own name. */
  readonly user: string;
  readonly personName: string;
  readonly sessionId: string;
  readonly isHop: boolean;
}
/** What was issued, for the audit log. */
export interface IssuedFacts {
  readonly principal: string;
  readonly keyId: string;
  readonly serial: string;
  readonly fingerprint: string;
  readonly authority: string;
  readonly validBefore: string;
}
/** A sign-in key that may be used once `audited` has it. */
export interface Issued {
  readonly key: IssuedKey;
  readonly facts: IssuedFacts;
}

export interface CertificateAuthority {
  /** Null when none was made. @throws SallyportError secret_unreadable */
  facts(): Promise<Authority | null>;
  /**
   * Makes the first, or another in place of the one with that fingerprint, whose key is gone then.
   * @throws SallyportError conflict when there is another one than said, bad_request for a range that is none
   */
  create(wish: { replaces: string | null; sourceAddresses: readonly string[] }, by: string): Promise<Authority>;
  /** @throws SallyportError not_found, bad_request */
  limit(sourceAddresses: readonly string[]): Promise<Authority>;
  /** A new key with its certificate. @throws SallyportError principal_refused; authority_missing when none was made */
  issue(wish: IssueWish): Promise<Issued>;
}

/** The name at the target that a person gets. @throws SallyportError principal_refused */
export function principalOf(user: string, personName: string): string {
  const name = toSentUser(user === '' ? personName : user);
  if (user === '' && NOBODYS.has(name.toLowerCase().replace(/@.*$/, '')))
    throw new SallyportError('principal_refused', `no certificate for the name ${name} of an account here`);
  // A comma would be a second name where lists are written with commas.
  if (parseUser(name).value === null || /[,*?!]/.test(name))
    throw new SallyportError('principal_refused', 'no certificate for such a name');
  return name;
}

const checkRanges = (ranges: readonly string[]): void => {
  if (ranges.some((range) => parseRange(range) === null))
    throw new SallyportError('bad_request', 'sourceAddresses: not an address or CIDR range');
};
const placeOf = (id: string) => ({ table: 'authorities', row: id, field: 'sealed' });
const lineOf = (publicKey: KeyObject): string =>
  `ssh-ed25519 ${ed25519Blob(publicKey).toString('base64')} sallyport-authority`;

interface Opened {
  readonly id: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly sourceAddresses: readonly string[];
  readonly createdAt: number;
  readonly createdBy: string;
}
const toFacts = ({ publicKey, sourceAddresses, createdAt, createdBy }: Opened): Authority => ({
  line: lineOf(publicKey),
  fingerprint: fingerprintOf(ed25519Blob(publicKey)),
  sourceAddresses: [...sourceAddresses],
  ...{ createdAt, createdBy },
});

/** A serial of 63 bits: some tools take it for a signed number. Never 0, which means "none was given". */
const newSerial = (): bigint => (randomBytes(8).readBigUInt64BE() >> 1n) | 1n;

function issueWith(authority: Opened, wish: IssueWish, now: number): Issued {
  const principal = principalOf(wish.user, wish.personName);
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const serial = newSerial();
  const keyId = `${wish.personName}:${wish.sessionId}`;
  const validBefore = now + SKEW_MS;
  const certificate = writeCertificate(
    {
      ...{ publicKey, serial, keyId, validBefore },
      nonce: randomBytes(32),
      principals: [principal],
      validAfter: now - SKEW_MS,
      sourceAddresses: authority.sourceAddresses,
      extensions: wish.isHop ? HOP : CONSOLE,
    },
    authority.privateKey,
    authority.publicKey,
  );
  return {
    key: { privateKey, certificate },
    facts: {
      ...{ principal, keyId, serial: String(serial) },
      fingerprint: fingerprintOf(ed25519Blob(publicKey)),
      authority: fingerprintOf(ed25519Blob(authority.publicKey)),
      validBefore: new Date(validBefore).toISOString(),
    },
  };
}

/** The authority over storage and vault. */
export function createAuthority(deps: {
  readonly storage: Pick<Storage, 'authorities' | 'transaction'>;
  readonly vault: Vault;
  readonly clock: Clock;
}): CertificateAuthority {
  const { storage, vault, clock } = deps;
  const open = async (): Promise<Opened | null> => {
    const row = await storage.authorities.current();
    if (row === null) return null;
    const secret = vault.open(placeOf(row.id), row.sealed);
    const { key, sourceAddresses } = Sealed.parse(JSON.parse(secret.reveal()));
    secret.wipe();
    const privateKey = createPrivateKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'pkcs8' });
    const { id, createdAt, createdBy } = row;
    return { ...{ id, privateKey, sourceAddresses, createdAt, createdBy }, publicKey: createPublicKey(privateKey) };
  };
  const store = async (authority: Opened, known: string | null): Promise<Authority> => {
    const { id, privateKey, sourceAddresses, createdAt, createdBy } = authority;
    const der = privateKey.export({ type: 'pkcs8', format: 'der' });
    const plain = Buffer.from(JSON.stringify({ key: der.toString('base64'), sourceAddresses }));
    const sealed = vault.seal(placeOf(id), plain);
    plain.fill(0);
    der.fill(0);
    await storage.transaction(async (within) => {
      if (((await within.authorities.current())?.id ?? null) !== known)
        throw new SallyportError('conflict', 'the certificate authority was changed meanwhile');
      await within.authorities.replace({ id, sealed, createdAt, createdBy });
    });
    return toFacts(authority);
  };
  return {
    async facts() {
      const authority = await open();
      return authority === null ? null : toFacts(authority);
    },
    async create({ replaces, sourceAddresses }, createdBy) {
      checkRanges(sourceAddresses);
      const now = await open();
      if ((now === null ? null : toFacts(now).fingerprint) !== replaces)
        throw new SallyportError('conflict', 'there is another certificate authority than the one to be replaced');
      const { privateKey, publicKey } = generateKeyPairSync('ed25519');
      const made = { ...{ privateKey, publicKey, sourceAddresses, createdBy }, id: randomId(), createdAt: clock.now() };
      return store(made, now?.id ?? null);
    },
    async limit(sourceAddresses) {
      checkRanges(sourceAddresses);
      const now = await open();
      if (now === null) throw new SallyportError('not_found', 'there is no certificate authority');
      return store({ ...now, sourceAddresses }, now.id);
    },
    async issue(wish) {
      const authority = await open();
      if (authority === null) throw new SallyportError('authority_missing', 'there is no certificate authority');
      return issueWith(authority, wish, clock.now());
    },
  };
}
