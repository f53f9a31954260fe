import { describe, expect, it } from 'vitest';
import { isAllowedInput } from './reports.ts';

describe('PTY input', () => {
  it('lets keys, pastes, mouse and focus through', () => {
    const keys = [
      'a',
      '\r',
      '\x03',
      '\x1b',
      '\x1b[A',
      '\x1bOP',
      '\x1b[1;5C',
      '\x1b[1;2R',
      '\x1b[3~',
      '\x1bb',
      '\x1b]',
      '\x1bP',
    ];
    const others = ['\x1b[200~two\rlines\x1b[201~', '\x1b[<0;10;5M', '\x1b[I', '\x1b[O', 'päste 😀'];
    for (const data of [...keys, ...others]) expect(isAllowedInput(data), JSON.stringify(data)).toBe(true);
  });

  it('lets the answers on the list through', () => {
    for (const data of ['\x1b[?1;2c', '\x1b[0n', '\x1b[12;40R', '\x1b[?12;40R', '\x1b[?2004;1$y'])
      expect(isAllowedInput(data), JSON.stringify(data)).toBe(true);
  });

  it('drops every other answer of a terminal', () => {
    const answers = [
      '\x1b[>0;276;0c',
      '\x1b[8;24;80t',
      '\x1b[3;0;0t',
      '\x1b]10;rgb:ff/ff/ff\x1b\\',
      '\x1b]l title\x1b\\',
      '\x1bP>|xterm.js(6)\x1b\\',
      '\x1b_x\x1b\\',
    ];
    for (const data of answers) expect(isAllowedInput(data), JSON.stringify(data)).toBe(false);
  });
});
