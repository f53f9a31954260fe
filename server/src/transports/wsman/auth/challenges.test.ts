import { describe, expect, it } from 'vitest';
import { findChallenge } from './challenges.ts';

describe('offers in WWW-Authenticate', () => {
  it('finds a scheme on its own line or among others, without case', () => {
    for (const values of [['Negotiate', 'Kerberos'], ['Negotiate, kerberos, Basic realm="WSMAN"'], ['KERBEROS']])
      expect(findChallenge(values, 'Kerberos')).toEqual({ token: null });
    expect(findChallenge(['Negotiate', 'CredSSP'], 'Kerberos')).toBeNull();
  });

  it('reads the token', () => {
    expect(findChallenge(['Negotiate', 'Kerberos AQID'], 'Kerberos')?.token).toEqual(Uint8Array.of(1, 2, 3));
    expect(findChallenge(['Negotiate AQ==, Kerberos AQID'], 'negotiate')?.token).toEqual(Uint8Array.of(1));
  });

  it('takes nothing in quotes, no part of a name and no parameter for an offer or a token', () => {
    expect(findChallenge(['Basic realm="x, Kerberos AQID"'], 'Kerberos')).toBeNull();
    expect(findChallenge(['Digest realm="a\\", Kerberos", nonce="x"'], 'Kerberos')).toBeNull();
    expect(findChallenge(['KerberosX', 'X-Kerberos'], 'Kerberos')).toBeNull();
    expect(findChallenge(['Kerberos realm="x"'], 'Kerberos')).toEqual({ token: null });
    expect(findChallenge([`Kerberos ${'A'.repeat(90_000)}`], 'Kerberos')).toEqual({ token: null });
  });

  it('takes a quote without its end to the end of the line, and is quick about it', () => {
    expect(findChallenge(['Basic realm="x, Kerberos AQID'], 'Kerberos')).toBeNull();
    expect(findChallenge(['Basic realm="x\\"', 'Kerberos AQID'], 'Kerberos')).not.toBeNull();
    // As large as a head may be: each of these took the better part of a second.
    const long = `Basic realm="${'\\"'.repeat(16_000)}`;
    for (let i = 0; i < 100; i++) expect(findChallenge([long, `${long}\\`], 'Kerberos')).toBeNull();
  });
});
