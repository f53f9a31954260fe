import { isIP } from 'node:net';
import { z } from 'zod';
import type { Actor, AuditLog, NewAuditEvent } from '../audit/contract.ts';
import type { Clock } from '../clock.ts';
import { SallyportError, codeOf } from '../errors.ts';
import type { Storage, TokenRecord, UserRecord } from '../storage/contract.ts';
import { Attempts, addressBlock } from './attempts.ts';
import type { Identity, Principal, RequestOrigin } from './contract.ts';
import { Logins } from './logins.ts';
import type { EndedLogin, Login, LoginLimits, NewLogin } from './logins.ts';
import { Passwords } from './passwords.ts';
import type { PasswordCost } from './passwords.ts';

export interface IdentityOptions {
  readonly storage: Storage;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly clock: Clock;
  /** Read at every use, so that a change of the settings counts at once. */
  readonly limits?: () => LoginLimits;
  /** Only tests make it cheaper. */
  readonly passwordCost?: PasswordCost;
}

/** Binding: security.md section 4 "Rates". */
const ACCOUNT_ATTEMPTS = 10;
const BLOCK_ATTEMPTS = 100;

export type EndedListener = Parameters<Identity['onEnded']>[0];
export type Ended = Parameters<EndedListener>[0];

const Scopes = z.array(z.string());
/** Scopes as stored; null = all that the role may. */
export const parseScopes = (text: string | null): string[] | null =>
  text === null ? null : Scopes.parse(JSON.parse(text));

const CANONICAL_NAME = /^[a-z0-9][a-z0-9._@-]{0,63}$/;

/** As names are stored; null when it cannot be a name of ours. */
export function canonicalName(name: string): string | null {
  const plain = name.trim().toLowerCase();
  return CANONICAL_NAME.test(plain) ? plain : null;
}

const address = (from: RequestOrigin): string => (isIP(from.address.replace(/%.*$/, '')) === 0 ? '' : from.address);

/** Somebody who proved nothing yet. The name is only given when it is known, since people type passwords there. */
export const stranger = (from: RequestOrigin, name = ''): Actor => ({
  userId: null,
  name,
  address: address(from),
  via: 'none',
});
export const actorOf = (user: UserRecord, from: RequestOrigin, via: 'login' | 'token'): Actor => ({
  userId: user.id,
  name: user.name,
  address: address(from),
  via,
});

export function loginPrincipal(user: UserRecord, login: Login, actor: Actor): Principal {
  const { hash, expiresAt, steppedUpUntil } = login;
  return { user, loginHash: hash, via: 'login', scopes: null, steppedUpUntil, expiresAt, actor };
}
export function tokenPrincipal(user: UserRecord, token: TokenRecord, actor: Actor): Principal {
  const scopes = parseScopes(token.scopes);
  const { tokenHash: loginHash, expiresAt } = token;
  return { user, loginHash, via: 'token', scopes, steppedUpUntil: null, expiresAt, actor };
}

/** What logins, users and tokens share: storage, audit, password checks, limits, and the news of what ended. */
export class IdentityCore {
  readonly storage: Storage;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly clock: Clock;
  readonly logins: Logins;
  readonly passwords: Passwords;
  readonly #accounts: Attempts;
  readonly #blocks: Attempts;
  readonly #listeners = new Set<EndedListener>();

  constructor(options: IdentityOptions & { limits: () => LoginLimits }) {
    this.storage = options.storage;
    this.audit = options.audit;
    this.clock = options.clock;
    this.logins = new Logins(options.storage, options.clock, options.limits);
    this.passwords = new Passwords(options.passwordCost);
    this.#accounts = new Attempts(ACCOUNT_ATTEMPTS, options.clock);
    this.#blocks = new Attempts(BLOCK_ATTEMPTS, options.clock);
  }

  onEnded(listener: EndedListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Tells who listens. A listener closes sockets and must not throw.
   * @param isNews also without a login that ended: what a changed person left behind is to be judged anew
   */
  tellEnded(ended: EndedLogin, why: Ended['why'], isNews = false): void {
    if (ended.hashes.length === 0 && !isNews) return;
    for (const listener of this.#listeners) listener({ loginHashes: ended.hashes, userId: ended.userId, why });
  }

  /** Counts an attempt from an address. @throws SallyportError rate_limited */
  async countAddress(from: RequestOrigin): Promise<void> {
    await this.#count(this.#blocks, addressBlock(from.address), from, 'address');
  }

  /**
   * Checks a password with the account's limit; only wrong ones count. Every refusal is audited before it is answered.
   * @param user null: no such user; same work, same answer
   * @throws SallyportError bad_credentials, rate_limited, audit_unavailable
   */
  async checkPassword(
    user: UserRecord | null,
    name: string,
    password: string,
    from: RequestOrigin,
  ): Promise<UserRecord> {
    await this.#count(this.#accounts, name, from, 'account');
    const isRight = await this.passwords.isRight(user?.passwordHash ?? null, password);
    // Read again: it may have been disabled or changed in the fifth of a second that the check took.
    const present = user === null ? null : await this.storage.users.byId(user.id);
    if (isRight && present !== null && !present.disabled && present.passwordHash === user?.passwordHash) {
      this.#accounts.giveBack(name);
      return present;
    }
    const reason = user === null ? 'unknown' : isRight ? 'disabled' : 'password';
    await this.audit.append(failed(user, from, reason, 'failed'));
    throw new SallyportError('bad_credentials', `sign-in refused: ${reason}`);
  }

  async #count(attempts: Attempts, key: string, from: RequestOrigin, what: 'account' | 'address'): Promise<void> {
    const attempt = attempts.take(key);
    if (attempt.allowed) return;
    if (attempt.isNews) {
      const user = what === 'account' ? await this.storage.users.byName(key) : null;
      await this.audit.append(failed(user, from, `too many attempts for the ${what}`, 'refused'));
    }
    const { retryAfterS } = attempt;
    throw new SallyportError('rate_limited', `too many attempts for the ${what}`, { retryAfterS });
  }

  /**
   * Whether somebody may still do what they asked for, in the transaction of the act: an event was written since they
   * were judged. @throws SallyportError unauthenticated
   */
  async requirePresent({ via, loginHash, user }: Principal, within: Storage): Promise<void> {
    const now = await within.users.byId(user.id);
    const isHere =
      via === 'login' ? this.logins.isThere(loginHash, within) : within.tokens.byHash(loginHash).then(Boolean);
    if (now === null || now.disabled || now.role !== user.role || !(await isHere))
      throw new SallyportError('unauthenticated', 'the login or token ended meanwhile');
  }

  /** Makes the login; a refusal gets its own event, because the one of success is written already. */
  async startLogin(user: UserRecord, from: RequestOrigin, follows: string | null = null): Promise<NewLogin> {
    try {
      return await this.logins.create(user, from, follows);
    } catch (error) {
      await this.audit.append(failed(user, from, `not made: ${codeOf(error)}`, 'refused'));
      throw error;
    }
  }

  /** Ends something and says so, even when the audit log is away: ending is the safe side. The failure is thrown after. */
  async endWith(event: NewAuditEvent | null, why: Ended['why'], end: () => Promise<EndedLogin | null>): Promise<void> {
    const audited = event === null ? Promise.resolve() : this.audit.append(event).then(() => undefined);
    // The event comes first; only its failure does not keep the login alive.
    const failure = await audited.then(
      () => null,
      (error: unknown) => ({ error }),
    );
    const ended = await end();
    if (ended !== null) this.tellEnded(ended, why);
    if (failure !== null) throw failure.error;
  }
}

function failed(
  user: UserRecord | null,
  from: RequestOrigin,
  reason: string,
  outcome: 'failed' | 'refused',
): NewAuditEvent {
  return {
    type: 'login.failed',
    actor: stranger(from, user?.name ?? ''),
    subject: user === null ? 'user:unknown' : `user:${user.name}`,
    outcome,
    detail: { reason },
  };
}
