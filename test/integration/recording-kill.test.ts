import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SessionId } from '@sallyport/shared/ids';
import { expect, it } from 'vitest';
import { systemClock } from '../../server/src/clock.ts';
import { randomId } from '../../server/src/random.ts';
import { createRecordings } from '../../server/src/recording/recordings.ts';
import { memoryCatalogue } from '../contracts/memory-catalogue.ts';
import { refuse } from '../contracts/recording-fixture.ts';
import { childOutput, keysOfTest, STARTED_AT } from './recording-child-data.ts';

const ROUNDS = 20;

/** Starts the writing child, kills it at a random instant, and gives back what it had acknowledged on its stdout. */
async function writeUntilKilled(directory: string, sessionId: string): Promise<number> {
  const child = fork(join(import.meta.dirname, 'recording-child.ts'), [directory, sessionId], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  let acknowledged = 0;
  let isArmed = false;
  child.stdout?.on('data', (bytes: Buffer) => {
    acknowledged += bytes.length;
    if (isArmed) return;
    isArmed = true;
    setTimeout(() => child.kill('SIGKILL'), Math.random() * 120);
  });
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
  return acknowledged;
}

it.each(Array.from({ length: ROUNDS }, (_, round) => round + 1))(
  'holds every acknowledged byte after kill -9 at a random instant, time %i',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'sallyport-kill-'));
    try {
      const sessionId = SessionId.parse(randomId());
      const acknowledged = await writeUntilKilled(directory, sessionId);
      expect(acknowledged).toBeGreaterThan(0);
      const catalogue = memoryCatalogue();
      await catalogue.insert({
        sessionId,
        path: `2026/01/${sessionId}`,
        startedAt: STARTED_AT,
        sealedKey: Buffer.from('sealed'),
        state: 'open',
        events: 0,
        outputBytes: 0,
        durationMs: 0,
        head: '',
      });
      const recordings = createRecordings({ directory, catalogue, keys: keysOfTest, clock: systemClock });
      const [recovered] = await recordings.recover(refuse);
      const total = recovered?.summary.outputBytes ?? 0;
      expect(total).toBeGreaterThanOrEqual(acknowledged);
      expect((await recordings.check(sessionId)).chain).toBe('verified');
      let at = 0;
      for await (const piece of recordings.readOutput(sessionId, 0, acknowledged)) {
        expect(Buffer.from(piece).equals(childOutput(at, piece.length))).toBe(true);
        at += piece.length;
      }
      expect(at).toBe(acknowledged);
    } finally {
      await rm(directory, { recursive: true });
    }
  },
);
