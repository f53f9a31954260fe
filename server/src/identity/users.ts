import type { NewUser, User, UserPatch } from '@sallyport/shared/api/users';
import type { Actor } from '../audit/contract.ts';
import { SallyportError } from '../errors.ts';
import { randomId } from '../random.ts';
import type { Storage, UserRecord } from '../storage/contract.ts';
import type { Principal, RequestOrigin } from './contract.ts';
import { actorOf, canonicalName } from './core.ts';
import type { IdentityCore } from './core.ts';
import { isUnchanged } from './logins.ts';

/** Who does it: somebody who must still be signed in when it is done, or the gateway itself. */
export type By = Principal | { readonly actor: Actor };

/** The people of the gateway. Callers have asked policy; events are written here, before each act. */
export class Users {
  readonly #core: IdentityCore;
  constructor(core: IdentityCore) {
    this.#core = core;
  }

  async list(): Promise<readonly User[]> {
    const [users, counts] = [await this.#core.storage.users.list(), await this.#core.storage.logins.countByUser()];
    return users.map((user) => toUser(user, counts.get(user.id) ?? 0));
  }

  /** @throws SallyportError name_taken, bad_name, weak_password, audit_unavailable */
  async create(body: NewUser, by: By): Promise<User> {
    const { storage, audit, clock, passwords } = this.#core;
    const name = canonicalName(body.name);
    if (name === null) throw new SallyportError('bad_name', 'not a user name');
    if ((await storage.users.byName(name)) !== null) throw new SallyportError('name_taken', 'the name is in use');
    const passwordHash = await passwords.hash(body.password);
    await audit.append({
      type: 'user.created',
      actor: by.actor,
      subject: `user:${name}`,
      outcome: 'ok',
      detail: { role: body.role },
    });
    const user: UserRecord = {
      id: randomId(),
      name,
      role: body.role,
      passwordHash,
      disabled: false,
      createdAt: clock.now(),
      lastLoginAt: null,
    };
    await storage.transaction(async (within) => {
      await this.#requirePresent(by, within);
      await within.users.insert(user);
    });
    return toUser(user, 0);
  }

  /**
   * Changes role, password or access. The person's logins end; their API tokens too when they are disabled.
   * @throws SallyportError not_found, last_administrator, weak_password, audit_unavailable
   */
  async change(id: string, patch: UserPatch, by: By): Promise<User> {
    const { storage, audit, passwords } = this.#core;
    const before = await this.#mustExist(storage, id);
    await guardLastAdministrator(storage, before, patch);
    const passwordHash = patch.password === undefined ? undefined : await passwords.hash(patch.password);
    const changes = {
      ...(patch.role === undefined ? {} : { role: patch.role }),
      ...(patch.disabled === undefined ? {} : { disabled: patch.disabled }),
      ...(passwordHash === undefined ? {} : { passwordHash }),
    };
    if (Object.keys(changes).length === 0) return this.#show(before);
    await audit.append({
      type: 'user.changed',
      actor: by.actor,
      subject: `user:${before.name}`,
      outcome: 'ok',
      detail: {
        role: patch.role ?? before.role,
        disabled: patch.disabled ?? before.disabled,
        passwordChanged: passwordHash !== undefined,
      },
    });
    // Again, where nobody can come between: two administrators may demote each other at the same moment.
    const ended = await this.#core.logins.endOfUser(id, {
      because: async (within) => {
        await this.#requirePresent(by, within);
        await guardLastAdministrator(within, await this.#mustExist(within, id), patch);
        await within.users.update(id, changes);
      },
    });
    this.#core.tellEnded(ended, 'changed', true);
    if (patch.disabled === true) await this.#tellTokens(id);
    return this.#show(await this.#mustExist(storage, id));
  }

  /** Ends all logins of a person. @throws SallyportError not_found */
  async endLogins(id: string, by: By): Promise<void> {
    const user = await this.#mustExist(this.#core.storage, id);
    await this.#core.endWith(
      { type: 'login.ended', actor: by.actor, subject: `user:${user.name}`, outcome: 'ok', detail: { why: 'revoked' } },
      'revoked',
      () => this.#core.logins.endOfUser(id),
    );
  }

  /**
   * A person changes their own password. Their other logins end; the one at hand goes on.
   * @throws SallyportError unauthenticated, bad_credentials, weak_password, rate_limited, audit_unavailable
   */
  async changePassword(principal: Principal, current: string, next: string, from: RequestOrigin): Promise<void> {
    const { storage, audit, passwords, logins } = this.#core;
    if (principal.via !== 'login') throw new SallyportError('unauthenticated', 'only a login can change a password');
    const known = await storage.users.byId(principal.user.id);
    const user = await this.#core.checkPassword(known, principal.user.name, current, from);
    const passwordHash = await passwords.hash(next);
    await audit.append({
      type: 'user.changed',
      actor: actorOf(user, from, 'login'),
      subject: `user:${user.name}`,
      outcome: 'ok',
      detail: { passwordChanged: true },
    });
    const ended = await logins.endOfUser(user.id, {
      except: principal.loginHash,
      because: async (within) => {
        await this.#core.requirePresent(principal, within);
        if (!isUnchanged(await within.users.byId(user.id), user))
          throw new SallyportError('unauthenticated', 'the person was changed meanwhile');
        await within.users.update(user.id, { passwordHash });
      },
    });
    this.#core.tellEnded(ended, 'changed');
  }

  /** API tokens of somebody who may not sign in: the rows stay, what was opened with them ends. */
  async #tellTokens(userId: string): Promise<void> {
    const hashes = (await this.#core.storage.tokens.list(userId)).map((token) => token.tokenHash);
    this.#core.tellEnded({ hashes, userId }, 'revoked');
  }

  async #requirePresent(by: By, within: Storage): Promise<void> {
    if ('via' in by) await this.#core.requirePresent(by, within);
  }

  async #show(user: UserRecord): Promise<User> {
    return toUser(user, (await this.#core.storage.logins.countByUser()).get(user.id) ?? 0);
  }

  async #mustExist(storage: Pick<Storage, 'users'>, id: string): Promise<UserRecord> {
    const user = await storage.users.byId(id);
    if (user === null) throw new SallyportError('not_found', 'no such user');
    return user;
  }
}

const toUser = ({ id, name, role, disabled, createdAt, lastLoginAt }: UserRecord, liveLogins: number): User => ({
  id,
  name,
  role,
  disabled,
  createdAt,
  lastLoginAt,
  liveLogins,
});

const administers = (user: Pick<UserRecord, 'role' | 'disabled'>): boolean =>
  user.role === 'administrator' && !user.disabled;

async function guardLastAdministrator(
  storage: Pick<Storage, 'users'>,
  user: UserRecord,
  patch: UserPatch,
): Promise<void> {
  const after = { role: patch.role ?? user.role, disabled: patch.disabled ?? user.disabled };
  if (!administers(user) || administers(after)) return;
  const others = (await storage.users.list()).filter((other) => other.id !== user.id && administers(other));
  if (others.length === 0) throw new SallyportError('last_administrator', 'nobody else could administer');
}
