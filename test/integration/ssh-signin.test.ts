/** Signing in at a real sshd, with each kind of credential and what sshd says of it. */
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../server/src/clock.ts';
import { Secret } from '../../server/src/secret.ts';
import { judgeHostKey, verifyHostKey, type PinnedKey } from '../../server/src/targets/host-keys.ts';
import type { Connection, ConnectPort, HostKey, Identity } from '../../server/src/transports/contract.ts';
import { probe } from '../../server/src/transports/probe.ts';
import { createSshConnector } from '../../server/src/transports/ssh/connector.ts';
import { openKeyRing, type LabKeyName } from '../lab/keys.ts';
import { codeOfRejection, LabPort, labIdentity, labRequest, TIMEOUTS } from '../lab/ssh-target.ts';
import { isRoot, startSshd, type LabSshd, type SshdOptions } from '../lab/sshd.ts';

const open: Connection[] = [];
const labs: LabSshd[] = [];
afterAll(async () => {
  await Promise.all(open.map((connection) => connection.close()));
  await Promise.all(labs.map((each) => each.stop()));
});
async function start(options: SshdOptions = {}): Promise<LabSshd> {
  const started = await startSshd({ subsystem: null, ...options });
  labs.push(started);
  return started;
}
async function connect(
  to: LabSshd,
  identity: Identity,
  port: ConnectPort = new LabPort(),
  pinnedTypes: readonly string[] = [],
): Promise<Connection> {
  const request = { ...labRequest(to, identity, TIMEOUTS), pinnedTypes };
  const connection = await createSshConnector({ clock: systemClock }).connect(
    request,
    port,
    new AbortController().signal,
  );
  open.push(connection);
  return connection;
}
/** sshd's last word of a connection that came to nothing. */
const ENDED = /(?:Connection (?:closed|reset) by|Received disconnect|Disconnected from)/;
const ENDED_EARLY = /Connection (?:closed|reset) by|Received disconnect|Disconnected from|Unable to negotiate/;
/** PAM's own conversation is logged as its failure. */
const WRONG = /Failed (?:password|keyboard-interactive)|error: PAM: Authentication failure/;
const count = (text: string, part: RegExp): number => text.match(new RegExp(part, 'g'))?.length ?? 0;
const keyOf = (to: LabSshd, name: LabKeyName, passphrase = to.keys[name].passphrase): Identity => ({
  kind: 'privateKey',
  user: to.user,
  key: new Secret(to.keys[name].privateKey),
  passphrase: passphrase === null ? null : new Secret(passphrase),
});

describe('a private key', () => {
  let lab: LabSshd;
  beforeAll(async () => {
    lab = await start({ methods: ['publickey'] });
  });

  it.each(Object.keys(openKeyRing().keys) as LabKeyName[])('signs in: %s', async (name) => {
    const connection = await connect(lab, keyOf(lab, name));
    const port = (connection as unknown as { socket: Socket }).socket.localPort ?? 0;
    const [type = ''] = lab.keys[name].publicLine.split(' ');
    const kind = type === 'ssh-rsa' ? 'RSA' : type.startsWith('ecdsa') ? 'ECDSA' : 'ED25519';
    await lab.logged(new RegExp(`Accepted publickey for .* port ${String(port)} ssh2: ${kind} `));
  });

  it.each(['rsa-sha2-256', 'rsa-sha2-512'])('signs with %s where the target takes nothing else', async (algorithm) => {
    const strict = await start({
      methods: ['publickey'],
      lines: [`PubkeyAcceptedAlgorithms ${algorithm}`, 'LogLevel DEBUG1'],
    });
    await connect(strict, keyOf(strict, 'rsa'));
    await strict.logged(/Accepted publickey/);
  });

  it('is not used with SHA-1', async () => {
    const old = await start({ methods: ['publickey'], lines: ['PubkeyAcceptedAlgorithms ssh-rsa'] });
    expect(await codeOfRejection(connect(old, keyOf(old, 'rsa')))).toBe('target_auth_failed');
    await old.logged(ENDED);
    expect(old.log()).not.toContain('Accepted publickey');
  });

  it('that the target does not know is refused after one try', async () => {
    const other = await start({ methods: ['publickey'], lines: ['AuthorizedKeysFile none'] });
    expect(await codeOfRejection(connect(other, labIdentity(other)))).toBe('target_auth_failed');
    await other.logged(ENDED);
    expect(count(other.log(), /Failed publickey/)).toBe(1);
    expect(other.log()).not.toContain('Accepted');
  });

  it('asks for its passphrase only when the target wants a key, and takes the right one', async () => {
    const { passphrase } = lab.keys.ecdsa521Encrypted;
    const port = new LabPort({ askSecret: () => Promise.resolve(new Secret(passphrase ?? '')) });
    await connect(lab, keyOf(lab, 'ecdsa521Encrypted', null), port);
    expect(port.asked).toEqual([['passphrase', lab.user, 'Passphrase of the private key']]);
  });

  it('with a wrong passphrase never reaches the target', async () => {
    const port = new LabPort();
    expect(await codeOfRejection(connect(lab, keyOf(lab, 'ed25519Encrypted', 'wrong'), port))).toBe('key_unreadable');
    // Not even the name was resolved.
    expect(port.steps).toEqual([]);
  });

  it('is no way in where only passwords are taken', async ({ skip }) => {
    if (!isRoot) skip('needs root');
    const other = await start({ methods: ['password'] });
    expect(await codeOfRejection(connect(other, labIdentity(other)))).toBe('target_auth_unsupported');
  });
});

describe.runIf(isRoot)('a password', () => {
  const password = (to: LabSshd, value = to.password ?? ''): Identity => ({
    kind: 'password',
    user: to.user,
    password: new Secret(value),
  });

  it('signs in with the method password', async () => {
    const lab = await start({ methods: ['password'] });
    await connect(lab, password(lab));
    await lab.logged(/Accepted password/);
  });

  it('signs in through keyboard-interactive of PAM, without a question to the person', async () => {
    const lab = await start({ methods: ['keyboard-interactive'] });
    const port = new LabPort();
    await connect(lab, password(lab), port);
    await lab.logged(/Accepted keyboard-interactive\/pam/);
    expect(port.asked).toEqual([]);
  });

  it('typed at the prompt of PAM signs in', async () => {
    const lab = await start({ methods: ['keyboard-interactive'] });
    const port = new LabPort({ askKeyboard: () => Promise.resolve([new Secret(lab.password ?? '')]) });
    await connect(lab, { kind: 'ask', user: lab.user }, port);
    await lab.logged(/Accepted keyboard-interactive\/pam/);
    expect(port.asked).toHaveLength(1);
  });

  it.each([['password'], ['keyboard-interactive']] as const)('that is wrong is tried once: %s', async (method) => {
    // Without PAM sshd does not wait two seconds after a wrong password.
    const lines = method === 'password' ? ['UsePAM no'] : [];
    const lab = await start({ methods: [method], lines });
    expect(await codeOfRejection(connect(lab, password(lab, 'wrong-Pa55word')))).toBe('target_auth_failed');
    await lab.logged(ENDED);
    expect(count(lab.log(), WRONG)).toBe(1);
    expect(lab.log()).not.toContain('Accepted');
  });

  it('that is wrong is not tried again by the other method', async () => {
    const lab = await start({ methods: ['password', 'keyboard-interactive'] });
    expect(await codeOfRejection(connect(lab, password(lab, 'wrong-Pa55word')))).toBe('target_auth_failed');
    await lab.logged(ENDED);
    expect(count(lab.log(), WRONG)).toBe(1);
  });

  it('comes after the key where the target wants both', async () => {
    const lab = await start({ authenticationMethods: 'publickey,password' });
    const port = new LabPort({ askSecret: () => Promise.resolve(new Secret(lab.password ?? '')) });
    await connect(lab, labIdentity(lab), port);
    await lab.logged(/Accepted password/);
    expect(port.asked).toEqual([['password', lab.user, `Password for ${lab.user}`]]);
  });
});

describe('the host key of a real sshd', () => {
  const pins = new Map<string, PinnedKey[]>();
  const nobody = (): Promise<boolean> => Promise.resolve(false);
  const somebody = (key: HostKey): Promise<boolean> => {
    const place = `${key.host}:${String(key.port)}`;
    pins.set(place, [...(pins.get(place) ?? []), { keyType: key.type, key: key.key }]);
    return Promise.resolve(true);
  };
  const find = (_via: string, host: string, port: number): Promise<readonly PinnedKey[]> =>
    Promise.resolve(pins.get(`${host}:${String(port)}`) ?? []);
  const listed = () => Promise.resolve({ keys: [], revoked: [] });
  const checked = (accept: (key: HostKey) => Promise<boolean>): LabPort =>
    new LabPort({ checkHostKey: (key) => verifyHostKey(key, '', { find, listed }, () => accept(key)) });

  it('unknown, accepted, known, changed: a credential leaves only in between', async () => {
    const first = await start();
    expect(await codeOfRejection(connect(first, labIdentity(first), checked(nobody)))).toBe('host_key_unknown');
    await first.logged(ENDED);
    expect(first.log()).not.toContain('publickey');
    const port = checked(somebody);
    await connect(first, labIdentity(first), port);
    expect(port.hostKeys.map(({ fingerprint }) => fingerprint)).toEqual(first.hostKeys.map((key) => key.fingerprint));
    await connect(first, labIdentity(first), checked(nobody));
    await first.stop();
    const swapped = await start({ port: first.port, hostKeySet: 1 });
    expect(await codeOfRejection(connect(swapped, labIdentity(swapped), checked(somebody)))).toBe('host_key_changed');
    await swapped.logged(ENDED);
    expect(swapped.log()).not.toContain('publickey');
    expect(swapped.log()).not.toContain(`user ${swapped.user}`);
  });

  it.each([
    ['rsa', 'ssh-rsa'],
    ['ecdsa', 'ecdsa-sha2-nistp256'],
    ['ed25519', 'ssh-ed25519'],
  ] as const)('of a type on record (%s) is asked for first, where the target has several', async (kind, type) => {
    const lab = await start({ hostKeys: ['ed25519', 'ecdsa', 'rsa'] });
    const port = new LabPort();
    await connect(lab, labIdentity(lab), port, [type]);
    expect(port.hostKeys.map((key) => key.type)).toEqual([type]);
    const pin = lab.hostKeys.find((key) => key.type === type);
    expect(
      judgeHostKey(port.hostKeys[0] ?? { type: kind, key: '' }, pin ? [{ keyType: type, key: pin.key }] : []).kind,
    ).toBe('known');
  });

  it('of a weaker type than the one on record is a change', async () => {
    const lab = await start({ hostKeys: ['rsa'] });
    const strong = { keyType: 'ssh-ed25519', key: 'AAAAC3NzaC1lZDI1NTE5AAAAIJ' };
    pins.set(`${lab.host}:${String(lab.port)}`, [strong]);
    expect(await codeOfRejection(connect(lab, labIdentity(lab), checked(somebody), ['ssh-ed25519']))).toBe(
      'host_key_changed',
    );
    await lab.logged(ENDED_EARLY);
    expect(lab.log()).not.toContain('publickey');
  });
});

describe('a test of the connection', () => {
  const probeAt = async (to: LabSshd, pins: readonly PinnedKey[]) =>
    probe(
      createSshConnector({ clock: systemClock }),
      {
        endpoint: labRequest(to, labIdentity(to)).endpoint,
        subsystem: 'powershell',
        timeouts: TIMEOUTS,
        pinnedTypes: pins.map(({ keyType }) => keyType),
        pinState: (key) => {
          const { kind } = judgeHostKey(key, pins);
          return Promise.resolve(kind === 'known' ? 'pinned' : kind === 'revoked' ? 'changed' : kind);
        },
      },
      new AbortController().signal,
    );

  it('comes as far as the host key without a user name, and knows the key on record among several', async () => {
    const lab = await start({ hostKeys: ['ed25519', 'rsa'] });
    const unknown = await probeAt(lab, []);
    expect(unknown.hostKey).toMatchObject({ type: 'ssh-ed25519', state: 'unknown' });
    const rsa = lab.hostKeys.find(({ type }) => type === 'ssh-rsa');
    const known = await probeAt(lab, [{ keyType: 'ssh-rsa', key: rsa?.key ?? '' }]);
    expect(known.hostKey).toEqual({ type: 'ssh-rsa', fingerprint: rsa?.fingerprint, state: 'pinned' });
    expect(known.stations.map(({ state }) => state)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok', 'not-tried', 'not-tried']);
    await lab.logged(ENDED_EARLY);
    expect(lab.log()).not.toMatch(/user|publickey|password/i);
  });
});

describe('algorithms', () => {
  it.each([
    'aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'chacha20-poly1305@openssh.com',
    'aes128-ctr', 'aes192-ctr', 'aes256-ctr',
  ])('works with a target that has only the cipher %s', async (cipher) => {
    const lab = await start({ lines: [`Ciphers ${cipher}`] });
    const connection = await connect(lab, labIdentity(lab));
    expect(connection.protection).toBe(`SSH, ${cipher.replace(/@.*/, '')}`);
  }); // prettier-ignore

  it.each([
    'curve25519-sha256', 'ecdh-sha2-nistp256', 'ecdh-sha2-nistp384', 'ecdh-sha2-nistp521',
    'diffie-hellman-group14-sha256', 'diffie-hellman-group16-sha512', 'diffie-hellman-group18-sha512',
  ])('works with a target that has only the key exchange %s', async (kex) => {
    const lab = await start({ lines: [`KexAlgorithms ${kex}`] });
    await connect(lab, labIdentity(lab));
  }); // prettier-ignore

  it.each([
    ['CBC', 'Ciphers aes128-cbc,aes256-cbc'],
    ['SHA-1 key exchange', 'KexAlgorithms diffie-hellman-group14-sha1'],
    ['a prime of its own choice', 'KexAlgorithms diffie-hellman-group-exchange-sha256'],
    ['SHA-1 MACs', 'Ciphers aes128-ctr\nMACs hmac-sha1'],
    ['host keys with SHA-1', 'HostKeyAlgorithms ssh-rsa'],
  ])('has nothing in common with a target that has only %s', async (_name, line) => {
    const lab = await start({ hostKeys: ['ed25519', 'rsa'], lines: [line] });
    expect(await codeOfRejection(connect(lab, labIdentity(lab)))).toBe('ssh_algorithms');
    await lab.logged(ENDED_EARLY);
    expect(lab.log()).not.toContain('publickey');
  });
});
