import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../../secret.ts';
import type { SignInPlace } from './contract.ts';
import { digestAuthorization, digestResponse, digestSignIn, findDigest } from './digest.ts';
import type { DigestChallenge } from './digest.ts';

const PLACE: SignInPlace = { host: 'lab', port: 5986, isTls: true, channelBinding: null };
const challenge = (more: Partial<DigestChallenge>): DigestChallenge => ({
  ...{ realm: 'r', nonce: 'n', opaque: null, algorithm: 'MD5', hasQop: true, isStale: false, hashesUser: false },
  ...more,
});

describe('an answer to a Digest challenge', () => {
  it.each([
    ['RFC 2617 section 3.5', 'testrealm@host.com', 'dcd98b7102dd2f0e8b11d0f600bfb0c093', '0a4f113b', 'MD5', 'Circle Of Life', '6629fae49393a05397450978507c4ef1'],
    ['RFC 7616 section 3.9.1, MD5', 'http-auth@example.org', '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v', 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ', 'MD5', 'Circle of Life', '8ca523f5e9506fed4657c9700eebdbec'],
    ['RFC 7616 section 3.9.1, SHA-256', 'http-auth@example.org', '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v', 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ', 'SHA-256', 'Circle of Life', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
  ] as const)('is that of %s', (_, realm, nonce, cnonce, algorithm, password, expected) => {
    const input = { user: 'Mufasa', password, method: 'GET', path: '/dir/index.html', count: 1, cnonce };
    expect(digestResponse(challenge({ realm, nonce, algorithm }), input)).toBe(expected);
  }); // prettier-ignore

  it('is that of MD5-sess', () => {
    const input = { user: 'u', password: 'p', method: 'POST', path: '/wsman', count: 1, cnonce: 'xyz' };
    const asked = challenge({ realm: 'WSMAN', nonce: 'abc', algorithm: 'MD5-sess' });
    expect(digestResponse(asked, input)).toBe('83447f8b033489a913159581fac901f8');
  });

  it('quotes what must be quoted, and nothing else', () => {
    const input = { user: 'DOM\\an"n', password: 'p', method: 'POST', path: '/wsman', count: 17, cnonce: 'c' };
    const text = digestAuthorization(challenge({ opaque: 'o"', algorithm: 'SHA-256' }), input);
    expect(text).toContain('username="DOM\\\\an\\"n", realm="r", nonce="n", uri="/wsman", algorithm=SHA-256, qop=auth');
    expect(text).toContain('nc=00000011, cnonce="c"');
    expect(text).toMatch(/opaque="o\\""$/);
  });
});

describe('what is found in challenges', () => {
  it('is the strongest that is known', () => {
    const offers = ['Basic realm="Digest nonce=x"', 'Digest realm="a, b", nonce="1", algorithm=MD5, Digest realm="c", nonce="2", qop="auth, auth-int", algorithm=sha-256'];
    expect(findDigest(offers)).toMatchObject({ nonce: '2', realm: 'c', algorithm: 'SHA-256', hasQop: true });
    expect(findDigest([offers[1]?.slice(0, 46) ?? ''])).toMatchObject({ nonce: '1', realm: 'a, b', hasQop: false });
  }); // prettier-ignore
  it.each([
    ['another scheme', 'Negotiate, Basic realm="x"'],
    ['no nonce', 'Digest realm="x"'],
    ['an unknown algorithm', 'Digest realm="x", nonce="y", algorithm=SHA-512-256'],
    ['protection of bodies only', 'Digest realm="x", nonce="y", qop="auth-int"'],
    ['nothing', 'Digest '],
  ])('is nothing for %s', (_, value) => {
    expect(findDigest([value])).toBeNull();
  });
});

describe('a connection with Digest', () => {
  const refused = (value: string) => ({ status: 401, challenges: [value] });
  it('asks for a challenge, answers with a count, and takes a fresh nonce when the old one is stale', async () => {
    const attempt = digestSignIn({ user: 'u', password: new Secret('p') }).begin(PLACE);
    const signal = new AbortController().signal;
    expect(await attempt.next(null, signal)).toEqual({ kind: 'send', authorization: '' });
    const step = await attempt.next(refused('Digest realm="r", nonce="1", qop="auth"'), signal);
    if (step.kind !== 'done') throw new Error('not done');
    const sign = (): string => step.session.authorize?.({ method: 'POST', path: '/wsman' }) ?? '';
    expect([sign(), sign()].map((text) => /nc=(\d+)/.exec(text)?.[1])).toEqual(['00000001', '00000002']);
    const isTaken = (value: string): boolean | undefined => step.session.answered?.(refused(value));
    expect(isTaken('Digest realm="r", nonce="2", qop="auth"')).toBe(false);
    expect(isTaken('Digest realm="r", nonce="1", qop="auth", stale=true')).toBe(false);
    expect(isTaken('Digest realm="r", nonce="2", qop="auth", stale=TRUE')).toBe(true);
    expect(sign()).toMatch(/nonce="2".*nc=00000001/);
  });
  it('is unavailable with MD5 where the platform has none, and says so before anything is sent', async () => {
    const hash: typeof createHash = (algorithm) => {
      if (algorithm === 'md5') throw new Error('digital envelope routines::unsupported');
      return createHash(algorithm);
    };
    const { signal } = new AbortController();
    const begin = () => digestSignIn({ user: 'u', password: new Secret('p'), hash }).begin(PLACE);
    const unavailable = { code: 'digest_unavailable', message: expect.stringContaining('fips') as string };
    for (const algorithm of ['', ', algorithm=MD5-sess'])
      await expect(begin().next(refused(`Digest realm="r", nonce="1", qop="auth"${algorithm}`), signal)).rejects.toMatchObject(unavailable); // prettier-ignore
    // SHA-256 goes; who comes back with MD5 in the middle is refused too.
    const step = await begin().next(refused('Digest realm="r", nonce="1", qop="auth", algorithm=SHA-256'), signal);
    if (step.kind !== 'done') throw new Error('not done');
    expect(step.session.authorize?.({ method: 'POST', path: '/wsman' })).toContain('algorithm=SHA-256');
    const stale = refused('Digest realm="r", nonce="2", qop="auth", stale=true');
    expect(() => step.session.answered?.(stale)).toThrow(expect.objectContaining(unavailable) as Error);
  });
  it('takes the next nonce that the server names, and no server that shows another proof', async () => {
    const attempt = digestSignIn({ user: 'u', password: new Secret('p') }).begin(PLACE);
    const { signal } = new AbortController();
    await attempt.next(null, signal);
    const step = await attempt.next(refused('Digest realm="r", nonce="1", qop="auth", algorithm=SHA-256'), signal);
    if (step.kind !== 'done') throw new Error('not done');
    const { session } = step;
    const sign = (): string => session.authorize?.({ method: 'POST', path: '/wsman' }) ?? '';
    const told = (authenticationInfo: string | null): void =>
      session.accepted?.({ status: 200, challenges: [], authenticationInfo });
    const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
    // By hand, as RFC 7616 section 3.5 has it: no method before the colon.
    const proofOf = (signed: string, nonce: string): string => {
      const part = (name: string): string => new RegExp(`${name}="?([^",]+)`).exec(signed)?.[1] ?? '';
      return sha256(`${sha256('u:r:p')}:${nonce}:${part('nc')}:${part('cnonce')}:auth:${sha256(':/wsman')}`);
    };
    let signed = sign();
    told(null);
    told('');
    told(`rspauth="${proofOf(signed, '1')}", qop=auth, nextnonce="2"`);
    signed = sign();
    expect(signed).toContain('nonce="2", uri="/wsman", algorithm=SHA-256, qop=auth, nc=00000001');
    told(`RSPAUTH="${proofOf(signed, '2').toUpperCase()}"`);
    signed = sign();
    expect(signed).toContain('nc=00000002');
    for (const wrong of ['1', 'x'])
      expect(() => told(`rspauth="${proofOf(signed, wrong)}"`)).toThrow(
        expect.objectContaining({ code: 'wsman_server_unproven' }),
      );
  });
  it('ends where Digest is not offered', async () => {
    const attempt = digestSignIn({ user: 'u', password: new Secret('p') }).begin(PLACE);
    const next = attempt.next(refused('Negotiate'), new AbortController().signal);
    await expect(next).rejects.toMatchObject({ code: 'wsman_method_disabled' });
  });
});
