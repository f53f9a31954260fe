/** NTLM against gss-ntlmssp through python3-gssapi, and somebody on the way. */
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { decodeNegTokenResp, encodeNegTokenResp, NTLM_FLAG } from '@sallyport/wsman';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../server/src/secret.ts';
import type { SignInPlace } from '../../server/src/transports/wsman/auth/contract.ts';
import { ntlmSignIn } from '../../server/src/transports/wsman/auth/ntlm.ts';
import type { NtlmOptions } from '../../server/src/transports/wsman/auth/ntlm.ts';
import { makeCertificate } from '../lab/certificate.ts';
import { startMeddler } from '../lab/wsman/meddler.ts';
import type { Meddler, Meddling, PassedAnswer } from '../lab/wsman/meddler.ts';
import { missingForAcceptor, startNegotiateAcceptor } from '../lab/wsman/negotiate-acceptor.ts';
import type { NegotiateAcceptor } from '../lab/wsman/negotiate-acceptor.ts';
import { refusalOf, SealedClient } from '../lab/wsman/sealed-client.ts';
import { expectSwapsAreSeen, expectTamperingIsSeen } from '../lab/wsman/tampering.ts';

const missing = missingForAcceptor();
const needs = missing.length > 0 ? ` (needs ${missing.join(', ')})` : '';
const PASSWORD = 'correct hörse';
const who = (over: Partial<NtlmOptions> = {}): NtlmOptions => ({
  user: 'LAB\\alice',
  password: new Secret(PASSWORD),
  isAuthenticated: false,
  isTrusted: true,
  ...over,
});
const http = (port: number): SignInPlace => ({ host: 'srv.lab.example', port, isTls: false, channelBinding: null });

let acceptor: NegotiateAcceptor;
const open: { close(): void }[] = [];
const meddlers: Meddler[] = [];
const client = (place: SignInPlace, hasTab = true): SealedClient => {
  const made = new SealedClient(place, { hasTab });
  open.push(made);
  return made;
};
const text = async (one: SealedClient, body: string): Promise<string> =>
  Buffer.from(await one.echo(Buffer.from(body))).toString();
/** Signed in through somebody on the way. */
async function through(meddling: Meddling): Promise<{ one: SealedClient; meddler: Meddler }> {
  const meddler = await startMeddler(acceptor.port, meddling);
  meddlers.push(meddler);
  return { one: client(http(meddler.port)), meddler };
}

describe.skipIf(missing.length > 0)(`NTLM against gss-ntlmssp${needs}`, () => {
  beforeAll(async () => {
    acceptor = await startNegotiateAcceptor({ users: [`LAB:alice:${PASSWORD}`, 'LAB:jürgen:Grüße'] });
  });
  afterEach(async () => {
    for (const each of open.splice(0)) each.close();
    for (const each of meddlers.splice(0)) await each.stop();
  });
  afterAll(() => acceptor.stop());

  it('signs in and exchanges bodies of every size, one after the other', async () => {
    const one = client(http(acceptor.port));
    expect(await one.signIn(ntlmSignIn(who()))).toMatchObject({ mechanism: 'NTLM' });
    for (const size of [1, 2, 15, 16, 17, 255, 4096, 65_536, 1024 * 1024, 1]) {
      const plain = randomBytes(size);
      expect(Buffer.from(await one.echo(plain)).equals(plain), `${size} bytes`).toBe(true);
    }
  });
  it('opens an answer of 1 MiB to a short body, and a body without tabs is taken', async () => {
    const one = client(http(acceptor.port), false);
    await one.signIn(ntlmSignIn(who()));
    expect((await one.echo(Buffer.from('big 1048576'))).length).toBe(1_048_576);
  });
  it('has a session of its own on each connection, for all of one sign-in', async () => {
    const signIn = ntlmSignIn(who({ user: 'LAB\\jürgen', password: new Secret('Grüße') }));
    const both = [client(http(acceptor.port)), client(http(acceptor.port))];
    for (const one of both) await one.signIn(signIn);
    for (const one of [...both, ...both]) expect(await text(one, '<a/>')).toBe('<a/>');
  });
  it.each([
    ['a wrong password', who({ password: new Secret('wrong') })],
    ['an unknown user', who({ user: 'LAB\\bob' })],
    ['another domain', who({ user: 'OTHER\\alice' })],
    ['an empty password', who({ password: new Secret('') })],
  ])('is refused with %s', async (_, options) => {
    expect(await refusalOf(client(http(acceptor.port)).signIn(ntlmSignIn(options)))).toBe('target_auth_failed');
  });
  it('sends nothing at all where the target is neither proven nor trusted', async () => {
    const { one, meddler } = await through({});
    expect(await refusalOf(one.signIn(ntlmSignIn(who({ isTrusted: false }))))).toBe('ntlm_not_trusted');
    expect(meddler.seen).toEqual([]);
  });
  it('never lets the password or its hash out', async () => {
    const { one, meddler } = await through({});
    await one.signIn(ntlmSignIn(who()));
    await one.echo(Buffer.from('<a/>'));
    const all = meddler.seen.map(({ headers, body }) => {
      const token = Buffer.from((headers['authorization'] ?? '').replace('Negotiate ', ''), 'base64');
      return Buffer.concat([Buffer.from(JSON.stringify(headers)), token, body]);
    });
    const wire = Buffer.concat(all);
    expect(all.length).toBe(3);
    expect(wire.includes(Buffer.from('alice', 'utf16le'))).toBe(true);
    for (const secret of [Buffer.from(PASSWORD), Buffer.from(PASSWORD, 'utf16le'), Buffer.from('<a/>')])
      expect(wire.includes(secret)).toBe(false);
  });
}); // prettier-ignore

describe.skipIf(missing.length > 0)(`NTLM over TLS against gss-ntlmssp${needs}`, () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-binding-'));
  const hashOf = (file: string): string => createHash('sha256').update(new X509Certificate(readFileSync(file)).raw).digest('hex');
  const binding = (hash: string): Uint8Array => Buffer.concat([Buffer.from('tls-server-end-point:'), Buffer.from(hash, 'hex')]);
  let own: string;
  let server: NegotiateAcceptor;
  beforeAll(async () => {
    const tls = makeCertificate(directory, 'own');
    own = hashOf(tls.certFile);
    server = await startNegotiateAcceptor({ users: [`LAB:alice:${PASSWORD}`], tls, binding: own });
  });
  afterAll(async () => {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  const place = (hash: string): SignInPlace => ({ ...http(server.port), isTls: true, channelBinding: binding(hash) });
  const verified = who({ isTrusted: false, isAuthenticated: true });

  it('signs in bound to the certificate, and seals inside', async () => {
    const one = client(place(own));
    await one.signIn(ntlmSignIn(verified));
    expect(await text(one, '<a/>')).toBe('<a/>');
  });
  it('is refused when it is bound to another certificate: somebody opens TLS in between', async () => {
    const other = hashOf(makeCertificate(directory, 'other').certFile);
    expect(await refusalOf(client(place(other)).signIn(ntlmSignIn(verified)))).toBe('target_auth_failed');
  });
}); // prettier-ignore

describe.skipIf(missing.length > 0)(`somebody on the way of NTLM${needs}`, () => {
  beforeAll(async () => {
    acceptor = await startNegotiateAcceptor({ users: [`LAB:alice:${PASSWORD}`] });
  });
  afterEach(async () => {
    for (const each of open.splice(0)) each.close();
    for (const each of meddlers.splice(0)) await each.stop();
  });
  afterAll(() => acceptor.stop());
  const flipped = (bytes: Uint8Array, at: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy[at] = (copy[at] ?? 0) ^ 1;
    return copy;
  };
  /** How a sign-in ends when the first answer's token is changed so. */
  async function challenged(change: (message: Buffer) => void): Promise<{ code: string; proofs: number }> {
    const answer = (passed: PassedAnswer, number: number): PassedAnswer => {
      if (number !== 1) return passed;
      const headers = passed.headers.map(([name, value]) => {
        if (!value.startsWith('Negotiate ')) return [name, value] as const;
        const token = decodeNegTokenResp(Buffer.from(value.slice(10), 'base64'));
        const message = Buffer.from(token.responseToken ?? []);
        change(message);
        return [name, `Negotiate ${Buffer.from(encodeNegTokenResp({ ...token, responseToken: message })).toString('base64')}`] as const;
      });
      return { ...passed, headers };
    };
    const { one, meddler } = await through({ answer });
    return { code: await refusalOf(one.signIn(ntlmSignIn(who()))), proofs: meddler.seen.length - 1 };
  }

  it('ends over everything that somebody on the way does to a body', async () => {
    const echo = () => ({ port: acceptor.port, host: 'srv.lab.example', signIn: ntlmSignIn(who()) });
    await expectTamperingIsSeen(echo);
    expect(acceptor.refusals.at(-1)).toMatch(/refused/);
    await expectSwapsAreSeen(echo());
  });
  it.each(['seal', 'sign', 'keyExchange', 'key128', 'extendedSessionSecurity'] as const)(
    'takes %s out of the challenge: ntlm_downgraded, and no proof is sent',
    async (name) => {
      const result = await challenged((message) => {
        message.writeUInt32LE((message.readUInt32LE(20) & ~NTLM_FLAG[name]) >>> 0, 20);
      });
      expect(result).toEqual({ code: 'ntlm_downgraded', proofs: 0 });
    },
  );
  it('changes another byte of the challenge: the server sees it in the code over all messages', async () => {
    const result = await challenged((message) => {
      message[50] = (message[50] ?? 0) ^ 1;
    });
    expect(result).toEqual({ code: 'target_auth_failed', proofs: 1 });
  });
  it('takes SEAL and SIGN out of the first message: ntlm_downgraded, for the server leaves them out too', async () => {
    const { one } = await through({
      request: (passed, number) => {
        if (number !== 1) return passed;
        const token = Buffer.from((passed.headers['authorization'] ?? '').slice(10), 'base64');
        const at = token.indexOf('NTLMSSP') + 12;
        token.writeUInt32LE((token.readUInt32LE(at) & ~(NTLM_FLAG.seal | NTLM_FLAG.sign)) >>> 0, at);
        return { ...passed, headers: { ...passed.headers, authorization: `Negotiate ${token.toString('base64')}` } };
      },
    });
    expect(await refusalOf(one.signIn(ntlmSignIn(who())))).toBe('ntlm_downgraded');
  });
  it('takes the server\'s last token away: wsman_server_unproven', async () => {
    const { one } = await through({
      answer: (passed, number) => (number === 2 ? { ...passed, headers: [] } : passed),
    });
    expect(await refusalOf(one.signIn(ntlmSignIn(who())))).toBe('wsman_server_unproven');
  });
  it('changes the code in the server\'s last token: wsman_seal_broken', async () => {
    const { one } = await through({
      answer: (passed, number) => {
        if (number !== 2) return passed;
        const headers = passed.headers.map(([name, value]) => {
          if (!value.startsWith('Negotiate ')) return [name, value] as const;
          const token = Buffer.from(value.slice(10), 'base64');
          return [name, `Negotiate ${flipped(token, token.length - 5).toString('base64')}`] as const;
        });
        return { ...passed, headers };
      },
    });
    expect(await refusalOf(one.signIn(ntlmSignIn(who())))).toBe('wsman_seal_broken');
  });
  it('says success without any proof of the client: wsman_server_unproven, and no proof is sent', async () => {
    const { one, meddler } = await through({ answer: (passed) => ({ ...passed, status: 200, headers: [] }) });
    expect(await refusalOf(one.signIn(ntlmSignIn(who())))).toBe('wsman_server_unproven');
    expect(meddler.seen.length).toBe(1);
  });
}); // prettier-ignore
