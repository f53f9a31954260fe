/** What holds once somebody is signed in: logins, step-up, tickets, API tokens. */
import { describe, expect, it } from 'vitest';
import { FROM, PASSWORD, identityWorld } from '../../../test/contracts/identity-fixture.ts';
import { randomId } from '../random.ts';
import type { Ended } from './core.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const { at, start, withAnn, types } = identityWorld();

describe('a login', () => {
  it('has a cookie of 256 bits that is stored hashed', async () => {
    const { cookie, identity } = await withAnn();
    expect(cookie).toMatch(/^[a-z2-7]{52}$/);
    expect(await at.storage.logins.byHash(cookie)).toBeNull();
    expect(await identity.byCookie(cookie, FROM)).toMatchObject({ via: 'login', actor: { name: 'ann', via: 'login' } });
    for (const wrong of ['', 'x', randomId(), cookie.toUpperCase(), `${cookie} `])
      expect(await identity.byCookie(wrong, FROM)).toBeNull();
  });

  it('ends after 15 idle minutes, and whoever listens hears of it within 2 s', async () => {
    const { cookie, identity } = await withAnn();
    const principal = await identity.byCookie(cookie, FROM);
    at.clock.advance(14 * MINUTE);
    if (principal) await identity.touch(principal);
    at.clock.advance(14 * MINUTE);
    expect(await identity.byCookie(cookie, FROM)).not.toBeNull();
    const heard = new Promise<Ended>((resolve) => identity.onEnded(resolve));
    at.clock.advance(15 * MINUTE + 1_000);
    expect(await identity.byCookie(cookie, FROM)).toBeNull();
    expect(await heard).toEqual({ loginHashes: [principal?.loginHash], userId: principal?.user.id, why: 'idle' });
    expect(types()).toContain('login.ended ok');
  });

  it('ends after 12 hours, however busy', async () => {
    const { cookie, identity } = await withAnn();
    for (let time = 0; time < 12 * 60 - 10; time += 10) {
      at.clock.advance(10 * MINUTE);
      expect(await identity.byCookie(cookie, FROM)).not.toBeNull();
    }
    at.clock.advance(10 * MINUTE);
    expect(await identity.byCookie(cookie, FROM)).toBeNull();
  });

  it('neither ends nor comes back when the wall clock jumps', async () => {
    const { cookie, identity } = await withAnn();
    at.clock.jumpWall(365 * 24 * HOUR);
    expect(await identity.byCookie(cookie, FROM)).not.toBeNull();
    at.clock.jumpWall(-2 * 365 * 24 * HOUR);
    expect(await identity.byCookie(cookie, FROM)).not.toBeNull();
    at.clock.advance(16 * MINUTE);
    expect(await identity.byCookie(cookie, FROM)).toBeNull();
    at.clock.jumpWall(-365 * 24 * HOUR);
    expect(await identity.byCookie(cookie, FROM)).toBeNull();
  });

  it('goes on over a restart, with what is left of its time and no more', async () => {
    const { cookie, ...first } = await withAnn();
    at.clock.advance(MINUTE);
    first.close();
    // Set back while it was down: a full term at most, never more.
    at.clock.jumpWall(-24 * HOUR);
    const second = await start();
    const { identity } = second;
    expect(await identity.byCookie(cookie, FROM)).not.toBeNull();
    const heard = new Promise<Ended>((resolve) => identity.onEnded(resolve));
    at.clock.advance(16 * MINUTE);
    expect(await identity.byCookie(cookie, FROM)).toBeNull();
    await heard;
    second.close();
    const { identity: late } = await start();
    expect(await late.byCookie(cookie, FROM)).toBeNull();
  });

  it('is not kept by a page that asks by itself', async () => {
    const { identity, cookie } = await withAnn();
    at.clock.advance(10 * MINUTE);
    expect(await identity.byCookie(cookie, FROM, false)).not.toBeNull();
    at.clock.advance(5 * MINUTE);
    expect(await identity.byCookie(cookie, FROM, false)).toBeNull();
  });

  it('is idle while the gateway is down', async () => {
    const { cookie, ...first } = await withAnn();
    first.close();
    at.clock.advance(16 * MINUTE);
    const { identity } = await start();
    expect(await identity.byCookie(cookie, FROM)).toBeNull();
  });

  it('follows changed limits at once', async () => {
    const limits = { idleMs: 15 * MINUTE, absoluteMs: 12 * HOUR };
    const { identity } = await start({ limits: () => limits });
    const { cookie } = await identity.setUp((await identity.issueSetupToken()) ?? '', 'ann', PASSWORD, FROM);
    at.clock.advance(2 * MINUTE);
    limits.idleMs = MINUTE;
    expect(await identity.byCookie(cookie, FROM)).toBeNull();
  });

  it('ends at logout, with the sockets told', async () => {
    const { cookie, identity } = await withAnn();
    const principal = await identity.byCookie(cookie, FROM);
    if (!principal) throw new Error('no login');
    await identity.logout(principal);
    expect(await identity.byCookie(cookie, FROM)).toBeNull();
    expect(await identity.refresh(principal)).toBeNull();
    expect(at.ended.map((one) => one.why)).toEqual(['logout']);
    expect(types().at(-1)).toBe('login.ended ok');
  });

  it('ends at logout even when that cannot be audited, and says so', async () => {
    const { cookie, identity } = await withAnn();
    const principal = await identity.byCookie(cookie, FROM);
    if (!principal) throw new Error('no login');
    at.isAuditAway = true;
    await expect(identity.logout(principal)).rejects.toMatchObject({ code: 'audit_unavailable' });
    expect(await identity.byCookie(cookie, FROM)).toBeNull();
  });
});

describe('step-up', () => {
  it('gives a new cookie, ends the old one, and keeps open sockets', async () => {
    const { cookie, identity } = await withAnn();
    at.clock.advance(6 * MINUTE);
    const before = await identity.byCookie(cookie, FROM);
    if (!before) throw new Error('no login');
    expect(before.steppedUpUntil).toBeNull();
    await expect(identity.stepUp(before, 'wrong', FROM)).rejects.toMatchObject({ code: 'bad_credentials' });
    const { cookie: next, principal } = await identity.stepUp(before, PASSWORD, FROM);
    expect(principal.steppedUpUntil).toBe(at.clock.now() + 5 * MINUTE);
    expect(next).not.toBe(cookie);
    expect(await identity.byCookie(cookie, FROM)).toBeNull();
    expect(at.ended).toEqual([]);
    // A socket opened before still names the old login.
    expect((await identity.refresh(before))?.loginHash).toBe(principal.loginHash);
    await identity.logout(principal);
    expect(at.ended[0]?.loginHashes).toEqual([principal.loginHash, before.loginHash]);
    expect(await identity.refresh(before)).toBeNull();
  });

  it('is over after 5 minutes and does not lengthen the login', async () => {
    const { cookie, identity } = await withAnn();
    const before = await identity.byCookie(cookie, FROM);
    if (!before) throw new Error('no login');
    at.clock.advance(10 * MINUTE);
    const { cookie: next, principal } = await identity.stepUp(before, PASSWORD, FROM);
    expect(principal.expiresAt).toBe(before.expiresAt);
    at.clock.jumpWall(-HOUR);
    expect((await identity.byCookie(next, FROM))?.steppedUpUntil).not.toBeNull();
    at.clock.advance(5 * MINUTE);
    expect((await identity.byCookie(next, FROM))?.steppedUpUntil).toBeNull();
  });

  it('is not for API tokens', async () => {
    const { cookie, identity, tokens } = await withAnn();
    const ann = await identity.byCookie(cookie, FROM);
    if (!ann) throw new Error('no login');
    const { token } = await tokens.create(ann, { label: 'cli', scopes: null, days: 1 });
    const principal = await identity.byToken(token, FROM);
    if (!principal) throw new Error('no token');
    await expect(identity.stepUp(principal, PASSWORD, FROM)).rejects.toMatchObject({ code: 'unauthenticated' });
  });
});

describe('tickets', () => {
  it('open once, within 30 s, what they were issued for', async () => {
    const { cookie, identity } = await withAnn();
    const ann = await identity.byCookie(cookie, FROM);
    if (!ann) throw new Error('no login');
    const ticket = identity.issueTicket(ann, 'session:one');
    at.clock.jumpWall(HOUR);
    at.clock.advance(29_999);
    expect(await identity.redeemTicket(ticket)).toMatchObject({
      purpose: 'session:one',
      principal: { loginHash: ann.loginHash },
    });
    expect(await identity.redeemTicket(ticket)).toBeNull();
    const late = identity.issueTicket(ann, 'session:two');
    at.clock.advance(30_000);
    expect(await identity.redeemTicket(late)).toBeNull();
    for (const wrong of ['', 'x', randomId()]) expect(await identity.redeemTicket(wrong)).toBeNull();
  });

  it('of one login cannot use up those of another', async () => {
    const { cookie, identity } = await withAnn();
    const ann = await identity.byCookie(cookie, FROM);
    const again = await identity.byCookie((await identity.login('ann', PASSWORD, FROM)).cookie, FROM);
    if (!ann || !again) throw new Error('no login');
    const ticket = identity.issueTicket(ann, 'session:one');
    const first = identity.issueTicket(again, 'session:one');
    for (let n = 0; n < 10_000; n += 1) identity.issueTicket(again, 'session:one');
    expect(await identity.redeemTicket(ticket)).not.toBeNull();
    expect(await identity.redeemTicket(first)).toBeNull();
  });

  it('are worth nothing once the login ended', async () => {
    const { cookie, identity } = await withAnn();
    const ann = await identity.byCookie(cookie, FROM);
    if (!ann) throw new Error('no login');
    const ticket = identity.issueTicket(ann, 'session:one');
    await identity.logout(ann);
    expect(await identity.redeemTicket(ticket)).toBeNull();
  });
});

describe('API tokens', () => {
  it('are shown once, sign in until they end, and may be narrower than the role', async () => {
    const { cookie, identity, tokens } = await withAnn();
    const ann = await identity.byCookie(cookie, FROM);
    if (!ann) throw new Error('no login');
    const { token, entry } = await tokens.create(ann, { label: 'cli', scopes: ['session.open'], days: 1 });
    expect(token).toMatch(/^sp_[a-z2-7]{52}$/);
    const principal = await identity.byToken(token, FROM);
    expect(principal).toMatchObject({ via: 'token', scopes: ['session.open'], actor: { via: 'token', name: 'ann' } });
    expect(await tokens.list(ann.user.id)).toEqual([{ ...entry, lastUsedAt: at.clock.now() }]);
    expect(await tokens.list('somebody')).toEqual([]);
    expect(await tokens.ownerOf(entry.id)).toBe(ann.user.id);
    if (!principal) throw new Error('no token');
    for (const scopes of [null, ['session.open', 'user.write']])
      await expect(tokens.create(principal, { label: 'wider', scopes, days: 1 })).rejects.toMatchObject({
        code: 'forbidden',
      });
    for (const wrong of ['', 'sp_', token.slice(3), token.toUpperCase(), `sp_${randomId()}`])
      expect(await identity.byToken(wrong, FROM)).toBeNull();
    at.clock.jumpWall(48 * HOUR);
    expect(await identity.refresh(principal)).not.toBeNull();
    at.clock.advance(24 * HOUR);
    at.clock.jumpWall(-72 * HOUR);
    expect(await identity.byToken(token, FROM)).toBeNull();
  });

  it('end when deleted, with their sockets told', async () => {
    const { cookie, identity, tokens } = await withAnn();
    const ann = await identity.byCookie(cookie, FROM);
    if (!ann) throw new Error('no login');
    const { token, entry } = await tokens.create(ann, { label: 'cli', scopes: null, days: 1 });
    const principal = await identity.byToken(token, FROM);
    expect(await tokens.delete(entry.id, ann)).toBe(true);
    expect(await tokens.delete(entry.id, ann)).toBe(false);
    expect(await identity.byToken(token, FROM)).toBeNull();
    expect(at.ended).toEqual([{ loginHashes: [principal?.loginHash], userId: ann.user.id, why: 'revoked' }]);
    expect(types().slice(-2)).toEqual(['token.created ok', 'token.deleted ok']);
  });
});
