import { describe, expect, it } from 'vitest';
import { KEY_BAR, ptyChord, ptySequence } from './key-bar.ts';

describe('the key bar', () => {
  it('has a sequence for each of its keys', () => {
    for (const bar of KEY_BAR) if (bar.kind === 'key') expect(ptySequence(bar.key), bar.label).not.toBe('');
    expect(KEY_BAR.length % 8).toBe(0);
  });

  it('sends controls and Alt as a terminal does', () => {
    expect(ptyChord('c', { ctrl: true, alt: false })).toBe('\x03');
    expect(ptyChord('[', { ctrl: true, alt: false })).toBe('\x1b');
    expect(ptyChord('b', { ctrl: false, alt: true })).toBe('\x1bb');
    expect(ptyChord('ä', { ctrl: true, alt: false })).toBe('ä');
  });
});
