import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SessionId } from '@sallyport/shared/ids';
import { ACK_EVERY_BYTES, HIGH_WATER_BYTES, MAX_UNACKED_BYTES } from '@sallyport/shared/wire/credit';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeSocket, ann, brokerIn, code, never, request, requester } from '../../../test/contracts/broker-fixture.ts';
import { eventually } from '../../../test/contracts/eventually.ts';
import { SallyportError } from '../errors.ts';
import { systemFiles, type RecordingFiles } from '../recording/files.ts';
import { Questions } from './questions.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sallyport-broker-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});
const LIMITS = { sessionsPerUser: 20, opensPerMinute: 1000 };
const size = { cols: 80, rows: 24 };

/** The real files; `fails` stops every write to a journal. */
function filesThatFail(control: { fails: boolean }): RecordingFiles {
  return {
    ...systemFiles,
    async create(folder, name) {
      const real = await systemFiles.create(folder, name);
      return {
        ...real,
        writeNow(pieces, position) {
          if (control.fails) throw new Error('ENOSPC');
          return real.writeNow(pieces, position);
        },
        write(bytes, position, done) {
          if (control.fails) done(new Error('ENOSPC'), 0);
          else real.write(bytes, position, done);
        },
      };
    },
  };
}

describe('resume', () => {
  /** Bytes whose value tells their place, so that a gap or a double shows. */
  const stream = (from: number, length: number): Uint8Array =>
    Uint8Array.from({ length }, (_, n) => ((from + n) * 31 + ((from + n) >> 8)) & 0xff);
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('print' as const), n: fc.integer({ min: 1, max: 90_000 }) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('ack' as const), n: fc.nat(100) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('cut' as const), n: fc.nat(100) }) },
  );

  it('gives exactly the missing bytes after any cut at any byte, whatever was acknowledged', async () => {
    const { broker, open } = brokerIn(directory, { sessionsPerUser: 1000, opensPerMinute: 1000 });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
        const { terminal, sessionId } = await open();
        let socket = new FakeSocket();
        let page = await broker.attach(ann, sessionId, { ...size, offset: 0, takeOver: false }, socket);
        /** What the page holds for sure: earlier sockets' bytes as far as they arrived. */
        let held = Buffer.alloc(0);
        let acked = 0;
        let printed = 0;
        for (const { do: what, n } of steps) {
          if (what === 'print') {
            terminal.ear.output(stream(printed, n));
            printed += n;
          } else if (what === 'ack') {
            const got = held.length + socket.bytes.length;
            acked = Math.max(acked, acked + Math.floor(((got - acked) * n) / 100));
            page.handle({ type: 'ack', offset: acked });
          } else {
            // The line breaks: of what was sent, the page got a part, cut at any byte, at least what it acknowledged.
            const got = Math.max(acked, held.length + Math.floor((socket.bytes.length * n) / 100));
            held = Buffer.concat([held, socket.bytes.subarray(0, got - held.length)]);
            const token = socket.find('attached').resumeToken;
            if (n % 2 === 0) page.gone();
            socket = new FakeSocket();
            page = await broker.resume(ann, { token, offset: held.length, ...size }, socket);
            expect(page.role).toBe('controller');
          }
          expect(held.length + socket.bytes.length - acked).toBeLessThanOrEqual(MAX_UNACKED_BYTES + 90_000);
        }
        while (held.length + socket.bytes.length < printed) {
          page.handle({ type: 'ack', offset: held.length + socket.bytes.length });
          await eventually(() => held.length + socket.bytes.length > acked || acked === printed);
          acked = held.length + socket.bytes.length;
        }
        expect(Buffer.concat([held, socket.bytes]).equals(stream(0, printed))).toBe(true);
        await broker.terminate(ann, sessionId);
      }),
      { numRuns: 40 },
    );
  }, 60_000);

  it('is allowed after the page was put out for taking nothing, and loses nothing', async () => {
    const { broker, clock, open, attach } = brokerIn(directory);
    const { terminal, sessionId } = await open();
    const { socket } = await attach(sessionId, 0);
    terminal.ear.output(stream(0, HIGH_WATER_BYTES + ACK_EVERY_BYTES));
    await socket.until(() => socket.bytes.length === HIGH_WATER_BYTES + ACK_EVERY_BYTES);
    expect(terminal.calls.at(-1)).toBe('pause');
    clock.advance(600_000);
    expect(socket.closed).toEqual([4429, 'slow_reader']);
    expect(terminal.calls.at(-1)).toBe('resume');
    expect(await broker.get(ann, sessionId)).toMatchObject({ phase: 'live', attached: false });
    terminal.ear.output(stream(HIGH_WATER_BYTES + ACK_EVERY_BYTES, 1000));
    const again = new FakeSocket();
    await broker.resume(ann, { token: socket.find('attached').resumeToken, offset: 100, ...size }, again);
    await again.until(() => again.bytes.length === HIGH_WATER_BYTES + ACK_EVERY_BYTES + 900);
    expect(again.bytes.equals(stream(100, again.bytes.length))).toBe(true);
  });

  it('ends 120 s after the page left; a new sign-in picks the session up', async () => {
    const { broker, clock, open, attach } = brokerIn(directory);
    const { terminal, sessionId } = await open();
    const first = await attach(sessionId, 0);
    first.page.gone();
    terminal.print('while away');
    clock.advance(120_000);
    const { resumeToken: token } = first.socket.find('attached');
    expect(await code(broker.resume(ann, { token, offset: 0, ...size }, new FakeSocket()))).toBe('resume_invalid');
    const later = await attach(sessionId, 0, false, requester('ann', 'another login'));
    await later.socket.until(() => later.socket.bytes.toString() === 'while away');
    expect(later.page.role).toBe('controller');
  });
});

describe('take-over', () => {
  it('by two windows at once leaves one controller, and every window is told', async () => {
    const { open, attach } = brokerIn(directory);
    const { terminal, sessionId } = await open();
    const first = await attach(sessionId);
    const both = await Promise.all([attach(sessionId, null, true), attach(sessionId, null, true)]);
    expect(first.socket.closed).toEqual([4409, 'taken_over']);
    const alive = both.filter(({ socket }) => socket.closed === null);
    expect(alive).toHaveLength(1);
    expect(alive[0]?.page.role).toBe('controller');
    terminal.print('x');
    await alive[0]?.socket.until(() => alive[0]?.socket.bytes.toString() === 'x');
  });

  it('with an impossible offset leaves the controller where it is', async () => {
    const { open, attach } = brokerIn(directory);
    const { sessionId } = await open();
    const first = await attach(sessionId);
    expect(await code(attach(sessionId, 999, true))).toBe('bad_state');
    expect(first.socket.closed).toBeNull();
  });
});

describe('a recording that fails', () => {
  it('ends the session at once with its code, and nothing unrecorded is shown', async () => {
    const control = { fails: false };
    const { open, attach, rows } = brokerIn(directory, LIMITS, { files: filesThatFail(control) });
    const { terminal, sessionId } = await open();
    const { socket } = await attach(sessionId);
    terminal.print('seen');
    await socket.until(() => socket.bytes.toString() === 'seen');
    control.fails = true;
    terminal.print('never seen');
    await socket.until(() => socket.closed !== null);
    expect(socket.closed).toEqual([4500, 'recording_unavailable']);
    await eventually(() => rows.get(sessionId)?.endReason === 'recording_unavailable');
    expect(socket.bytes.toString()).toBe('seen');
    expect(terminal.calls).toContain('close recording_unavailable');
  });

  it('or only writes slowly bounds what waits for it, though no page is attached', async () => {
    const held: (() => void)[] = [];
    const control = { isHeld: false };
    const { open } = brokerIn(directory, LIMITS, {
      files: {
        ...systemFiles,
        async create(folder, name) {
          const real = await systemFiles.create(folder, name);
          return {
            ...real,
            writeNow: (pieces, position) => (control.isHeld ? 0 : real.writeNow(pieces, position)),
            write(bytes, position, done) {
              if (control.isHeld) held.push(() => real.write(bytes, position, done));
              else real.write(bytes, position, done);
            },
          };
        },
      },
    });
    const { terminal } = await open();
    control.isHeld = true;
    terminal.ear.output(new Uint8Array(HIGH_WATER_BYTES));
    expect(terminal.calls).toEqual(['pause']);
    await eventually(() => held.length === 1);
    control.isHeld = false;
    for (const go of held) go();
    await eventually(() => terminal.calls.at(-1) === 'resume');
  });

  it('to be made leaves no session without its end in the audit log', async () => {
    const files: RecordingFiles = { ...systemFiles, create: () => Promise.reject(new Error('ENOSPC')) };
    const { open, audited, rows, broker } = brokerIn(directory, LIMITS, { files });
    expect(await code(open())).toBe('recording_unavailable');
    expect(audited.map(({ type, subject }) => [type, subject])).toEqual([
      ['session.open', audited[0]?.subject],
      ['session.end', audited[0]?.subject],
    ]);
    expect(audited[1]?.detail).toEqual({
      ...{ reason: 'recording_unavailable', exitCode: null },
      ...{ userId: 'ann', target: 'web01:22' },
    });
    expect([rows.size, broker.counts().sessions]).toEqual([0, 0]);
  });

  it('while the session is entered in the table refuses it', async () => {
    const control = { fails: false };
    let append: () => void = () => undefined;
    const world = brokerIn(directory, LIMITS, {
      files: {
        ...systemFiles,
        async create(folder, name) {
          const real = await filesThatFail(control).create(folder, name);
          append = () => {
            control.fails = true;
          };
          return real;
        },
      },
      // The `detached` timer and others do not write here: the session's own first note must fail.
      insert: async () => {
        append();
        await eventually(() => control.fails);
      },
    });
    const opened = world.broker.open(ann, request('pty'), (port) => {
      port.output(Buffer.from('x'));
      return new Promise(() => undefined);
    });
    const { sessionId } = await opened;
    await eventually(() => world.rows.get(sessionId)?.endReason === 'recording_unavailable');
  });
});

describe('a failed audit', () => {
  it('of a page that closes its session leaves the session and says so', async () => {
    const control = { fails: false };
    const { open, attach, broker } = brokerIn(directory, LIMITS, {
      audit: () => {
        if (control.fails) throw new SallyportError('audit_unavailable', 'the spool is full');
      },
    });
    const { sessionId } = await open();
    const { page, socket } = await attach(sessionId);
    control.fails = true;
    page.handle({ type: 'close' });
    await socket.has('notice');
    expect(socket.find('notice')).toMatchObject({ level: 'warning', code: 'audit_unavailable' });
    expect(await broker.get(ann, sessionId)).toMatchObject({ phase: 'live' });
    expect(await code(attach(sessionId, null, true))).toBe('audit_unavailable');
    expect(socket.closed).toBeNull();
    control.fails = false;
  });
});

describe('the end', () => {
  it('while opening aborts the connection and closes a terminal that comes late', async () => {
    const { broker, rows } = brokerIn(directory);
    let late: () => void = () => undefined;
    let isAborted = false;
    let closed = '';
    const { sessionId } = await broker.open(ann, request('pty'), (_port, _size, signal) => {
      signal.addEventListener('abort', () => (isAborted = true));
      return new Promise((resolve) => {
        late = () => {
          resolve({ close: (reason: string) => Promise.resolve(void (closed = reason)) } as never);
        };
      });
    });
    await broker.terminate(ann, sessionId);
    expect([isAborted, rows.get(sessionId)?.endReason]).toEqual([true, 'cancelled']);
    late();
    await eventually(() => closed === 'cancelled');
  });

  it('while a question is asked cancels it', async () => {
    const { broker, open, attach } = brokerIn(directory);
    const { terminal, sessionId } = await open('powershell');
    const { socket } = await attach(sessionId);
    const line = { kind: 'line', from: 'target', fromName: 'web01', prompt: 'Name', secure: false } as const;
    const answer = terminal.ear.ask(line, never());
    await socket.has('question');
    await broker.terminate(ann, sessionId);
    expect(await answer).toEqual({ kind: 'cancel' });
    expect(await terminal.ear.ask(line, never())).toEqual({ kind: 'cancel' });
  });

  it('by draining seals every session and refuses new ones', async () => {
    const { broker, open, recordings, catalogue } = brokerIn(directory);
    const ids = [(await open()).sessionId, (await open('powershell')).sessionId];
    await broker.closeAll('draining', 5000);
    for (const id of ids) {
      expect(catalogue.rows.get(id)?.state).toBe('closed');
      expect((await recordings.check(SessionId.parse(id))).chain).toBe('verified');
    }
    expect(await code(open())).toBe('draining');
  });

  it('by a revoked login takes the sessions that this login controls, whoever opened them', async () => {
    const { broker, open, attach, rows } = brokerIn(directory);
    const { sessionId } = await open();
    await attach(sessionId, null, false, requester('ann', 'later login'));
    broker.loginsEnded({ loginHashes: ['later login'], userId: 'ann', why: 'revoked' });
    await eventually(() => rows.get(sessionId)?.endReason === 'revoked');
  });

  it('by a login that is revoked while the session is made: its target is never connected to', async () => {
    let revoke = (): void => undefined;
    const insert = () => {
      revoke();
      return Promise.resolve();
    };
    const { broker, rows } = brokerIn(directory, undefined, { insert });
    revoke = () => broker.loginsEnded({ loginHashes: [ann.loginHash], userId: 'ann', why: 'revoked' });
    let isConnected = false;
    const connect = () => {
      isConnected = true;
      return Promise.reject(new Error('it was connected'));
    };
    expect(await code(broker.open(ann, request('pty'), connect))).toBe('revoked');
    expect(isConnected).toBe(false);
    await eventually(() => [...rows.values()].every(({ endReason }) => endReason === 'revoked'));
    expect(rows.size).toBe(1);
    // A log-out only detaches, and the login of somebody else is nothing to this one.
    revoke = () => {
      broker.loginsEnded({ loginHashes: [ann.loginHash], userId: 'ann', why: 'logout' });
      broker.loginsEnded({ loginHashes: ['bob-1'], userId: 'bob', why: 'revoked' });
    };
    expect(await code(broker.open(ann, request('pty'), connect))).toBe('none');
    await eventually(() => [...rows.values()].every(({ endedAt }) => endedAt !== null));
  });
});

it('ends a session whose target keeps too many questions open', () => {
  let isTooMany = false;
  const events = { asked: () => undefined, ended: () => undefined, tooMany: () => (isTooMany = true) };
  let now = 0;
  const clock = { now: () => now, monotonic: () => now, after: () => () => undefined };
  const questions = new Questions(clock, events);
  const line = { kind: 'line', from: 'target', fromName: 'web01', prompt: 'Name', secure: false } as const;
  for (let n = 0; n < 33; n += 1) {
    expect(isTooMany).toBe(false);
    void questions.ask(line, never(), false);
    now += 10_000;
  }
  expect(isTooMany).toBe(true);
});
