/** What ended ends within 2 s, and nothing opens twice. security.md sections 3 "Login and sessions" and 4, rows "Login ended", "Rates", "ticket wrong"; T11, T13. */
import { readFileSync, readdirSync } from 'node:fs';
import type { AuditPage } from '@sallyport/shared/api/audit';
import type { SessionRow } from '@sallyport/shared/api/sessions';
import type { Settings } from '@sallyport/shared/api/settings';
import { type Target, TargetBody } from '@sallyport/shared/api/targets';
import type { ApiToken } from '@sallyport/shared/api/users';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ConsolePage, openBody } from '../lab/console-page.ts';
import { LAB_PASSWORD, type LabGateway, type Person, startGateway } from '../lab/gateway.ts';
import { acceptHostKey, addLabTarget } from '../lab/journeys.ts';
import { addPeople, tokenOf } from '../lab/people.ts';
import { type LabSshd, startSshd } from '../lab/sshd.ts';

const PROMPT_MS = 2000;
/** On a machine that is too busy for 2 s to mean much: whoever waits for a timer of seconds is behind so many answers. */
const PROMPT_ANSWERS = 100;
let gateway: LabGateway;
let sshd: LabSshd;
let ann: Person;
let lab: Target;
let ids: Map<string, string>;

beforeAll(async () => {
  const env = { SALLYPORT_TARGET_RANGES: '' };
  [gateway, sshd] = await Promise.all([startGateway({ env }), startSshd({ subsystem: null })]);
  ann = await gateway.setUp();
  await ann.put('/api/settings', { ...(await ann.get<Settings>('/api/settings')), targetRanges: ['127.0.0.0/8'] });
  ids = await addPeople(ann, { bob: 'operator', cat: 'operator', dan: 'operator', eli: 'operator', fay: 'operator', gus: 'operator', hal: 'operator' }); // prettier-ignore
  lab = await addLabTarget(ann, sshd);
  const page = await ConsolePage.open(ann, openBody(lab.id, 'pty'));
  await acceptHostKey(page);
  await page.untilLive();
  page.send({ type: 'close' });
  await page.untilClosed();
}, 120_000);
afterAll(async () => {
  await gateway.stop();
  await sshd.stop();
});

const openConsole = async (person: Person, target = lab): Promise<ConsolePage> => {
  const page = await ConsolePage.open(person, openBody(target.id, 'pty'));
  await page.untilLive();
  return page;
};
/** What comes of an act within 2 s, or else before the gateway has answered so many requests; null when nothing does. */
async function promptly<T>(look: () => Promise<T | null>): Promise<T | null> {
  const until = performance.now() + PROMPT_MS;
  for (let answers = 0; ; answers += 1) {
    const found = await look();
    if (found !== null || (answers > PROMPT_ANSWERS && performance.now() > until)) return found;
  }
}
/** Close code and reason, which must come at once after the act. */
async function closedBy(page: ConsolePage, act: () => Promise<unknown>): Promise<[number, string] | null> {
  await act();
  return promptly(async () => {
    if (page.close === null) await ann.get('/api/state');
    return page.close === null ? null : [page.close.code, page.close.reason];
  });
}
const change = (name: string, patch: Record<string, unknown>) => ann.patch(`/api/users/${ids.get(name) ?? ''}`, patch);
/** The session's end, which must come at once. */
const endOf = (sessionId: string): Promise<string | null> =>
  promptly(async () => (await ann.get<SessionRow>(`/api/sessions/${sessionId}`)).endReason);

describe('an open console', () => {
  test('closes when its login signs out elsewhere; the session goes on and is picked up anew', async () => {
    const bob = await gateway.signIn('bob');
    const page = await openConsole(bob);
    page.type('echo before-$((40+2))\n');
    await page.untilText('before-42');
    expect(await closedBy(page, () => bob.post('/api/logout', { sessions: 'detach' }))).toEqual([4401, 'revoked']);
    const again = await gateway.signIn('bob');
    const next = await ConsolePage.attach(again, page.sessionId);
    await next.untilText('before-42');
    next.type('echo after-$((40+3))\n');
    await next.untilText('after-43');
    next.send({ type: 'close' });
    await next.untilClosed();
  });

  test('ends with its session when the person says so at sign-out', async () => {
    const bob = await gateway.signIn('bob');
    const page = await openConsole(bob);
    const closed = await closedBy(page, () => bob.post('/api/logout', { sessions: 'end' }));
    expect([4401, 4502]).toContain(closed?.[0]);
    expect(await endOf(page.sessionId)).toBe('closed_by_user');
  });

  test.each([
    ['cat', { disabled: true }],
    ['dan', { role: 'auditor' }],
    ['eli', { password: 'another good password' }],
  ])('closes when %s becomes %j, and the session ends', async (name, patch) => {
    const person = await gateway.signIn(name);
    const page = await openConsole(person);
    expect(await closedBy(page, () => change(name, patch))).toEqual([4401, 'revoked']);
    expect(await endOf(page.sessionId)).toBe('revoked');
    expect((await person.request('GET', '/api/account')).status).toBe(401);
    expect((await person.request('GET', '/api/sessions/socket')).status).toBe(401);
  });

  test('of another login closes when the person changes the password; the one at hand goes on', async () => {
    const [here, there] = [await gateway.signIn('fay'), await gateway.signIn('fay')];
    const [mine, other] = [await openConsole(here), await openConsole(there)];
    const next = 'a third good password';
    expect(await closedBy(other, () => here.post('/api/account/password', { current: LAB_PASSWORD, next }))).toEqual([
      4401,
      'revoked',
    ]);
    mine.type('echo still-$((40+4))\n');
    await mine.untilText('still-44');
    expect((await there.request('GET', '/api/account')).status).toBe(401);
    mine.send({ type: 'close' });
    await mine.untilClosed();
  });

  test('closes when its target leaves the inventory', async () => {
    const spare = await addLabTarget(ann, sshd, 'spare');
    const bob = await gateway.signIn('bob');
    const page = await openConsole(bob, spare);
    const beside = await openConsole(bob);
    expect(await closedBy(page, () => ann.delete(`/api/targets/${spare.id}`))).toEqual([4403, 'grant_removed']);
    expect(await endOf(page.sessionId)).toBe('grant_removed');
    beside.type('echo beside-$((40+5))\n');
    await beside.untilText('beside-45');
    beside.send({ type: 'close' });
    await beside.untilClosed();
  });

  test('closes when its target moves, and when the address of its target leaves the ranges', async () => {
    const bob = await gateway.signIn('bob');
    const moving = await addLabTarget(ann, sshd, 'moving');
    const page = await openConsole(bob, moving);
    const body = { ...z.object(TargetBody.shape).parse(moving), port: 1 };
    const move = (): Promise<unknown> => ann.put(`/api/targets/${moving.id}`, body);
    expect(await closedBy(page, move)).toEqual([4403, 'grant_removed']);
    expect(await endOf(page.sessionId)).toBe('grant_removed');

    const settings = await ann.get<Settings>('/api/settings');
    const beside = await openConsole(bob);
    const narrow = (): Promise<unknown> => ann.put('/api/settings', { ...settings, targetRanges: ['10.0.0.0/8'] });
    expect(await closedBy(beside, narrow)).toEqual([4403, 'grant_removed']);
    expect(await endOf(beside.sessionId)).toBe('grant_removed');
    await ann.put('/api/settings', settings);
  });

  test('closes when an administrator terminates it, with an event that names both', async () => {
    const bob = await gateway.signIn('bob');
    const page = await openConsole(bob);
    const end = (): Promise<unknown> => ann.post(`/api/sessions/${page.sessionId}/terminate`);
    expect(await closedBy(page, end)).toEqual([4502, 'terminated']);
    const { events } = await ann.get<AuditPage>('/api/audit?type=session.terminate');
    expect(events[0]).toMatchObject({ actor: 'ann', subject: `session:${page.sessionId}` });
  });

  test('outlives a confirmed password, under the new cookie only, and ends with it', async () => {
    const bob = await gateway.signIn('bob');
    const page = await openConsole(bob);
    const old = gateway.nobody();
    old.cookie = bob.cookie;
    await bob.post('/api/step-up', { password: LAB_PASSWORD });
    expect(bob.cookie).not.toBe(old.cookie);
    expect((await old.request('GET', '/api/account')).status).toBe(401);
    page.type('echo stepped-$((40+6))\n');
    await page.untilText('stepped-46');
    expect(await closedBy(page, () => bob.post('/api/logout', { sessions: 'detach' }))).toEqual([4401, 'revoked']);
  });
});

test('a session that was left alone ends when its person may no longer sign in', async () => {
  const gus = await gateway.signIn('gus');
  const page = await openConsole(gus);
  await closedBy(page, () => gus.post('/api/logout', { sessions: 'detach' }));
  expect((await ann.get<SessionRow>(`/api/sessions/${page.sessionId}`)).phase).toBe('live');
  await change('gus', { disabled: true });
  expect(await endOf(page.sessionId)).toBe('grant_removed');
});

test('a token ends at once when it is deleted, and with its person', async () => {
  const [hal, other] = [await gateway.signIn('hal'), await gateway.signIn('hal')];
  const [first, second] = [await tokenOf(gateway, hal, null), await tokenOf(gateway, hal, null)];
  const { tokens } = await first.get<{ tokens: ApiToken[] }>('/api/tokens');
  expect(tokens).toHaveLength(2);
  for (const { id } of tokens) await other.delete(`/api/tokens/${id}`);
  for (const program of [first, second]) expect((await program.request('GET', '/api/account')).status).toBe(401);
  const third = await tokenOf(gateway, hal, null);
  await change('hal', { disabled: true });
  expect((await third.request('GET', '/api/account')).status).toBe(401);
});

describe('a ticket', () => {
  const ticketFor = async (person: Person, id: string) =>
    (await person.post<{ ticket: string }>(`/api/sessions/${id}/tickets`)).ticket;
  const refusal = async (person: Person, id: string, ticket: string): Promise<[number, string]> => {
    const page = await ConsolePage.attach(person, id, {}, ticket);
    const { code, reason } = await page.untilClosed();
    return [code, reason];
  };

  test('opens one socket, of the login that asked for it, to the session it was given for', async () => {
    const [bob, elsewhere] = [await gateway.signIn('bob'), await gateway.signIn('bob')];
    const page = await openConsole(bob);
    const other = await openConsole(bob);
    const ticket = await ticketFor(bob, page.sessionId);
    const first = await ConsolePage.attach(bob, other.sessionId, {}, ticket);
    expect(first.last('attached')?.sessionId).toBe(page.sessionId);
    expect(await refusal(bob, page.sessionId, ticket)).toEqual([4401, 'ticket_invalid']);
    const stolen = await ticketFor(bob, page.sessionId);
    expect(await refusal(elsewhere, page.sessionId, stolen)).toEqual([4401, 'ticket_invalid']);
    expect(await refusal(bob, page.sessionId, stolen), 'tried once is used').toEqual([4401, 'ticket_invalid']);
    for (const made of ['', 'x', 'a'.repeat(52), '../../etc'])
      expect(await refusal(bob, page.sessionId, made)).toEqual([4401, 'ticket_invalid']);
    await bob.post('/api/logout', { sessions: 'end' });
  });

  test('and a resume token are worth nothing to another login, nor twice', async () => {
    const [bob, elsewhere] = [await gateway.signIn('bob'), await gateway.signIn('bob')];
    const page = await openConsole(bob);
    const token = page.last('attached')?.resumeToken ?? '';
    page.cut();
    const resume = { token, offset: 0 };
    const thief = await ConsolePage.attach(elsewhere, page.sessionId, { resume }, 'none');
    expect(await thief.untilClosed()).toEqual({ code: 4401, reason: 'resume_invalid' });
    const back = await ConsolePage.attach(bob, page.sessionId, { resume }, 'none');
    expect(back.last('attached')?.sessionId).toBe(page.sessionId);
    const twice = await ConsolePage.attach(bob, page.sessionId, { resume }, 'none');
    expect(await twice.untilClosed()).toEqual({ code: 4401, reason: 'resume_invalid' });
    await bob.post('/api/logout', { sessions: 'end' });
  });
});

/** Nanoseconds that all threads of a process have had a core: however busy the machine is, the same work takes the same. */
const workOf = (pid: number): number =>
  readdirSync(`/proc/${String(pid)}/task`)
    .map((task) => Number(readFileSync(`/proc/${String(pid)}/task/${task}/schedstat`, 'utf8').split(' ')[0]))
    .reduce((sum, each) => sum + each, 0);

describe('the sign-in', () => {
  const attempt = async (name: string, password: string) => {
    const before = workOf(gateway.pid);
    const answer = await gateway.nobody().request<{ error: { code: string; message: string } }>('POST', '/api/login', { name, password }); // prettier-ignore
    const { code, message } = answer.body.error;
    return { status: answer.status, code, message, retry: answer.headers.get('retry-after'), work: workOf(gateway.pid) - before }; // prettier-ignore
  };

  test('says the same of a wrong password, a person who is not there and one who is disabled, after the same work', async () => {
    await addPeople(ann, { ida: 'operator' });
    const known: number[] = [];
    const unknown: number[] = [];
    for (let round = 0; round < 4; round++) {
      const answers = [await attempt('ida', 'wrong'), await attempt(`no-such-${String(round)}`, 'wrong'), await attempt('gus', LAB_PASSWORD)]; // prettier-ignore
      for (const { status, code } of answers) expect([status, code]).toEqual([401, 'bad_credentials']);
      expect(new Set(answers.map(({ message }) => message)).size).toBe(1);
      known.push(answers[0]?.work ?? 0);
      unknown.push(answers[1]?.work ?? 0);
    }
    const ratio = Math.min(...known) / Math.min(...unknown);
    expect(ratio, `known ${known.join(' ')}, unknown ${unknown.join(' ')}`).toBeGreaterThan(0.4);
    expect(ratio).toBeLessThan(2.5);
  });

  test('429 after 10 wrong passwords for an account, whether it is there or not, even to the right one', async () => {
    for (const name of ['ida', 'nobody-of-that-name']) {
      for (let n = 0; n < 10; n++) await attempt(name, 'wrong');
      const refused = await attempt(name, LAB_PASSWORD);
      expect(refused).toMatchObject({ status: 429, code: 'rate_limited' });
      expect(Number(refused.retry)).toBeGreaterThan(60);
      expect(Number(refused.retry)).toBeLessThanOrEqual(900);
    }
    const { events } = await ann.get<AuditPage>('/api/audit?type=login.failed&limit=500');
    expect(events.filter(({ outcome }) => outcome === 'refused')).toHaveLength(2);
    expect(JSON.stringify(events)).not.toContain('nobody-of-that-name');
  });

  test('gives a cookie that scripts cannot read, other sites cannot send, and no other host gets', async () => {
    const { headers } = await gateway.nobody().request('POST', '/api/login', { name: 'ann', password: LAB_PASSWORD });
    const [cookie = ''] = headers.getSetCookie();
    expect(cookie).toMatch(/^sallyport-loopback=[a-z2-7]{52}; Path=\/; HttpOnly; SameSite=Strict$/);
  });
});
