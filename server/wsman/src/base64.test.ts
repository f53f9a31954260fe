import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { base64Length, decodeBase64, encodeBase64 } from './index.ts';

describe('base64', () => {
  it('is that of the platform, for every length and every byte', () => {
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    for (const bytes of [all, ...Array.from({ length: 70 }, (_, length) => new Uint8Array(randomBytes(length)))]) {
      const text = encodeBase64(bytes);
      expect(text).toBe(Buffer.from(bytes).toString('base64'));
      expect(text).toHaveLength(base64Length(bytes.length));
      expect(decodeBase64(text)).toEqual(bytes);
    }
  });
  it('may have white space anywhere', () => {
    expect(decodeBase64(' A\r\nA\tE C\n')).toEqual(Uint8Array.of(0, 1, 2));
    expect(decodeBase64(' A A = = ')).toEqual(Uint8Array.of(0));
  });
  it.each([
    'A',
    'AA',
    'AAA',
    'AAAAA',
    '=',
    '====',
    'AA=A',
    'AA==AAAA',
    'AB==',
    'AAB=',
    'AAA\u00c0',
    'AA-_',
    'AA=',
    'AAA==',
    '\u0141AAA',
  ])('%j is none', (text) => {
    expect(decodeBase64(text)).toBeNull();
  });
});
