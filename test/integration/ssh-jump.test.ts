/** Jump hosts against real sshds: the way of the bytes, whose key is asked about, what ends when, and who is named. */
import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SallyportError } from '../../server/src/errors.ts';
import { transportContract } from '../contracts/transport.ts';
import { Collector } from '../lab/collector.ts';
import { connectOver, labLegs } from '../lab/jump-chain.ts';
import { LabPort, TIMEOUTS, labIdentity } from '../lab/ssh-target.ts';
import { freePort, startSshd, type LabSshd } from '../lab/sshd.ts';

const SIZE = { cols: 80, rows: 24, term: 'xterm' } as const;
const DEBUG = { lines: ['LogLevel DEBUG1'] };

transportContract('ssh over two jump hosts', async () => {
  const servers = await Promise.all([startSshd(), startSshd(), startSshd({ subsystems: { echo: '/bin/cat' } })]);
  return {
    connect: () => connectOver(servers),
    connectAborted: () => connectOver(servers, new LabPort(), {}, AbortSignal.abort()),
    echoSubsystem: 'echo',
    stop: async () => {
      await Promise.all(servers.map((sshd) => sshd.stop()));
    },
  };
});

/** The refusal of a way, with the place. */
async function refusal(promise: Promise<unknown>): Promise<SallyportError> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof SallyportError)) throw new Error(`expected a refusal: ${String(error)}`);
  return error;
}
/** What an sshd heard of a sign-in: the name of the user comes with the first request. */
const heard = (sshd: LabSshd): readonly string[] => sshd.log().match(/userauth-request for user .*/g) ?? [];

describe('a way over one jump host', () => {
  let hop: LabSshd;
  let target: LabSshd;
  beforeAll(async () => {
    [hop, target] = await Promise.all([startSshd({ ...DEBUG, hostKeySet: 1 }), startSshd(DEBUG)]);
  });
  afterAll(async () => {
    await Promise.all([hop.stop(), target.stop()]);
  });

  test('asks about each key under the name of its own machine, and says each step', async () => {
    const port = new LabPort();
    const connection = await connectOver([hop, target], port);
    expect(port.hostKeys.map(({ port: at, fingerprint }) => [at, fingerprint])).toEqual([
      [hop.port, hop.hostKeys[0]?.fingerprint],
      [target.port, target.hostKeys[0]?.fingerprint],
    ]);
    const seen = new Collector();
    const pty = await connection.openPty(SIZE, seen);
    pty.write(Buffer.from('echo "from $(echo $SSH_CONNECTION | cut -d" " -f4)"; exit\n'));
    await seen.ended;
    expect(seen.text()).toContain(`from ${String(target.port)}`);
    await connection.close();
    await hop.logged(/Disconnected from user/);
  });

  test('with the keys of hop and target swapped sends no user name and no credential beyond', async () => {
    const before = heard(target).length;
    const pinned = new Map([
      [hop.port, hop.hostKeys[0]?.fingerprint],
      // On record for the target is the key of the hop, as if somebody had put one in the place of the other.
      [target.port, hop.hostKeys[0]?.fingerprint],
    ]);
    const port = new LabPort({
      checkHostKey: (key) =>
        pinned.get(key.port) === key.fingerprint
          ? Promise.resolve()
          : Promise.reject(new SallyportError('host_key_changed', 'not the one on record')),
    });
    let made = 0;
    const error = await refusal(
      connectOver([hop, target], port, {
        request: ({ hop: at }) => {
          if (at === null) made += 1;
          return Promise.resolve({ identity: labIdentity(hop), timeouts: TIMEOUTS });
        },
      }),
    );
    expect([error.code, error.at]).toEqual(['host_key_changed', '']);
    await target.logged(/Connection (?:closed|reset) by .*\[preauth\]|Received disconnect/);
    expect(heard(target).length).toBe(before);
    expect(made).toBe(1);
  });

  test('with another key at the hop sends nothing at all', async () => {
    const before = [heard(hop).length, heard(target).length];
    const port = new LabPort({
      checkHostKey: () => Promise.reject(new SallyportError('host_key_changed', 'not the one on record')),
    });
    const error = await refusal(connectOver([hop, target], port));
    expect(error.code).toBe('host_key_changed');
    expect(error.at).toBe(`jump host 1 of 1, hop1 (127.0.0.1:${String(hop.port)})`);
    expect([heard(hop).length, heard(target).length]).toEqual(before);
  });

  test('says at which hop the credential was refused', async () => {
    const error = await refusal(
      connectOver([hop, target], new LabPort(), {
        request: () => Promise.resolve({ identity: { ...labIdentity(hop), user: 'nobody-here' }, timeouts: TIMEOUTS }),
      }),
    );
    expect(error.code).toBe('target_auth_failed');
    expect(error.at).toMatch(/^jump host 1 of 1, hop1 /);
  });

  test('says what the hop could not reach, in its own words', async () => {
    const nobody = { ...target, port: await freePort('127.0.0.1') };
    const error = await refusal(connectOver([hop, nobody]));
    expect(error.code).toBe('target_unreachable');
    expect(error.at).toMatch(/^jump host 1 of 1, hop1 /);
    expect(error.peerText).toMatch(/refused/i);
  });

  test('gives up on a target that never says hello, and lets go of the hop', async () => {
    const silent: Server = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const address = silent.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const closed = new Promise<void>((resolve) => {
      silent.once('connection', (socket) => socket.resume().once('close', () => resolve()));
    });
    const error = await refusal(
      connectOver([hop, { ...target, port }], new LabPort(), {
        // The hop has its usual time: it is the target that is silent.
        request: ({ hop: at }) =>
          Promise.resolve({
            identity: labIdentity(hop),
            timeouts: at === null ? { ...TIMEOUTS, handshakeMs: 300 } : TIMEOUTS,
          }),
      }),
    );
    expect([error.code, error.at]).toEqual(['target_timeout', '']);
    await closed;
    silent.close();
  });
});

test('a cancel while the target is asked about lets go of the hop', async () => {
  const [hop, target] = await Promise.all([startSshd(), startSshd()]);
  const abort = new AbortController();
  const port = new LabPort({
    checkHostKey: (key) => {
      if (key.port === target.port) abort.abort();
      return Promise.resolve();
    },
  });
  expect((await refusal(connectOver([hop, target], port, {}, abort.signal))).code).toBe('cancelled');
  await hop.logged(/Disconnected from user/);
  expect(target.log()).not.toContain('Accepted');
  await Promise.all([hop.stop(), target.stop()]);
});

test('a hop that may not forward is named as the cause', async () => {
  const [hop, target] = await Promise.all([startSshd({ lines: ['AllowTcpForwarding no'] }), startSshd()]);
  const error = await refusal(connectOver([hop, target]));
  expect(error.code).toBe('hop_refused');
  expect(error.at).toMatch(/^jump host 1 of 1, hop1 /);
  expect(error.peerText).toBe('open failed');
  await Promise.all([hop.stop(), target.stop()]);
});

test('when a hop dies the session ends, and it is the hop that is named', async () => {
  const servers = await Promise.all([startSshd(), startSshd(), startSshd()]);
  const connection = await connectOver(servers);
  const seen = new Collector();
  await connection.openPty(SIZE, seen);
  await servers[1].kill();
  const { error } = await seen.ended;
  expect(error).toMatchObject({ code: 'target_lost', at: labLegs(servers)[1]?.place });
  await connection.close();
  await Promise.all(servers.map((sshd) => sshd.stop()));
});
