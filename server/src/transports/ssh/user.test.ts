import { expect, it } from 'vitest';
import { toSentUser } from './user.ts';

it.each([
  ['ann', 'ann'],
  ['CONTOSO\\ann', 'ann@CONTOSO'],
  ['contoso.test\\ann b', 'ann b@contoso.test'],
  ['ann@contoso.test', 'ann@contoso.test'],
  ['a\\b\\c', 'a\\b\\c'],
  ['a\\b@c', 'a\\b@c'],
  ['\\ann', '\\ann'],
  ['', ''],
])('sends %s as %s', (written, sent) => {
  expect(toSentUser(written)).toBe(sent);
});
