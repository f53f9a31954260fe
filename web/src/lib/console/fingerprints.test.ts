import { describe, expect, it } from 'vitest';
import { compareDigests, hexDigest, compareFingerprints, fingerprintsIn } from './fingerprints.ts';

const KEY = 'SHA256:fK3p9QztVw2L7mXeRbH8cN1yTgJ5aU0sPdE6oZ4iYk8';

describe('fingerprints', () => {
  it('are equal as a copy, in groups, without prefix, and as a line of ssh-keygen', () => {
    const digest = KEY.slice(7);
    const groups = digest.match(/.{1,4}/g)?.join(' ') ?? '';
    for (const given of [KEY, digest, groups, `${KEY}=`, `256 ${KEY} root@web01 (ED25519)`])
      expect(compareFingerprints(given, KEY), given).toBe('equal');
  });

  it('are different when one letter is, or its case, or when a part is missing', () => {
    for (const given of [KEY.replace('fK3p', 'fk3p'), KEY.slice(0, -1), `${KEY}8`, 'yes'])
      expect(compareFingerprints(given, KEY), given).toBe('different');
    expect(compareFingerprints('  ', KEY)).toBe('none');
  });

  it('are found in a text', () => {
    const other = 'SHA256:' + 'A'.repeat(43);
    expect(fingerprintsIn(`host key is ${KEY}, expected ${other}`)).toEqual([KEY, other]);
  });
});

describe('the SHA-256 of a certificate', () => {
  const shown = '3af0'.repeat(16);
  it.each([
    ['', 'none'],
    [shown, 'equal'],
    [shown.toUpperCase().replace(/..(?=.)/g, '$&-'), 'equal'],
    [`sha256 Fingerprint=${shown.replace(/..(?=.)/g, '$&:')}`, 'equal'],
    [`sha-256: ${shown.replace(/..(?=.)/g, '$&:')}`, 'equal'],
    [shown.replace('3', '4'), 'different'],
  ])('compares %s', (given, verdict) => expect(compareDigests(given, shown)).toBe(verdict));
  it('is shown in hexadecimal, however it came', () => {
    expect(hexDigest(shown)).toBe(shown);
    expect(hexDigest(`SHA256:${btoa(String.fromCharCode(...Array<number>(32).fill(0x3a))).replace(/=+$/, '')}`)).toBe(
      '3a'.repeat(32),
    );
  });
});
