import { expect, test } from 'vitest';
import { commandLook, errorsInWords } from './command-look.ts';

test.each([
  ['completed', 0, 'ok'],
  ['completed', 1, 'bad'],
  ['failed', 0, 'bad'],
  ['lost', 0, 'bad'],
  ['stopped', 2, 'off'],
  ['running', 3, 'live'],
  ['stopping', 0, 'live'],
] as const)('%s with %d errors is marked %s', (state, errorCount, tone) => {
  expect(commandLook({ state, errorCount }).tone).toBe(tone);
});

test('errors in words', () => {
  expect([0, 1, 2].map(errorsInWords)).toEqual(['', '1 error', '2 errors']);
});
