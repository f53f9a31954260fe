/** Backup while sessions write, restore into a new directory, work there: with the built program, as an operator does it. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { AuditPage } from '@sallyport/shared/api/audit';
import type { RecordingInfo, SessionRow } from '@sallyport/shared/api/sessions';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConsolePage, openBody } from '../lab/console-page.ts';
import { LAB_PASSWORD, type LabGateway, PROGRAM, Person, startGateway } from '../lab/gateway.ts';
import { acceptHostKey, addLabTarget, recordedOutput } from '../lab/journeys.ts';
import { type LabSshd, startSshd } from '../lab/sshd.ts';

let directory: string;
let gateway: LabGateway;
let sshd: LabSshd;
let ann: Person;
let targetId: string;

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'sallyport-drill-'));
  [gateway, sshd] = await Promise.all([startGateway(), startSshd()]);
  ann = await gateway.setUp();
  targetId = (await addLabTarget(ann, sshd)).id;
  const page = await ConsolePage.open(ann, openBody(targetId, 'pty'));
  await acceptHostKey(page);
  await page.untilLive();
  page.type('exit\n');
  await page.untilMessage('ended');
});
afterAll(async () => {
  await gateway.stop();
  await sshd.stop();
  rmSync(directory, { recursive: true, force: true });
});

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}
/** A command of the built program. */
const sallyport = (...args: string[]): Promise<Ran> =>
  new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, ...args], { cwd: directory }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
/** Several processes start in each test, and Node.js takes its time on a busy machine. */
const LONG_MS = 240_000;
const at = (name: string): string => path.join(directory, name);

describe('backup and restore', () => {
  test(
    'while a session writes: the copy signs in, replays, verifies, and goes on',
    async () => {
      const first = await ConsolePage.open(ann, openBody(targetId, 'pty'));
      await first.untilLive();
      first.type('echo first-$((40+2)); exit\n');
      await first.untilMessage('ended');
      const live = await ConsolePage.open(ann, openBody(targetId, 'pty'));
      await live.untilLive();
      // With a trap and in a script: an interactive shell whose child ends by itself just then goes on with its loop.
      live.type(`exec sh -c 'trap exit INT; while :; do i=$((i+1)); echo line-$i; sleep 0.02; done'\n`);
      await live.until(() => live.bytes > 1000, 'output that goes on');
      const seenBefore = live.buffer();
      const made = await sallyport('backup', '--data', gateway.dataDir, '--to', at('copy'), '--keys-to', at('keys'));
      expect(made).toMatchObject({ code: 0, err: '' });
      live.type('\u0003');
      await live.untilMessage('ended');

      // Keys apart: none in the copy, and the manifest names every other file.
      const copied = readdirSync(at('copy'), { recursive: true, encoding: 'utf8' });
      expect(copied.filter((name) => /\.key|\.pub/.test(name))).toEqual([]);
      expect(readdirSync(at('keys')).sort()).toEqual(['audit-signing.key', 'audit-signing.pub', 'vault.key']);
      const vaultKey = readFileSync(at('keys/vault.key'));
      for (const name of copied.filter((file) => !existsSync(at(`copy/${file}/`))))
        expect([name, readFileSync(at(`copy/${name}`)).includes(vaultKey)]).toEqual([name, false]);

      const restored = await sallyport('restore', '--from', at('copy'), '--keys-from', at('keys'), '--data', at('new'));
      expect(restored).toMatchObject({ code: 0, err: '' });
      expect(restored.out).toContain('The audit log is whole');
      const second = await startGateway({ dataDir: at('new') });
      try {
        expect(second.setupToken).toBeNull();
        const person = await second.signIn('ann');
        const rows = await person.get<{ sessions: SessionRow[] }>('/api/sessions?limit=10');
        const lost = rows.sessions.find(({ id }) => id === live.sessionId);
        expect(lost).toMatchObject({ phase: 'ended', endReason: 'gateway_lost', hasRecording: true });
        expect((await recordedOutput(person, first.sessionId)).equals(first.buffer())).toBe(true);
        // What was shown before the backup began is in its recording.
        const partial = await recordedOutput(person, live.sessionId);
        expect(partial.subarray(0, seenBefore.length).equals(seenBefore)).toBe(true);
        for (const { sessionId } of [first, live])
          expect(await person.get<RecordingInfo>(`/api/recordings/${sessionId}`)).toMatchObject({ chain: 'verified' });
        // The vault opens here: the stored key signs in to the target, whose host key is still pinned.
        const page = await ConsolePage.open(person, openBody(targetId, 'pty'));
        await page.untilLive();
        page.type('echo again-$((1+1)); exit\n');
        await page.untilText('again-2');
        await page.untilMessage('ended');
      } finally {
        await second.stop();
      }
      expect(await sallyport('audit', 'verify', '--data', at('new'))).toMatchObject({ code: 0 });
    },
    LONG_MS,
  );

  test(
    'refuses what is changed, what is not empty, and names it',
    async () => {
      await sallyport('backup', '--data', gateway.dataDir, '--to', at('bad'), '--keys-to', at('bad-keys'));
      writeFileSync(at('bad/sallyport.db'), 'x', { flag: 'a' });
      const changed = await sallyport(
        'restore',
        '--from',
        at('bad'),
        '--keys-from',
        at('bad-keys'),
        '--data',
        at('n2'),
      );
      expect(changed).toMatchObject({ code: 1, out: '' });
      expect(changed.err).toContain('sallyport.db of the backup is missing or changed');
      expect(existsSync(at('n2'))).toBe(false);
      expect((await sallyport('backup', '--data', gateway.dataDir, '--to', at('bad'))).code).toBe(1);
      expect((await sallyport('backup')).code).toBe(2);
    },
    LONG_MS,
  );
});

describe('user recover', () => {
  test(
    'beside the running gateway: the link makes an administrator once, audited',
    async () => {
      const { code, out } = await sallyport('user', 'recover', '--data', gateway.dataDir, '--json');
      expect(code).toBe(0);
      const { link } = JSON.parse(out) as { link: string };
      expect(link.startsWith(`${gateway.url}/setup#`)).toBe(true);
      const token = link.slice(link.indexOf('#') + 1);
      const eve = new Person(gateway.url);
      await eve.post('/api/setup', { token, name: 'eve', password: LAB_PASSWORD });
      expect(await eve.get('/api/account')).toMatchObject({ name: 'eve', role: 'administrator' });
      expect((await eve.request('POST', '/api/setup', { token, name: 'x', password: LAB_PASSWORD })).status).toBe(409);
      const { events } = await eve.get<AuditPage>('/api/audit?limit=50&type=user.recovered');
      expect(events.map(({ detail }) => detail)).toEqual([{ role: 'administrator' }, { step: 'link issued' }]);
      expect(gateway.stderr()).not.toContain(token);
    },
    LONG_MS,
  );
});

describe('one recording', () => {
  test(
    'is deleted by hand: by an administrator with a fresh password, with an event, never while live',
    async () => {
      const page = await ConsolePage.open(ann, openBody(targetId, 'pty'));
      await page.untilLive();
      const route = `/api/recordings/${page.sessionId}`;
      expect((await ann.request('DELETE', route)).body).toMatchObject({ error: { code: 'bad_state' } });
      page.type('exit\n');
      await page.untilMessage('ended');
      // Programs have run before this, and a confirmed password holds for 5 minutes.
      await ann.post('/api/step-up', { password: LAB_PASSWORD });
      await ann.post('/api/users', { name: 'olga', role: 'operator', password: LAB_PASSWORD });
      const olga = await gateway.signIn('olga');
      // The same answer for what is not there: her role may not delete at all, and learns nothing.
      const nothing = `/api/recordings/${'a'.repeat(page.sessionId.length)}`;
      for (const path of [route, nothing])
        expect(await olga.request('DELETE', path)).toMatchObject({
          status: 403,
          body: { error: { code: 'forbidden' } },
        });
      expect((await ann.request('DELETE', route)).status).toBeLessThan(300);
      expect((await ann.request('GET', route)).status).toBe(404);
      expect((await ann.request('DELETE', route)).status).toBe(404);
      expect(await ann.get(`/api/sessions/${page.sessionId}`)).toMatchObject({ hasRecording: false });
      const { events } = await ann.get<AuditPage>('/api/audit?limit=5&type=recording.deleted');
      expect(events.map(({ subject }) => subject)).toEqual([`session:${page.sessionId}`]);
    },
    LONG_MS,
  );
});

describe('a person who is disabled', () => {
  test('loses sessions that they left behind long ago, at once', async () => {
    const { id } = await ann.post<{ id: string }>('/api/users', {
      name: 'paul',
      role: 'operator',
      password: LAB_PASSWORD,
    });
    const paul = await gateway.signIn('paul');
    const page = await ConsolePage.open(paul, openBody(targetId, 'pty'));
    await page.untilLive();
    // The session goes on, detached; no login knows of it any more, and there is nobody else to tell it.
    await paul.post('/api/logout', { sessions: 'detach' });
    await page.untilClosed();
    const route = `/api/sessions/${page.sessionId}`;
    expect(await ann.get<SessionRow>(route)).toMatchObject({ endReason: null, attached: false });
    await ann.patch(`/api/users/${id}`, { disabled: true });
    await expect.poll(async () => (await ann.get<SessionRow>(route)).endReason, { interval: 50 }).toBe('grant_removed');
  });
});

describe('a graceful stop', () => {
  test(
    'ends every session with a reason, seals and signs, and exits 0',
    async () => {
      const page = await ConsolePage.open(ann, openBody(targetId, 'pty'));
      await page.untilLive();
      const exit = gateway.terminate();
      expect(await page.untilMessage('ended')).toMatchObject({ reason: 'draining' });
      expect(await page.untilClosed()).toMatchObject({ code: 4503 });
      expect(await exit).toBe(0);
      const verdict = await sallyport('audit', 'verify', '--data', gateway.dataDir, '--json');
      const result = JSON.parse(verdict.out) as { ok: boolean; events: number; signedThrough: number; head: string };
      expect(result).toMatchObject({ ok: true, signedThrough: result.events });
      // The last head in the log stream is a kept head: it fits, and another one does not.
      const heads = gateway
        .stderr()
        .split('\n')
        .filter((line) => line.includes('AuditCheckpoint'))
        .map((line) => JSON.parse(line) as { sequence: number; hash: string });
      const kept = heads.at(-1);
      const verify = (sequence: number, hash: string): Promise<Ran> =>
        sallyport('audit', 'verify', '--data', gateway.dataDir, '--head', `${sequence}:${hash}`);
      expect(kept?.sequence).toBe(result.events);
      expect((await verify(kept?.sequence ?? 0, kept?.hash ?? '')).code).toBe(0);
      expect((await verify((kept?.sequence ?? 0) + 1, 'a'.repeat(64))).out).toContain('BROKEN at event');
      expect((await verify(1, 'a'.repeat(64))).code).toBe(1);
    },
    LONG_MS,
  );
});
