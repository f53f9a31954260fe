import { ntHash, SpnegoNtlmServer } from '@sallyport/wsman';
import { describe, expect, it } from 'vitest';
import { codeOf, SallyportError } from '../../../errors.ts';
import { Secret } from '../../../secret.ts';
import type { ConnectionSignIn, SignInAnswer, SignInPlace, SignInStep } from './contract.ts';
import { ntlmPrimitives } from './md5.ts';
import { ntlmSignIn } from './ntlm.ts';
import type { NtlmOptions } from './ntlm.ts';

const HTTP: SignInPlace = { host: 'srv.lab.example', port: 5985, isTls: false, channelBinding: null };
const HTTPS: SignInPlace = {
  ...HTTP,
  port: 5986,
  isTls: true,
  channelBinding: new TextEncoder().encode('tls-server-end-point:x'),
};
const OPTIONS: NtlmOptions = {
  user: 'LAB\\alice',
  password: new Secret('correct horse'),
  isAuthenticated: true,
  isTrusted: false,
}; // prettier-ignore
const TRUSTED: NtlmOptions = { ...OPTIONS, isTrusted: true };
const signal = new AbortController().signal;
const primitives = ntlmPrimitives(() => 0);
const server = (): SpnegoNtlmServer =>
  new SpnegoNtlmServer(primitives, {
    computer: 'SRV',
    domain: 'LAB',
    passwordHash: (user) => (user === 'alice' ? ntHash('correct horse') : null),
    bindingHash: null,
  });

const base64 = (token: Uint8Array): string => Buffer.from(token).toString('base64');
const tokenOf = (step: SignInStep): Uint8Array => {
  if (step.kind !== 'send') throw new Error('nothing is sent');
  const [scheme, token = ''] = step.authorization.split(' ');
  expect(scheme).toBe('Negotiate');
  return Buffer.from(token, 'base64');
};
const challenge = (token: Uint8Array): SignInAnswer => ({
  status: 401,
  challenges: ['Kerberos', `Negotiate ${base64(token)}`, 'Basic realm="WSMAN"'],
});
async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'passed';
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    return codeOf(error);
  }
}
/** Up to the client's proof. */
async function proved(options: NtlmOptions, place: SignInPlace): Promise<{ ours: ConnectionSignIn; peer: SpnegoNtlmServer; proof: Uint8Array }> {
  const ours = ntlmSignIn(options).begin(place);
  const peer = server();
  const proof = tokenOf(await ours.next(challenge(peer.challenge(tokenOf(await ours.next(null, signal)))), signal));
  return { ours, peer, proof };
} // prettier-ignore

describe('NTLM over HTTP', () => {
  it('signs in and seals both ways', async () => {
    const { ours, peer, proof } = await proved(TRUSTED, HTTP);
    const accepted = peer.authenticate(proof);
    if (accepted === null) throw new Error('refused');
    expect(accepted).toMatchObject({ user: 'alice', domain: 'LAB' });
    const step = await ours.next({ status: 200, challenges: [`negotiate ${base64(accepted.token)}`] }, signal);
    if (step.kind !== 'done' || step.session.sealing === null) throw new Error('not signed in');
    const { sealing, mechanism } = step.session;
    expect([mechanism, sealing.label, sealing.protocol]).toEqual([
      'NTLM',
      'NTLM sealed (RC4)',
      'application/HTTP-SPNEGO-session-encrypted',
    ]);
    const text = new TextEncoder().encode('<s:Envelope/>');
    expect(Buffer.from(accepted.session.unseal(await sealing.seal(text)))).toEqual(Buffer.from(text));
    const back = accepted.session.seal(text);
    expect(Buffer.from(await sealing.unseal(back))).toEqual(Buffer.from(text));
    expect(await refusal(sealing.unseal(back))).toBe('wsman_seal_broken');
    ours.close();
    expect(await refusal(sealing.seal(text))).toBe('wsman_seal_broken');
  });

  it.each([
    ['plain HTTP, not trusted', OPTIONS, HTTP, 'ntlm_not_trusted'],
    ['plain HTTP, though somebody says that TLS stands', { ...OPTIONS, isAuthenticated: true }, HTTP, 'ntlm_not_trusted'],
    ['TLS with skipped checks, not trusted', { ...OPTIONS, isAuthenticated: false }, HTTPS, 'ntlm_not_trusted'],
    ['TLS with skipped checks, trusted', { ...TRUSTED, isAuthenticated: false }, HTTPS, 'passed'],
    ['verified TLS', OPTIONS, HTTPS, 'passed'],
    ['plain HTTP, trusted', TRUSTED, HTTP, 'passed'],
    ['TLS without channel bindings', OPTIONS, { ...HTTPS, channelBinding: null }, 'internal'],
  ])('over %s: the first step', async (_, options, place, code) => {
    expect(await refusal(ntlmSignIn(options).begin(place).next(null, signal))).toBe(code);
  }); // prettier-ignore

  it('is unavailable without MD5, and says so before anything is sent', async () => {
    const withoutMd5 = (now: () => number): ReturnType<typeof ntlmPrimitives> =>
      ntlmPrimitives(now, () => {
        throw new Error('digital envelope routines::unsupported');
      });
    const ours = ntlmSignIn({ ...TRUSTED, primitives: withoutMd5 }).begin(HTTP);
    await expect(ours.next(null, signal)).rejects.toMatchObject({ code: 'ntlm_unavailable', message: /fips/ });
  });

  it.each([
    ['no offer at all', { status: 401, challenges: [] }, 'wsman_method_disabled'],
    ['other methods only', { status: 401, challenges: ['Kerberos', 'Basic realm="Negotiate"'] }, 'wsman_method_disabled'],
    ['Negotiate without a token', { status: 401, challenges: ['Negotiate'] }, 'wsman_method_disabled'],
    ['a token that is none', { status: 401, challenges: ['Negotiate AAAA'] }, 'wsman_malformed'],
    ['success before any proof', { status: 200, challenges: [] }, 'wsman_server_unproven'],
    ['an error', { status: 500, challenges: [] }, 'wsman_server_unproven'],
  ])('ends at %s instead of a challenge', async (_, answer, code) => {
    const ours = ntlmSignIn(TRUSTED).begin(HTTP);
    await ours.next(null, signal);
    expect(await refusal(ours.next(answer, signal))).toBe(code);
  }); // prettier-ignore

  it.each([
    ['401', { status: 401, challenges: ['Negotiate'] }, 'target_auth_failed'],
    ['403', { status: 403, challenges: [] }, 'wsman_access_denied'],
    ['success without the last token', { status: 200, challenges: [] }, 'wsman_server_unproven'],
  ])('ends at %s after the proof', async (_, answer, code) => {
    const { ours } = await proved(TRUSTED, HTTP);
    expect(await refusal(ours.next(answer, signal))).toBe(code);
  });

  it.each([
    ['offers Negotiate', ['Negotiate', 'Basic realm="x"'], 'passed'],
    ['does not', ['Basic realm="x"'], 'wsman_method_disabled'],
  ])('begins after an answer that %s', async (_, challenges, code) => {
    expect(await refusal(ntlmSignIn(TRUSTED).begin(HTTP).next({ status: 401, challenges }, signal))).toBe(code);
  });
  it('is over when it is closed, and when it is cancelled', async () => {
    const { ours } = await proved(TRUSTED, HTTP);
    ours.close();
    ours.close();
    expect(await refusal(ours.next({ status: 200, challenges: [] }, signal))).toBe('cancelled');
    expect(await refusal(ntlmSignIn(TRUSTED).begin(HTTP).next(null, AbortSignal.abort()))).toBe('cancelled');
  }); // prettier-ignore
});
