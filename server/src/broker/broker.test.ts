import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MAX_FRAME_BYTES, MAX_UNACKED_BYTES } from '@sallyport/shared/wire/credit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeSocket, ann, brokerIn, code, never, request, requester } from '../../../test/contracts/broker-fixture.ts';
import { SallyportError } from '../errors.ts';
import type { Page } from './contract.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sallyport-broker-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});
const setUp = (limits?: Parameters<typeof brokerIn>[1]) => brokerIn(directory, limits);

describe('output', () => {
  it('reaches each page exactly once: live, resumed, attached at an offset, taken over', async () => {
    const { broker, open, attach } = setUp();
    const { terminal, sessionId } = await open();
    const first = await attach(sessionId);
    terminal.print('one ');
    await first.socket.until(() => first.socket.bytes.length === 4);
    first.page.gone();
    terminal.print('two ');
    const second = new FakeSocket();
    const token = first.socket.find('attached').resumeToken;
    const resume = { token, offset: 4, cols: 80, rows: 24 };
    expect(await code(broker.resume(requester('ann', 'other'), resume, new FakeSocket()))).toBe('resume_invalid');
    await broker.resume(ann, resume, second);
    expect(await code(broker.resume(ann, resume, new FakeSocket()))).toBe('resume_invalid');
    await second.until(() => second.bytes.toString() === 'two ');
    const third = await attach(sessionId, 0, true);
    expect(second.closed).toEqual([4409, 'taken_over']);
    const viewer = await attach(sessionId, 2);
    expect([third.page.role, viewer.page.role]).toEqual(['controller', 'viewer']);
    terminal.print('three');
    terminal.ear.title('t');
    await Promise.all([third.socket.has('title'), viewer.socket.has('title')]);
    expect(third.socket.bytes.toString()).toBe('one two three');
    expect(viewer.socket.bytes.toString()).toBe('e two three');
    expect(third.socket.order.slice(-2)).toEqual(['bytes three', 'title']);
    expect(() => viewer.page.input(Buffer.from('x'))).toThrow('watching');
  });

  it('keeps to the credit, pauses the target, and reads old output from the recording', async () => {
    const { open, attach, recordings } = setUp();
    const { terminal, sessionId } = await open();
    const { page, socket } = await attach(sessionId);
    const sent = randomBytes(3 * MAX_UNACKED_BYTES + 12345);
    for (let at = 0; at < sent.length; at += 100_000) terminal.ear.output(sent.subarray(at, at + 100_000));
    await socket.until(() => socket.bytes.length === MAX_UNACKED_BYTES);
    expect(terminal.calls).toContain('pause');
    const late = await attach(sessionId, 0);
    for (const [reader, at] of [
      [page, socket],
      [late.page, late.socket],
    ] as [Page, FakeSocket][])
      while (at.bytes.length < sent.length) {
        const acked = at.bytes.length;
        reader.handle({ type: 'ack', offset: acked });
        await at.until(() => at.bytes.length > acked);
        expect(at.bytes.length - acked).toBeLessThanOrEqual(MAX_UNACKED_BYTES);
      }
    page.handle({ type: 'ack', offset: sent.length });
    expect(terminal.calls.at(-1)).toBe('resume');
    expect([sent.equals(socket.bytes), sent.equals(late.socket.bytes)]).toEqual([true, true]);
    expect(socket.largest).toBeLessThanOrEqual(MAX_FRAME_BYTES);
    expect(() => page.handle({ type: 'ack', offset: sent.length + 1 })).toThrow('not sent');
    expect(recordings).toBeDefined();
  });
});

describe('a line', () => {
  it('runs for the current prompt only, with a ledger row before it', async () => {
    const { broker, open, attach, ledgered } = setUp();
    const { terminal, sessionId } = await open('powershell');
    const { page, socket } = await attach(sessionId);
    terminal.ear.prompt(1, 'PS> ');
    await socket.has('prompt');
    page.handle({ type: 'submit', lineId: 1, part: 0, last: false, text: 'Get-' });
    page.handle({ type: 'submit', lineId: 1, part: 1, last: true, text: 'Date' });
    page.handle({ type: 'submit', lineId: 1, part: 0, last: true, text: 'again' });
    expect(terminal.calls).toEqual(['submit 1 Get-Date']);
    await socket.has('refused');
    terminal.print('PS> ');
    terminal.ear.echo(1, Buffer.from('Get-Date\r\n'));
    const run = await terminal.ear.commandStarting({
      text: 'Get-Date',
      runspacePoolId: 'r',
      pipelineId: 'p',
      shellId: null,
    });
    run.ended({ state: 'completed', errorCount: 0, outputBytes: 3 });
    await socket.until(() => socket.controls.filter(({ type }) => type === 'command').length === 2);
    expect(socket.echoes).toEqual([1]);
    expect(ledgered).toEqual(['start 1 Get-Date', 'end 1 completed']);
    expect(await broker.commands(sessionId)).toMatchObject([{ number: 1, offset: 4, state: 'completed' }]);
    terminal.ear.prompt(2, 'PS> ');
    await socket.until(() => socket.controls.some((message) => message.type === 'prompt' && message.lineId === 2));
    const other = await attach(sessionId, null, true);
    expect(other.socket.find('prompt').lineId).toBe(2);
    const part = 'x'.repeat(600_000);
    other.page.handle({ type: 'submit', lineId: 2, part: 0, last: false, text: part });
    expect(() => other.page.handle({ type: 'submit', lineId: 2, part: 1, last: true, text: part })).toThrow('1 MiB');
  });
});

describe('a question', () => {
  const line = { kind: 'line', from: 'target', fromName: 'web01', prompt: 'Name', secure: false } as const;

  it('takes an answer that fits, is asked again of a new page, and may be set aside', async () => {
    const { open, attach } = setUp();
    const { terminal, sessionId } = await open('powershell');
    const first = await attach(sessionId);
    const answer = terminal.ear.ask(line, never());
    await first.socket.has('question');
    const second = await attach(sessionId, null, true);
    const { id } = second.socket.find('question').question;
    expect(() => second.page.handle({ type: 'answer', id, answer: { kind: 'accept' } })).toThrow('fit');
    second.page.handle({ type: 'answer', id, answer: { kind: 'text', text: 'Bo' } });
    expect(await answer).toEqual({ kind: 'text', text: 'Bo' });
    const abort = new AbortController();
    const asked = terminal.ear.ask(line, abort.signal);
    abort.abort();
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('ends the session when the target asks too often, and is cancelled after 120 s while opening', async () => {
    const { broker, open, attach, clock, rows } = setUp();
    const { terminal, sessionId } = await open('powershell');
    const { socket } = await attach(sessionId);
    const answers = Array.from({ length: 21 }, () => terminal.ear.ask(line, never()));
    expect((await Promise.all(answers)).every(({ kind }) => kind === 'cancel')).toBe(true);
    await socket.until(() => socket.closed !== null);
    expect(socket.closed).toEqual([4502, 'too_many_questions']);
    const secret = {
      kind: 'secret',
      from: 'gateway',
      fromName: '',
      purpose: 'password',
      user: 'a',
      message: '',
    } as const;
    const opened = await broker.open(ann, request('pty'), async (port, _size, signal) => {
      const answer = port.ask(secret, signal);
      clock.advance(120_000);
      expect(await answer).toEqual({ kind: 'cancel' });
      throw new SallyportError('credential_needed', 'nobody answered', { peerText: 'who?', explanation: 'ours' });
    });
    const late = await attach(opened.sessionId);
    await late.socket.until(() => late.socket.closed !== null);
    expect(late.socket.closed).toEqual([4502, 'credential_needed']);
    expect(late.socket.find('ended')).toMatchObject({ detail: 'who?', explanation: 'ours' });
    expect(rows.get(opened.sessionId)?.endReason).toBe('credential_needed');
  });
});

describe('the end', () => {
  it('comes behind the last output, recorded, audited and in the table', async () => {
    const { broker, open, attach, rows, audited, recordings } = setUp();
    const { terminal, sessionId } = await open();
    const { socket } = await attach(sessionId);
    terminal.print('bye');
    terminal.ear.ended({ reason: 'exited', exitCode: 3, detail: '' });
    await socket.until(() => socket.closed !== null);
    expect(socket.order.slice(-2)).toEqual(['bytes bye', 'ended']);
    expect(socket.closed).toEqual([4502, 'exited']);
    expect(await broker.get(ann, sessionId)).toMatchObject({ phase: 'ended', endReason: 'exited', exitCode: 3 });
    expect(audited.map(({ type }) => type)).toEqual(['session.open', 'session.attach', 'session.end']);
    const events = [];
    for await (const { event } of recordings.readEvents(sessionId as never)) events.push(event.type);
    expect(events).toContain('output');
    expect(rows.get(sessionId)).toMatchObject({ outputBytes: 3 });
  });

  it.each(['grant_removed', 'revoked', 'detached_too_long', 'closed_by_user', 'terminated', 'draining'] as const)(
    'has its reason: %s',
    async (reason) => {
      const { broker, open, attach, clock, rows, roles } = setUp();
      const { terminal, sessionId } = await open();
      const { socket, page } = await attach(sessionId);
      const root = requester('root', 'root-1', 'administrator');
      if (reason === 'grant_removed') {
        roles.set('ann', 'auditor');
        await broker.recheck(null);
      } else if (reason === 'revoked')
        broker.loginsEnded({ loginHashes: [ann.loginHash], userId: 'ann', why: 'revoked' });
      else if (reason === 'detached_too_long') {
        page.gone();
        clock.advance(8 * 3_600_000);
      } else if (reason === 'closed_by_user') page.handle({ type: 'close' });
      else if (reason === 'terminated') await broker.terminate(root, sessionId);
      else await broker.closeAll('draining', 1000);
      if (reason !== 'detached_too_long') {
        await socket.until(() => socket.closed !== null);
        expect(socket.closed?.[1]).toBe(reason);
      }
      expect(await code(broker.terminate(root, sessionId).then(() => undefined))).toMatch(/none|not_found/);
      expect(rows.get(sessionId)?.endReason).toBe(reason);
      expect(terminal.calls).toContain(`close ${reason}`);
    },
  );

  it('of a login by log-out detaches, and its page cannot come back', async () => {
    const { broker, open, attach } = setUp();
    const { sessionId } = await open();
    const { socket } = await attach(sessionId);
    broker.loginsEnded({ loginHashes: [ann.loginHash], userId: 'ann', why: 'logout' });
    expect(socket.closed).toEqual([4401, 'revoked']);
    const { resumeToken: token } = socket.find('attached');
    expect(await code(broker.resume(ann, { token, offset: 0, cols: 80, rows: 24 }, socket))).toBe('resume_invalid');
    expect(broker.counts()).toEqual({ sessions: 1, pages: 0 });
  });

  it('of a gateway that died is found at the next start', async () => {
    const { broker, open, rows } = setUp();
    const { sessionId } = await open();
    expect(await broker.recover()).toBe(1);
    expect(rows.get(sessionId)?.endReason).toBe('gateway_lost');
  });
});

describe('who may', () => {
  it('open: within the limits and the role', async () => {
    const { open, broker } = setUp({ sessionsPerUser: 2, opensPerMinute: 3 });
    await open();
    const second = await open();
    expect(await code(open())).toBe('too_many_sessions');
    await broker.terminate(ann, second.sessionId);
    await open();
    expect(await code(open())).toBe('rate_limited');
    expect(await code(open('pty', requester('eve', 'e', 'auditor')))).toBe('forbidden');
    await broker.closeAll('draining', 100);
    expect(await code(open('pty', requester('bob')))).toBe('draining');
  });

  it('attach, end and see: the owner; nobody learns of another session', async () => {
    const { open, attach, broker } = setUp();
    const { sessionId } = await open();
    const bob = requester('bob');
    expect(await code(attach(sessionId, null, true, bob))).toBe('not_found');
    expect(await code(broker.terminate(bob, sessionId))).toBe('not_found');
    expect(await code(broker.get(bob, sessionId))).toBe('not_found');
    expect(await broker.list(bob, { before: null, limit: 10 })).toEqual([]);
    expect(await broker.list(ann, { before: null, limit: 10 })).toMatchObject([{ id: sessionId, attached: false }]);
  });
});
