/** Sessions that are left at their targets and not picked up: they end meanwhile, or cannot be. */
import { readFile, writeFile } from 'node:fs/promises';
import { SessionId } from '@sallyport/shared/ids';
import { describe, expect, it } from 'vitest';
import { ann, code, FakeSocket, requester } from '../../../test/contracts/broker-fixture.ts';
import { FakeTerminal } from '../../../test/contracts/fake-terminal.ts';
import {
  ended,
  failing,
  type Gateway,
  leftGateways,
  pickUp,
  place,
  running,
} from '../../../test/contracts/left-fixture.ts';
import { SallyportError, toError } from '../errors.ts';

const HOUR_MS = 3_600_000;
const { gateway, journalOf } = leftGateways();

describe('a session that ends while it waits', () => {
  const left = async (at: Gateway): Promise<string> => {
    const { sessionId } = await running(at);
    await at.broker.leave(ann, sessionId);
    return sessionId;
  };
  const told = (at: Gateway) =>
    at.audited.filter(({ type }) => type === 'session.shellEnded').map(({ outcome, detail }) => [outcome, detail]);
  const untilTold = (at: Gateway) => at.until(() => told(at).length > 0);

  it.each([
    ['its owner', (at: Gateway, id: string) => at.broker.terminate(ann, id), 'closed_by_user'],
    [
      'an administrator',
      (at: Gateway, id: string) => at.broker.terminate(requester('root', 'r', 'administrator'), id),
      'terminated',
    ],
    [
      'its time',
      (at: Gateway) => {
        at.clock.advance(8 * HOUR_MS);
        return at.broker.endOverdue();
      },
      'detached_too_long',
    ],
    [
      'an account that is closed',
      (at: Gateway) => {
        at.gone.add('ann');
        return at.broker.recheck('ann');
      },
      'grant_removed',
    ],
    [
      'a role that may not',
      (at: Gateway) => {
        at.roles.set('ann', 'auditor');
        return at.broker.recheck(null);
      },
      'grant_removed',
    ],
    [
      'a target that is not there for its person any more',
      (at: Gateway) => {
        at.shells.mayWait = false;
        return at.broker.recheck(null);
      },
      'grant_removed',
    ],
  ] as const)('by %s is ended at its target too, once', async (_, end, reason) => {
    const at = gateway();
    const sessionId = await left(at);
    await end(at, sessionId);
    expect(at.rows.get(sessionId)).toMatchObject({ endReason: reason, left: null });
    await untilTold(at);
    expect(at.shells.ended).toEqual([{ id: sessionId, shellId: 'SHELL', reopen: '{"to":"web01"}' }]);
    expect(told(at)).toEqual([['ok', { shell: 'SHELL', is: 'deleted' }]]);
  });

  it('waits on while its person and its target are what they were', async () => {
    const at = gateway();
    const sessionId = await left(at);
    await at.broker.recheck(null);
    at.broker.loginsEnded({ loginHashes: ['ann-2'], userId: 'ann', why: 'revoked' });
    at.broker.loginsEnded({ loginHashes: ['ann-1'], userId: 'ann', why: 'logout' });
    await at.broker.endOverdue();
    expect((await at.broker.get(ann, sessionId)).phase).toBe('left');
    expect(at.shells.ended).toEqual([]);
  });

  it('ends with the login that had it, when that is revoked', async () => {
    const at = gateway();
    const sessionId = await left(at);
    // Picked up and left with another login: that one counts.
    const { terminal } = await pickUp(at, sessionId, requester('ann', 'other'));
    await at.until(() => at.rows.get(sessionId)?.leftAt === null);
    terminal.standsAt(place());
    await at.broker.leave(ann, sessionId);
    at.broker.loginsEnded({ loginHashes: ['ann-1'], userId: 'ann', why: 'revoked' });
    at.broker.loginsEnded({ loginHashes: ['other'], userId: 'ann', why: 'revoked' });
    await untilTold(at);
    expect(at.rows.get(sessionId)?.endReason).toBe('revoked');
  });

  it.each([
    ['gone', 'ok', { is: 'gone' }],
    ['needs_person', 'failed', { is: 'kept', why: 'needs_person' }],
    ['place_changed', 'failed', { is: 'kept', why: 'place_changed' }],
    ['target_unreachable', 'failed', { is: 'kept', why: 'target_unreachable' }],
  ] as const)('is ended here whatever the target says: %s', async (what, outcome, detail) => {
    const at = gateway();
    at.shells.answer = () =>
      what === 'target_unreachable' ? Promise.reject(new SallyportError(what, 'as it says')) : Promise.resolve(what);
    const sessionId = await left(at);
    await at.broker.terminate(ann, sessionId);
    expect(at.rows.get(sessionId)?.endReason).toBe('closed_by_user');
    await untilTold(at);
    expect(told(at)).toEqual([[outcome, { shell: 'SHELL', ...detail }]]);
  });

  it('is told with the shell of its files, which a gateway left that was killed', async () => {
    const at = gateway();
    const sessionId = await left(at);
    const row = at.rows.get(sessionId);
    if (row === undefined) throw new Error('no row');
    at.rows.set(sessionId, { ...row, left: JSON.stringify({ ...place(), filesShellId: 'FILES' }) });
    await at.broker.terminate(ann, sessionId);
    await untilTold(at);
    expect(told(at)).toEqual([['ok', { shell: 'SHELL', files: 'FILES', is: 'deleted' }]]);
  });

  it('is not ended by a wall clock that was set wrong, nor by one that a gateway started with', async () => {
    const at = gateway();
    const sessionId = await left(at);
    at.clock.advance(HOUR_MS);
    at.clock.jumpWall(100 * HOUR_MS);
    await at.broker.endOverdue();
    expect(at.rows.get(sessionId)?.endedAt).toBeNull();
    at.clock.jumpWall(-100 * HOUR_MS);
    await at.broker.endOverdue();
    at.clock.jumpWall(100 * HOUR_MS);
    const later = gateway(at.world);
    await later.broker.endOverdue();
    expect(later.rows.get(sessionId)?.endedAt).toBeNull();
    expect((await later.broker.get(ann, sessionId)).phase).toBe('left');
    later.clock.advance(HOUR_MS);
    await later.broker.endOverdue();
    expect(later.rows.get(sessionId)?.endReason).toBe('detached_too_long');
  });

  it('is not waited for by a gateway that stops, nor asked about when the target has let go of it', async () => {
    const at = gateway();
    at.shells.answer = () => new Promise(() => undefined);
    await at.broker.terminate(ann, await left(at));
    await at.broker.closeAll('draining', 10_000);
    expect(told(at)).toEqual([['failed', { shell: 'SHELL', is: 'kept', why: 'draining' }]]);
    const other = gateway();
    const sessionId = await left(other);
    await pickUp(other, sessionId, ann, failing('target_shell_gone'));
    await other.until(() => other.rows.get(sessionId)?.endReason === 'target_shell_gone');
    expect(other.shells.ended).toEqual([]);
  });

  it('while it is picked up is ended at its target as well', async () => {
    const at = gateway();
    const sessionId = await left(at);
    await pickUp(at, sessionId, ann, failing('grant_removed'));
    await untilTold(at);
    expect(at.rows.get(sessionId)).toMatchObject({ endReason: 'grant_removed', left: null });
    expect(at.shells.ended).toMatchObject([{ id: sessionId, shellId: 'SHELL' }]);
  });

  it('while a target is waited for that does not answer is ended, and does not go back to waiting', async () => {
    const at = gateway();
    const sessionId = await left(at);
    const waits = Object.assign(new FakeTerminal('powershell'), {
      open: (_port: unknown, _size: unknown, signal: AbortSignal) =>
        new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(toError(signal.reason)))),
    });
    await pickUp(at, sessionId, ann, waits);
    expect((await at.broker.get(ann, sessionId)).phase).toBe('opening');
    await at.broker.terminate(ann, sessionId);
    expect(at.rows.get(sessionId)).toMatchObject({ endReason: 'closed_by_user', left: null });
    await untilTold(at);
    expect(at.shells.ended).toHaveLength(1);
  });

  it('is either picked up or ended, when both come at once', async () => {
    for (const isFirst of [true, false]) {
      const at = gateway();
      const sessionId = await left(at);
      const pick = () => pickUp(at, sessionId).then(({ terminal, given }) => ({ terminal, given }));
      const end = () => at.broker.terminate(ann, sessionId);
      const [picked] = isFirst
        ? await Promise.all([pick(), end()])
        : await Promise.all([end(), pick()]).then(([, other]) => [other] as const);
      expect(at.rows.get(sessionId)).toMatchObject({ endReason: 'closed_by_user', left: null, leftAt: null });
      expect((await at.recordings.check(SessionId.parse(sessionId))).chain).toBe('verified');
      expect(at.broker.counts().sessions).toBe(0);
      // Whoever has it ends it: the terminal that was opened, or else the gateway by itself.
      expect(at.shells.ended).toHaveLength(picked.given.left === null ? 1 : 0);
    }
  });
});

describe('a session that cannot be picked up', () => {
  it('nor ended as if nothing was, when its recording was cut on the disk: that stays as evidence', async () => {
    for (const how of ['pickUp', 'terminate'] as const) {
      const at = gateway();
      const { sessionId } = await running(at);
      await at.broker.leave(ann, sessionId);
      const head = at.catalogue.rows.get(sessionId)?.head;
      expect(at.audited.findLast(({ type }) => type === 'session.left')?.detail).toMatchObject({ head });
      const journal = journalOf(at, sessionId);
      const cut = (await readFile(journal)).subarray(0, -5);
      await writeFile(journal, cut);
      if (how === 'pickUp') expect(await code(pickUp(at, sessionId))).toBe('recording_corrupt');
      else await at.broker.terminate(ann, sessionId);
      const reason = how === 'pickUp' ? 'recording_corrupt' : 'closed_by_user';
      expect(at.rows.get(sessionId)).toMatchObject({ endReason: reason, left: null });
      const damaged = at.audited.filter(({ type }) => type === 'recording.damaged');
      expect(damaged).toMatchObject([{ outcome: 'failed', subject: `session:${sessionId}`, detail: { reason } }]);
      expect((await at.recordings.check(SessionId.parse(sessionId))).chain).toBe('broken');
      expect((await readFile(journal)).equals(cut)).toBe(true);
      // What runs there is not ended for it: its person may take it up as a new session, with a new recording.
      expect(at.shells.ended).toHaveLength(how === 'pickUp' ? 0 : 1);
      if (how === 'pickUp') expect(await at.broker.ofShell('SHELL')).toMatchObject({ userId: 'ann', isOver: true });
    }
  });

  it('waits on when only the way there is wrong, and ends when the target does not know it', async () => {
    const at = gateway();
    const { sessionId } = await running(at);
    await at.broker.leave(ann, sessionId);
    await pickUp(at, sessionId, ann, failing('target_unreachable'));
    await at.until(() => at.broker.counts().sessions === 0);
    expect(await at.broker.get(ann, sessionId)).toMatchObject({ phase: 'left', endedAt: null });
    await pickUp(at, sessionId, ann, failing('target_shell_gone'));
    await at.until(() => at.rows.get(sessionId)?.endedAt !== null);
    expect(at.rows.get(sessionId)).toMatchObject({ endReason: 'target_shell_gone', left: null });
    expect(at.ledgered.at(-1)).toBe('end 3 lost');
    expect((await at.recordings.check(SessionId.parse(sessionId))).chain).toBe('verified');
  });

  it('waits on when its person may not have it now, or nobody accepts the certificate there', async () => {
    const at = gateway();
    const { sessionId } = await running(at);
    await at.broker.leave(ann, sessionId);
    const refusal = () => Promise.reject(new SallyportError('step_up_required', 'as the plan says'));
    expect(await code(at.broker.pickUp(ann, sessionId, refusal))).toBe('step_up_required');
    for (const reason of ['tls_certificate_changed', 'target_timeout', 'target_auth_failed', 'wsman_redirect_refused'] as const) {
      await pickUp(at, sessionId, ann, failing(reason));
      await at.until(() => at.broker.counts().sessions === 0);
      expect(await at.broker.get(ann, sessionId), reason).toMatchObject({ phase: 'left', endedAt: null });
    }
    expect(at.shells.ended).toEqual([]);
    await ended(at, sessionId, (await pickUp(at, sessionId)).terminal);
    expect((await at.recordings.check(SessionId.parse(sessionId))).chain).toBe('verified');
  }); // prettier-ignore

  it('is picked up once, however many pages come', async () => {
    const at = gateway();
    const { sessionId } = await running(at);
    await at.broker.leave(ann, sessionId);
    const terminal = new FakeTerminal('powershell');
    const both = await Promise.all([
      pickUp(at, sessionId, ann, terminal),
      pickUp(at, sessionId, ann, failing('internal')),
    ]);
    expect(both.map(({ given }) => given.left !== null)).toEqual([true, false]);
    const pages = await Promise.all([at.attach(sessionId, 15), at.attach(sessionId, 15)]);
    expect(pages.map(({ page }) => page.role)).toEqual(['controller', 'viewer']);
    expect(at.audited.filter(({ type }) => type === 'session.pickedUp')).toHaveLength(1);
    await ended(at, sessionId, terminal);
  });

  it('counts against the limits like an opening', async () => {
    // It waits since a time with another limit.
    const before = gateway();
    const { sessionId } = await running(before);
    const other = await before.open('pty');
    await before.broker.leave(ann, sessionId);
    await ended(before, other.sessionId, other.terminal);
    const at = gateway(before.world, { sessionsPerUser: 1 });
    const again = await pickUp(at, sessionId);
    expect(await code(at.open('pty'))).toBe('too_many_sessions');
    await ended(at, sessionId, again.terminal);
  });

  it('ends when its time is over, for the reason that was first', async () => {
    const at = gateway();
    const alone = await running(at);
    await at.broker.leave(ann, alone.sessionId);
    const { terminal, sessionId } = await at.open('powershell');
    terminal.standsAt(place());
    await at.broker.leave(ann, sessionId);
    const row = at.rows.get(sessionId);
    const facts = JSON.stringify({ ...(JSON.parse(row?.facts ?? '') as object), leavable: { keptMs: HOUR_MS } });
    if (row !== undefined) at.rows.set(sessionId, { ...row, facts });
    at.clock.advance(HOUR_MS - 1);
    await at.broker.endOverdue();
    expect([...at.rows.values()].every(({ endedAt }) => endedAt === null)).toBe(true);
    at.clock.advance(1);
    await at.broker.endOverdue();
    expect(at.rows.get(sessionId)?.endReason).toBe('target_shell_gone');
    at.clock.advance(7 * HOUR_MS);
    await at.broker.endOverdue();
    expect(at.rows.get(alone.sessionId)?.endReason).toBe('detached_too_long');
    const picked = new FakeSocket();
    await pickUp(at, sessionId);
    expect(await code(at.broker.attach(ann, sessionId, { cols: 1, rows: 1, offset: 0, takeOver: false }, picked))).toBe(
      'not_found',
    );
  });
});
