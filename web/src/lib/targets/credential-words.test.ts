import { describe, expect, it } from 'vitest';
import { clientValidityOf, userOf, validityOf } from './credential-words.ts';

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

const none = { clientCertificate: null };
it('says whose name a signed credential takes when it has none', () => {
  expect(userOf({ ...none, kind: 'signed', user: '' })).toBe("the person's own name");
  expect(userOf({ ...none, kind: 'signed', user: 'deploy' })).toBe('deploy');
  expect(userOf({ ...none, kind: 'password', user: '' })).toBe('');
});

describe('a client certificate', () => {
  const client = {
    subject: '',
    issuer: '',
    upn: 'ann@lab',
    validFrom: 10,
    validTo: 20,
    sha1: '',
    sha256: '',
    isForClients: true,
  };
  it('is valid from its first millisecond to its last', () => {
    expect([9, 10, 20, 21].map((now) => clientValidityOf(client, now))).toEqual(['early', 'valid', 'valid', 'expired']);
  });
  it('gives its name where there is no other', () => {
    const of = (user: string, upn: string | null) =>
      userOf({ kind: 'certificate', user, clientCertificate: { ...client, upn } });
    expect([of('', 'ann@lab'), of('bob', 'ann@lab'), of('', null)]).toEqual(['ann@lab', 'bob', '']);
  });
});
