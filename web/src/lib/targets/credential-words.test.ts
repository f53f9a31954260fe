import { describe, expect, it } from 'vitest';
import { userOf, validityOf } from './credential-words.ts';

const facts = {
  ...{ keyType: '', keyId: '', serial: '0', principals: [], criticalOptions: [], extensions: [] },
  ...{ keyFingerprint: '', authorityType: '', authorityFingerprint: '' },
};

describe('a certificate', () => {
  it('is valid from its first millisecond on, and not at its last', () => {
    const at = (now: number) => validityOf({ ...facts, validAfter: 10, validBefore: 20 }, now);
    expect([9, 10, 19, 20].map(at)).toEqual(['early', 'valid', 'valid', 'expired']);
  });
  it('without ends is always valid', () => {
    expect(validityOf({ ...facts, validAfter: null, validBefore: null }, 5)).toBe('valid');
  });
});

it('says whose name a signed credential takes when it has none', () => {
  expect(userOf({ kind: 'signed', user: '' })).toBe("the person's own name");
  expect(userOf({ kind: 'signed', user: 'deploy' })).toBe('deploy');
  expect(userOf({ kind: 'password', user: '' })).toBe('');
});
