/** Sessions that are left at their targets: by their owner, by a gateway that stops, by one that was killed. */
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SessionId } from '@sallyport/shared/ids';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ann, brokerIn, code, FakeSocket, request, requester } from '../../../test/contracts/broker-fixture.ts';
import { FakeTerminal } from '../../../test/contracts/fake-terminal.ts';
import { all } from '../../../test/contracts/recording-fixture.ts';
import { SallyportError, toError } from '../errors.ts';
import type { LeftTerminal } from '../terminals/contract.ts';

const HOUR_MS = 3_600_000;
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sallyport-left-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});
type World = ReturnType<typeof brokerIn>['world'];
const gateway = (world?: World, limits?: Parameters<typeof brokerIn>[1]) =>
  brokerIn(directory, limits, world === undefined ? {} : { world });
type Gateway = ReturnType<typeof gateway>;

const place = (pipelineId: string | null = null): LeftTerminal => ({
  ...{ shellId: 'SHELL', poolId: 'pool', holder: 'me', pipelineId, remote: 'PowerShell 7.6.5', calls: [] },
});
const start = (text: string, pipelineId: string) => ({ text, pipelineId, runspacePoolId: 'pool', shellId: 'SHELL' });

/** A session with one line that has ended and one that runs; its page has seen all of it. */
async function running(at: Gateway) {
  const { terminal, sessionId } = await at.open('powershell');
  terminal.standsAt(place());
  terminal.ear.echo(1, Buffer.from('one\r\n'));
  const first = await terminal.ear.commandStarting(start('one', 'p1'));
  terminal.print('1\r\n');
  first.ended({ state: 'completed', errorCount: 0, outputBytes: 3 });
  terminal.ear.echo(2, Buffer.from('two\r\n'));
  await terminal.ear.commandStarting(start('two', 'p2'));
  terminal.standsAt(place('p2'));
  const { page, socket } = await at.attach(sessionId);
  terminal.print('21');
  await socket.until(() => socket.bytes.toString().endsWith('21'));
  return { terminal, sessionId, page, socket };
}

/** Picks it up; `left` is what the terminal was given. */
async function pickUp(at: Gateway, sessionId: string, who = ann, terminal = new FakeTerminal('powershell')) {
  const given: { left: LeftTerminal | null; reopen: string } = { left: null, reopen: '' };
  await at.broker.pickUp(who, sessionId, (reopen) => {
    given.reopen = reopen;
    const openTerminal = (left: LeftTerminal) => {
      given.left = left;
      return terminal.open;
    };
    return Promise.resolve({ request: request('powershell'), openTerminal });
  });
  return { terminal, given };
}

/** Its end is written down, and nothing of it is on its way to the disk. */
async function ended(at: Gateway, sessionId: string, terminal: FakeTerminal) {
  await terminal.close('exited');
  await at.until(() => at.rows.get(sessionId)?.endedAt !== null);
}

/** Goes on to the end of the running line, and ends the session. */
async function finish(at: Gateway, sessionId: string, offset: number) {
  const terminal = new FakeTerminal('powershell');
  terminal.openWith = (ear) => {
    const run = ear.commandContinuing({ runspacePoolId: 'pool', pipelineId: 'p2' });
    ear.output(Buffer.from('22\r\n'));
    run.ended({ state: 'completed', errorCount: 1, outputBytes: 4 });
  };
  const { given } = await pickUp(at, sessionId, ann, terminal);
  const { socket } = await at.attach(sessionId, offset);
  await socket.until(() => socket.bytes.length >= 4);
  await ended(at, sessionId, terminal);
  await socket.has('ended');
  return { given, socket };
}

async function checkOne(at: Gateway, sessionId: string) {
  const output = Buffer.concat(await all(at.recordings.readOutput(SessionId.parse(sessionId), 0, 19))).toString();
  expect(output).toBe('one\r\n1\r\ntwo\r\n2122\r\n');
  expect((await at.recordings.check(SessionId.parse(sessionId))).chain).toBe('verified');
  expect(at.ledgered).toEqual(['start 1 one', 'end 1 completed', 'start 2 two', 'end 3 completed']);
  // The echo of the line and what came before the pause belong to it.
  expect(at.world.entries.get('3')).toMatchObject({ state: 'completed', errorCount: 1, outputBytes: 7 + 4 });
  expect([...at.rows.values()]).toMatchObject([
    { id: sessionId, endReason: 'exited', commandCount: 2, errorCount: 1, outputBytes: 19, left: null, leftAt: null },
  ]);
}

/** A terminal that does not come to stand. */
const failing = (reason: ConstructorParameters<typeof SallyportError>[0]) => {
  const terminal = new FakeTerminal('powershell');
  return Object.assign(terminal, { open: () => Promise.reject(new SallyportError(reason, 'as the test says')) });
};

describe('a session that its owner leaves', () => {
  it('waits, and goes on as one session with one recording and the same rows', async () => {
    const at = gateway();
    const { terminal, sessionId, socket } = await running(at);
    expect(await code(at.broker.leave(requester('bob'), sessionId))).toBe('not_found');
    await at.broker.leave(ann, sessionId);
    expect(terminal.calls).toContain('leave');
    expect(socket.find('ended')).toMatchObject({ reason: 'session_left' });
    const row = await at.broker.get(ann, sessionId);
    expect(row).toMatchObject({ phase: 'left', endedAt: null, commandCount: 2, hasRecording: true });
    expect(row.leftUntil).toBe(at.clock.now() + 8 * HOUR_MS);
    expect(at.broker.counts().sessions).toBe(0);
    expect(await at.broker.ofShell('shell')).toEqual({ id: sessionId, userId: 'ann', isOver: false });
    expect(await code(pickUp(at, sessionId, requester('bob')))).toBe('not_found');
    const { given, socket: later } = await finish(at, sessionId, 15);
    expect(given).toEqual({ left: place('p2'), reopen: '{"to":"web01"}' });
    expect(later.bytes.toString()).toBe('22\r\n');
    expect(later.find('attached').commands.map(({ number, state, offset }) => [number, state, offset])).toEqual([
      [1, 'completed', 0],
      [2, expect.stringMatching(/running|completed/), 8],
    ]);
    await checkOne(at, sessionId);
    expect(at.audited.map(({ type }) => type)).toEqual(
      [
        ...['session.open', 'session.attach', 'session.detach', 'session.left'],
        ...['session.pickedUp', 'session.attach', 'session.end'],
      ].filter((type) => type !== 'session.detach'),
    );
  });

  it('tells every page that shows it, and no page has it then', async () => {
    const at = gateway();
    const { terminal, sessionId, page, socket } = await running(at);
    const viewer = await at.attach(sessionId, 15);
    expect([page.role, viewer.page.role]).toEqual(['controller', 'viewer']);
    terminal.print('bye');
    await at.broker.leave(ann, sessionId);
    for (const each of [socket, viewer.socket]) {
      await each.until(() => each.closed !== null);
      expect(each.closed).toEqual([4502, 'session_left']);
      // What was told before it was left has been shown, and nothing comes behind the end.
      expect(each.order.slice(-2)).toEqual(['bytes bye', 'ended']);
      expect(each.controls.filter(({ type }) => type === 'ended')).toMatchObject([{ reason: 'session_left' }]);
    }
    expect(at.broker.counts()).toEqual({ sessions: 0, pages: 0 });
    await at.broker.terminate(ann, sessionId);
  });

  it('is shown its last output when a new page picks it up', async () => {
    const at = gateway();
    const { sessionId } = await running(at);
    await at.broker.leave(ann, sessionId);
    const { terminal } = await pickUp(at, sessionId);
    const { socket } = await at.attach(sessionId);
    await socket.until(() => socket.bytes.toString().endsWith('21'));
    expect(socket.bytes.toString()).toBe('one\r\n1\r\ntwo\r\n21');
    // The target did not name the line that ran.
    expect(at.ledgered.at(-1)).toBe('end 3 lost');
    await ended(at, sessionId, terminal);
  });

  it('cannot be one that the terminal cannot leave, and goes on then', async () => {
    const at = gateway();
    const { terminal, sessionId } = await at.open('powershell');
    expect(await code(at.broker.leave(ann, sessionId))).toBe('session_not_leavable');
    terminal.standsAt(place());
    terminal.standsAt(null);
    expect(await code(at.broker.leave(ann, sessionId))).toBe('session_not_leavable');
    expect((await at.broker.get(ann, sessionId)).phase).toBe('live');
    await at.until(() => at.rows.get(sessionId)?.left === null);
    await ended(at, sessionId, terminal);
  });

  it('can be ended while it waits, by those who may', async () => {
    const at = gateway();
    const { sessionId } = await running(at);
    await at.broker.leave(ann, sessionId);
    expect(await code(at.broker.terminate(requester('bob'), sessionId))).toBe('not_found');
    await at.broker.terminate(requester('root', 'r', 'administrator'), sessionId);
    expect(at.rows.get(sessionId)).toMatchObject({ endReason: 'terminated', left: null });
    expect(at.ledgered.at(-1)).toBe('end 3 lost');
    expect((await at.recordings.check(SessionId.parse(sessionId))).chain).toBe('verified');
    expect((await at.broker.get(ann, sessionId)).phase).toBe('ended');
  });
});

describe('a shell at a target', () => {
  const take = (at: Gateway, who: typeof ann) =>
    at.broker.open(who, { ...request('powershell'), shell: 'Shell' }, new FakeTerminal('powershell').open);
  const ofOther = 'target_shell_of_other';

  it('is of the one who had it, also when the session has ended here', async () => {
    const at = gateway();
    const { sessionId } = await running(at);
    expect(await code(take(at, requester('bob')))).toBe(ofOther);
    await at.broker.leave(ann, sessionId);
    expect(await code(take(at, requester('bob')))).toBe(ofOther);
    await at.broker.terminate(ann, sessionId);
    expect(await at.broker.ofShell('shell')).toEqual({ id: sessionId, userId: 'ann', isOver: true });
    const before = at.rows.size;
    for (const who of [requester('bob'), requester('root', 'r', 'administrator')])
      expect(await code(take(at, who))).toBe(ofOther);
    expect(at.rows.size).toBe(before);
    const refused = at.audited.filter(({ type }) => type === 'session.shellRefused');
    expect(refused.map(({ actor, subject, outcome, detail }) => [actor.userId, subject, outcome, detail])).toEqual(
      ['bob', 'bob', 'bob', 'root'].map((userId) => [
        userId,
        `session:${sessionId}`,
        'refused',
        { shell: 'SHELL', targetId: 't1', target: 'web01:22' },
      ]),
    );
    // Whose it was may have it again, as a new session.
    expect(await code(take(at, ann))).toBe('none');
  });

  it('that nobody had is of the first who takes it', async () => {
    const at = gateway();
    const both = await Promise.all([code(take(at, ann)), code(take(at, requester('bob')))]);
    expect(both).toEqual(['none', 'target_shell_in_use']);
    expect(await code(take(at, requester('bob')))).toBe(ofOther);
  });
});

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

describe('a gateway that ends', () => {
  it('leaves on a stop what it can, and its pages come back by themselves', async () => {
    const before = gateway();
    const { sessionId, socket } = await running(before);
    const { sessionId: other } = await before.open('pty');
    await before.broker.closeAll('draining', 10_000);
    expect(socket.closed).toEqual([4503, 'draining']);
    expect(socket.order).not.toContain('ended');
    expect(before.rows.get(other)?.endReason).toBe('draining');
    before.rows.delete(other);
    const at = gateway(before.world);
    expect(await at.broker.recover()).toBe(0);
    const { socket: later } = await finish(at, sessionId, 15);
    expect(later.bytes.toString()).toBe('22\r\n');
    await checkOne(at, sessionId);
  });

  it('leaves what does not answer in time as well', async () => {
    const before = gateway();
    const { terminal, sessionId } = await running(before);
    terminal.leave = () => new Promise(() => undefined);
    const closing = before.broker.closeAll('draining', 10_000);
    before.clock.advance(5000);
    await closing;
    expect(terminal.calls.at(-1)).toBe('pause');
    terminal.print('nobody records this');
    const at = gateway(before.world);
    await at.broker.recover();
    await finish(at, sessionId, 15);
    await checkOne(at, sessionId);
  });

  it('is killed, and loses no more than it was just told: the target is asked on when that is in the file', async () => {
    const at = gateway();
    const { terminal, sessionId } = await at.open('powershell');
    await at.until(() => terminal.port !== null);
    expect((await at.broker.get(ann, sessionId)).phase).toBe('live');
    terminal.print('one');
    terminal.print('two');
    // Nothing of it can be in the file in this turn.
    expect(terminal.holds).toEqual([true]);
    await at.until(() => terminal.holds.at(-1) === false);
    expect(terminal.holds).toEqual([true, false]);
    const output = await all(at.recordings.readOutput(SessionId.parse(sessionId), 0, 6));
    expect(Buffer.concat(output).toString()).toBe('onetwo');
    await ended(at, sessionId, terminal);
  });

  it('is killed: what its targets keep waits, and comes back exactly', async () => {
    const before = gateway();
    const { sessionId } = await running(before);
    // The line that the ledger knows was not yet kept with the place.
    const row = before.rows.get(sessionId);
    if (row !== undefined) before.rows.set(sessionId, { ...row, left: JSON.stringify(place('p1')) });
    const { sessionId: other } = await before.open('pty');
    const at = gateway(before.world);
    expect(await at.broker.recover()).toBe(1);
    expect(at.rows.get(other)?.endReason).toBe('gateway_lost');
    expect(await at.broker.get(ann, sessionId)).toMatchObject({
      phase: 'left',
      leftUntil: at.clock.now() + 8 * HOUR_MS,
    });
    expect(at.audited.findLast(({ type }) => type === 'session.left')?.detail).toMatchObject({ why: 'gateway_lost' });
    at.rows.delete(other);
    const { given } = await finish(at, sessionId, 15);
    expect(given.left?.pipelineId).toBe('p2');
    await checkOne(at, sessionId);
  });

  it('is killed: what is cut off a recording from its next start on is found, however whole the rest is', async () => {
    const before = gateway();
    const { sessionId } = await running(before);
    const journal = join(directory, before.catalogue.rows.get(sessionId)?.path ?? '', 'journal');
    const early = (await readFile(journal)).length;
    const at = gateway(before.world);
    await at.broker.recover();
    const head = at.catalogue.rows.get(sessionId)?.head;
    expect(at.audited.findLast(({ type }) => type === 'session.left')?.detail).toMatchObject({ why: 'gateway_lost', head });
    // Whole chunks: as it was before the gateway was killed.
    await truncate(journal, early);
    expect(await code(pickUp(at, sessionId))).toBe('recording_corrupt');
    expect(at.audited.filter(({ type }) => type === 'recording.damaged')).toHaveLength(1);
    expect(at.rows.get(sessionId)).toMatchObject({ endReason: 'recording_corrupt', left: null });
  }); // prettier-ignore
});

describe('sessions of one person that wait', () => {
  /** One that can be left, at the machine of the fixture. */
  const leavable = async (at: Gateway, who = ann) => {
    const { terminal, sessionId } = await at.open('powershell', who);
    terminal.standsAt(place());
    return { terminal, sessionId };
  };

  it('count like live ones, also after a restart: nobody fills a target by leaving and opening again', async () => {
    const before = gateway(undefined, { sessionsPerUser: 3 });
    for (let i = 0; i < 2; i++) await before.broker.leave(ann, (await leavable(before)).sessionId);
    const [third, fourth] = await Promise.all([code(before.open()), code(before.open())]);
    expect([third, fourth]).toEqual(['none', 'too_many_sessions']);
    expect(await code(before.open('pty', requester('bob')))).toBe('none');
    await before.broker.closeAll('draining', 10_000);
    const at = gateway(before.world, { sessionsPerUser: 2 });
    expect(await code(at.open())).toBe('too_many_sessions');
    const [waiting] = [...at.rows.values()].filter(({ endedAt }) => endedAt === null);
    await at.broker.terminate(ann, waiting?.id ?? '');
    expect(await code(at.open())).toBe('none');
  });

  it('are but a few at one machine; one more is not left, and goes on', async () => {
    const at = gateway(undefined, { leftPerTarget: 2 });
    const all = [await leavable(at), await leavable(at), await leavable(at)];
    const left = await Promise.all(all.map(({ sessionId }) => code(at.broker.leave(ann, sessionId))));
    expect(left).toEqual(['none', 'none', 'too_many_left_sessions']);
    const third = all[2]?.sessionId ?? '';
    expect((await at.broker.get(ann, third)).phase).toBe('live');
    expect(all[2]?.terminal.calls).not.toContain('leave');
    // Of somebody else, and at another machine.
    expect(await code(at.broker.leave(requester('bob'), (await leavable(at, requester('bob'))).sessionId))).toBe(
      'none',
    );
    const far = new FakeTerminal('powershell');
    const there = await at.broker.open(ann, { ...request('powershell'), address: 'web02:22' }, far.open);
    far.standsAt(place());
    expect(await code(at.broker.leave(ann, there.sessionId))).toBe('none');
    // A place is free again when one is picked up or ended.
    const back = await pickUp(at, all[0]?.sessionId ?? '');
    expect(await code(at.broker.leave(ann, third))).toBe('none');
    await ended(at, all[0]?.sessionId ?? '', back.terminal);
  });

  it('are not refused to a gateway that stops, and count then', async () => {
    const before = gateway(undefined, { leftPerTarget: 1 });
    for (let i = 0; i < 3; i++) await leavable(before);
    await before.broker.closeAll('draining', 10_000);
    const at = gateway(before.world, { leftPerTarget: 1 });
    expect([...at.rows.values()].map(({ endedAt, left }) => [endedAt, left !== null])).toEqual(
      Array(3).fill([null, true]),
    );
    expect(await code(at.broker.leave(ann, (await leavable(at)).sessionId))).toBe('too_many_left_sessions');
    await at.broker.closeAll('draining', 10_000);
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
      const journal = join(directory, at.catalogue.rows.get(sessionId)?.path ?? '', 'journal');
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
