import { SallyportError } from '../errors.ts';
import { randomId, tokenHash } from '../random.ts';
import type { UserRecord } from '../storage/contract.ts';
import type { Identity, Principal, RequestOrigin, TicketPurpose } from './contract.ts';
import { IdentityCore, actorOf, canonicalName, loginPrincipal, stranger } from './core.ts';
import type { IdentityOptions } from './core.ts';
import { LOGIN_LIMITS } from './logins.ts';
import { AdministratorLinks, issueLink, needsAdministrator } from './setup.ts';
import { Tickets } from './tickets.ts';
import { Tokens } from './tokens.ts';
import { Users } from './users.ts';

/** 256 bits in base32; anything else is not even looked up. */
const OPAQUE = /^[a-z2-7]{52}$/;
/** How often idle logins are looked for: with the time of closing sockets well within 2 s. */
const SWEEP_MS = 1_000;

/** Everything of the room: who is this, the people, their API tokens. */
export interface OpenIdentity {
  readonly identity: Identity;
  readonly users: Users;
  readonly tokens: Tokens;
  /**
   * A recovery link that somebody on the gateway's host asked for works for an hour from now; audited first.
   * @param hash of its token
   */
  admitRecovery(hash: string): Promise<void>;
  /** Stops looking for idle logins. The logins stay for the next start. */
  close(): void;
}

/** Opens the room; logins that ended while the gateway was down are gone. */
export async function openIdentity(options: IdentityOptions): Promise<OpenIdentity> {
  const core = new IdentityCore({ ...options, limits: options.limits ?? (() => LOGIN_LIMITS) });
  await core.storage.logins.deleteExpired(core.clock.now());
  const tokens = new Tokens(core);
  const identity = new LocalIdentity(core, tokens);
  return {
    ...{ identity, tokens, users: new Users(core) },
    admitRecovery: (hash) => identity.admitRecovery(hash),
    close: () => identity.close(),
  };
}

type SignedIn = { readonly cookie: string; readonly principal: Principal };

class LocalIdentity implements Identity {
  readonly #core: IdentityCore;
  readonly #tokens: Tokens;
  readonly #tickets: Tickets;
  readonly #links: AdministratorLinks;
  #stopSweep: () => void = () => undefined;
  #isClosed = false;
  #isSweeping = false;

  constructor(core: IdentityCore, tokens: Tokens) {
    this.#core = core;
    this.#tokens = tokens;
    this.#tickets = new Tickets(core.clock);
    this.#links = new AdministratorLinks(core.storage, core.clock);
    this.#sweepLater();
  }

  close(): void {
    this.#isClosed = true;
    this.#stopSweep();
  }

  needsSetup(): Promise<boolean> {
    return needsAdministrator(this.#core.storage);
  }

  async issueSetupToken(): Promise<string | null> {
    return (await this.needsSetup()) ? issueLink(this.#core.storage, 'setup') : null;
  }

  admitRecovery(hash: string): Promise<void> {
    return this.#links.admit(this.#core.audit, hash);
  }

  async setUp(token: string, name: string, password: string, from: RequestOrigin): Promise<SignedIn> {
    const { storage, audit, clock } = this.#core;
    await this.#core.countAddress(from);
    const kind = await this.#links.check(token);
    const plain = canonicalName(name);
    if (plain === null) throw new SallyportError('bad_name', 'not a user name');
    const passwordHash = await this.#core.passwords.hash(password);
    await audit.append({
      type: kind === 'setup' ? 'setup.done' : 'user.recovered',
      actor: stranger(from, plain),
      subject: `user:${plain}`,
      outcome: 'ok',
      detail: { role: 'administrator' },
    });
    const proven = { role: 'administrator', disabled: false, passwordHash } as const;
    const known = await storage.users.byName(plain);
    const made: UserRecord = { id: randomId(), name: plain, ...proven, createdAt: clock.now(), lastLoginAt: null };
    const ended = await this.#core.logins.endOfUser(known?.id ?? made.id, {
      because: async (within) => {
        await this.#links.use(token, within);
        if (known === null) await within.users.insert(made);
        else await within.users.update(known.id, proven);
      },
    });
    this.#core.tellEnded(ended, 'changed');
    return this.#signIn(known === null ? made : { ...known, ...proven }, from);
  }

  async login(name: string, password: string, from: RequestOrigin): Promise<SignedIn> {
    await this.#core.countAddress(from);
    const plain = canonicalName(name);
    const user = plain === null ? null : await this.#core.storage.users.byName(plain);
    // What cannot be a name shares one account limit, so that it is no way round the limit's memory.
    const proven = await this.#core.checkPassword(user, plain ?? '', password, from);
    return this.#signIn(proven, from);
  }

  async #signIn(user: UserRecord, from: RequestOrigin): Promise<SignedIn> {
    const actor = actorOf(user, from, 'login');
    await this.#core.audit.append({ type: 'login.ok', actor, subject: `user:${user.name}`, outcome: 'ok' });
    const { cookie, login } = await this.#core.startLogin(user, from);
    const lastLoginAt = this.#core.clock.now();
    return { cookie, principal: loginPrincipal({ ...user, lastLoginAt }, login, actor) };
  }

  async byCookie(cookie: string, from: RequestOrigin, isByPerson = true): Promise<Principal | null> {
    if (!OPAQUE.test(cookie)) return null;
    const login = await this.#core.logins.find(tokenHash(cookie));
    if (login === null) return null;
    const user = await this.#core.storage.users.byId(login.userId);
    if (user === null || user.disabled) return null;
    if (isByPerson) await this.#core.logins.touch(login.hash);
    return loginPrincipal(user, login, actorOf(user, from, 'login'));
  }

  byToken(token: string, from: RequestOrigin): Promise<Principal | null> {
    return this.#tokens.find(token, from);
  }

  async touch(principal: Principal): Promise<void> {
    if (principal.via === 'login') await this.#core.logins.touch(principal.loginHash);
  }

  async stepUp(principal: Principal, password: string, from: RequestOrigin): Promise<SignedIn> {
    const { storage, audit, logins } = this.#core;
    const before = principal.via === 'login' ? await logins.find(principal.loginHash, 'former') : null;
    if (before === null) throw new SallyportError('unauthenticated', 'only a login can be stepped up');
    const known = await storage.users.byId(principal.user.id);
    const user = await this.#core.checkPassword(known, principal.user.name, password, from);
    const actor = actorOf(user, from, 'login');
    await audit.append({ type: 'login.stepUp', actor, subject: `user:${user.name}`, outcome: 'ok' });
    const { cookie, login } = await this.#core.startLogin(user, from, before.hash);
    return { cookie, principal: loginPrincipal(user, login, actor) };
  }

  async logout(principal: Principal): Promise<void> {
    if (principal.via !== 'login') return;
    const { actor, user, loginHash } = principal;
    await this.#core.endWith(
      { type: 'login.ended', actor, subject: `user:${user.name}`, outcome: 'ok', detail: { why: 'logout' } },
      'logout',
      () => this.#core.logins.end(loginHash),
    );
  }

  issueTicket(principal: Principal, purpose: TicketPurpose): string {
    return this.#tickets.issue(principal, purpose);
  }

  async redeemTicket(ticket: string): Promise<{ principal: Principal; purpose: TicketPurpose } | null> {
    const found = OPAQUE.test(ticket) ? this.#tickets.redeem(ticket) : null;
    const principal = found === null ? null : await this.refresh(found.principal);
    return found === null || principal === null ? null : { principal, purpose: found.purpose };
  }

  async refresh(principal: Principal): Promise<Principal | null> {
    if (principal.via === 'token') return this.#tokens.refresh(principal);
    const login = await this.#core.logins.find(principal.loginHash, 'former');
    const user = login === null ? null : await this.#core.storage.users.byId(login.userId);
    if (login === null || user === null || user.disabled) return null;
    return loginPrincipal(user, login, { ...principal.actor, name: user.name });
  }

  onEnded(listener: Parameters<Identity['onEnded']>[0]): () => void {
    return this.#core.onEnded(listener);
  }

  #sweepLater(): void {
    if (this.#isClosed) return;
    this.#stopSweep = this.#core.clock.after(SWEEP_MS, () => {
      this.#sweepLater();
      const over = this.#core.logins.over();
      if (over.length === 0 || this.#isSweeping) return;
      this.#isSweeping = true;
      void this.#sweep(over).finally(() => {
        this.#isSweeping = false;
      });
    });
  }

  /** Ends idle and expired logins. A failure of one keeps none of the others alive; each is refused by its time anyway. */
  async #sweep(over: readonly string[]): Promise<void> {
    const { logins, storage } = this.#core;
    for (const hash of over)
      try {
        const row = await storage.logins.byHash(hash);
        const user = row === null ? null : await storage.users.byId(row.userId);
        const actor = {
          userId: user?.id ?? null,
          name: user?.name ?? '',
          address: row?.address ?? '',
          via: 'gateway',
        } as const;
        await this.#core.endWith(
          { type: 'login.ended', actor, subject: `user:${user?.name ?? ''}`, outcome: 'ok', detail: { why: 'idle' } },
          'idle',
          () => logins.end(hash),
        );
      } catch {
        // Without storage or audit the row stays a while; the login is over by its time all the same.
      }
  }
}
