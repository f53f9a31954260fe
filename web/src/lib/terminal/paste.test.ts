import { describe, expect, it } from 'vitest';
import { asksFirst, cleanPaste } from './paste.ts';

describe('a paste', () => {
  it('of one line does not submit and does not ask', () => {
    const paste = cleanPaste('ls -l\r\n');
    expect(paste).toEqual({ text: 'ls -l', lines: 1, hadControls: false });
    expect(asksFirst(paste)).toBe(false);
  });

  it('of more lines, of controls or of much text asks first, and the controls are gone', () => {
    expect(cleanPaste('a\rb\r\nc\n')).toEqual({ text: 'a\nb\nc\n', lines: 4, hadControls: false });
    expect(cleanPaste('a\x1b[201~b\x03\u009b')).toEqual({ text: 'a[201~b', lines: 1, hadControls: true });
    for (const text of ['a\nb', 'a\x1bb', 'x'.repeat(6000)]) expect(asksFirst(cleanPaste(text))).toBe(true);
  });
});
