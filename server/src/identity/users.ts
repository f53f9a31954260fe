import type { NewUser, User, UserPatch } from '@sallyport/shared/api/users';
import type { Actor } from '../audit/contract.ts';
import { SallyportError } from '../errors.ts';
import { randomId } from '../random.ts';
import type { Storage, UserRecord } from '../storage/contract.ts';
import type { Principal, RequestOrigin } from './contract.ts';
import { actorOf, canonicalName, loginPrincipal } from './core.ts';
import type { IdentityCore } from './core.ts';

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
  async create(body: NewUser, by: Actor): Promise<User> {
    const { storage, audit, clock, passwords } = this.#core;
    const name = canonicalName(body.name);
    if (name === null) throw new SallyportError('bad_name', 'not a user name');
    if ((await storage.users.byName(name)) !== null) throw new SallyportError('name_taken', 'the name is in use');
    const passwordHash = await passwords.hash(body.password);
    await audit.append({
      type: 'user.created',
      actor: by,
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
    await storage.users.insert(user);
    return toUser(user, 0);
  }

  /**
   * Changes role, password or access. The person's logins end; their API tokens too when they are disabled.
   * @throws SallyportError not_found, last_administrator, weak_password, audit_unavailable
   */
  async patch(id: string, patch: UserPatch, by: Actor): Promise<User> {
    const { storage, audit, passwords } = this.#core;
    const before = await this.#mustExist(storage, id);
    await guardLastAdministrator(storage, before, patch);
    const passwordHash = patch.password === undefined ? undefined : await passwords.hash(patch.password);
    const change = {
      ...(patch.role === undefined ? {} : { role: patch.role }),
      ...(patch.disabled === undefined ? {} : { disabled: patch.disabled }),
      ...(passwordHash === undefined ? {} : { passwordHash }),
    };
    if (Object.keys(change).length === 0) return this.#show(before);
    await audit.append({
      type: 'user.changed',
      actor: by,
      subject: `user:${before.name}`,
      outcome: 'ok',
      detail: {
        role: patch.role ?? before.role,
        disabled: patch.disabled ?? before.disabled,
        passwordChanged: passwordHash !== undefined,
      },
    });
    const after = await storage.transaction(async (within) => {
      // Again, where nobody can come between: two administrators may demote each other at the same moment.
      const present = await this.#mustExist(within, id);
      await guardLastAdministrator(within, present, patch);
      await within.users.update(id, change);
      return { ...present, ...change };
    });
    await this.#endLogins(after);
    return this.#show(after);
  }

  /** Ends all logins of a person. @throws SallyportError not_found */
  async endLogins(id: string, by: Actor): Promise<void> {
    const user = await this.#mustExist(this.#core.storage, id);
    await this.#core.endWith(
      { type: 'login.ended', actor: by, subject: `user:${user.name}`, outcome: 'ok', detail: { why: 'revoked' } },
      'revoked',
      () => this.#core.logins.endOfUser(id),
    );
  }

  /**
   * A person changes their own password. All their logins end; the one at hand goes on under a new cookie.
   * @throws SallyportError unauthenticated, bad_credentials, weak_password, rate_limited, audit_unavailable
   */
  async changePassword(
    principal: Principal,
    current: string,
    next: string,
    from: RequestOrigin,
  ): Promise<{ cookie: string; principal: Principal }> {
    const { storage, audit, passwords, logins } = this.#core;
    if (principal.via !== 'login') throw new SallyportError('forbidden', 'an API token cannot change a password');
    const known = await storage.users.byId(principal.user.id);
    const user = await this.#core.checkPassword(known, principal.user.name, current, from);
    const passwordHash = await passwords.hash(next);
    const actor = actorOf(user, from, 'login');
    await audit.append({
      type: 'user.changed',
      actor,
      subject: `user:${user.name}`,
      outcome: 'ok',
      detail: { passwordChanged: true },
    });
    await storage.users.update(user.id, { passwordHash });
    const ended = await logins.endOfUser(user.id);
    this.#core.tellEnded(ended, 'changed');
    const { cookie, login } = await logins.create({ ...user, passwordHash }, from);
    return { cookie, principal: loginPrincipal({ ...user, passwordHash }, login, actor) };
  }

  async #endLogins(user: UserRecord): Promise<void> {
    const { logins, storage } = this.#core;
    this.#core.tellEnded(await logins.endOfUser(user.id), 'changed');
    if (!user.disabled) return;
    const hashes = (await storage.tokens.list(user.id)).map((token) => token.tokenHash);
    this.#core.tellEnded({ hashes, userId: user.id }, 'revoked');
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
