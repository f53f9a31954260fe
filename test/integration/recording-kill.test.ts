import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
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
import { catalogueWith, childOutput, type KillPoint, keysOfTest, type Life } from './recording-child-data.ts';

let built: string;
beforeAll(async () => {
  built = await mkdtemp(join(tmpdir(), 'sallyport-kill-child-'));
  const entryPoints = [join(import.meta.dirname, 'recording-child.ts')];
  await build({ entryPoints, outdir: built, bundle: true, platform: 'node', format: 'esm', outExtension: { '.js': '.mjs' } }); // prettier-ignore
});
afterAll(() => rm(built, { recursive: true }));

/** Runs a child until it has killed itself. @returns how many bytes of output were acknowledged by then; null = it had not begun */
async function live(directory: string, sessionId: string, life: Life): Promise<number | null> {
  const notes = join(directory, 'notes');
  await rm(notes, { force: true });
  const child = fork(join(built, 'recording-child.mjs'), [directory, sessionId, notes, JSON.stringify(life)]);
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
  try {
    return Number(readFileSync(notes, 'latin1'));
  } catch {
    return null;
  }
}

const at = (step: KillPoint['step'], nth: number, when: KillPoint['when']): KillPoint => ({ step, nth, when });
const begin = (kill: KillPoint): Life => ({ does: 'begin', kill });
const goOn = (kill: KillPoint): Life => ({ does: 'go on', kill });
const recover = (kill: KillPoint): Life => ({ does: 'recover', kill });
const WHENS = ['before', 'within', 'after'] as const;
/** How many writes of a life hold no output: header and first chunk, what is noted of going on, the end. */
const OUTPUT_AFTER = { begin: 2, 'go on': 1, recover: Infinity } as const;
/** The sixth write is larger than what is written in one turn of the event loop. */
const LIVES: readonly (readonly [Life, ...Life[]])[] = [
  ...[2, 3, 6, 40].flatMap((nth) => WHENS.map((when) => [begin(at('write', nth, when))] as const)),
  ...(['before', 'after'] as const).map((when) => [begin(at('sync', 2, when))] as const),
  // A second process goes on with what the first left, which is cut first, and then a third.
  ...[1, 2].flatMap((nth) =>
    WHENS.map((when) => [begin(at('write', 7, 'within')), goOn(at('write', nth, when))] as const),
  ),
  [begin(at('write', 7, 'within')), goOn(at('cut', 1, 'before')), goOn(at('write', 3, 'within'))],
  [begin(at('write', 7, 'within')), goOn(at('cut', 1, 'after')), goOn(at('write', 3, 'after'))],
  // And one that closes it.
  [begin(at('write', 7, 'within')), recover(at('cut', 1, 'before'))],
  ...WHENS.map((when) => [begin(at('write', 7, 'within')), recover(at('write', 1, when))] as const),
];
const told = (lives: readonly Life[]): string =>
  lives.map(({ does, kill }) => `${does} until ${kill.when} ${kill.step} ${String(kill.nth)}`).join(', then ');

it.each(LIVES.map((lives) => [told(lives), lives] as const))(
  'holds every acknowledged byte after kill -9: %s',
  async (_, lives) => {
    const directory = await mkdtemp(join(tmpdir(), 'sallyport-kill-'));
    try {
      const sessionId = SessionId.parse(randomId());
      let acknowledged = 0;
      for (const life of lives) {
        const noted = await live(directory, sessionId, life);
        expect(noted ?? acknowledged).toBeGreaterThanOrEqual(acknowledged);
        acknowledged = noted ?? acknowledged;
      }
      const catalogue = await catalogueWith(sessionId);
      const recordings = createRecordings({ directory, catalogue, keys: keysOfTest, clock: systemClock });
      const [recovered] = await recordings.recover(refuse);
      const total = recovered?.summary.outputBytes ?? 0;
      // What was written and not yet acknowledged is there too; half a chunk is not.
      const { does, kill } = lives.at(-1) ?? lives[0];
      const isMore = kill.step === 'write' && kill.when === 'after' && kill.nth > OUTPUT_AFTER[does];
      if (isMore) expect(total).toBeGreaterThan(acknowledged);
      else expect(total).toBe(acknowledged);
      expect((await recordings.check(sessionId)).chain).toBe('verified');
      let position = 0;
      for await (const piece of recordings.readOutput(sessionId, 0, total)) {
        expect(Buffer.from(piece).equals(childOutput(position, piece.length))).toBe(true);
        position += piece.length;
      }
      expect(position).toBe(total);
    } finally {
      await rm(directory, { recursive: true });
    }
  },
);
