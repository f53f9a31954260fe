import type { ApiToken, CreatedApiToken, NewApiToken } from '@sallyport/shared/api/users';
import { SallyportError } from '../errors.ts';
import { randomId, tokenHash } from '../random.ts';
import type { Storage, TokenRecord } from '../storage/contract.ts';
import type { Principal, RequestOrigin } from './contract.ts';
import { actorOf, parseScopes, tokenPrincipal } from './core.ts';
import type { IdentityCore } from './core.ts';

const FORM = /^sp_[a-z2-7]{52}$/;
const DAY_MS = 24 * 3_600_000;
/** How often use is written down. */
const USED_EVERY_MS = 60_000;
/** Tokens of one person: enough for every script, too few to fill the table. */
const MAX_PER_USER = 100;

/** API tokens, for the CLI and programs: `sp_` and 256 bits, stored hashed. */
export class Tokens {
  readonly #core: IdentityCore;
  /** Monotonic times of tokens seen in this run: a wall clock that jumps ends and revives none of them. */
  readonly #seen = new Map<string, { readonly endsAt: number; usedAt: number }>();
  constructor(core: IdentityCore) {
    this.#core = core;
  }

  /** @param userId null: everybody's */
  async list(userId: string | null): Promise<readonly ApiToken[]> {
    const { storage } = this.#core;
    const names = new Map((await storage.users.list()).map((user) => [user.id, user.name]));
    return (await storage.tokens.list(userId)).map((row) => toApiToken(row, names.get(row.userId) ?? ''));
  }

  /** Whose token it is, for policy; null when there is none. */
  async ownerOf(id: string): Promise<string | null> {
    return (await this.#byId(id))?.userId ?? null;
  }

  /**
   * A token of the principal's own. One made with a token never covers more than that one.
   * @throws SallyportError forbidden, unauthenticated (ended meanwhile), conflict (too many), audit_unavailable
   */
  async create(principal: Principal, body: NewApiToken): Promise<CreatedApiToken> {
    const { storage, audit, clock } = this.#core;
    const { user, scopes, actor } = principal;
    if (scopes !== null && (body.scopes === null || body.scopes.some((scope) => !scopes.includes(scope))))
      throw new SallyportError('forbidden', 'the new token would cover more than the one used');
    await requireRoom(storage, user.id);
    const token = `sp_${randomId()}`;
    const row: TokenRecord = {
      id: randomId(),
      tokenHash: tokenHash(token),
      userId: user.id,
      label: body.label,
      scopes: body.scopes === null ? null : JSON.stringify(body.scopes),
      createdAt: clock.now(),
      expiresAt: clock.now() + body.days * DAY_MS,
      lastUsedAt: null,
    };
    await audit.append({
      type: 'token.created',
      actor,
      subject: `token:${row.id}`,
      outcome: 'ok',
      detail: { label: body.label, days: body.days, scopes: body.scopes?.join(' ') ?? null },
    });
    await storage.transaction(async (within) => {
      await this.#core.requirePresent(principal, within);
      await requireRoom(within, user.id);
      await within.tokens.insert(row);
    });
    return { token, entry: toApiToken(row, user.name) };
  }

  /** @returns false when there is none. @throws SallyportError audit_unavailable (the token is gone all the same) */
  async delete(id: string, by: Pick<Principal, 'actor'>): Promise<boolean> {
    const { storage } = this.#core;
    const row = await this.#byId(id);
    if (row === null) return false;
    await this.#core.endWith(
      { type: 'token.deleted', actor: by.actor, subject: `token:${id}`, outcome: 'ok', detail: { label: row.label } },
      'revoked',
      async () => {
        this.#seen.delete(id);
        return (await storage.tokens.delete(id)) ? { hashes: [row.tokenHash], userId: row.userId } : null;
      },
    );
    return true;
  }

  /** Whose token this is; null when unknown, expired, or its user may not sign in. */
  async find(token: string, from: RequestOrigin): Promise<Principal | null> {
    if (!FORM.test(token)) return null;
    return this.#principal(tokenHash(token), from);
  }

  /** The same, for a principal that holds one. */
  refresh(principal: Principal): Promise<Principal | null> {
    return this.#principal(principal.loginHash, { address: principal.actor.address, agent: '' });
  }

  async #principal(hash: string, from: RequestOrigin): Promise<Principal | null> {
    const { storage, clock } = this.#core;
    const row = await storage.tokens.byHash(hash);
    if (row === null) return null;
    const now = clock.monotonic();
    const seen = this.#seen.get(row.id) ?? { endsAt: now + (row.expiresAt - clock.now()), usedAt: -Infinity };
    this.#seen.set(row.id, seen);
    if (seen.endsAt <= now) return null;
    const user = await storage.users.byId(row.userId);
    if (user === null || user.disabled) return null;
    if (now - seen.usedAt >= USED_EVERY_MS) {
      seen.usedAt = now;
      await storage.tokens.touch(row.id, clock.now());
    }
    return tokenPrincipal(user, row, actorOf(user, from, 'token'));
  }

  async #byId(id: string): Promise<TokenRecord | null> {
    return (await this.#core.storage.tokens.list(null)).find((row) => row.id === id) ?? null;
  }
}

async function requireRoom(storage: Pick<Storage, 'tokens'>, userId: string): Promise<void> {
  if ((await storage.tokens.list(userId)).length >= MAX_PER_USER)
    throw new SallyportError('conflict', `${MAX_PER_USER} tokens already`);
}

const toApiToken = (row: TokenRecord, userName: string): ApiToken => ({
  id: row.id,
  label: row.label,
  userName,
  scopes: parseScopes(row.scopes),
  createdAt: row.createdAt,
  expiresAt: row.expiresAt,
  lastUsedAt: row.lastUsedAt,
});
