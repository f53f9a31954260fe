/** A target that misbehaves ends its own connection with the named code, and learns nothing that it should not. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../contracts/fake-clock.ts';
import { noteTargetOpened } from '../../server/src/app/chain.ts';
import type { AuditEvent, NewAuditEvent } from '../../server/src/audit/contract.ts';
import { systemClock } from '../../server/src/clock.ts';
import { SallyportError } from '../../server/src/errors.ts';
import { Secret } from '../../server/src/secret.ts';
import type { Connection, HostKey, Identity } from '../../server/src/transports/contract.ts';
import { createSshConnector, type SshConnectorOptions } from '../../server/src/transports/ssh/connector.ts';
import { Collector } from '../lab/collector.ts';
import {
  sshString,
  startHostileTarget,
  uint32,
  type HostileOptions,
  type HostileTarget,
} from '../lab/hostile-target.ts';
import { openKeyRing } from '../lab/keys.ts';
import { codeOfRejection, LabPort, labRequest, TIMEOUTS } from '../lab/ssh-target.ts';
import { freePort } from '../lab/sshd.ts';

const CANARY = 'canary-Pa55word';
const PASSWORD: Identity = { kind: 'password', user: 'ann', password: new Secret(CANARY) };
const ASK: Identity = { kind: 'ask', user: 'ann' };
const SIZE = { cols: 80, rows: 24, term: 'xterm-256color' };

let target: HostileTarget;
const open: Connection[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()));
  await target.stop();
});

interface Options {
  readonly identity?: Identity;
  readonly port?: LabPort;
  readonly timeouts?: { tcpMs: number; handshakeMs: number; loginMs: number };
  readonly signal?: AbortSignal;
  readonly connector?: Partial<SshConnectorOptions>;
}
const start = async (options: HostileOptions): Promise<void> => {
  target = await startHostileTarget(options);
};
async function connect(options: Options = {}): Promise<Connection> {
  const connection = await createSshConnector({ clock: systemClock, ...options.connector }).connect(
    labRequest(target, options.identity ?? PASSWORD, options.timeouts ?? TIMEOUTS),
    options.port ?? new LabPort(),
    options.signal ?? new AbortController().signal,
  );
  open.push(connection);
  return connection;
}
const never = new AbortController().signal;
/** Our identification has arrived, so the handshake has begun. */
async function eventuallyConnected(): Promise<void> {
  while (!target.connections[0]?.bytes().includes('SSH-2.0-')) await new Promise((resolve) => setImmediate(resolve));
}
const wrote = (socket: Socket, text: string): boolean => !socket.destroyed && socket.write(text);
const soon = { tcpMs: 5000, handshakeMs: 150, loginMs: 150 };

describe('host key', () => {
  it('keeps every credential back until the key is accepted', async () => {
    await start({});
    let seenWhileAsking: number[] = [];
    const port = new LabPort({
      checkHostKey: (key: HostKey) => {
        seenWhileAsking = target.connections[0]?.plainMessages() ?? [];
        return Promise.reject(new SallyportError('host_key_unknown', `unknown ${key.fingerprint}`));
      },
    });
    expect(await codeOfRejection(connect({ port }))).toBe('host_key_unknown');
    const [seen] = target.connections;
    // KEXINIT and the key exchange, then DISCONNECT: no NEWKEYS (21), no SERVICE_REQUEST (5), no USERAUTH_REQUEST (50).
    expect(seenWhileAsking).toEqual([20, 30]);
    expect(seen?.plainMessages().filter((message) => ![20, 30, 1].includes(message))).toEqual([]);
    expect(seen?.attempts).toEqual([]);
    expect(seen?.bytes().includes('ann')).toBe(false);
    expect(seen?.bytes().includes(CANARY)).toBe(false);
  });

  it('shows the key that the second connection swapped in', async () => {
    await start({ hostKeySet: (connection) => (connection === 0 ? 0 : 1) });
    const port = new LabPort();
    await connect({ port });
    const [pinned] = port.hostKeys;
    const strict = new LabPort({
      checkHostKey: (key: HostKey) =>
        key.key === pinned?.key ? Promise.resolve() : Promise.reject(new SallyportError('host_key_changed', 'changed')),
    });
    expect(await codeOfRejection(connect({ port: strict }))).toBe('host_key_changed');
    expect(target.connections[1]?.attempts).toEqual([]);
    expect(strict.hostKeys[0]?.fingerprint).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/);
  });

  it('refuses an answer that nobody foresaw', async () => {
    await start({});
    const port = new LabPort({ checkHostKey: () => Promise.reject(new TypeError('broken')) });
    expect(await codeOfRejection(connect({ port }))).toBe('internal');
    expect(target.connections[0]?.attempts).toEqual([]);
  });
});

describe('handshake', () => {
  it('refuses a target without strict key exchange before any credential', async () => {
    await start({ isStrict: false });
    expect(await codeOfRejection(connect())).toBe('ssh_no_strict_kex');
    expect(target.connections[0]?.attempts).toEqual([]);
  });

  it.each<[string, HostileOptions['algorithms']]>([
    ['CBC', { cipher: ['aes128-cbc', '3des-cbc'] }],
    ['group 1', { kex: ['diffie-hellman-group1-sha1'] }],
    ['SHA-1 key exchange', { kex: ['diffie-hellman-group14-sha1'] }],
    ['SHA-1 and MD5 MACs', { cipher: ['aes128-ctr'], hmac: ['hmac-sha1', 'hmac-md5'] }],
    ['compression only', { compress: ['zlib'] }],
  ])('has no algorithm in common with %s', async (_name, algorithms) => {
    await start({ algorithms });
    expect(await codeOfRejection(connect())).toBe('ssh_algorithms');
  });

  it('does not take a host key that signs with SHA-1', async () => {
    await start({ hostKeys: ['rsa'], hostKeyAlgorithms: ['ssh-rsa'] });
    expect(await codeOfRejection(connect())).toBe('ssh_algorithms');
  });

  it.each<[string, (socket: Socket) => void, string]>([
    ['is silent', () => undefined, 'target_timeout'],
    ['closes at once', (socket) => socket.end(), 'ssh_protocol_error'],
    ['speaks HTTP', (socket) => wrote(socket, 'HTTP/1.1 400 Bad Request\r\n\r\n'.repeat(60)), 'ssh_protocol_error'],
    ['never ends its line', (socket) => wrote(socket, 'x'.repeat(300)), 'ssh_protocol_error'],
    ['has an endless identification', (socket) => wrote(socket, `SSH-2.0-${'x'.repeat(300)}\r\n`), 'ssh_protocol_error'],
    ['says 51 lines first', (socket) => wrote(socket, 'hello\r\n'.repeat(51)), 'ssh_protocol_error'],
    ['speaks SSH 1', (socket) => wrote(socket, 'SSH-1.5-old\r\n'), 'ssh_protocol_error'],
    ['sends a packet of 2 GiB', (socket) => wrote(socket, 'SSH-2.0-x\r\n\x7f\xff\xff\xff'), 'ssh_protocol_error'],
    ['sends a broken KEXINIT', (socket) => wrote(socket, 'SSH-2.0-x\r\n\0\0\0\x1c\x0a\x14' + '\x01'.repeat(26)), 'ssh_protocol_error'],
    ['resets', (socket) => socket.once('data', () => socket.resetAndDestroy()), 'target_lost'],
  ])('names a target that %s', async (_name, raw, code) => {
    await start({ raw });
    // Only silence is a matter of time.
    expect(await codeOfRejection(connect(code === 'target_timeout' ? { timeouts: soon } : {}))).toBe(code);
  }); // prettier-ignore

  it('says unreachable where nothing listens', async () => {
    await start({});
    const port = await freePort('127.0.0.1');
    const connector = createSshConnector({ clock: systemClock });
    const request = labRequest({ host: '127.0.0.1', port }, PASSWORD);
    expect(await codeOfRejection(connector.connect(request, new LabPort(), new AbortController().signal))).toBe(
      'target_unreachable',
    );
  });
});

describe('sign-in', () => {
  it('sends a stored password once, whatever the target asks for next', async () => {
    let tries = 0;
    await start({
      authenticate: (context) => {
        if (context.method === 'password') tries++;
        context.reject(['password', 'keyboard-interactive'], false);
      },
    });
    const port = new LabPort();
    expect(await codeOfRejection(connect({ port }))).toBe('target_auth_failed');
    expect(tries).toBe(1);
    expect(target.connections[0]?.attempts.map(({ method }) => method)).toEqual([
      'none',
      'keyboard-interactive',
      'password',
    ]);
    expect(port.asked).toEqual([]);
  });

  it('does not try the stored password again after keyboard-interactive took it', async () => {
    await start({
      authenticate: (context) => {
        if (context.method !== 'keyboard-interactive') context.reject(['password', 'keyboard-interactive'], false);
        else
          context.prompt([{ prompt: 'Password: ', echo: false }], '', '', () =>
            context.reject(['password', 'keyboard-interactive'], false),
          );
      },
    });
    expect(await codeOfRejection(connect())).toBe('target_auth_failed');
    expect(target.connections[0]?.attempts.map(({ method }) => method)).toEqual(['none', 'keyboard-interactive']);
  });

  it('gives a stored password to one hidden prompt, and all else to the person', async () => {
    const answers: string[][] = [];
    await start({
      authenticate: (context) => {
        if (context.method !== 'keyboard-interactive') {
          context.reject(['keyboard-interactive'], false);
          return;
        }
        context.prompt([{ prompt: 'Password: ', echo: false }], (first) => {
          answers.push(first);
          context.prompt([{ prompt: 'Password: ', echo: false }], 'Once more', 'Because', (second) => {
            answers.push(second);
            context.accept();
          });
        });
      },
    });
    const port = new LabPort({ askKeyboard: () => Promise.resolve([new Secret('typed')]) });
    await connect({ port });
    expect(answers).toEqual([[CANARY], ['typed']]);
    expect(port.asked).toEqual([['Once more', 'Because', [{ text: 'Password: ', echo: false }]]]);
  });

  it('keeps the stored password from a shown prompt and from several', async () => {
    const answers: string[][] = [];
    await start({
      authenticate: (context) => {
        if (context.method !== 'keyboard-interactive') context.reject(['keyboard-interactive'], false);
        else
          context.prompt([{ prompt: 'Name: ', echo: true }], (first) => {
            answers.push(first);
            context.prompt(
              [
                { prompt: 'Password: ', echo: false },
                { prompt: 'Code: ', echo: false },
              ],
              (second) => {
                answers.push(second);
                context.accept();
              },
            );
          });
      },
    });
    const port = new LabPort({
      askKeyboard: (_title, _text, prompts) => Promise.resolve(prompts.map(() => new Secret('typed'))),
    });
    await connect({ port });
    expect(answers.flat()).toEqual(['typed', 'typed', 'typed']);
  });

  it.each<[string, { prompt: string; echo: boolean }[]]>([
    ['17 prompts', Array.from({ length: 17 }, () => ({ prompt: 'x', echo: false }))],
    ['a prompt of 2 KiB', [{ prompt: 'x'.repeat(2048), echo: false }]],
  ])('refuses %s', async (_name, prompts) => {
    await start({
      authenticate: (context) => {
        if (context.method === 'keyboard-interactive') context.prompt(prompts, () => context.accept());
        else context.reject(['keyboard-interactive'], false);
      },
    });
    const port = new LabPort({ askKeyboard: () => Promise.resolve([new Secret('typed')]) });
    expect(await codeOfRejection(connect({ identity: ASK, port }))).toBe('ssh_protocol_error');
    expect(port.asked).toEqual([]);
  });

  it('ends prompts without end after 16', async () => {
    let rounds = 0;
    await start({
      authenticate: (context) => {
        if (context.method !== 'keyboard-interactive') {
          context.reject(['keyboard-interactive'], false);
          return;
        }
        const again = (): void => {
          rounds++;
          context.prompt([{ prompt: 'More: ', echo: false }], again);
        };
        again();
      },
    });
    const port = new LabPort({ askKeyboard: () => Promise.resolve([new Secret('typed')]) });
    expect(await codeOfRejection(connect({ identity: ASK, port }))).toBe('ssh_protocol_error');
    expect(rounds).toBe(17);
  });

  it('says that a password has expired', async () => {
    await start({
      authenticate: (context) => {
        if (context.method === 'password') context.requestChange('Expired', () => context.accept());
        else context.reject(['password'], false);
      },
    });
    expect(await codeOfRejection(connect())).toBe('password_expired');
  });

  it('says so too when the change comes as keyboard-interactive prompts', async () => {
    await start({
      authenticate: (context) => {
        if (context.method !== 'keyboard-interactive') context.reject(['keyboard-interactive'], false);
        else
          context.prompt([{ prompt: 'Password: ', echo: false }], () =>
            context.prompt([{ prompt: 'New password: ', echo: false }], () => context.accept()),
          );
      },
    });
    expect(await codeOfRejection(connect())).toBe('password_expired');
  });

  it.each<[string, string[], Identity]>([
    ['only keys where a password is stored', ['publickey'], PASSWORD],
    ['only hostbased where the person is asked', ['hostbased'], ASK],
    ['nothing', [], ASK],
  ])('has no way in when the target offers %s', async (_name, methods, identity) => {
    await start({ authenticate: (context) => context.reject(methods as 'password'[], false) });
    expect(await codeOfRejection(connect({ identity }))).toBe('target_auth_unsupported');
  });

  it('lets the person cancel', async () => {
    await start({ authenticate: (context) => context.reject(['password'], false) });
    expect(await codeOfRejection(connect({ identity: ASK }))).toBe('cancelled');
  });

  it('needs a user name', async () => {
    await start({});
    expect(await codeOfRejection(connect({ identity: { kind: 'ask', user: '' } }))).toBe('credential_needed');
    expect(target.connections[0]?.attempts).toEqual([]);
  });

  it('signs once, however often the target asks for a signature', async () => {
    const { privateKey, publicLine } = openKeyRing().keys.ed25519;
    const blob = Buffer.from(publicLine.split(' ')[1] ?? '', 'base64');
    let signatures = 0;
    await start({
      authenticate: (context, wire) => {
        if (context.method !== 'publickey') {
          context.reject(['publickey'], false);
          return;
        }
        if (context.signature !== undefined) {
          signatures++;
          return;
        }
        context.accept();
        // USERAUTH_PK_OK once more: sign again.
        wire.send(Buffer.concat([Buffer.from([60]), sshString('ssh-ed25519'), sshString(blob)]));
      },
    });
    const identity: Identity = { kind: 'privateKey', user: 'ann', key: new Secret(privateKey), passphrase: null };
    expect(await codeOfRejection(connect({ identity }))).toBe('ssh_protocol_error');
    expect(signatures).toBeLessThanOrEqual(1);
  });

  it('calls a disconnect after the credential a refusal', async () => {
    await start({
      authenticate: (context, wire) => {
        if (context.method === 'none') context.reject(['password'], false);
        // DISCONNECT 2, as OpenSSH does after too many failures.
        else
          wire.send(
            Buffer.concat([Buffer.from([1]), uint32(2), sshString('Too many authentication failures'), sshString('')]),
          );
      },
    });
    expect(await codeOfRejection(connect())).toBe('target_auth_failed');
  });

  it('never names the secret in an error', async () => {
    await start({ authenticate: (context) => context.reject(['password'], false) });
    const error: unknown = await connect().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SallyportError);
    const seen: string[] = [];
    for (let at: unknown = error; at instanceof Error; at = at.cause)
      seen.push(at.message, at.stack ?? '', JSON.stringify(at));
    expect(seen.join('\n')).not.toContain(CANARY);
  });

  it('sends a user of a domain as OpenSSH for Windows wants it', async () => {
    await start({});
    await connect({ identity: { ...PASSWORD, user: 'CONTOSO\\ann' } });
    expect(target.connections[0]?.attempts[0]?.user).toBe('ann@CONTOSO');
  });

  it('cuts an endless banner at 8 KiB and goes on', async () => {
    await start({
      authenticate: (context, wire) => {
        for (let i = 0; i < 100; i++)
          wire.send(Buffer.concat([Buffer.from([53]), sshString(`${String(i)} ${'b'.repeat(500)}\n`), sshString('')]));
        context.accept();
      },
    });
    const port = new LabPort();
    await connect({ port });
    const text = port.banners.join('');
    expect(text.length).toBeLessThan(8 * 1024 + 64);
    expect(text).toMatch(/\[banner cut at 8 KiB\]\n$/);
  });
});

describe('time', () => {
  it('stands still while the person is asked', async () => {
    await start({
      authenticate: (context) =>
        context.method === 'password' ? context.accept() : context.reject(['password'], false),
    });
    const clock = new FakeClock();
    /** A person who takes twice as long as the whole sign-in may. */
    const slow = <T>(value: T): Promise<T> => {
      clock.advance(2 * TIMEOUTS.loginMs);
      return new Promise((resolve) => setImmediate(resolve, value));
    };
    const port = new LabPort({ checkHostKey: () => slow(undefined), askSecret: () => slow(new Secret('typed')) });
    await connect({ identity: ASK, port, connector: { clock } });
  });

  it('ends a sign-in that the target never answers', async () => {
    await start({ authenticate: () => undefined });
    expect(await codeOfRejection(connect({ timeouts: { tcpMs: 5000, handshakeMs: 5000, loginMs: 300 } }))).toBe(
      'target_timeout',
    );
  });

  it.each(['resolving', 'connecting', 'host-key', 'signing-in'])('can be cancelled at the step %s', async (step) => {
    await start({ authenticate: () => undefined });
    const controller = new AbortController();
    const port = new LabPort();
    port.step = (name) => {
      if (name === step) controller.abort();
    };
    expect(await codeOfRejection(connect({ port, signal: controller.signal }))).toBe('cancelled');
  });

  it.each([
    ['the name is never resolved', 'resolving', 30_000],
    ['no TCP connection comes', 'connecting', 10_000],
    ['no handshake comes', 'host-key', 20_000],
  ] as const)('has its own limit where %s', async (_name, step, limitMs) => {
    await start({ raw: () => undefined });
    const clock = new FakeClock();
    const port = new LabPort();
    const reached = new Promise<void>((resolve) => {
      port.step = (name) => {
        if (name === step) resolve();
      };
    });
    const request = labRequest(target, PASSWORD);
    const resolve = (): Promise<string> =>
      step === 'resolving' ? new Promise(() => undefined) : request.endpoint.resolve(never);
    const opening = createSshConnector({ clock }).connect(
      { ...request, endpoint: { ...request.endpoint, resolve } },
      port,
      never,
    );
    const code = codeOfRejection(opening);
    if (step === 'host-key') await eventuallyConnected();
    else await reached;
    clock.advance(limitMs - 1);
    expect(await Promise.race([code, Promise.resolve('waiting')])).toBe('waiting');
    clock.advance(1);
    expect(await code).toBe('target_timeout');
  });

  it('gives up a target that answers no keepalive', async () => {
    let silent: Socket | null = null;
    await start({
      shell: (_stream, { socket }) => {
        silent = socket.pause();
      },
    });
    const seen = new Collector();
    const connection = await connect({ connector: { keepaliveMs: 40 } });
    await connection.openPty(SIZE, seen);
    expect((await seen.ended).error).toMatchObject({ code: 'target_lost' });
    expect(silent).not.toBeNull();
  });
});

describe('after the sign-in', () => {
  it.each([
    'auth-agent@openssh.com',
    'x11',
    'forwarded-tcpip',
    'forwarded-streamlocal@openssh.com',
    'session',
    'direct-tcpip',
  ])('refuses and reports a channel of type %s that the target opens', async (type) => {
    const audited: NewAuditEvent[] = [];
    const append = (event: NewAuditEvent) => Promise.reject<AuditEvent>(new Error(String(audited.push(event))));
    let refuse: (reason: number) => void;
    const refused = new Promise<number>((resolve) => (refuse = resolve));
    await start({
      ready: (wire) => {
        const protocol = (wire.connection as unknown as { _protocol: { _handlers: Record<string, unknown> } })
          ._protocol;
        protocol._handlers['CHANNEL_OPEN_FAILURE'] = (_p: unknown, _recipient: number, reason: number) =>
          refuse(reason);
        const details = [sshString('127.0.0.1'), uint32(6010), sshString('127.0.0.1'), uint32(1)];
        const rest = type.startsWith('forwarded-streamlocal')
          ? [sshString('/tmp/x'), sshString('')]
          : type === 'x11'
            ? details.slice(0, 2)
            : details;
        wire.send(
          Buffer.concat([Buffer.from([90]), sshString(type), uint32(0), uint32(65536), uint32(32768), ...rest]),
        );
      },
    });
    await connect({ connector: { targetOpened: noteTargetOpened({ append }) } });
    expect(await refused).toBeGreaterThan(0);
    const subject = `127.0.0.1:${String(target.port)}`;
    expect(audited).toMatchObject([
      { type: 'session.targetOpened', subject, outcome: 'refused', detail: { channel: type } },
    ]);
  });

  it('reports at most 16 of them', async () => {
    let count = 0;
    await start({
      shell: (stream, wire) => {
        for (let i = 0; i < 50; i++)
          wire.send(
            Buffer.concat([
              Buffer.from([90]),
              sshString('auth-agent@openssh.com'),
              uint32(i),
              uint32(65536),
              uint32(32768),
            ]),
          );
        stream.write('done');
      },
    });
    const seen = new Collector();
    const connection = await connect({ connector: { targetOpened: () => (count += 1) } });
    await connection.openPty(SIZE, seen);
    await seen.untilText('done');
    expect(count).toBe(16);
  });

  it('does not loop on a packet size of zero', async () => {
    await start({
      connected: ({ connection }) => {
        const protocol = (
          connection as unknown as {
            _protocol: { channelOpenConfirm: (remote: number, local: number, window: number, packet: number) => void };
          }
        )._protocol;
        const confirm = protocol.channelOpenConfirm.bind(protocol);
        protocol.channelOpenConfirm = (remote, local, window) => confirm(remote, local, window, 0);
      },
    });
    const connection = await connect();
    expect(await codeOfRejection(connection.openPty(SIZE, new Collector()))).toBe('ssh_protocol_error');
  });

  it('ends a target that ignores the window of a stopped channel', async () => {
    const data = Buffer.concat([Buffer.from([94]), uint32(0), sshString(Buffer.alloc(30_000, 'w'))]);
    await start({
      shell: (stream, wire) => {
        const pour = (): void => {
          while (!wire.socket.destroyed && wire.socket.writableLength < 1024 * 1024) wire.send(data);
        };
        stream.write('start');
        wire.socket.on('drain', pour);
        stream.once('data', pour);
      },
    });
    const seen = new Collector();
    const connection = await connect();
    const pty = await connection.openPty(SIZE, seen);
    await seen.untilText('start');
    pty.pause();
    const gone = once((connection as unknown as { socket: Socket }).socket, 'close');
    pty.write(Buffer.from('go'));
    await gone;
    expect(seen.bytes).toBe(5);
    pty.resume();
    expect((await seen.ended).error).toMatchObject({ code: 'ssh_protocol_error' });
  });

  it.each([
    ['global requests', Buffer.concat([Buffer.from([80]), sshString('x@example.test'), Buffer.from([1])])],
    ['channels', Buffer.concat([Buffer.from([90]), sshString('x11'), uint32(0), uint32(1), uint32(1)])],
    ['requests of a channel', Buffer.concat([Buffer.from([98]), uint32(0), sshString('x'), Buffer.from([1])])],
  ])('ends a target that asks without end: %s', async (_name, ask) => {
    await start({
      shell: (_stream, wire) => {
        for (let i = 0; i < 1000; i++) wire.send(ask);
      },
    });
    const seen = new Collector();
    await (await connect()).openPty(SIZE, seen);
    expect((await seen.ended).error).toMatchObject({ code: 'ssh_protocol_error' });
  });

  it('ends a target that exchanges keys without end', async () => {
    let rekeys = 0;
    await start({
      shell: (_stream, { connection }) => {
        const again = (): void => {
          rekeys++;
          connection.rekey(again);
        };
        again();
      },
    });
    const seen = new Collector();
    await (await connect()).openPty(SIZE, seen);
    expect((await seen.ended).error).toMatchObject({ code: 'ssh_protocol_error' });
    expect(rekeys).toBeLessThan(12);
  });

  it('loses a target that dies within its output, and keeps what came', async () => {
    await start({
      shell: (stream, wire) => {
        stream.write('x'.repeat(100_000), () => wire.socket.destroySoon());
      },
    });
    const seen = new Collector();
    const connection = await connect();
    await connection.openPty(SIZE, seen);
    const end = await seen.ended;
    expect(end).toMatchObject({ exitCode: null, error: { code: 'target_lost' } });
    expect(seen.text()).toBe('x'.repeat(100_000));
  });

  it('names a refused shell', async () => {
    await start({});
    const connection = await connect();
    expect(await codeOfRejection(connection.openPty(SIZE, new Collector()))).toBe('shell_refused');
  });

  it('counts each open connection once, up and down', async () => {
    let live = 0;
    await start({});
    const connection = await connect({ connector: { counted: (change) => void (live += change) } });
    expect(live).toBe(1);
    await connection.close();
    expect(live).toBe(0);
  });
});
