/** Who may sign in: set-up, recovery, sign-in, people. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FROM, PASSWORD, identityWorld } from '../../../test/contracts/identity-fixture.ts';
import { GATEWAY_ACTOR } from '../audit/contract.ts';
import { SallyportError } from '../errors.ts';
import { randomId, tokenHash } from '../random.ts';
import { openIdentity } from './identity.ts';
import { recoverAdministrator } from './recover.ts';

const BY = { actor: GATEWAY_ACTOR };
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const codeOf = (error: unknown): string => (error instanceof SallyportError ? error.code : String(error));
const { at, start, withAnn, types } = identityWorld();

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
    expect(await at.storage.users.count()).toBe(1);
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
    at.isAuditAway = true;
    await expect(identity.setUp(token, 'ann', PASSWORD, FROM)).rejects.toMatchObject({ code: 'audit_unavailable' });
    expect(await at.storage.users.count()).toBe(0);
  });
});

describe('recovery', () => {
  it('restores an administrator who lost the password, and ends what was open', async () => {
    const { cookie, identity: old } = await withAnn();
    const before = await old.byCookie(cookie, FROM);
    const token = await recoverAdministrator(at.storage, at.audit);
    const { identity } = await start();
    expect(await identity.issueSetupToken()).toBeNull();
    await identity.setUp(token, 'ann', 'another good password', FROM);
    expect(at.ended).toEqual([{ loginHashes: [before?.loginHash], userId: before?.user.id, why: 'changed' }]);
    await expect(identity.login('ann', PASSWORD, FROM)).rejects.toMatchObject({ code: 'bad_credentials' });
    await identity.login('ann', 'another good password', FROM);
    await expect(identity.setUp(token, 'eve', PASSWORD, FROM)).rejects.toMatchObject({ code: 'setup_done' });
    expect(types()).toContain('user.recovered ok');
  });

  it('works for an hour from when it was asked for while the gateway runs', async () => {
    const { identity, ...room } = await withAnn();
    const admitRecovery = (hash: string): Promise<void> => room.admitRecovery(hash);
    at.clock.advance(5 * HOUR);
    const [late, token] = [randomId(), randomId()];
    await admitRecovery(tokenHash(late));
    at.clock.advance(HOUR);
    await expect(identity.setUp(late, 'ann', PASSWORD, FROM)).rejects.toMatchObject({ code: 'setup_token_invalid' });
    at.isAuditAway = true;
    await expect(admitRecovery(tokenHash(token))).rejects.toMatchObject({ code: 'audit_unavailable' });
    at.isAuditAway = false;
    await expect(identity.setUp(token, 'ann', PASSWORD, FROM)).rejects.toMatchObject({ code: 'setup_token_invalid' });
    await admitRecovery(tokenHash(token));
    at.clock.advance(HOUR - MINUTE);
    await identity.setUp(token, 'ann', 'another good password', FROM);
    await expect(identity.setUp(token, 'ann', PASSWORD, FROM)).rejects.toMatchObject({ code: 'setup_done' });
  });

  it('leaves the set-up link of a gateway without administrator as good as it was', async () => {
    const { identity } = await start();
    const token = await recoverAdministrator(at.storage, at.audit);
    const setup = (await identity.issueSetupToken()) ?? '';
    await identity.setUp(setup, 'ann', PASSWORD, FROM);
    await identity.setUp(token, 'eve', PASSWORD, FROM);
    expect(await at.storage.users.count()).toBe(2);
  });

  it('is over an hour after the start, whatever the wall clock says', async () => {
    await withAnn();
    const token = await recoverAdministrator(at.storage, at.audit);
    const { identity } = await start();
    at.clock.jumpWall(30 * 24 * HOUR);
    await expect(identity.setUp('x', 'eve', PASSWORD, FROM)).rejects.toMatchObject({ code: 'setup_token_invalid' });
    at.clock.advance(HOUR);
    await expect(identity.setUp(token, 'eve', PASSWORD, FROM)).rejects.toMatchObject({ code: 'setup_token_invalid' });
  });
});

describe('sign-in', () => {
  it('refuses a wrong password, an unknown name and a disabled person alike, each with an event', async () => {
    const { identity, users } = await withAnn();
    const bob = await users.create({ name: 'bob', role: 'operator', password: PASSWORD }, BY);
    await users.change(bob.id, { disabled: true }, BY);
    at.events.length = 0;
    for (const [name, password] of [
      ['ann', 'wrong'],
      ['nobody', PASSWORD],
      ['bob', PASSWORD],
      ["' or 1=1 --", PASSWORD],
      ['ann', ''],
    ] as const)
      await expect(identity.login(name, password, FROM)).rejects.toMatchObject({ code: 'bad_credentials' });
    expect(types()).toEqual(Array.from({ length: 5 }, () => 'login.failed failed'));
    expect(at.events[1]?.subject).toBe('user:unknown');
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
    at.isAuditAway = true;
    await expect(identity.login('ann', PASSWORD, FROM)).rejects.toMatchObject({ code: 'audit_unavailable' });
    expect([...(await at.storage.logins.countByUser()).values()]).toEqual([1]);
  });

  it('lets 10 wrong passwords through in 15 minutes, then none, not even the right one', async () => {
    const { identity } = await withAnn();
    for (let count = 0; count < 10; count++) {
      await expect(identity.login('ann', 'wrong', FROM)).rejects.toMatchObject({ code: 'bad_credentials' });
      await identity.login('bob', 'wrong', FROM).catch(() => undefined);
    }
    at.clock.jumpWall(HOUR);
    at.clock.advance(MINUTE);
    at.events.length = 0;
    for (let count = 0; count < 3; count++)
      await expect(identity.login('ANN ', PASSWORD, { ...FROM, address: `10.0.${count}.1` })).rejects.toMatchObject({
        code: 'rate_limited',
        retryAfterS: 14 * 60,
      });
    // A flood makes one event.
    expect(types()).toEqual(['login.failed refused']);
    at.clock.advance(14 * MINUTE);
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
    const { identity } = await openIdentity({ storage: at.storage, audit: at.audit, clock: at.clock }).then(
      (made) => (at.open.push(made), made),
    );
    const token = (await identity.issueSetupToken()) ?? '';
    const { principal } = await identity.setUp(token, 'ann', PASSWORD, FROM);
    expect(principal.user.passwordHash).toMatch(/^\$argon2id\$v=19\$m=65536,t=3,p=1\$/);
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
      expect(at.ended).toContainEqual({ loginHashes: [principal.loginHash], userId: bob.id, why: 'changed' });
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
    expect(at.ended.at(-1)).toEqual({ loginHashes: [holder?.loginHash], userId: bob.id, why: 'revoked' });
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
    at.isAuditAway = true;
    await expect(users.change(bob.id, { role: 'administrator' }, BY)).rejects.toMatchObject({
      code: 'audit_unavailable',
    });
    expect((await at.storage.users.byId(bob.id))?.role).toBe('operator');
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
    expect(at.ended).toEqual([{ loginHashes: [principal.loginHash], userId: ann.user.id, why: 'changed' }]);
    await identity.login('ann', 'another good password', FROM);
  });

  it('can be signed out everywhere', async () => {
    const { identity, users, cookie } = await withAnn();
    const ann = await identity.byCookie(cookie, FROM);
    await users.endLogins(ann?.user.id ?? '', BY);
    expect(at.ended).toEqual([{ loginHashes: [ann?.loginHash], userId: ann?.user.id, why: 'revoked' }]);
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
  const link = await recoverAdministrator(at.storage, at.audit);
  await at.audit.checkpoint();
  secrets.push(cookie, next, token, token.slice(3), ticket, link);
  await at.storage.backupTo(join(at.directory, 'copy.db'));
  for (const name of readdirSync(at.directory, { recursive: true, encoding: 'utf8' })) {
    if (!/\.(db|db-wal|jsonl|partial)$/.test(name)) continue;
    const content = readFileSync(join(at.directory, name));
    for (const secret of secrets) expect([name, content.includes(secret)]).toEqual([name, false]);
  }
  // The search itself can find things: the name is there.
  expect(readFileSync(join(at.directory, 'copy.db')).includes('login.failed')).toBe(true);
});
