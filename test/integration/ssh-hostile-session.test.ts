/** Targets that behave until the sign-in is done, or break the handshake half-way: each ends its own session, by name. */
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../contracts/eventually.ts';
import { FakeClock } from '../contracts/fake-clock.ts';
import { systemClock, type Clock } from '../../server/src/clock.ts';
import { Secret } from '../../server/src/secret.ts';
import { openPtyTerminal } from '../../server/src/terminals/pty.ts';
import type { Connection, ConnectRequest } from '../../server/src/transports/contract.ts';
import { createSshConnector } from '../../server/src/transports/ssh/connector.ts';
import { Collector } from '../lab/collector.ts';
import { LabConsole, memoryInUse } from '../lab/console.ts';
import {
  sshString,
  startHostileTarget,
  uint32,
  type HostileOptions,
  type HostileTarget,
} from '../lab/hostile-target.ts';
import { codeOfRejection, LabPort, labRequest, TIMEOUTS } from '../lab/ssh-target.ts';

const SIZE = { cols: 80, rows: 24, term: 'xterm-256color' };
const MIB = 1024 * 1024;
let target: HostileTarget;
const open: Connection[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()));
  await target.stop();
});
async function start(options: HostileOptions): Promise<void> {
  target = await startHostileTarget(options);
}
async function connect(
  clock: Clock = systemClock,
  timeouts: ConnectRequest['timeouts'] = TIMEOUTS,
): Promise<Connection> {
  const connection = await createSshConnector({ clock }).connect(
    labRequest(target, { kind: 'password', user: 'ann', password: new Secret('x') }, timeouts),
    new LabPort(),
    new AbortController().signal,
  );
  open.push(connection);
  return connection;
}
const data = (bytes: Uint8Array): Buffer => Buffer.concat([Buffer.from([94]), uint32(0), sshString(bytes)]);

describe('a handshake', () => {
  it.each([30, 400, 800, 1000])('that ends after %i bytes is a named end', async (limit) => {
    await start({
      connected: ({ socket }) => {
        let sent = 0;
        const write = socket.write.bind(socket);
        socket.write = (chunk: Uint8Array) => {
          const part = chunk.subarray(0, Math.max(0, limit - sent));
          sent += chunk.length;
          const isTaken = write(part);
          if (sent >= limit) socket.destroySoon();
          return isTaken;
        };
      },
    });
    expect(await codeOfRejection(connect())).toMatch(/^(?:target_lost|ssh_protocol_error)$/);
    expect(target.connections[0]?.attempts).toEqual([]);
  });

  it.each([
    ['its identification', 'SSH-2.0-slow_and_quiet'],
    ['lines before it', 'a\nb\nc\nd\ne\nf\ng\nh\n'],
  ])('that drips %s byte by byte runs out of time', async (_name, text) => {
    const clock = new FakeClock();
    let at = 0;
    await start({
      raw: (socket) => {
        // A byte each 2 s: the time for all of it runs out, however often something comes.
        const drip = (): void => {
          if (socket.destroyed) return;
          socket.write(text[at++ % text.length] ?? 'x');
          clock.advance(2000);
          setImmediate(drip);
        };
        socket.once('data', drip);
      },
    });
    expect(await codeOfRejection(connect(clock))).toBe('target_timeout');
    expect(at).toBeLessThanOrEqual(TIMEOUTS.handshakeMs / 2000);
  });

  it('whose key exchange never goes on runs out of time', async () => {
    await start({ raw: (socket) => void socket.write('SSH-2.0-x\r\n') });
    const timeouts = { tcpMs: 5000, handshakeMs: 200, loginMs: 5000 };
    expect(await codeOfRejection(connect(systemClock, timeouts))).toBe('target_timeout');
  });
});

describe('a channel', () => {
  it.each<[string, NonNullable<HostileOptions['session']>]>([
    ['open', 'silent'],
    ['shell', (session) => void session.on('pty', (accept) => accept()).on('shell', () => undefined)],
  ])('whose %s is never answered runs out of time', async (_name, session) => {
    await start({ session });
    const clock = new FakeClock();
    const connection = await connect(clock);
    const opening = codeOfRejection(connection.openPty(SIZE, new Collector()));
    clock.advance(30_001);
    expect(await opening).toBe('target_timeout');
    const closing = connection.close();
    clock.advance(1001);
    await closing;
  });

  it('that opens after it was given up is closed again', async () => {
    let acceptLate: (() => void) | null = null;
    let closed: (() => void) | undefined;
    const isClosed = new Promise<void>((resolve) => (closed = resolve));
    let asked: (() => void) | undefined;
    const isAsked = new Promise<void>((resolve) => (asked = resolve));
    await start({
      session: (session) => {
        session.on('pty', (accept) => accept());
        session.on('shell', (accept) => {
          acceptLate = () =>
            void accept()
              .on('close', () => closed?.())
              .resume();
          asked?.();
        });
      },
    });
    const clock = new FakeClock();
    const connection = await connect(clock);
    const opening = codeOfRejection(connection.openPty(SIZE, new Collector()));
    await isAsked;
    clock.advance(30_001);
    expect(await opening).toBe('target_timeout');
    (acceptLate as (() => void) | null)?.();
    await isClosed;
    const closing = connection.close();
    clock.advance(1001);
    await closing;
  });

  it.each<[string, NonNullable<HostileOptions['session']>]>([
    ['PTY', (session) => void session.on('pty', (_accept, reject) => reject())],
    ['channel', 'refuse'],
  ])('whose %s is refused is a named refusal, and the connection closes', async (_name, session) => {
    await start({ session });
    const connection = await connect();
    const refused = openPtyTerminal({ connection, cols: 80, rows: 24, events: new LabConsole(), clock: systemClock });
    expect(await codeOfRejection(refused)).toBe('shell_refused');
    expect(await codeOfRejection(connection.openPty(SIZE, new Collector()))).toBe('target_lost');
  });

  it('that sends data after its end of file shows none of it and ends', async () => {
    await start({
      shell: (_stream, wire) => {
        wire.send(data(Buffer.from('before')));
        wire.send(Buffer.concat([Buffer.from([96]), uint32(0)]));
        for (let i = 0; i < 100; i++) wire.send(data(Buffer.from('after')));
        wire.send(Buffer.concat([Buffer.from([97]), uint32(0)]));
      },
    });
    const seen = new Collector();
    await (await connect()).openPty(SIZE, seen);
    await seen.ended;
    expect(seen.text()).toBe('before');
    expect(seen.late).toEqual([]);
  });

  it('that sends data to channels that are not open does not reach this one', async () => {
    await start({
      shell: (stream, wire) => {
        for (const id of [1, 7, 0xffffffff])
          wire.send(Buffer.concat([Buffer.from([94]), uint32(id), sshString('foreign')]));
        stream.write('own');
        stream.exit(0);
        stream.end();
      },
    });
    const seen = new Collector();
    await (await connect()).openPty(SIZE, seen);
    await seen.ended;
    expect(seen.text()).not.toContain('foreign');
  });

  it('that floods standard error of a subsystem keeps no byte of it', async () => {
    await start({
      session: (session) =>
        void session.on('subsystem', (accept) => {
          const stream = accept();
          const block = Buffer.alloc(256 * 1024, 'e');
          let left = 384;
          const pour = (): void => {
            while (left-- > 0) if (!stream.stderr.write(block)) return void stream.stderr.once('drain', pour);
            stream.write('done');
          };
          pour();
        }),
    });
    const seen = new Collector();
    const before = memoryInUse();
    await (await connect()).openSubsystem('powershell', seen);
    await seen.untilText('done');
    expect(seen.bytes).toBe(4);
    // 96 MiB came; what is above the windows is noise of the heap.
    expect(memoryInUse() - before).toBeLessThan(24 * MIB);
  });

  it('whose window never opens takes no input: said once, and it closes', async () => {
    await start({
      shell: (stream) => void stream.write('ready'),
      connected: ({ connection }) => {
        const protocol = (
          connection as unknown as { _protocol: { channelOpenConfirm: (...numbers: number[]) => void } }
        )._protocol;
        const confirm = protocol.channelOpenConfirm.bind(protocol);
        protocol.channelOpenConfirm = (remote = 0, local = 0) => confirm(remote, local, 0, 32_768);
      },
    });
    const person = new LabConsole();
    const connection = await connect();
    const terminal = await openPtyTerminal({ connection, cols: 80, rows: 24, events: person, clock: systemClock });
    await person.until(() => person.text === 'ready');
    for (let i = 0; i < 60; i++) terminal.input(Buffer.alloc(64 * 1024, 'p'));
    expect(person.notices).toEqual([expect.stringContaining('input_refused') as string]);
    await terminal.close('closed_by_user', 100);
    expect(person.end?.reason).toBe('closed_by_user');
  });

  it.each([
    ['a huge exit signal', 'X'.repeat(20_000)],
    ['an exit signal that acts on a terminal', '\u001b]0;owned\u0007KILL'],
  ])('cannot put %s in front of a person', async (_name, signal) => {
    await start({
      shell: (_stream, wire) => {
        const text = [sshString(signal), Buffer.from([0]), sshString('m'.repeat(10_000)), sshString('')];
        wire.send(Buffer.concat([Buffer.from([98]), uint32(0), sshString('exit-signal'), Buffer.from([0]), ...text]));
        wire.send(Buffer.concat([Buffer.from([97]), uint32(0)]));
      },
    });
    const person = new LabConsole();
    const connection = await connect();
    await openPtyTerminal({ connection, cols: 80, rows: 24, events: person, clock: systemClock });
    await person.until(() => person.end !== null);
    expect(person.end).toEqual({ reason: 'exited', exitCode: null, detail: 'ended by signal unknown' });
  });

  it('of a target that vanishes is closed without it', async () => {
    await start({ shell: (stream, { socket }) => void stream.write('ready', () => socket.pause()) });
    const seen = new Collector();
    const clock = new FakeClock();
    const connection = await connect(clock);
    const pty = await connection.openPty(SIZE, seen);
    await seen.untilText('ready');
    const begun = clock.monotonic();
    let isClosed = false;
    void Promise.all([pty.close(), connection.close(), seen.ended]).then(() => (isClosed = true));
    await eventually(() => {
      if (!isClosed) clock.advance(100);
      return isClosed;
    });
    expect(clock.monotonic() - begun).toBeLessThan(8000);
  });

  it.each([
    ['a message that nobody knows', Buffer.from([199, 1, 2, 3])],
    ['a key exchange message out of turn', Buffer.from([31, 0, 0, 0, 0])],
    ['a service request', Buffer.concat([Buffer.from([5]), sshString('ssh-userauth')])],
    ['a cut channel message', Buffer.from([94, 0, 0])],
    ['a string beyond its packet', Buffer.concat([Buffer.from([94]), uint32(0), uint32(0x7fffffff)])],
    [
      'a user authentication request',
      Buffer.concat([Buffer.from([50]), sshString('a'), sshString('b'), sshString('none')]),
    ],
  ])('survives or ends by name on %s', async (_name, payload) => {
    await start({
      shell: (stream, wire) => {
        wire.send(payload);
        stream.write('alive');
        stream.exit(3);
        stream.end();
      },
    });
    const seen = new Collector();
    await (await connect()).openPty(SIZE, seen);
    const end = await seen.ended;
    if (end.error === null) expect(seen.text()).toBe('alive');
    else expect(end.error).toMatchObject({ code: 'ssh_protocol_error' });
  });
});

describe('a socket', () => {
  it('that is busy gives the loop back after each 64 KiB', async () => {
    const block = Buffer.alloc(32 * 1024, 'y');
    await start({
      shell: (_stream, wire) => {
        const pour = (): void => {
          while (!wire.socket.destroyed && wire.socket.writableLength < MIB) wire.send(data(block));
        };
        wire.socket.on('drain', pour);
        pour();
      },
    });
    const seen = new Collector();
    const connection = await connect();
    let turn = 0;
    const bytesOfTurn = new Map<number, number>();
    let isOver = false;
    const tick = (): void => {
      turn += 1;
      if (!isOver) setImmediate(tick);
    };
    tick();
    const take = seen.data.bind(seen);
    seen.data = (bytes) => {
      bytesOfTurn.set(turn, (bytesOfTurn.get(turn) ?? 0) + bytes.length);
      if (seen.bytes < 8 * MIB) take(bytes);
    };
    await connection.openPty(SIZE, seen);
    await seen.until(() => seen.bytes >= 8 * MIB);
    isOver = true;
    // A read that just misses the limit, one more, and the packet that began in the read before.
    expect(Math.max(...bytesOfTurn.values())).toBeLessThanOrEqual(2 * 64 * 1024 + 35_000);
    expect(bytesOfTurn.size).toBeGreaterThan(60);
    await connection.close();
  });

  it('loses a target whose keepalives stay without an answer, and tells every channel', async () => {
    let socket: Socket | null = null;
    await start({ shell: (stream, wire) => void stream.write('ready', () => (socket = wire.socket.pause())) });
    const connection = await createSshConnector({ clock: systemClock, keepaliveMs: 50 }).connect(
      labRequest(target, { kind: 'password', user: 'ann', password: new Secret('x') }),
      new LabPort(),
      new AbortController().signal,
    );
    open.push(connection);
    const channels = [new Collector(), new Collector()];
    for (const seen of channels) await connection.openPty(SIZE, seen).catch(() => undefined);
    const [first] = channels;
    expect((await first?.ended)?.error).toMatchObject({ code: 'target_lost' });
    expect(socket).not.toBeNull();
  });
});
