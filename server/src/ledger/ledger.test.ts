import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FakeClock } from '../../../test/contracts/fake-clock.ts';
import { systemClock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import { randomId } from '../random.ts';
import { Secret } from '../secret.ts';
import type { Storage } from '../storage/contract.ts';
import { openStorage } from '../storage/sqlite/open.ts';
import { createLedger } from './ledger.ts';

let directory = '';
let storage: Storage;
beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'sallyport-ledger-'));
  storage = await openStorage({ file: path.join(directory, 'sallyport.db') });
});
afterEach(async () => {
  await storage.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Reversible and bound to its row, like the vault; enough to see that the ledger never stores what it was given. */
const sealer = {
  seal: (place: { row: string }, plain: Uint8Array) =>
    Buffer.from([...Buffer.from(place.row), ...plain].map((b) => b ^ 0x55)),
  open: (place: { row: string }, sealed: Uint8Array) => {
    const text = Buffer.from([...sealed].map((b) => b ^ 0x55)).toString();
    if (!text.startsWith(place.row)) throw new Error('another row');
    return new Secret(text.slice(place.row.length));
  },
};

async function session(): Promise<{ sessionId: string; userId: string }> {
  const [sessionId, userId] = [randomId(), randomId()];
  await storage.users.insert({
    id: userId,
    name: userId.slice(0, 8),
    role: 'operator',
    passwordHash: '-',
    disabled: false,
    createdAt: 1,
    lastLoginAt: null,
  });
  await storage.sessions.insert({
    id: sessionId, userId, userName: 'ann', targetId: null, facts: '{}', startedAt: 1, endedAt: null, endReason: null,
    exitCode: null, commandCount: 0, errorCount: 0, outputBytes: 0, reopen: null, left: null, leftAt: null, shellId: null, loginHash: null,
  }); // prettier-ignore
  return { sessionId, userId };
}

it('keeps the exact text of each command, sealed, in a gap-free sequence', async () => {
  const ledger = createLedger({ storage, sealer, clock: systemClock });
  const who = await session();
  const texts = ['Get-Date', 'a\r\n"b" 😀 \u0000', "$p = 'canary-7f3a'"];
  const ids = await Promise.all(
    texts.map((text, i) =>
      ledger.start({ ...who, number: i + 1, text, runspacePoolId: 'pool', pipelineId: `p${i}`, shellId: `S${i}` }),
    ),
  );
  await ledger.end(ids[0] ?? '', { state: 'failed', errorCount: 2, outputBytes: 99 });
  const rows = await ledger.ofSession({ sessionId: who.sessionId, after: null, limit: 10 });
  expect(rows.map((row) => row.text)).toEqual(texts);
  expect(rows.map((row) => row.sequence)).toEqual([1, 2, 3]);
  expect(rows[0]).toMatchObject({
    state: 'failed',
    errorCount: 2,
    outputBytes: 99,
    endedAt: expect.any(Number) as number,
  });
  expect(rows[1]).toMatchObject({
    state: 'running',
    endedAt: null,
    runspacePoolId: 'pool',
    pipelineId: 'p1',
    shellId: 'S1',
  });
  expect((await ledger.rowsOfSession(who.sessionId)).map(({ shellId }) => shellId)).toEqual(['S0', 'S1', 'S2']);
  for (const file of ['sallyport.db', 'sallyport.db-wal'])
    expect(readFileSync(path.join(directory, file)).includes('canary-7f3a')).toBe(false);
});

it('lists newest first, of one person or of all, a page at a time', async () => {
  const ledger = createLedger({ storage, sealer, clock: systemClock });
  const [ann, bob] = [await session(), await session()];
  for (let i = 1; i <= 3; i++)
    for (const who of [ann, bob])
      await ledger.start({ ...who, number: i, text: `line ${i}`, runspacePoolId: '', pipelineId: '', shellId: null });
  const all = await ledger.list({ userId: null, before: null, limit: 4 });
  expect(all.map((row) => row.sequence)).toEqual([6, 5, 4, 3]);
  const rest = await ledger.list({ userId: null, before: 3, limit: 4 });
  expect(rest.map((row) => row.sequence)).toEqual([2, 1]);
  expect(
    (await ledger.list({ userId: ann.userId, before: null, limit: 9 })).every((row) => row.userId === ann.userId),
  ).toBe(true);
});

it('keeps the order of the commands when the wall clock steps back, and through the hour that comes twice', async () => {
  // 02:30 in Berlin, first in summer time, an hour later again; then somebody sets the clock back by two hours.
  const clock = new FakeClock(Date.UTC(2026, 9, 25, 0, 30));
  const ledger = createLedger({ storage, sealer, clock });
  const who = await session();
  const run = async (number: number) => {
    const id = await ledger.start({
      ...who,
      number,
      text: `line ${number}`,
      runspacePoolId: 'r',
      pipelineId: 'p',
      shellId: null,
    });
    await ledger.end(id, { state: 'completed', errorCount: 0, outputBytes: 0 });
  };
  await run(1);
  clock.advance(3_600_000);
  await run(2);
  clock.jumpWall(-7_200_000);
  await run(3);
  const rows = await ledger.ofSession({ sessionId: who.sessionId, after: null, limit: 10 });
  expect(rows.map(({ text }) => text)).toEqual(['line 1', 'line 2', 'line 3']);
  expect(rows.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
  expect(rows.map(({ startedAt }) => startedAt)).toEqual([
    Date.UTC(2026, 9, 25, 0, 30),
    Date.UTC(2026, 9, 25, 1, 30),
    Date.UTC(2026, 9, 24, 23, 30),
  ]);
  const listed = await ledger.list({ userId: null, before: null, limit: 2 });
  expect(listed.map(({ text }) => text)).toEqual(['line 3', 'line 2']);
  expect(
    (await ledger.list({ userId: null, before: listed[1]?.sequence ?? 0, limit: 2 })).map(({ text }) => text),
  ).toEqual(['line 1']);
});

it('gives the rows of a session though a text of it cannot be unsealed', async () => {
  const locked = {
    ...sealer,
    open: () => {
      throw new SallyportError('secret_unreadable', 'the tag is wrong');
    },
  };
  const ledger = createLedger({ storage, sealer: locked, clock: systemClock });
  const who = await session();
  await ledger.start({ ...who, number: 1, text: 'x', runspacePoolId: 'r', pipelineId: 'p', shellId: null });
  await expect(ledger.ofSession({ sessionId: who.sessionId, after: null, limit: 10 })).rejects.toMatchObject({
    code: 'secret_unreadable',
  });
  expect(await ledger.rowsOfSession(who.sessionId)).toMatchObject([{ number: 1, state: 'running' }]);
});
