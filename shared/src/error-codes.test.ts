import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ERROR_TEXT } from './error-codes.ts';

it('explains every error code in docs/errors.md, in the words that a person reads', () => {
  const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
  const missing = Object.entries(ERROR_TEXT).filter(([code, text]) => !page.includes(`| \`${code}\` | ${text} |`));
  expect(missing).toEqual([]);
});
