/** Replay goes by the time that passed, whatever the clock on the wall did meanwhile. */
import { expect, it } from 'vitest';
import { FakeClock } from '../../../test/contracts/fake-clock.ts';
import { all, headerFor, newId, output, silent, useDirectory } from '../../../test/contracts/recording-fixture.ts';
import { toAsciicast } from './asciicast.ts';

const { setUp } = useDirectory();
const HOUR = 3_600_000;
/** 02:59:58 in Berlin, two seconds before the hour that comes twice. */
const BEFORE = Date.UTC(2026, 9, 25, 0, 59, 58);

/** Records `0`, `1`, ... with one second and, in between, a step of the clock before each but the first. */
async function recordWith(steps: readonly number[]) {
  const clock = new FakeClock(BEFORE);
  const { recordings } = setUp({ clock });
  const id = newId();
  const writer = await recordings.create({ ...headerFor(id), startedAt: clock.now() }, silent);
  const append = (text: string) => new Promise<void>((resolve) => writer.append(output(text), resolve));
  await append('0');
  for (const [index, step] of steps.entries()) {
    clock.jumpWall(step);
    clock.advance(1000);
    await append(String(index + 1));
  }
  const summary = await writer.close('exited');
  return { recordings, id, summary };
}

it.each([
  ['the hour that comes twice, which moves no UTC', [0, 0, 0, 0]],
  ['a clock set back by two hours', [0, -2 * HOUR, 0, 0]],
  ['a clock set forward by a year', [0, 365 * 24 * HOUR, 0, 0]],
  ['a clock that goes to and fro', [-HOUR, 2 * HOUR, -5 * HOUR, HOUR]],
])('keeps order, distances and proof through %s', async (_what, steps) => {
  const { recordings, id, summary } = await recordWith(steps);
  const events = await all(recordings.readEvents(id));
  expect(events.map(({ timeMs }) => timeMs)).toEqual([0, 1000, 2000, 3000, 4000]);
  expect(events.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4]);
  expect(summary.durationMs).toBe(4000);
  expect(await recordings.check(id)).toMatchObject({ chain: 'verified', firstBad: null });
  const [, ...lines] = (await all(toAsciicast(recordings, id))).map((line): unknown => JSON.parse(line));
  expect(lines).toEqual([0, 1, 2, 3, 4].map((second) => [second, 'o', String(second)]));
});
