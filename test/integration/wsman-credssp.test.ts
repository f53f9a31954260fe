/** CredSSP against an acceptor that was written from the specification, with NTLM of gss-ntlmssp inside. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../server/src/secret.ts';
import type { SignInPlace } from '../../server/src/transports/wsman/auth/contract.ts';
import { credSspSignIn } from '../../server/src/transports/wsman/auth/credssp.ts';
import type { CredSspOptions } from '../../server/src/transports/wsman/auth/credssp.ts';
import { Kerberos } from '../../server/src/transports/wsman/auth/kerberos/sign-in.ts';
import { makeCertificate } from '../lab/certificate.ts';
import { DOMAIN, HOSTS, LabKdc, missingForKdc, PEOPLE } from '../lab/kerberos/kdc.ts';
import type { LabCertificate } from '../lab/certificate.ts';
import { startCredSspAcceptor } from '../lab/wsman/credssp-acceptor.ts';
import type { CredSspAcceptor } from '../lab/wsman/credssp-acceptor.ts';
import { startMeddler } from '../lab/wsman/meddler.ts';
import type { Meddler, Meddling } from '../lab/wsman/meddler.ts';
import { missingForAcceptor } from '../lab/wsman/negotiate-acceptor.ts';
import { refusalOf, SealedClient } from '../lab/wsman/sealed-client.ts';
import { expectSwapsAreSeen, expectTamperingIsSeen } from '../lab/wsman/tampering.ts';

const missing = missingForAcceptor();
const needs = (list: readonly (string | null)[]): string => {
  const named = list.filter((each) => each !== null);
  return named.length > 0 ? ` (needs ${named.join(', ')})` : '';
};
const PASSWORD = 'correct hörse';
const who = (over: Partial<CredSspOptions> = {}): CredSspOptions => ({
  user: 'LAB\\alice',
  password: new Secret(PASSWORD),
  isDelegationAllowed: true,
  isAuthenticated: false,
  isTrusted: true,
  kerberos: null,
  ...over,
});
const place = (port: number): SignInPlace => ({ host: 'srv.lab.example', port, isTls: false, channelBinding: null });

describe.skipIf(missing.length > 0)(`CredSSP against an acceptor from the specification${needs(missing)}`, () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-credssp-test-'));
  let own: LabCertificate;
  let other: LabCertificate;
  const open: { close(): void }[] = [];
  const meddlers: Meddler[] = [];
  let acceptor: CredSspAcceptor;
  /** @param variant query that makes the server another one */
  const client = (variant = '', port = acceptor.port): SealedClient => {
    const made = new SealedClient(place(port), { path: `/wsman?${variant}` });
    open.push(made);
    return made;
  };
  const between = async (meddling: Meddling = {}): Promise<Meddler> => {
    const meddler = await startMeddler(acceptor.port, meddling);
    meddlers.push(meddler);
    return meddler;
  };
  beforeAll(async () => {
    own = makeCertificate(directory, 'own');
    other = makeCertificate(directory, 'other');
    acceptor = await startCredSspAcceptor(own, [`LAB:alice:${PASSWORD}`]);
  });
  afterEach(async () => {
    for (const each of open.splice(0)) each.close();
    for (const each of meddlers.splice(0)) await each.stop();
  });
  afterAll(async () => {
    await acceptor.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  /** How a sign-in ends that must give nothing away. */
  async function refusal(variant: string, options = who()): Promise<string> {
    await acceptor.given();
    const code = await refusalOf(client(variant).signIn(credSspSignIn(options)));
    expect(await acceptor.given()).toEqual([]);
    return code;
  }

  it.each([
    ['TLS 1.3', 'tls=1.3', /TLS 1.3, NTLM inside/],
    ['TLS 1.2 with GCM, version 5', 'tls=1.2&version=5', /TLS 1.2/],
    ['TLS 1.2 with CBC', 'tls=1.2&ciphers=ECDHE-ECDSA-AES256-SHA384', /TLS 1.2/],
    ['a server of a later version', 'version=7', /TLS 1.3/],
  ])('hands the password over and exchanges bodies of every size: %s', async (_, variant, label) => {
    const one = client(variant);
    const session = await one.signIn(credSspSignIn(who()));
    expect(session).toMatchObject({ mechanism: 'CredSSP' });
    expect(session.sealing?.label).toMatch(label);
    expect(await acceptor.given()).toEqual([['LAB', 'alice', PASSWORD]]);
    for (const size of [1, 2, 15, 16, 17, 4096, 16_384, 16_385, 100_000, 1024 * 1024, 1]) {
      const plain = randomBytes(size);
      expect(Buffer.from(await one.echo(plain)).equals(plain), `${size} bytes`).toBe(true);
    }
  });

  it.each([
    ['a server behind somebody, which sees another key in the sign-in', '', 'target_auth_failed'],
    ['somebody who answers with the key of the real server', '&binding=unchecked', 'credssp_relayed'],
  ])('gives nothing to %s', async (_, binding, code) => {
    expect(await refusal(`other=${encodeURIComponent(other.certFile)}${binding}`)).toBe(code);
  });
  it.each([
    ["sends the client's own binding back", 'reflected', 'credssp_relayed'],
    ['sends no binding', 'missing', 'credssp_relayed'],
    ['sends a binding that does not open', 'broken', 'wsman_seal_broken'],
  ])('gives nothing to a server that %s', async (_, binding, code) => {
    expect(await refusal(`binding=${binding}`)).toBe(code);
  });
  it.each(['2', '3', '4'])('gives nothing to a server of version %s', async (version) => {
    expect(await refusal(`version=${version}`)).toBe('credssp_version');
  });
  it.each([
    ['c000006d', 'target_auth_failed'],
    ['c0000234', 'target_account_locked'],
    ['c0000072', 'target_account_locked'],
    ['c0000224', 'password_expired'],
    ['c000018b', 'target_auth_failed'],
  ])("tells the server's error %s as %s", async (status, code) => {
    expect(await refusal(`error=${status}`)).toBe(code);
  });

  it('refuses a wrong password without handing it over', async () => {
    expect(await refusal('', who({ password: new Secret('wrong') }))).toBe('target_auth_failed');
  });
  it('says nothing at all where delegation is not allowed, and no NTLM where the target is not trusted', async () => {
    const meddler = await between();
    const forbidden = who({ isDelegationAllowed: false });
    expect(await refusalOf(client('', meddler.port).signIn(credSspSignIn(forbidden)))).toBe('credssp_not_allowed');
    expect(meddler.seen).toEqual([]);
    expect(await refusal('', who({ isTrusted: false }))).toBe('ntlm_not_trusted');
  });
  it('sends neither name nor password in clear', async () => {
    const meddler = await between();
    await client('', meddler.port).signIn(credSspSignIn(who()));
    const tokens = meddler.seen.map(({ headers }) => (headers['authorization'] ?? '').replace('CredSSP ', ''));
    const wire = Buffer.concat(tokens.map((token) => Buffer.from(token, 'base64')));
    expect(wire.length).toBeGreaterThan(500);
    for (const text of ['alice', PASSWORD])
      for (const encoding of ['utf8', 'utf16le'] as const)
        expect(wire.includes(Buffer.from(text, encoding))).toBe(false);
  });

  it('ends over everything that somebody on the way does to a body', async () => {
    const echo = () => ({ port: acceptor.port, host: 'srv.lab.example', signIn: credSspSignIn(who()) });
    await expectTamperingIsSeen(echo);
    await expectSwapsAreSeen(echo());
  });
});

describe.skipIf(missing.length > 0 || missingForKdc() !== null)(
  `CredSSP with Kerberos inside, against an MIT KDC${needs([...missing, missingForKdc()])}`,
  () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-credssp-krb-'));
    let kdc: LabKdc;
    let acceptor: CredSspAcceptor;
    let kerberos: Kerberos;
    beforeAll(async () => {
      kdc = await LabKdc.start();
      kerberos = new Kerberos(kdc.settings);
      const configuration = path.join(kdc.directory, 'krb5.conf');
      const env = { KRB5_KTNAME: kdc.keytab, KRB5_CONFIG: configuration, KRB5RCACHENAME: 'none:' };
      acceptor = await startCredSspAcceptor(makeCertificate(directory, 'krb'), [], ['--kerberos'], env);
    });
    afterAll(async () => {
      kerberos.close();
      await Promise.all([acceptor.stop(), kdc.stop()]);
      rmSync(directory, { recursive: true, force: true });
    });
    async function signedIn(password: string): Promise<{ one: SealedClient; code: string; label: string }> {
      const identity = { kind: 'password', user: `ada@${DOMAIN}`, password: new Secret(password) } as const;
      const signIn = credSspSignIn({
        ...who({ user: identity.user, password: new Secret(password), isTrusted: false }),
        kerberos: kerberos.signIn({ scheme: 'Negotiate', service: 'HTTP', identity }),
      });
      const one = new SealedClient({ ...place(acceptor.port), host: HOSTS.win });
      let label = '';
      const code = await refusalOf(one.signIn(signIn).then(({ sealing }) => (label = sealing?.label ?? '')));
      await signIn.close();
      return { one, code, label };
    }

    it('hands the password over to a target that nothing else proves, and exchanges bodies', async () => {
      const { one, code, label } = await signedIn(PEOPLE.ada);
      expect([code, label]).toEqual(['passed', 'CredSSP sealed (TLS 1.3, Kerberos inside)']);
      expect(await acceptor.given()).toEqual([['', `ada@${DOMAIN}`, PEOPLE.ada]]);
      const plain = randomBytes(100_000);
      expect(Buffer.from(await one.echo(plain)).equals(plain)).toBe(true);
      one.close();
    });
    it('tells a wrong password, and does not fall back to NTLM', async () => {
      const { one, code } = await signedIn('wrong');
      expect(code).toBe('target_auth_failed');
      expect(await acceptor.given()).toEqual([]);
      one.close();
    });
  },
);
