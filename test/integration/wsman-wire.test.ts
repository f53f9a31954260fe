/** What the gateway says on the wire of WinRM when things go wrong: a capture of every byte, searched for the credential. */
import { WsManSettings } from '@sallyport/shared/api/wsman';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gatewayAccount } from '../../server/src/app/kerberos.ts';
import { type Clock, systemClock } from '../../server/src/clock.ts';
import { codeOf } from '../../server/src/errors.ts';
import { Secret } from '../../server/src/secret.ts';
import { Kerberos } from '../../server/src/transports/wsman/auth/kerberos/sign-in.ts';
import { openClientCertificate, readClientCertificate } from '../../server/src/transports/wsman/client-certificate.ts';
import { makeClientAuthority } from '../lab/client-certificates.ts';
import { HOSTS, LabKdc, missingForKdc, PEOPLE, REALM } from '../lab/kerberos/kdc.ts';
import { keysIn } from '../lab/kerberos/keys.ts';
import { holdsSecret, secretForms } from '../lab/secret-forms.ts';
import { startWireTap, type WireTap } from '../lab/wire-tap.ts';
import { badPeers, HANGS_UP, startPeer } from '../lab/wsman/bad-peers.ts';
import { type LabConnect, labCertificate, LAB_USER, openWsManConsole } from '../lab/wsman/console.ts';

type Peer = ReturnType<typeof badPeers>[number];
type Place = 'plain HTTP' | 'HTTPS' | 'HTTPS, answered in clear';
const PLACES: readonly Place[] = ['plain HTTP', 'HTTPS', 'HTTPS, answered in clear'];

const tls = labCertificate();
/** Everything is allowed that can be. */
const PERMISSIVE = {
  ...{ isTrustedForNtlm: true, isTrustedForDelegation: true, redirects: true, ticketDelegation: 'always' },
  trust: { ca: tls.cert, skipCnCheck: false },
};
/** A person who says yes to everything; where a target sends, this machine is. */
const YES: LabConnect['port'] = {
  confirmDelegation: () => Promise.resolve(true),
  askSecret: () => Promise.resolve(new Secret(LAB_USER.password)),
};

/** Pauses before a further try are short here, 15.5 s of them after a 503; what an answer is given stays as it is. */
const HASTY: Clock = {
  ...systemClock,
  after: (ms, call) => systemClock.after(ms < 10_000 ? ms / 50 : ms, call),
};

let nobody: Awaited<ReturnType<typeof startPeer>>;
/** Where a target sends to. */
let elsewhere: WireTap;
beforeAll(async () => {
  nobody = await startPeer(HANGS_UP, null);
  elsewhere = await startWireTap(nobody.port);
});
afterAll(() => Promise.all([elsewhere.stop(), nobody.stop()]));

/** One attempt to open a session at a peer, and all that was sent there. */
async function attempt([, begin]: Peer, place: Place, more: LabConnect & { readonly wsman: object }): Promise<{ code: string; sent: Buffer }> {
  const peer = await startPeer(begin, place === 'HTTPS' ? tls : null);
  const tap = await startWireTap(peer.port);
  try {
    const settings = WsManSettings.parse({ ...PERMISSIVE, tls: place !== 'plain HTTP', ...more.wsman });
    const code = await openWsManConsole(tap, { clock: HASTY, ...more, settings, port: { ...YES, ...more.port } }).then(() => 'opened', codeOf);
    return { code, sent: tap.sent() };
  } finally {
    await tap.stop();
    await peer.stop();
  }
} // prettier-ignore

/** Every peer in one place. @returns codes by the peer's name, and what was sent in clear */
async function all(place: Place, secret: string | Buffer, more: Parameters<typeof attempt>[2]): Promise<{ codes: Map<string, string>; sent: Buffer }> {
  const codes = new Map<string, string>();
  const heard: Buffer[] = [];
  for (const peer of badPeers(elsewhere.port)) {
    const { code, sent } = await attempt(peer, place, more);
    codes.set(peer[0], code);
    heard.push(sent);
    expect([peer[0], holdsSecret(sent, secret)]).toEqual([peer[0], false]);
  }
  expect(holdsSecret(elsewhere.sent(), secret)).toBe(false);
  expect([...codes].filter(([, code]) => !CLOSED.has(code))).toEqual([]);
  return { codes, sent: Buffer.concat(heard) };
} // prettier-ignore

/** The ends that are refusals of their own; none of them says that something is wrong with the gateway. */
const CLOSED: ReadonlySet<string> = new Set([
  ...['target_lost', 'target_auth_failed', 'wsman_method_disabled', 'wsman_malformed', 'wsman_server_unproven', 'tls_failed'],
  ...['wsman_redirect_refused', 'wsman_clear_refused', 'wsman_not_winrm', 'wsman_access_denied', 'wsman_fault', 'ntlm_not_trusted'],
  ...['credssp_not_allowed', 'client_certificate_refused', 'implicit_not_allowed', 'wsman_binding_refused', 'kerberos_failed', 'kerberos_unknown_target'],
]); // prettier-ignore

it('finds a secret in every form, wherever it begins', () => {
  const secret = LAB_USER.password;
  for (const encoding of ['utf8', 'utf16le'] as const)
    for (let before = 0; before < 6; before++) {
      const bytes = Buffer.concat([Buffer.alloc(before, 7), Buffer.from(secret, encoding), Buffer.from('..')]);
      for (const as of ['latin1', 'base64', 'hex'] as const)
        expect([encoding, as, before, holdsSecret(Buffer.from(bytes.toString(as), 'latin1'), secret)]).toEqual([encoding, as, before, true]);
    }
  expect(secretForms(secret).every((form) => form.length > 10)).toBe(true);
  expect(holdsSecret(Buffer.from('canary-Passw0rc'), secret)).toBe(false);
}); // prettier-ignore

describe.each(['default', 'negotiate', 'basic', 'digest', 'credssp'] as const)('with %s', (method) => {
  it.each(PLACES)('says nothing of the password in clear, whoever answers: %s', async (place) => {
    const { codes, sent } = await all(place, LAB_USER.password, { wsman: { method } });
    if (place === 'plain HTTP' && (method === 'basic' || method === 'digest')) expect(sent.length).toBe(0);
    else expect(sent.length).toBeGreaterThan(0);
    if (place === 'HTTPS, answered in clear') expect(new Set(codes.values())).toEqual(new Set(['tls_failed']));
    if (sent.length > 0 && place !== 'HTTPS, answered in clear')
      expect(codes.get('wants a proxy to be used')).toBe('wsman_redirect_refused');
    // The capture sees what is said: of NTLM the name is, in its proof, as UTF-16. Shorter forms stand in what is random, too.
    const isProved = place === 'plain HTTP' && /default|negotiate/.test(method);
    const long = secretForms('LAB').filter(({ length }) => length >= 6);
    expect(long.some((form) => sent.includes(form))).toBe(isProved);
  });

  it('says nothing at all where nothing proves the target and it is not trusted', async () => {
    const wsman = { method, isTrustedForNtlm: false, isTrustedForDelegation: false };
    expect((await all('plain HTTP', LAB_USER.password, { wsman })).sent.length).toBe(0);
    // TLS of anybody: the person takes no certificate, or the target's settings skip the checks.
    const { codes } = await all('HTTPS', LAB_USER.password, {
      wsman: { ...wsman, trust: { skipCaCheck: true, skipCnCheck: true } },
      port: { checkCertificate: () => Promise.resolve('verified') },
    });
    const said = method === 'basic' || method === 'digest' ? 'wsman_clear_refused' : method === 'credssp' ? 'credssp_not_allowed' : 'ntlm_not_trusted';
    expect(new Set(codes.values())).toEqual(new Set([said]));
  }); // prettier-ignore
});

it.each([
  ['a changed bit', (record: Buffer) => Buffer.concat([record.subarray(0, -3), Buffer.from([(record.at(-3) ?? 0) ^ 1]), record.subarray(-2)])],
  ['the same twice', (record: Buffer) => Buffer.concat([record, record])],
  ['no whole record', (record: Buffer) => record.subarray(0, -4)],
  ['text', () => Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')],
])('ends a connection over TLS on which somebody on the way sends %s', async (_, change) => {
  const begin = () => () => 'HTTP/1.1 401 Lab\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n';
  const peer = await startPeer(begin, tls);
  let answers = 0;
  const isAnswer = (bytes: Buffer): boolean => bytes[0] === 0x17 && ++answers > 1;
  const tap = await startWireTap(peer.port, (bytes) => (isAnswer(bytes) ? change(bytes) : bytes));
  const settings = WsManSettings.parse({ ...PERMISSIVE, method: 'basic' });
  // What is cut off ends there, else it is waited for.
  const timeouts = { tcpMs: 30_000, handshakeMs: 30_000, loginMs: 500 };
  const code = await openWsManConsole(tap, { settings, timeouts }).then(() => 'opened', codeOf);
  expect(code).toMatch(/^(?:target_lost|tls_failed|target_timeout|target_auth_failed)$/);
  expect(holdsSecret(tap.sent(), LAB_USER.password)).toBe(false);
  await tap.stop();
  await peer.stop();
}); // prettier-ignore

it.each(PLACES)('shows no key of a client certificate, whoever answers: %s', async (place) => {
  const clients = makeClientAuthority();
  const mine = clients.issue('ann@localhost');
  const material = await readClientCertificate(new Secret(mine.certificate + mine.key), null);
  const certificate = openClientCertificate(new Secret(material.material), null);
  const identity = { kind: 'certificate', user: 'ann@localhost', certificate } as const;
  const line = mine.key.split('\n')[1] ?? '';
  const { sent } = await all(place, line, { wsman: { method: 'certificate' }, identity });
  // Without TLS there is nobody to show it to.
  expect(sent.length > 0).toBe(place !== 'plain HTTP');
  clients.remove();
});

const missing = missingForKdc();
describe.skipIf(missing !== null)(`with Kerberos${missing === null ? '' : ` (needs ${missing})`}`, () => {
  let kdc: LabKdc;
  let toKdc: WireTap;
  let kerberos: Kerberos;
  beforeAll(async () => {
    kdc = await LabKdc.start();
    toKdc = await startWireTap(kdc.port);
    const { settings } = kdc;
    kerberos = new Kerberos({ ...settings, realms: settings.realms.map((realm) => ({ ...realm, kdcs: [`127.0.0.1:${String(toKdc.port)}`] })) });
  }); // prettier-ignore
  afterAll(async () => {
    kerberos.close();
    await Promise.all([toKdc.stop(), kdc.stop()]);
  });
  const ada = (): LabConnect => ({
    ...{ kerberos, host: HOSTS.win },
    identity: { kind: 'password', user: 'LAB\\ada', password: new Secret(PEOPLE.ada) },
  });

  it.each(['kerberos', 'negotiate', 'credssp'] as const)(
    'says nothing of the password in clear, to the target or the KDC: %s',
    async (method) => {
      for (const place of PLACES) {
        // The certificate is the lab's, and one for this name as far as the person is concerned.
        const port: LabConnect['port'] = { checkCertificate: () => Promise.resolve('pinned') };
        await all(place, PEOPLE.ada, { ...ada(), wsman: { method }, port });
      }
      expect(toKdc.sent().includes(REALM)).toBe(true);
      expect(holdsSecret(toKdc.sent(), PEOPLE.ada)).toBe(false);
    },
  );

  it('says nothing when it falls back to NTLM, or when there is no KDC', async () => {
    const peer = badPeers(elsewhere.port).find(([name]) => name === 'challenges, and then refuses');
    if (peer === undefined) throw new Error('no such peer');
    const unknown = { ...ada(), host: `other.win.lab.test` };
    const down = { ...ada(), kerberos: new Kerberos({ ...kdc.settings, realms: kdc.settings.realms.map((realm) => ({ ...realm, kdcs: ['127.0.0.1:9'] })) }) };
    for (const [who, method, isTrustedForNtlm, expected] of [
      [unknown, 'negotiate', false, 'ntlm_not_trusted'],
      [unknown, 'negotiate', true, 'target_auth_failed'],
      [unknown, 'kerberos', true, 'kerberos_unknown_target'],
      [down, 'negotiate', false, 'ntlm_not_trusted'],
      [down, 'negotiate', true, 'target_auth_failed'],
      [down, 'kerberos', true, 'kerberos_no_kdc'],
      [down, 'credssp', false, 'wsman_method_disabled'],
    ] as const) {
      const { code, sent } = await attempt(peer, 'plain HTTP', { ...who, wsman: { method, isTrustedForNtlm } });
      expect([method, isTrustedForNtlm, code]).toEqual([method, isTrustedForNtlm, expected]);
      expect(holdsSecret(sent, PEOPLE.ada)).toBe(false);
      if (!isTrustedForNtlm && method !== 'credssp') expect(sent.length).toBe(0);
    }
    down.kerberos.close();
  }); // prettier-ignore

  it("says nothing of the gateway's own key", async () => {
    const account = gatewayAccount({
      ...{ gatewayPrincipal: `gateway@${REALM}`, gatewayKeytab: kdc.gatewayKeytab, gatewayTicketCache: null },
      gatewayIdentityHosts: [HOSTS.win],
    });
    if (account === null) throw new Error('no account');
    const identity = { kind: 'gateway', user: 'the gateway' } as const;
    const keys = keysIn(kdc.gatewayKeytab);
    expect(keys.length).toBeGreaterThan(0);
    for (const place of PLACES)
      await all(place, keys[0] ?? Buffer.alloc(0), {
        ...{ kerberos, host: HOSTS.win, gateway: account, identity, wsman: { method: 'negotiate-implicit' } },
        port: { checkCertificate: () => Promise.resolve('pinned') },
      });
    for (const key of keys) expect(holdsSecret(Buffer.concat([toKdc.sent(), elsewhere.sent()]), key)).toBe(false);
  });
});
