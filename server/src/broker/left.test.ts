/** Sessions that are left at their targets: by their owner, by a gateway that stops, by one that was killed. */
import { readFile, truncate } from 'node:fs/promises';
import { SessionId } from '@sallyport/shared/ids';
import { describe, expect, it } from 'vitest';
import { ann, code, request, requester } from '../../../test/contracts/broker-fixture.ts';
import { FakeTerminal } from '../../../test/contracts/fake-terminal.ts';
import {
  checkOne,
  ended,
  finish,
  type Gateway,
  leftGateways,
  pickUp,
  place,
  running,
} from '../../../test/contracts/left-fixture.ts';
import { all } from '../../../test/contracts/recording-fixture.ts';
import { machineOf } from './left-limits.ts';

const HOUR_MS = 3_600_000;
const { gateway, journalOf } = leftGateways();

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

  // With the place no line is kept, or one of before: the ledger knows which runs.
  it.each([null, 'p1'])('is killed: what its targets keep waits, and comes back exactly (%s)', async (kept) => {
    const before = gateway();
    const { sessionId } = await running(before);
    const row = before.rows.get(sessionId);
    if (row !== undefined) before.rows.set(sessionId, { ...row, left: JSON.stringify(place(kept)) });
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
    expect(at.audited.find(({ type }) => type === 'session.pickedUp')?.detail).toMatchObject({ line: true });
    await checkOne(at, sessionId);
  });

  it('is killed: what is cut off a recording from its next start on is found, however whole the rest is', async () => {
    const before = gateway();
    const { sessionId } = await running(before);
    const journal = journalOf(before, sessionId);
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

  it.each([
    ['web01:5985', 'web01:5986', true],
    ['WEB01:5985', 'web01:5985', true],
    ['[2001:db8::7]:5986', '[2001:DB8:0:0::0:7]:5985', true],
    ['[::ffff:192.0.2.7]:5986', '192.0.2.7:5986', true],
    ['web01:15985', 'web01:25985', false],
    ['web01:15985', 'web01:5985', false],
    ['web01:5985', 'web01.corp.example:5985', false],
    ['[2001:db8::7]:5986', '[2001:db8::8]:5986', false],
  ])('are at one machine, or not: %s, %s', (one, other, isSame) => {
    expect(machineOf(one) === machineOf(other)).toBe(isSame);
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
