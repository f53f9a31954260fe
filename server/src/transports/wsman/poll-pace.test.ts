import { expect, it } from 'vitest';
import { PollPace } from './poll-pace.ts';

const pausesOf = (answers: readonly (readonly [tookMs: number, bytes: number])[]): number[] => {
  const pace = new PollPace();
  return answers.map((answer) => {
    pace.answered(...answer);
    return pace.pauseMs;
  });
};
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

it('asks a target that answers at once and with nothing ever more slowly, down to once a second', () => {
  const pauses = pausesOf(times(20, [0, 0] as const));
  expect(pauses.slice(0, 8)).toEqual(times(8, 0));
  expect(pauses.slice(8)).toEqual([25, 50, 100, 200, 400, 800, ...times(6, 1000)]);
  // A byte at a time is nothing either.
  expect(pausesOf(times(20, [10, 1] as const)).at(-1)).toBe(1000);
});

it('asks at once where polls are held, or bring something', () => {
  expect(pausesOf(times(50, [60_000, 0] as const)).at(-1)).toBe(0);
  expect(pausesOf(times(50, [0, 32_768] as const)).at(-1)).toBe(0);
  expect(pausesOf([...times(20, [0, 0] as const), [0, 500]]).at(-1)).toBe(0);
  expect(pausesOf([...times(20, [0, 0] as const), [1000, 0]]).at(-1)).toBe(0);
});
