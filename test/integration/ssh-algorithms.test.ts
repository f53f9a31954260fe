/** What is offered on the wire, and what a target's relaxations change, against real old settings. */
import { createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { RELAXATIONS, type Relaxation } from '@sallyport/shared/api/targets';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../server/src/clock.ts';
import type { Connection, Negotiated } from '../../server/src/transports/contract.ts';
import { createSshConnector } from '../../server/src/transports/ssh/connector.ts';
import { startHostileTarget } from '../lab/hostile-target.ts';
import { LabPort, codeOfRejection, labIdentity, labRequest } from '../lab/ssh-target.ts';
import { startSshd, type LabSshd } from '../lab/sshd.ts';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** Connects with these relaxations; what was agreed on comes with it. */
async function connect(
  lab: Pick<LabSshd, 'host' | 'port' | 'user' | 'keys'>,
  relaxations: readonly Relaxation[],
): Promise<{ connection: Connection; agreed: Negotiated | null }> {
  let agreed: Negotiated | null = null;
  const port = Object.assign(new LabPort(), {
    negotiated: (facts: Negotiated) => {
      agreed = facts;
      return Promise.resolve();
    },
  });
  const request = { ...labRequest(lab, labIdentity(lab as LabSshd)), relaxations };
  const connection = await createSshConnector({ clock: systemClock }).connect(
    request,
    port,
    new AbortController().signal,
  );
  stops.push(() => connection.close());
  return { connection, agreed };
}

/** The lists of our KEXINIT, RFC 4253 section 7.1, as they stand in the first packet. */
async function offeredOnTheWire(relaxations: readonly Relaxation[]): Promise<Record<string, string[]>> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const lab = { host: '127.0.0.1', port: address.port } as const;
  const abort = new AbortController();
  const request = { ...labRequest(lab, { kind: 'ask', user: 'ann' }), relaxations };
  const gone = createSshConnector({ clock: systemClock }).connect(request, new LabPort(), abort.signal);
  const [socket] = (await once(listener, 'connection')) as [Socket];
  socket.write('SSH-2.0-Listener\r\n');
  let bytes = Buffer.alloc(0);
  const packet = await new Promise<Buffer>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const at = bytes.indexOf('\n') + 1;
      if (at > 0 && bytes.length >= at + 4 && bytes.length >= at + 4 + bytes.readUInt32BE(at))
        resolve(bytes.subarray(at + 5));
    });
  });
  abort.abort();
  await gone.catch(() => undefined);
  listener.close();
  expect(packet[0]).toBe(20);
  const names = ['kex', 'hostKey', 'cipherOut', 'cipherBack', 'macOut', 'macBack', 'compressOut', 'compressBack'];
  let at = 17;
  return Object.fromEntries(
    names.map((name) => {
      const length = packet.readUInt32BE(at);
      const list = packet.toString('latin1', at + 4, at + 4 + length).split(',');
      at += 4 + length;
      return [name, list];
    }),
  );
}

describe('what is offered on the wire', () => {
  it('is this, with strict key exchange and nothing weak', async () => {
    const offered = await offeredOnTheWire([]);
    expect(offered).toMatchSnapshot();
    const all = Object.values(offered).flat();
    expect(all.filter((name) => /sha1|cbc|dss|md5|arcfour|3des|group1-|exchange|zlib|^ssh-rsa$/.test(name))).toEqual(
      [],
    );
    expect(offered['kex']).toContain('kex-strict-c-v00@openssh.com');
  });

  it('grows by what each relaxation names, at the end, and by nothing else', async () => {
    const plain = await offeredOnTheWire([]);
    for (const name of RELAXATIONS) {
      const offered = await offeredOnTheWire([name]);
      const added = Object.entries(offered).flatMap(([kind, list]) =>
        list.filter((one) => !plain[kind]?.includes(one)).map((one) => `${kind} ${one}`),
      );
      const removed = Object.entries(plain).flatMap(([kind, list]) =>
        list.filter((one) => !offered[kind]?.includes(one)).map((one) => `${kind} ${one}`),
      );
      expect({ added, removed }).toMatchSnapshot(name);
      for (const [kind, list] of Object.entries(offered)) {
        // What the protocol marks stand behind the key exchanges themselves.
        const known = plain[kind]?.filter((one) => list.includes(one) && !/^(?:ext-info|kex-strict)/.test(one)) ?? [];
        expect(list.slice(0, known.length)).toEqual(known);
      }
    }
    expect(await offeredOnTheWire([...RELAXATIONS])).toMatchSnapshot('all of them');
  });
});

const OLD = ['KexAlgorithms diffie-hellman-group14-sha1', 'HostKeyAlgorithms ssh-rsa', 'Ciphers aes128-cbc', 'MACs hmac-sha1']; // prettier-ignore
const OLD_NEEDS = ['kex-sha1', 'host-key-sha1', 'cipher-cbc', 'mac-sha1'] as const;

describe('a device that knows only old algorithms', () => {
  const startOld = async (): Promise<LabSshd> => {
    const lab = await startSshd({
      hostKeys: ['rsa'],
      lines: [...OLD, 'PubkeyAcceptedAlgorithms +ssh-rsa', 'LogLevel DEBUG1'],
    });
    stops.push(() => lab.stop());
    return lab;
  };

  it('is refused by default, and by each relaxation less than it needs, before any user name', async () => {
    const lab = await startOld();
    expect(await codeOfRejection(connect(lab, []))).toBe('ssh_algorithms');
    for (const left of OLD_NEEDS) {
      const given = OLD_NEEDS.filter((name) => name !== left);
      expect([left, await codeOfRejection(connect(lab, given))]).toEqual([left, 'ssh_algorithms']);
    }
    expect(lab.log()).not.toContain('userauth-request');
  });

  it('is reached with all that it needs, and what is weak is named', async () => {
    const lab = await startOld();
    const { agreed } = await connect(lab, OLD_NEEDS);
    expect(agreed).toEqual({
      ...{ kex: 'diffie-hellman-group14-sha1', hostKey: 'ssh-rsa', cipher: 'aes128-cbc', mac: 'hmac-sha1' },
      isStrict: true,
      weakened: ['diffie-hellman-group14-sha1', 'ssh-rsa', 'aes128-cbc', 'hmac-sha1'],
    });
  });

  it('a target that knows better gets the better, whatever is allowed, and nothing is called weak', async () => {
    const lab = await startSshd();
    stops.push(() => lab.stop());
    const { agreed, connection } = await connect(lab, OLD_NEEDS);
    expect(agreed).toMatchObject({ kex: 'curve25519-sha256', cipher: 'aes128-gcm@openssh.com', mac: '', weakened: [] });
    expect(connection.protection).toBe('SSH, aes128-gcm');
  });
});

describe('a target without strict key exchange', () => {
  it('is refused under a name of its own before any credential, and allowed by its relaxation alone', async () => {
    const target = await startHostileTarget({ isStrict: false });
    const lab = await startSshd();
    stops.push(
      () => target.stop(),
      () => lab.stop(),
    );
    const there = { ...lab, host: target.host, port: target.port };
    for (const given of [[], OLD_NEEDS]) expect(await codeOfRejection(connect(there, given))).toBe('ssh_no_strict_kex');
    expect(target.connections.flatMap(({ attempts }) => attempts)).toEqual([]);
    const { agreed } = await connect(there, ['no-strict-kex']);
    expect(agreed).toMatchObject({ isStrict: false, weakened: ['no strict key exchange'] });
    expect(agreed?.cipher).toMatch(/^aes/);
    expect(agreed?.mac).not.toMatch(/etm/);
  });

  it('that knows only what CVE-2023-48795 attacks is refused all the same', async () => {
    for (const algorithms of [
      { cipher: ['chacha20-poly1305@openssh.com'] as ['chacha20-poly1305@openssh.com'] },
      {
        cipher: ['aes128-ctr'] as ['aes128-ctr'],
        hmac: ['hmac-sha2-256-etm@openssh.com'] as ['hmac-sha2-256-etm@openssh.com'],
      },
    ]) {
      const target = await startHostileTarget({ isStrict: false, algorithms });
      stops.push(() => target.stop());
      const there = { ...(await labKeys()), host: target.host, port: target.port };
      expect(await codeOfRejection(connect(there, ['no-strict-kex']))).toBe('ssh_algorithms');
    }
  });
});

async function labKeys(): Promise<LabSshd> {
  const lab = await startSshd();
  stops.push(() => lab.stop());
  return lab;
}
