/** What ends or changes while somebody's act waits for its audit event. The event is held, the other act runs, then it goes on. */
import { beforeEach, describe, expect, it } from 'vitest';
import { FROM, identityWorld, PASSWORD as OLD } from '../../../test/contracts/identity-fixture.ts';
import type { AuditType, NewAuditEvent } from '../audit/contract.ts';
import { GATEWAY_ACTOR } from '../audit/contract.ts';
import type { Principal } from './contract.ts';
import type { OpenIdentity } from './identity.ts';

const NEW = 'another good password';
const BY = { actor: GATEWAY_ACTOR };

const { at, start } = identityWorld();
let room: OpenIdentity;
let hold: { type: AuditType; reached: () => void; until: Promise<void> } | null;

beforeEach(async () => {
  hold = null;
  const append = async (event: NewAuditEvent) => {
    const written = await at.audit.append(event);
    if (hold?.type !== event.type) return written;
    const { reached, until } = hold;
    hold = null;
    reached();
    await until;
    return written;
  };
  room = await start({ audit: { append } });
  await room.identity.setUp((await room.identity.issueSetupToken()) ?? '', 'ann', OLD, FROM);
});

/** Runs `act` up to its event `type`, then `meanwhile` as a whole, then the rest of `act`. */
async function held<T>(type: AuditType, act: () => Promise<T>, meanwhile: () => Promise<unknown>): Promise<T> {
  let release = (): void => undefined;
  const until = new Promise<void>((resolve) => (release = resolve));
  const reached = new Promise<void>((resolve) => (hold = { type, reached: resolve, until }));
  const done = act();
  done.catch(() => undefined);
  await Promise.race([reached, done]);
  if (hold !== null) throw new Error(`no event ${type} came`);
  try {
    await meanwhile();
  } finally {
    release();
  }
  return done;
}

async function bob(): Promise<{ id: string; cookie: string; principal: Principal }> {
  const { id } = await room.users.create({ name: 'bob', role: 'administrator', password: OLD }, BY);
  return { id, ...(await room.identity.login('bob', OLD, FROM)) };
}
const loginsOf = async (id: string): Promise<number> => (await at.storage.logins.countByUser()).get(id) ?? 0;
const stepUp = (principal: Principal) => () => room.identity.stepUp(principal, OLD, FROM);

describe('a step-up held at its event', () => {
  it.each(['logout', 'endLogins'] as const)('does not revive a login that ended by %s', async (how) => {
    const { id, principal } = await bob();
    const end = (): Promise<void> =>
      how === 'logout' ? room.identity.logout(principal) : room.users.endLogins(id, BY);
    await expect(held('login.stepUp', stepUp(principal), end)).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(await loginsOf(id)).toBe(0);
  });

  it.each([{ disabled: true }, { password: NEW }, { role: 'operator' as const }])(
    'is refused when the person was changed: %j',
    async (patch) => {
      const { id, principal } = await bob();
      const change = () => room.users.change(id, patch, BY);
      await expect(held('login.stepUp', stepUp(principal), change)).rejects.toMatchObject({ code: 'unauthenticated' });
      expect(await loginsOf(id)).toBe(0);
    },
  );

  it('lets one of two step-ups of the same login through', async () => {
    const { id, principal } = await bob();
    const first = held('login.stepUp', stepUp(principal), stepUp(principal));
    await expect(first).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(await loginsOf(id)).toBe(1);
    expect(await room.identity.refresh(principal)).not.toBeNull();
  });
});

describe('a sign-in held at its event', () => {
  it.each([{ disabled: true }, { password: NEW }, { role: 'operator' as const }])(
    'is refused when the person was changed: %j',
    async (patch) => {
      const { id } = await bob();
      const login = () => room.identity.login('bob', OLD, FROM);
      const change = () => room.users.change(id, patch, BY);
      await expect(held('login.ok', login, change)).rejects.toMatchObject({ code: 'bad_credentials' });
      expect(await loginsOf(id)).toBe(0);
      expect((await at.storage.audit.last())?.body).toContain('not made: bad_credentials');
    },
  );

  it('with the old password does not survive its owner changing it', async () => {
    const { id, principal } = await bob();
    const login = () => room.identity.login('bob', OLD, FROM);
    const change = () => room.users.changePassword(principal, OLD, NEW, FROM);
    await expect(held('login.ok', login, change)).rejects.toMatchObject({ code: 'bad_credentials' });
    expect(await loginsOf(id)).toBe(1);
  });
});

describe('a logout held at its event', () => {
  it('ends the login that a step-up made meanwhile', async () => {
    const { id, principal } = await bob();
    await held('login.ended', () => room.identity.logout(principal), stepUp(principal));
    expect(await loginsOf(id)).toBe(0);
  });
});

it('a logout and a step-up at the same moment leave no login', async () => {
  for (let round = 0; round < 20; round++) {
    const { principal } = await room.identity.login('ann', OLD, FROM);
    // The step-up begins to replace the row while the logout looks for it.
    const [stepped] = await Promise.allSettled([stepUp(principal)(), room.identity.logout(principal)]);
    const left = stepped.status === 'fulfilled' ? await room.identity.byCookie(stepped.value.cookie, FROM) : null;
    expect(left).toBeNull();
  }
});

describe('a change of password by its owner, held at its event', () => {
  const change = (principal: Principal) => () => room.users.changePassword(principal, OLD, NEW, FROM);

  it('does not undo a reset by an administrator', async () => {
    const { id, principal } = await bob();
    const reset = () => room.users.change(id, { password: 'set by an administrator' }, BY);
    await expect(held('user.changed', change(principal), reset)).rejects.toMatchObject({ code: 'unauthenticated' });
    await expect(room.identity.login('bob', NEW, FROM)).rejects.toMatchObject({ code: 'bad_credentials' });
    await room.identity.login('bob', 'set by an administrator', FROM);
  });

  it.each(['logout', 'endLogins', 'disable'] as const)('is refused when the login ended: %s', async (how) => {
    const { id, principal } = await bob();
    const end = async (): Promise<void> => {
      if (how === 'logout') await room.identity.logout(principal);
      else if (how === 'endLogins') await room.users.endLogins(id, BY);
      else await room.users.change(id, { disabled: true }, BY);
    };
    const before = await at.storage.users.byId(id);
    await expect(held('user.changed', change(principal), end)).rejects.toMatchObject({ code: 'unauthenticated' });
    expect((await at.storage.users.byId(id))?.passwordHash).toBe(before?.passwordHash);
  });
});

describe('a new API token, held at its event', () => {
  const create = (principal: Principal) => () => room.tokens.create(principal, { label: 'cli', scopes: null, days: 1 });

  it.each(['logout', 'endLogins', 'disable', 'demote'] as const)('is not made when its maker lost: %s', async (how) => {
    const { id, principal } = await bob();
    const end = async (): Promise<void> => {
      if (how === 'logout') await room.identity.logout(principal);
      else if (how === 'endLogins') await room.users.endLogins(id, BY);
      else await room.users.change(id, how === 'disable' ? { disabled: true } : { role: 'operator' }, BY);
    };
    await expect(held('token.created', create(principal), end)).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(await at.storage.tokens.list(id)).toEqual([]);
  });

  it('is not made with a token that was deleted', async () => {
    const { id, principal } = await bob();
    const { token, entry } = await room.tokens.create(principal, { label: 'cli', scopes: null, days: 1 });
    const holder = await room.identity.byToken(token, FROM);
    if (holder === null) throw new Error('no token');
    const end = () => room.tokens.delete(entry.id, BY);
    await expect(held('token.created', create(holder), end)).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(await at.storage.tokens.list(id)).toEqual([]);
  });

  it('is made when a step-up only renewed the login', async () => {
    const { id, principal } = await bob();
    await held('token.created', create(principal), stepUp(principal));
    expect(await at.storage.tokens.list(id)).toHaveLength(1);
  });

  it('counts against the limit with those made meanwhile', async () => {
    const { id, principal } = await bob();
    while ((await at.storage.tokens.list(id)).length < 99) await create(principal)();
    await expect(held('token.created', create(principal), create(principal))).rejects.toMatchObject({
      code: 'conflict',
    });
    expect(await at.storage.tokens.list(id)).toHaveLength(100);
  });
});

describe('a change of a person, held at its event', () => {
  it('by an administrator who was demoted meanwhile is refused', async () => {
    const { id, principal } = await bob();
    const target = await room.users.create({ name: 'cat', role: 'operator', password: OLD }, BY);
    const change = () => room.users.change(target.id, { role: 'administrator' }, principal);
    const demote = () => room.users.change(id, { role: 'operator' }, BY);
    await expect(held('user.changed', change, demote)).rejects.toMatchObject({ code: 'unauthenticated' });
    expect((await at.storage.users.byId(target.id))?.role).toBe('operator');
  });

  it('so is a new person', async () => {
    const { id, principal } = await bob();
    const create = () => room.users.create({ name: 'cat', role: 'administrator', password: OLD }, principal);
    const demote = () => room.users.change(id, { disabled: true }, BY);
    await expect(held('user.created', create, demote)).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(await at.storage.users.byName('cat')).toBeNull();
  });
});

describe('a set-up link, held at its event', () => {
  it('makes nobody when a newer link replaced it', async () => {
    await at.storage.users.update((await at.storage.users.byName('ann'))?.id ?? '', { disabled: true });
    const token = (await room.identity.issueSetupToken()) ?? '';
    const use = () => room.identity.setUp(token, 'eve', OLD, FROM);
    await expect(held('setup.done', use, () => room.identity.issueSetupToken())).rejects.toMatchObject({
      code: 'setup_token_invalid',
    });
    expect(await at.storage.users.byName('eve')).toBeNull();
  });
});
