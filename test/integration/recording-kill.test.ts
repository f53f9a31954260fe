import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SessionId } from '@sallyport/shared/ids';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../server/src/clock.ts';
import { randomId } from '../../server/src/random.ts';
import { createRecordings } from '../../server/src/recording/recordings.ts';
import { refuse } from '../contracts/recording-fixture.ts';
import { catalogueWith, childOutput, keysOfTest } from './recording-child-data.ts';

const ROUNDS = 20;
/** In each of so many rounds a second process goes on with what the first left, and is killed as well. */
const SECOND_LIFE_EVERY = 5;

let built: string;
beforeAll(async () => {
  built = await mkdtemp(join(tmpdir(), 'sallyport-kill-child-'));
  const entryPoints = [join(import.meta.dirname, 'recording-child.ts')];
  await build({ entryPoints, outdir: built, bundle: true, platform: 'node', format: 'esm', outExtension: { '.js': '.mjs' } }); // prettier-ignore
});
afterAll(() => rm(built, { recursive: true }));

/** Starts the writing child, kills it at a random instant, and gives back what it had written to its stdout. */
async function writeUntilKilled(directory: string, sessionId: string, ...more: string[]): Promise<Buffer> {
  const child = fork(join(built, 'recording-child.mjs'), [directory, sessionId, ...more], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const pieces: Buffer[] = [];
  child.stdout?.on('data', (bytes: Buffer) => {
    pieces.push(bytes);
    if (pieces.length === 1) setTimeout(() => child.kill('SIGKILL'), Math.random() * 120);
  });
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
  return Buffer.concat(pieces);
}

/** What a second process found, which is no less than the first had told, and told itself. @returns acknowledged in all */
async function goOnUntilKilled(directory: string, sessionId: string, acknowledged: number): Promise<number> {
  const written = await writeUntilKilled(directory, sessionId, 'go on');
  const line = written.indexOf(0x0a);
  const found = Number(written.toString('latin1', 0, line));
  expect(found).toBeGreaterThanOrEqual(acknowledged);
  return found + written.length - line - 1;
}

it.each(Array.from({ length: ROUNDS }, (_, round) => round + 1))(
  'holds every acknowledged byte after kill -9 at a random instant, time %i',
  async (round) => {
    const directory = await mkdtemp(join(tmpdir(), 'sallyport-kill-'));
    try {
      const sessionId = SessionId.parse(randomId());
      let acknowledged = (await writeUntilKilled(directory, sessionId)).length;
      expect(acknowledged).toBeGreaterThan(0);
      if (round % SECOND_LIFE_EVERY === 0) acknowledged = await goOnUntilKilled(directory, sessionId, acknowledged);
      const catalogue = await catalogueWith(sessionId);
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
