/** Kerberos against MIT's KDC and an acceptor of python3-gssapi: neither was written here. */
import { X509Certificate } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock, type Clock } from '../../server/src/clock.ts';
import { codeOf } from '../../server/src/errors.ts';
import { Secret } from '../../server/src/secret.ts';
import {
  Kerberos,
  type KerberosIdentity,
  type KerberosOptions,
} from '../../server/src/transports/wsman/auth/kerberos/sign-in.ts';
import { makeCertificate } from '../lab/certificate.ts';
import { missingForAcceptor, startAcceptor, type AcceptorOptions, type LabAcceptor } from '../lab/kerberos/acceptor.ts';
import { LabConnection, bindingOf, type LabPlace } from '../lab/kerberos/client.ts';
import { expectSwapsAreSeen, expectTamperingIsSeen } from '../lab/wsman/tampering.ts';
import { DOMAIN, HOSTS, LabKdc, PEOPLE, REALM, missingForKdc } from '../lab/kerberos/kdc.ts';

const missing = missingForKdc() ?? missingForAcceptor();
const person = (name: keyof typeof PEOPLE, password: string = PEOPLE[name]): KerberosIdentity => ({
  kind: 'password',
  user: `${name}@${DOMAIN}`,
  password: new Secret(password),
});
/** A deadline that is met by hand. */
const SLOW_MS = 12_345;
const ADA = `ada@${REALM}`;
const pattern = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, i) => (i * 7 + size) & 255);
const isReversed = (one: Uint8Array, other: Uint8Array): boolean => Buffer.from(one).reverse().equals(other);

describe.skipIf(missing !== null)(`kerberos${missing === null ? '' : ` (needs ${missing})`}`, () => {
  let kdc: LabKdc;
  let acceptor: LabAcceptor;
  let kerberos: Kerberos;
  const undo: (() => unknown)[] = [];
  const later = (what: () => unknown): void => void undo.push(what);

  beforeAll(async () => {
    kdc = await LabKdc.start();
    acceptor = await startAcceptor({ keytab: kdc.keytab });
    kerberos = new Kerberos(kdc.settings);
  });
  afterAll(async () => {
    kerberos.close();
    await Promise.all([acceptor.stop(), kdc.stop()]);
  });
  afterEach(async () => {
    for (const what of undo.splice(0).reverse()) await what();
  });

  const wayOf = (options: Partial<KerberosOptions> = {}, from = kerberos) => {
    const way = from.signIn({ scheme: 'Kerberos', identity: person('ada'), ...options });
    later(() => way.close());
    return way;
  };
  const connect = (place: Partial<LabPlace> = {}): LabConnection => {
    const connection = new LabConnection({ host: HOSTS.win, port: acceptor.port, ...place });
    later(() => connection.close());
    return connection;
  };
  const another = async (options: Omit<AcceptorOptions, 'keytab'>): Promise<LabAcceptor> => {
    const made = await startAcceptor({ keytab: kdc.keytab, ...options });
    later(() => made.stop());
    return made;
  };
  const refusal = (
    options: Partial<KerberosOptions>,
    place: Partial<LabPlace> = {},
    from = kerberos,
  ): Promise<string> =>
    connect(place)
      .signIn(wayOf(options, from))
      .then(() => 'signed in', codeOf);

  it.each([
    ['Kerberos', 'application/HTTP-Kerberos-session-encrypted'],
    ['Negotiate', 'application/HTTP-SPNEGO-session-encrypted'],
  ] as const)('signs in with a password and seals both ways, from 1 byte to 1 MiB: %s', async (scheme, protocol) => {
    const connection = connect();
    const session = await connection.signIn(wayOf({ scheme }));
    expect(session.mechanism).toBe('Kerberos');
    expect(session.sealing?.protocol).toBe(protocol);
    for (const size of [1, 2, 15, 16, 17, 1000, 65_536, 524_288, 1_048_576]) {
      const plain = pattern(size);
      expect(isReversed(await connection.exchange(plain), plain)).toBe(true);
    }
    expect(acceptor.events.findLast(({ event }) => event === 'signed in')).toMatchObject({
      name: ADA,
      delegated: false,
    });
  });

  it.each([
    ['aes128', 'aes128-cts-hmac-sha1-96', 'AES-128', 60],
    ['sha256', 'aes128-cts-hmac-sha256-128', 'AES-128, SHA-2', 64],
    ['sha384', 'aes256-cts-hmac-sha384-192', 'AES-256, SHA-2', 72],
  ] as const)('seals as %s prefers', async (host, encryption, label, header) => {
    const { port, events } = await another({ encryption });
    const connection = connect({ host: HOSTS[host], port });
    const { sealing } = await connection.signIn(wayOf());
    expect(sealing?.label).toBe(`Kerberos sealed (${label})`);
    const plain = pattern(5000);
    expect(isReversed(await connection.exchange(plain), plain)).toBe(true);
    expect(events.at(-1)).toEqual({ event: 'opened', bytes: 5000, header });
  });

  it('signs in twice at once and later with the tickets of one password, and with no other tickets', async () => {
    const way = wayOf();
    const [one, two] = [connect(), connect()];
    await Promise.all([one.signIn(way), two.signIn(way, { probe: true })]);
    await kdc.halt();
    later(() => kdc.listen());
    await connect().signIn(way);
    for (const connection of [one, two])
      expect(isReversed(await connection.exchange(pattern(9)), pattern(9))).toBe(true);
    expect(await refusal({})).toBe('kerberos_no_kdc');
  });

  it("signs in with the gateway's own keytab and ticket cache", async () => {
    const keytab = { kind: 'keytab', principal: `gateway@${REALM}`, file: kdc.gatewayKeytab } as const;
    await connect().signIn(wayOf({ identity: keytab }));
    expect(acceptor.events.at(-1)).toMatchObject({ event: 'signed in', name: `gateway@${REALM}` });
    const name = `FILE:${kdc.makeCache('ada.ccache', 'ada')}`;
    await connect().signIn(wayOf({ identity: { kind: 'ccache', name } }));
    expect(acceptor.events.at(-1)).toMatchObject({ event: 'signed in', name: ADA });
    expect(await refusal({ identity: { kind: 'ccache', name: 'FILE:/nonexistent/cache' } })).toBe('kerberos_failed');
  });

  it.each([
    ['never', 'win', false],
    ['always', 'aes128', true],
    ['policy', 'aes128', false],
    ['policy', 'win', true],
  ] as const)('delegates %s to %s: %s', async (delegation, host, delegated) => {
    await connect({ host: HOSTS[host] }).signIn(wayOf({ delegation }));
    expect(acceptor.events.at(-1)).toMatchObject({ event: 'signed in', delegated });
  });

  it('asks for the service that the settings name: class, and port', async () => {
    const host = `named.${DOMAIN}`;
    expect(await refusal({}, { host })).toBe('kerberos_unknown_target');
    for (const service of ['WSMAN', 'HOST'] as const) {
      kdc.addService(`${service}/${host}`);
      expect(await refusal({ service }, { host })).toBe('signed in');
    }
    expect(await refusal({ isPortNamed: true }, { host })).toBe('kerberos_unknown_target');
    kdc.addService(`HTTP/${host}:${acceptor.port}`);
    expect(await refusal({ isPortNamed: true }, { host })).toBe('signed in');
    expect(await refusal({}, { host })).toBe('kerberos_unknown_target');
  });

  it('names what the KDC and the target refuse', async () => {
    expect(await refusal({ identity: person('stale') })).toBe('password_expired');
    expect(await refusal({ identity: person('gone') })).toBe('target_account_locked');
    expect(await refusal({ identity: person('locked') })).toBe('target_account_locked');
    expect(await refusal({ identity: { ...person('ada'), user: `nobody@${DOMAIN}` } as KerberosIdentity })).toBe(
      'kerberos_unknown_user',
    );
    expect(await refusal({ identity: { ...person('ada'), user: 'ada@elsewhere.test' } as KerberosIdentity })).toBe(
      'kerberos_no_kdc',
    );
    expect(await refusal({}, { host: `other.${DOMAIN}` })).toBe('kerberos_unknown_target');
    for (const scheme of ['Kerberos', 'Negotiate'] as const)
      expect(await refusal({ scheme }, { host: HOSTS.moved })).toBe('kerberos_unknown_target');
    expect(await refusal({}, { host: '127.0.0.1' })).toBe('kerberos_unknown_target');
  });

  it('asks about a wrong password once', async () => {
    const way = wayOf({ identity: person('ada', 'not it') });
    await expect(connect().signIn(way)).rejects.toMatchObject({ code: 'target_auth_failed' });
    await kdc.halt();
    later(() => kdc.listen());
    await expect(connect().signIn(way)).rejects.toMatchObject({ code: 'target_auth_failed' });
  });

  it('names a clock that is an hour off', async () => {
    const file = kdc.makeCache('skewed.ccache', 'ada', 3600);
    expect(await refusal({ identity: { kind: 'ccache', name: `FILE:${file}` } })).toBe('kerberos_clock_skew');
  });

  it('gives up on a KDC that is silent, and goes on with others meanwhile', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    later(() => silent.close());
    const { port } = silent.address() as AddressInfo;
    const realm = { name: 'SILENT.TEST', kdcs: [`127.0.0.1:${port}`], domains: [], netbiosName: null };
    const deadlines: (() => void)[] = [];
    const clock: Clock = {
      ...systemClock,
      after: (ms, call) => (ms === SLOW_MS ? (deadlines.push(call), () => undefined) : systemClock.after(ms, call)),
    };
    const both = new Kerberos({ ...kdc.settings, realms: [...kdc.settings.realms, realm] }, clock);
    later(() => both.close());
    const identity = { kind: 'password', user: 'ada@silent.test', password: new Secret('x') } as const;
    const asked = once(silent, 'connection');
    const waiting = refusal({ identity, deadlineMs: SLOW_MS }, {}, both);
    await asked;
    await connect().signIn(wayOf({}, both));
    expect(deadlines).toHaveLength(1);
    deadlines[0]?.();
    expect(await waiting).toBe('kerberos_no_kdc');
  });

  it('binds the sign-in to the TLS connection', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-krb-tls-'));
    later(() => rmSync(directory, { recursive: true }));
    const { certFile: cert, keyFile: key } = makeCertificate(directory, 'win', HOSTS.win);
    const binding = Buffer.from(bindingOf(new X509Certificate(readFileSync(cert)).raw)).toString('hex');
    const { port } = await another({ cert, key, binding });
    const connection = connect({ port, isTls: true });
    await connection.signIn(wayOf());
    expect(isReversed(await connection.exchange(pattern(100)), pattern(100))).toBe(true);
    const wrong = Buffer.from('tls-server-end-point:wrong');
    for (const scheme of ['Kerberos', 'Negotiate'] as const) {
      expect(await refusal({ scheme }, { port, isTls: true })).toBe('signed in');
      expect(await refusal({ scheme }, { port, isTls: true, binding: wrong })).toBe('wsman_binding_refused');
    }
  });

  it('accepts no server that does not prove itself, and says what it answered', async () => {
    for (const scheme of ['Kerberos', 'Negotiate'] as const) {
      const code = (fault: string): Promise<string> => refusal({ scheme }, { path: `/wsman?fault=${fault}` });
      expect(await code('no-final-token')).toBe('wsman_server_unproven');
      expect(await code('forbidden')).toBe('wsman_access_denied');
      expect(await code('silent')).toBe('target_auth_failed');
      const path = `/wsman?offer=Basic%20realm%3D%22${scheme},%20x%22&offer=CredSSP`;
      const probed = connect({ path }).signIn(wayOf({ scheme }), { probe: true });
      await expect(probed).rejects.toMatchObject({ code: 'wsman_method_disabled' });
    }
  });

  it.each(['flip', 'replay', 'integrity-only'])('closes on a message that was changed: %s', async (fault) => {
    const connection = connect();
    await connection.signIn(wayOf());
    await connection.exchange(pattern(50));
    const broken = connection.exchange(pattern(50), { 'X-Lab-Fault': fault });
    await expect(broken).rejects.toMatchObject({ code: 'wsman_seal_broken' });
    await expect(connection.exchange(pattern(50))).rejects.toMatchObject({ code: 'target_lost' });
  });

  it.each(['Kerberos', 'Negotiate'] as const)('ends over everything that somebody on the way does to a body: %s', async (scheme) => {
    const echo = () => ({ port: acceptor.port, host: HOSTS.win, signIn: wayOf({ scheme }) });
    await expectTamperingIsSeen(echo);
    await expectSwapsAreSeen(echo());
  }); // prettier-ignore

  it('takes a configuration of the administrator, if it can be read', async () => {
    const own = new Kerberos({ ...kdc.settings, configFile: kdc.configFile });
    later(() => own.close());
    expect(await refusal({}, {}, own)).toBe('signed in');
    const none = new Kerberos({ ...kdc.settings, configFile: '/nonexistent/krb5.conf' });
    later(() => none.close());
    expect(await refusal({}, {}, none)).toBe('kerberos_unavailable');
  });

  it.each(['Kerberos', 'Negotiate'] as const)(
    'ends on tokens that are none, and its process lives: %s',
    async (scheme) => {
      const way = wayOf({ scheme });
      const signal = AbortSignal.timeout(100_000);
      const { pid } = await kerberos.run();
      for (let seed = 1; seed <= 60; seed++) {
        const one = way.begin({ host: HOSTS.win, port: 1, isTls: false, channelBinding: null });
        const step = await one.next(null, signal);
        const token = damaged(Buffer.from(step.kind === 'send' ? (step.authorization.split(' ')[1] ?? '') : '', 'base64'), seed); // prettier-ignore
        const answer = { status: seed % 3 === 0 ? 200 : 401, challenges: [`${scheme} ${token.toString('base64')}`] };
        expect(await one.next(answer, signal).then(() => 'accepted', codeOf)).toMatch(/^(?:kerberos|wsman|target)_/);
        one.close();
      }
      expect((await kerberos.run()).pid).toBe(pid);
    },
  );

  it('outlives the end of the process that holds the native code', async () => {
    const way = wayOf();
    const connection = connect();
    await connection.signIn(way);
    const { pid } = await kerberos.run();
    process.kill(pid ?? 0, 'SIGSEGV');
    await expect(connection.exchange(pattern(10))).rejects.toMatchObject({ code: 'target_lost' });
    const next = connect();
    await next.signIn(way);
    expect(isReversed(await next.exchange(pattern(10)), pattern(10))).toBe(true);
  });

  it.skipIf(process.getuid?.() !== 0)('keeps no password once there is a ticket (needs root to look)', async () => {
    const fresh = new Kerberos(kdc.settings);
    later(() => fresh.close());
    const connection = connect();
    await connection.signIn(wayOf({}, fresh));
    const { pid = 0 } = await fresh.run();
    expect(hasInMemory(pid, [REALM, PEOPLE.ada])).toEqual([true, false]);
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').map((line) => line.split('=')[0])).not.toContain('PATH'); // prettier-ignore
  });
});

/** Our own token, cut and with some bytes changed: what a server may send that is not one. */
function damaged(token: Buffer, seed: number): Buffer {
  let state = seed;
  const next = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
  const piece = token.subarray(0, seed % 4 === 0 ? token.length : 1 + next(token.length));
  for (let count = 0; count < seed % 5; count++) piece[next(Math.min(piece.length, 60))] = next(256);
  return piece;
}

/** Whether a text lies anywhere in what a process may write to. */
function hasInMemory(pid: number, texts: readonly string[]): boolean[] {
  const file = openSync(`/proc/${pid}/mem`, 'r');
  const found = texts.map(() => false);
  const window = Buffer.alloc(1 << 20);
  for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
    const [, from = '', to = ''] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
    // The windows overlap, so that no text is cut by their edge.
    for (let at = Number.parseInt(from, 16); at < Number.parseInt(to, 16); at += window.length - 64)
      try {
        const piece = window.subarray(0, readSync(file, window, 0, window.length, at));
        for (const [index, text] of texts.entries()) found[index] ||= piece.includes(text);
      } catch {
        break; // A piece that the kernel keeps for itself.
      }
  }
  closeSync(file);
  return found;
}
