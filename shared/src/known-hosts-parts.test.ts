import { expect, it } from 'vitest';
import { partsOf } from './known-hosts-parts.ts';

it('cuts a file at its lines, and knows where each part begins', () => {
  const text = Array.from({ length: 10 }, (_, n) => `line ${n}`).join('\n');
  const parts = partsOf(text, 20);
  expect(parts.map((part) => part.text).join('\n')).toBe(text);
  expect(parts.map((part) => part.firstLine)).toEqual([1, 4, 7, 10]);
  expect(partsOf('', 20)).toEqual([{ firstLine: 1, text: '' }]);
});

it('gives a line that is too long as one that the gateway will name', () => {
  expect(partsOf(`a\n${'b'.repeat(50)}\nc`, 20).map(({ firstLine, text }) => [firstLine, text.length])).toEqual([
    [1, 1],
    [2, 20],
    [3, 1],
  ]);
});
