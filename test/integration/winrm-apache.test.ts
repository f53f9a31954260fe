/** The HTTP client of WinRM against Apache: what it sends is taken by a server that was not written for it. */
import { WsManRedirectError } from '@sallyport/wsman';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeOf } from '../../server/src/errors.ts';
import { Secret } from '../../server/src/secret.ts';
import { basicSignIn } from '../../server/src/transports/wsman/auth/basic.ts';
import type {
  ConnectionSignIn,
  HttpSignIn,
  SignInAnswer,
  SignInStep,
} from '../../server/src/transports/wsman/auth/contract.ts';
import { certificateSignIn } from '../../server/src/transports/wsman/auth/certificate.ts';
import { digestSignIn } from '../../server/src/transports/wsman/auth/digest.ts';
import type { ClientCertificateKey } from '../../server/src/transports/contract.ts';
import { openClientCertificate } from '../../server/src/transports/wsman/client-certificate.ts';
import { APACHE_USER, missingForWinRmApache, startWinRmApache, type WinRmApache } from '../lab/wsman/apache.ts';

const missing = missingForWinRmApache();
const who = (password: string = APACHE_USER.password) => ({ user: APACHE_USER.user, password: new Secret(password) });
const envelope = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, i) => 32 + ((i * 7) % 90));

describe.skipIf(missing !== null)(`WinRM's HTTP with Apache${missing === null ? '' : ` (needs ${missing})`}`, () => {
  let apache: WinRmApache;
  beforeAll(async () => {
    apache = await startWinRmApache();
  });
  afterAll(() => apache.stop());

  const attempt = async (place: string, way: HttpSignIn): Promise<string> => {
    try {
      const signed = await apache.signIn(place, way);
      await signed.post(envelope(10), 60_000);
      return 'ok';
    } catch (error) {
      return codeOf(error);
    }
  };

  it.each([
    ['Basic', '/basic', basicSignIn],
    ['Digest', '/digest', digestSignIn],
  ] as const)('signs in with %s and exchanges envelopes on one connection', async (mechanism, place, way) => {
    const signed = await apache.signIn(place, way(who()));
    expect(signed.mechanism).toBe(mechanism);
    for (const size of [1, 1000, 500_000, 1]) {
      const sent = envelope(size);
      expect(Buffer.compare(await signed.post(sent, 60_000), sent)).toBe(0);
    }
    expect(signed.isClosed).toBe(false);
  });

  it('believes the proof of Apache that it knows the password of Digest, and no other', async () => {
    const told: string[] = [];
    const begin = (change: (info: string) => string): HttpSignIn => {
      const way = digestSignIn(who());
      const heard = ({ session, kind }: Extract<SignInStep, { readonly kind: 'done' }>): SignInStep => {
        const accepted = (answer: SignInAnswer): void => {
          const { authenticationInfo } = answer;
          told.push(authenticationInfo ?? '');
          session.accepted?.({ ...answer, authenticationInfo: change(authenticationInfo ?? '') });
        };
        return { kind, session: { ...session, accepted } };
      };
      const next =
        (attempt: ConnectionSignIn): ConnectionSignIn['next'] =>
        async (answer, signal) => {
          const step = await attempt.next(answer, signal);
          return step.kind === 'done' ? heard(step) : step;
        };
      return {
        close: () => way.close(),
        begin(place) {
          const attempt = way.begin(place);
          return { next: next(attempt), close: () => attempt.close() };
        },
      };
    };
    expect(
      await attempt(
        '/digest',
        begin((info) => info),
      ),
    ).toBe('ok');
    expect(told).toEqual([expect.stringMatching(/rspauth="[0-9a-f]{32}"/)]);
    expect(await attempt('/digest', begin((info) => info.replace(/rspauth="./, 'rspauth="z')))).toBe('wsman_server_unproven'); // prettier-ignore
  });

  it('names a refused password and a method that is not offered', async () => {
    expect(await attempt('/basic', basicSignIn(who('wrong')))).toBe('target_auth_failed');
    expect(await attempt('/digest', digestSignIn(who('wrong')))).toBe('target_auth_failed');
    expect(await attempt('/basic', digestSignIn(who()))).toBe('wsman_method_disabled');
    expect(await attempt('/nowhere', digestSignIn(who()))).toBe('wsman_not_winrm');
  });

  it('shows a certificate when it is asked for one within the connection', async () => {
    const { http } = await apache.dial('/certificate', { client: apache.client() });
    const answer = await http.post({}, 'application/soap+xml;charset=UTF-8', envelope(2000), 60_000);
    expect(answer.status).toBe(200);
    expect(Buffer.compare(answer.body, envelope(2000))).toBe(0);
  });

  const certificateCode = async (client?: ClientCertificateKey): Promise<string> => {
    try {
      const signed = await apache.signIn('/certificate', certificateSignIn(), client);
      expect(signed.mechanism).toBe('Certificate');
      for (const size of [1, 500_000, 1]) {
        const sent = envelope(size);
        expect(Buffer.compare(await signed.post(sent, 60_000), sent)).toBe(0);
      }
      return 'ok';
    } catch (error) {
      return codeOf(error);
    }
  };

  it('signs in with a client certificate, several connections with one, and is refused with a foreign one', async () => {
    const client = apache.client();
    expect(await certificateCode(client)).toBe('ok');
    expect(await certificateCode(client)).toBe('ok');
    const eve = apache.foreign.issue('ada@localhost');
    const foreign = openClientCertificate(new Secret(eve.certificate + eve.key), null);
    expect(await certificateCode(foreign)).toBe('client_certificate_refused');
  });

  it('fails where a certificate is asked for and there is none', async () => {
    const { http } = await apache.dial('/certificate');
    const answer = http.post({}, 'application/soap+xml;charset=UTF-8', envelope(10), 60_000);
    expect(await answer.then(({ status }) => status, codeOf)).toSatisfy(
      (what) => what === 403 || what === 'target_lost',
    );
  });

  it('does not follow a redirect by itself', async () => {
    const moved = apache.signIn('/moved', digestSignIn(who()));
    await expect(moved).rejects.toBeInstanceOf(WsManRedirectError);
    await expect(moved).rejects.toMatchObject({ location: 'https://elsewhere.test/wsman' });
  });

  it('says what is wrong with TLS before anything is sent', async () => {
    expect((await apache.dial('/open')).tls.presented.problems).toEqual({ chain: null, name: null, time: null });
    const strange = await apache.dial('/open', {
      trust: { ca: '' },
      host: 'other.test',
      now: Date.now() + 30 * 86_400_000,
    });
    expect(strange.tls.presented.problems).toEqual({
      chain: 'it is self-signed',
      name: 'it is not for the name other.test',
      time: 'it is not valid now',
    });
    await expect(apache.dial('/open', { port: apache.plainPort })).rejects.toMatchObject({ code: 'tls_failed' });
  });
});
