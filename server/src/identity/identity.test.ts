import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/contracts/fake-clock.ts';
import type { NewAuditEvent } from '../audit/contract.ts';
import { GATEWAY_ACTOR } from '../audit/contract.ts';
import { openAuditLog } from '../audit/log.ts';
import type { OpenAuditLog } from '../audit/log.ts';
import { SallyportError } from '../errors.ts';
import { randomId, tokenHash } from '../random.ts';
import type { Storage } from '../storage/contract.ts';
import { openStorage } from '../storage/sqlite/open.ts';
import type { RequestOrigin } from './contract.ts';
import type { Ended, IdentityOptions } from './core.ts';
import { openIdentity } from './identity.ts';
import type { OpenIdentity } from './identity.ts';
import { recoverAdministrator } from './recover.ts';

const FROM: RequestOrigin = { address: '192.0.2.7', agent: 'test browser' };
const PASSWORD = 'correct horse battery';
const BY = { actor: GATEWAY_ACTOR };
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Everything but the price as in the product. */
const CHEAP = { memoryKiB: 64, passes: 1 };

let directory: string;
let storage: Storage;
let audit: OpenAuditLog;
let clock: FakeClock;
let ended: Ended[];
/** Events as they were asked for, and a switch that makes the log refuse. */
let events: NewAuditEvent[];
let isAuditAway: boolean;
let open: OpenIdentity[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-identity-'));
  storage = await openStorage({ file: join(directory, 'sallyport.db') });
  clock = new FakeClock();
  audit = await openAuditLog({
    storage,
    clock,
    keyDirectory: join(directory, 'keys'),
    spoolFile: join(directory, 'x'),
  });
  [ended, events, isAuditAway, open] = [[], [], false, []];
});
afterEach(async () => {
  for (const one of open) one.close();
  await audit.close();
  await storage.close();
  rmSync(directory, { recursive: true, force: true });
});

async function start(change: Partial<IdentityOptions> = {}): Promise<OpenIdentity> {
  const made = await openIdentity({
    storage,
    clock,
    passwordCost: CHEAP,
    audit: {
      append: (event) => {
        if (isAuditAway) return Promise.reject(new SallyportError('audit_unavailable', 'taken away by the test'));
        events.push(event);
        return audit.append(event);
      },
    },
    ...change,
  });
  made.identity.onEnded((what) => ended.push(what));
  open.push(made);
  return made;
}
async function withAnn(): Promise<OpenIdentity & { cookie: string }> {
  const made = await start();
  const token = (await made.identity.issueSetupToken()) ?? '';
  return { ...made, cookie: (await made.identity.setUp(token, 'Ann', PASSWORD, FROM)).cookie };
}
const types = (): string[] => events.map((event) => `${event.type} ${event.outcome}`);
const codeOf = (error: unknown): string => (error instanceof SallyportError ? error.code : String(error));

describe('set-up', () => {
  it('makes the first administrator with the one link, once', async () => {
    const { identity } = await start();
    expect(await identity.needsSetup()).toBe(true);
    const old = (await identity.issueSetupToken()) ?? '';
    const token = (await identity.issueSetupToken()) ?? '';
    expect(token).toMatch(/^[a-z2-7]{52}$/);
    for (const wrong of [old, '', 'x', randomId()])
      await expect(identity.setUp(wrong, 'ann', PASSWORD, FROM)).rejects.toMatchObject({ code: 'setup_token_invalid' });
    const { principal, cookie } = await identity.setUp(token, 'Ann', PASSWORD, FROM);
    expect(principal.user).toMatchObject({ name: 'ann', role: 'administrator' });
    expect(await identity.needsSetup()).toBe(false);
    expect((await identity.byCookie(cookie, FROM))?.user.id).toBe(principal.user.id);
    await expect(identity.setUp(token, 'eve', PASSWORD, FROM)).rejects.toMatchObject({ code: 'setup_done' });
    expect(await identity.issueSetupToken()).toBeNull();
    expect(types()).toEqual(['setup.done ok', 'login.ok ok']);
  });

  it('lets one of two who use the link at the same moment in', async () => {
    const { identity } = await start();
    const token = (await identity.issueSetupToken()) ?? '';
    const results = await Promise.allSettled([
      identity.setUp(token, 'ann', PASSWORD, FROM),
      identity.setUp(token, 'eve', PASSWORD, FROM),
    ]);
    expect(results.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await storage.users.count()).toBe(1);
  });

  it('refuses a weak password and a bad name, the link still good', async () => {
    const { identity } = await start();
    const token = (await identity.issueSetupToken()) ?? '';
    await expect(identity.setUp(token, 'ann', 'short', FROM)).rejects.toMatchObject({ code: 'weak_password' });
    await expect(identity.setUp(token, '../x', PASSWORD, FROM)).rejects.toMatchObject({ code: 'bad_name' });
    await identity.setUp(token, 'ann', PASSWORD, FROM);
  });

  it('makes nobody when the audit log is away', async () => {
    const { identity } = await start();
    const token = (await identity.issueSetupToken()) ?? '';
    isAuditAway = true;
    await expect(identity.setUp(token, 'ann', PASSWORD, FROM)).rejects.toMatchObject({ code: 'audit_unavailable' });
    expect(await storage.users.count()).toBe(0);
  });
});

describe('recovery', () => {
  it('restores an administrator who lost the password, and ends what was open', async () => {
    const { cookie, identity: old } = await withAnn();
    const before = await old.byCookie(cookie, FROM);
    const token = await recoverAdministrator(storage, audit);
    const { identity } = await start();
    expect(await identity.issueSetupToken()).toBeNull();
    await identity.setUp(token, 'ann', 'another good password', FROM);
    expect(ended).toEqual([{ loginHashes: [before?.loginHash], userId: before?.user.id, why: 'changed' }]);
    await expect(identity.login('ann', PASSWORD, FROM)).rejects.toMatchObject({ code: 'bad_credentials' });
    await identity.login('ann', 'another good password', FROM);
    await expect(identity.setUp(token, 'eve', PASSWORD, FROM)).rejects.toMatchObject({ code: 'setup_done' });
    expect(types()).toContain('user.recovered ok');
  });

  it('works for an hour from when it was asked for while the gateway runs', async () => {
    const { identity, ...room } = await withAnn();
    const admitRecovery = (hash: string): Promise<void> => room.admitRecovery(hash);
    clock.advance(5 * HOUR);
    const [late, token] = [randomId(), randomId()];
    await admitRecovery(tokenHash(late));
    clock.advance(HOUR);
    await expect(identity.setUp(late, 'ann', PASSWORD, FROM)).rejects.toMatchObject({ code: 'setup_token_invalid' });
    isAuditAway = true;
    await expect(admitRecovery(tokenHash(token))).rejects.toMatchObject({ code: 'audit_unavailable' });
    isAuditAway = false;
    await expect(identity.setUp(token, 'ann', PASSWORD, FROM)).rejects.toMatchObject({ code: 'setup_token_invalid' });
    await admitRecovery(tokenHash(token));
    clock.advance(HOUR - MINUTE);
    await identity.setUp(token, 'ann', 'another good password', FROM);
    await expect(identity.setUp(token, 'ann', PASSWORD, FROM)).rejects.toMatchObject({ code: 'setup_done' });
  });

  it('leaves the set-up link of a gateway without administrator as good as it was', async () => {
    const { identity } = await start();
    const token = await recoverAdministrator(storage, audit);
    const setup = (await identity.issueSetupToken()) ?? '';
    await identity.setUp(setup, 'ann', PASSWORD, FROM);
    await identity.setUp(token, 'eve', PASSWORD, FROM);
    expect(await storage.users.count()).toBe(2);
  });

  it('is over an hour after the start, whatever the wall clock says', async () => {
    await withAnn();
    const token = await recoverAdministrator(storage, audit);
    const { identity } = await start();
    clock.jumpWall(30 * 24 * HOUR);
    await expect(identity.setUp('x', 'eve', PASSWORD, FROM)).rejects.toMatchObject({ code: 'setup_token_invalid' });
    clock.advance(HOUR);
    await expect(identity.setUp(token, 'eve', PASSWORD, FROM)).rejects.toMatchObject({ code: 'setup_token_invalid' });
  });
});

describe('sign-in', () => {
  it('refuses a wrong password, an unknown name and a disabled person alike, each with an event', async () => {
    const { identity, users } = await withAnn();
    const bob = await users.create({ name: 'bob', role: 'operator', password: PASSWORD }, BY);
    await users.change(bob.id, { disabled: true }, BY);
    events.length = 0;
    for (const [name, password] of [
      ['ann', 'wrong'],
      ['nobody', PASSWORD],
      ['bob', PASSWORD],
      ["' or 1=1 --", PASSWORD],
      ['ann', ''],
    ] as const)
      await expect(identity.login(name, password, FROM)).rejects.toMatchObject({ code: 'bad_credentials' });
    expect(types()).toEqual(Array.from({ length: 5 }, () => 'login.failed failed'));
    expect(events[1]?.subject).toBe('user:unknown');
  });

  it('does the same work whether there is such a person or not', async () => {
    const { identity } = await start({ passwordCost: { memoryKiB: 8 * 1024, passes: 2 } });
    await identity.setUp((await identity.issueSetupToken()) ?? '', 'ann', PASSWORD, FROM);
    const work = { ann: 0, nobody: 0 };
    // By turns, and counted in time of this process: others may have the machine meanwhile.
    for (let round = 0; round < 9; round++)
      for (const name of ['ann', 'nobody'] as const) {
        const from = process.cpuUsage();
        await identity.login(name, 'wrong', FROM).catch(() => undefined);
        const { user, system } = process.cpuUsage(from);
        work[name] += user + system;
      }
    // Without the work for nobody the ratio is about 0.1.
    expect(work.nobody / work.ann).toBeGreaterThan(0.4);
  });

  it('is refused when the audit log is away, and leaves no login', async () => {
    const { identity } = await withAnn();
    isAuditAway = true;
    await expect(identity.login('ann', PASSWORD, FROM)).rejects.toMatchObject({ code: 'audit_unavailable' });
    expect([...(await storage.logins.countByUser()).values()]).toEqual([1]);
  });

  it('lets 10 wrong passwords through in 15 minutes, then none, not even the right one', async () => {
    const { identity } = await withAnn();
    for (let count = 0; count < 10; count++) {
      await expect(identity.login('ann', 'wrong', FROM)).rejects.toMatchObject({ code: 'bad_credentials' });
      await identity.login('bob', 'wrong', FROM).catch(() => undefined);
    }
    clock.jumpWall(HOUR);
    clock.advance(MINUTE);
    events.length = 0;
    for (let count = 0; count < 3; count++)
      await expect(identity.login('ANN ', PASSWORD, { ...FROM, address: `10.0.${count}.1` })).rejects.toMatchObject({
        code: 'rate_limited',
        retryAfterS: 14 * 60,
      });
    // A flood makes one event.
    expect(types()).toEqual(['login.failed refused']);
    clock.advance(14 * MINUTE);
    await identity.login('ann', PASSWORD, FROM);
  });

  it('does not count right passwords against the account', async () => {
    const { identity } = await withAnn();
    for (let count = 0; count < 12; count++) await identity.login('ann', PASSWORD, FROM);
  });

  it('lets 100 attempts of one address block through', async () => {
    const { identity } = await start();
    const outcomes: string[] = [];
    for (let count = 0; count < 101; count++)
      outcomes.push(
        await identity
          .login(`user${count}`, 'wrong', { ...FROM, address: `2001:db8:0:1::${count.toString(16)}` })
          .then(() => 'in', codeOf),
      );
    expect(outcomes.filter((outcome) => outcome === 'bad_credentials')).toHaveLength(100);
    expect(outcomes[100]).toBe('rate_limited');
    await expect(identity.login('x', 'y', { ...FROM, address: '2001:db8:0:2::1' })).rejects.toMatchObject({
      code: 'bad_credentials',
    });
  });

  it('stores argon2id with 64 MiB and 3 passes', async () => {
    const { identity } = await openIdentity({ storage, audit, clock }).then((made) => (open.push(made), made));
    const token = (await identity.issueSetupToken()) ?? '';
    const { principal } = await identity.setUp(token, 'ann', PASSWORD, FROM);
    expect(principal.user.passwordHash).toMatch(/^\$argon2id\$v=19\$m=65536,t=3,p=1\$/);
  });
});

describe('a login', () => {
  it('has a cookie of 256 bits that is stored hashed', async () => {
    const { cookie, identity } = await withAnn();
    expect(cookie).toMatch(/^[a-z2-7]{52}$/);
    expect(await storage.logins.byHash(cookie)).toBeNull();
    expect(await identity.byCookie(cookie, FROM)).toMatchObject({ via: 'login', actor: { name: 'ann', via: 'login' } });
    for (const wrong of ['', 'x', randomId(), cookie.toUpperCase(), `${cookie} `])
      expect(await identity.byCookie(wrong, FROM)).toBeNull();
  });

  it('ends after 15 idle minutes, and whoever listens hears of it within 2 s', async () => {
    const { cookie, identity } = await withAnn();
    const principal = await identity.byCookie(cookie, FROM);
    clock.advance(14 * MINUTE);
    if (principal) await identity.touch(principal);
    clock.advance(14 * MINUTE);
    expect(await identity.byCookie(cookie, FROM)).not.toBeNull();
    const heard = new Promise<Ended>((resolve) => identity.onEnded(resolve));
    clock.advance(15 * MINUTE + 1_000);
    expect(await identity.byCookie(cookie, FROM)).toBeNull();
    expect(await heard).toEqual({ loginHashes: [principal?.loginHash], userId: principal?.user.id, why: 'idle' });
    expect(types()).toContain('login.ended ok');
  });

  it('ends after 12 hours, however busy', async () => {
    const { cookie, identity } = await withAnn();
    for (let time = 0; time < 12 * 60 - 10; time += 10) {
      clock.advance(10 * MINUTE);
      expect(await identity.byCookie(cookie, FROM)).not.toBeNull();
    }
    clock.advance(10 * MINUTE);
    expect(await identity.byCookie(cookie, FROM)).toBeNull();
  });

  it('neither ends nor comes back when the wall clock jumps', async () => {
    const { cookie, identity } = await withAnn();
    clock.jumpWall(365 * 24 * HOUR);
    expect(await identity.byCookie(cookie, FROM)).not.toBeNull();
    clock.jumpWall(-2 * 365 * 24 * HOUR);
    expect(await identity.byCookie(cookie, FROM)).not.toBeNull();
    clock.advance(16 * MINUTE);
    expect(await identity.byCookie(cookie, FROM)).toBeNull();
    clock.jumpWall(-365 * 24 * HOUR);
    expect(await identity.byCookie(cookie, FROM)).toBeNull();
  });

  it('goes on over a restart, with what is left of its time and no more', async () => {
    const { cookie, ...first } = await withAnn();
    clock.advance(MINUTE);
    first.close();
    // Set back while it was down: a full term at most, never more.
    clock.jumpWall(-24 * HOUR);
    const second = await start();
    const { identity } = second;
    expect(await identity.byCookie(cookie, FROM)).not.toBeNull();
    const heard = new Promise<Ended>((resolve) => identity.onEnded(resolve));
    clock.advance(16 * MINUTE);
    expect(await identity.byCookie(cookie, FROM)).toBeNull();
    await heard;
    second.close();
    const { identity: late } = await start();
    expect(await late.byCookie(cookie, FROM)).toBeNull();
  });

  it('is not kept by a page that asks by itself', async () => {
    const { identity, cookie } = await withAnn();
    clock.advance(10 * MINUTE);
    expect(await identity.byCookie(cookie, FROM, false)).not.toBeNull();
    clock.advance(5 * MINUTE);
    expect(await identity.byCookie(cookie, FROM, false)).toBeNull();
  });

  it('is idle while the gateway is down', async () => {
    const { cookie, ...first } = await withAnn();
    first.close();
    clock.advance(16 * MINUTE);
    const { identity } = await start();
    expect(await identity.byCookie(cookie, FROM)).toBeNull();
  });

  it('follows changed limits at once', async () => {
    const limits = { idleMs: 15 * MINUTE, absoluteMs: 12 * HOUR };
    const { identity } = await start({ limits: () => limits });
    const { cookie } = await identity.setUp((await identity.issueSetupToken()) ?? '', 'ann', PASSWORD, FROM);
    clock.advance(2 * MINUTE);
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
    expect(ended.map((one) => one.why)).toEqual(['logout']);
    expect(types().at(-1)).toBe('login.ended ok');
  });

  it('ends at logout even when that cannot be audited, and says so', async () => {
    const { cookie, identity } = await withAnn();
    const principal = await identity.byCookie(cookie, FROM);
    if (!principal) throw new Error('no login');
    isAuditAway = true;
    await expect(identity.logout(principal)).rejects.toMatchObject({ code: 'audit_unavailable' });
    expect(await identity.byCookie(cookie, FROM)).toBeNull();
  });
});

describe('step-up', () => {
  it('gives a new cookie, ends the old one, and keeps open sockets', async () => {
    const { cookie, identity } = await withAnn();
    clock.advance(6 * MINUTE);
    const before = await identity.byCookie(cookie, FROM);
    if (!before) throw new Error('no login');
    expect(before.steppedUpUntil).toBeNull();
    await expect(identity.stepUp(before, 'wrong', FROM)).rejects.toMatchObject({ code: 'bad_credentials' });
    const { cookie: next, principal } = await identity.stepUp(before, PASSWORD, FROM);
    expect(principal.steppedUpUntil).toBe(clock.now() + 5 * MINUTE);
    expect(next).not.toBe(cookie);
    expect(await identity.byCookie(cookie, FROM)).toBeNull();
    expect(ended).toEqual([]);
    // A socket opened before still names the old login.
    expect((await identity.refresh(before))?.loginHash).toBe(principal.loginHash);
    await identity.logout(principal);
    expect(ended[0]?.loginHashes).toEqual([principal.loginHash, before.loginHash]);
    expect(await identity.refresh(before)).toBeNull();
  });

  it('is over after 5 minutes and does not lengthen the login', async () => {
    const { cookie, identity } = await withAnn();
    const before = await identity.byCookie(cookie, FROM);
    if (!before) throw new Error('no login');
    clock.advance(10 * MINUTE);
    const { cookie: next, principal } = await identity.stepUp(before, PASSWORD, FROM);
    expect(principal.expiresAt).toBe(before.expiresAt);
    clock.jumpWall(-HOUR);
    expect((await identity.byCookie(next, FROM))?.steppedUpUntil).not.toBeNull();
    clock.advance(5 * MINUTE);
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
    clock.jumpWall(HOUR);
    clock.advance(29_999);
    expect(await identity.redeemTicket(ticket)).toMatchObject({
      purpose: 'session:one',
      principal: { loginHash: ann.loginHash },
    });
    expect(await identity.redeemTicket(ticket)).toBeNull();
    const late = identity.issueTicket(ann, 'session:two');
    clock.advance(30_000);
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
    expect(await tokens.list(ann.user.id)).toEqual([{ ...entry, lastUsedAt: clock.now() }]);
    expect(await tokens.list('somebody')).toEqual([]);
    expect(await tokens.ownerOf(entry.id)).toBe(ann.user.id);
    if (!principal) throw new Error('no token');
    for (const scopes of [null, ['session.open', 'user.write']])
      await expect(tokens.create(principal, { label: 'wider', scopes, days: 1 })).rejects.toMatchObject({
        code: 'forbidden',
      });
    for (const wrong of ['', 'sp_', token.slice(3), token.toUpperCase(), `sp_${randomId()}`])
      expect(await identity.byToken(wrong, FROM)).toBeNull();
    clock.jumpWall(48 * HOUR);
    expect(await identity.refresh(principal)).not.toBeNull();
    clock.advance(24 * HOUR);
    clock.jumpWall(-72 * HOUR);
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
    expect(ended).toEqual([{ loginHashes: [principal?.loginHash], userId: ann.user.id, why: 'revoked' }]);
    expect(types().slice(-2)).toEqual(['token.created ok', 'token.deleted ok']);
  });
});

describe('people', () => {
  it('get a name once, in one spelling', async () => {
    const { users } = await withAnn();
    await expect(users.create({ name: ' ANN', role: 'auditor', password: PASSWORD }, BY)).rejects.toMatchObject({
      code: 'name_taken',
    });
    expect(await users.list()).toMatchObject([{ name: 'ann', role: 'administrator', liveLogins: 1 }]);
  });

  it.each([{ role: 'auditor' as const }, { disabled: true }, { password: 'another good password' }])(
    'lose their logins when changed: %j',
    async (patch) => {
      const { identity, users } = await withAnn();
      const bob = await users.create({ name: 'bob', role: 'operator', password: PASSWORD }, BY);
      const { cookie, principal } = await identity.login('bob', PASSWORD, FROM);
      await users.change(bob.id, patch, BY);
      expect(await identity.byCookie(cookie, FROM)).toBeNull();
      expect(await identity.refresh(principal)).toBeNull();
      expect(ended).toContainEqual({ loginHashes: [principal.loginHash], userId: bob.id, why: 'changed' });
      expect(types().at(-1)).toBe('user.changed ok');
    },
  );

  it('who are disabled lose their tokens', async () => {
    const { identity, tokens, users } = await withAnn();
    const bob = await users.create({ name: 'bob', role: 'operator', password: PASSWORD }, BY);
    const { principal } = await identity.login('bob', PASSWORD, FROM);
    const { token } = await tokens.create(principal, { label: 'cli', scopes: null, days: 1 });
    const holder = await identity.byToken(token, FROM);
    await users.change(bob.id, { disabled: true }, BY);
    expect(await identity.byToken(token, FROM)).toBeNull();
    expect(ended.at(-1)).toEqual({ loginHashes: [holder?.loginHash], userId: bob.id, why: 'revoked' });
  });

  it('always keep an administrator, even when two demote each other at once', async () => {
    const { identity, users, cookie } = await withAnn();
    const ann = await identity.byCookie(cookie, FROM);
    const annId = ann?.user.id ?? '';
    for (const patch of [{ disabled: true }, { role: 'operator' as const }])
      await expect(users.change(annId, patch, BY)).rejects.toMatchObject({ code: 'last_administrator' });
    const bob = await users.create({ name: 'bob', role: 'administrator', password: PASSWORD }, BY);
    const results = await Promise.allSettled([
      users.change(annId, { role: 'operator' }, BY),
      users.change(bob.id, { disabled: true }, BY),
    ]);
    expect(results.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await identity.needsSetup()).toBe(false);
  });

  it('are not changed when the audit log is away', async () => {
    const { users } = await withAnn();
    const bob = await users.create({ name: 'bob', role: 'operator', password: PASSWORD }, BY);
    isAuditAway = true;
    await expect(users.change(bob.id, { role: 'administrator' }, BY)).rejects.toMatchObject({
      code: 'audit_unavailable',
    });
    expect((await storage.users.byId(bob.id))?.role).toBe('operator');
  });

  it('who change their password stay signed in where they did it, and nowhere else', async () => {
    const { identity, users, cookie } = await withAnn();
    const ann = await identity.byCookie(cookie, FROM);
    if (!ann) throw new Error('no login');
    const { cookie: other, principal } = await identity.login('ann', PASSWORD, FROM);
    await expect(users.changePassword(ann, 'wrong', 'another good password', FROM)).rejects.toMatchObject({
      code: 'bad_credentials',
    });
    await users.changePassword(ann, PASSWORD, 'another good password', FROM);
    expect(await identity.byCookie(cookie, FROM)).not.toBeNull();
    expect(await identity.byCookie(other, FROM)).toBeNull();
    expect(ended).toEqual([{ loginHashes: [principal.loginHash], userId: ann.user.id, why: 'changed' }]);
    await identity.login('ann', 'another good password', FROM);
  });

  it('can be signed out everywhere', async () => {
    const { identity, users, cookie } = await withAnn();
    const ann = await identity.byCookie(cookie, FROM);
    await users.endLogins(ann?.user.id ?? '', BY);
    expect(ended).toEqual([{ loginHashes: [ann?.loginHash], userId: ann?.user.id, why: 'revoked' }]);
    await expect(users.endLogins('nobody', BY)).rejects.toMatchObject({ code: 'not_found' });
  });
});

it('leaves no password, cookie, ticket or token in any file', async () => {
  const secrets = [PASSWORD, 'canary second password', 'canary typed as a name'];
  const { identity, tokens, users, cookie } = await withAnn();
  const ann = await identity.byCookie(cookie, FROM);
  if (!ann) throw new Error('no login');
  await users.changePassword(ann, PASSWORD, 'canary second password', FROM);
  const { cookie: next, principal } = await identity.stepUp(ann, 'canary second password', FROM);
  const { token } = await tokens.create(principal, { label: 'cli', scopes: null, days: 1 });
  const ticket = identity.issueTicket(principal, 'session:x');
  await identity.login('canary typed as a name', 'wrong', FROM).catch(() => undefined);
  const link = await recoverAdministrator(storage, audit);
  await audit.checkpoint();
  secrets.push(cookie, next, token, token.slice(3), ticket, link);
  await storage.backupTo(join(directory, 'copy.db'));
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    if (!/\.(db|db-wal|jsonl|partial)$/.test(name)) continue;
    const content = readFileSync(join(directory, name));
    for (const secret of secrets) expect([name, content.includes(secret)]).toEqual([name, false]);
  }
  // The search itself can find things: the name is there.
  expect(readFileSync(join(directory, 'copy.db')).includes('login.failed')).toBe(true);
});
