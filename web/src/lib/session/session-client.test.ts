import { encodeEcho } from '@sallyport/shared/wire/frames';
import type { ServerMessage } from '@sallyport/shared/wire/control';
import { describe, expect, it } from 'vitest';
import { PING_EVERY_MS, PONG_WITHIN_MS, SessionClient, type SocketLike } from './session-client.ts';
import type { LinkState } from './link-state.ts';

class FakeSocket implements SocketLike {
  readyState = 1;
  onopen: (() => void) | null = null;
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null = null;
  readonly sent: unknown[] = [];
  closed: number | null = null;

  send(data: string | Uint8Array<ArrayBuffer>): void {
    this.sent.push(typeof data === 'string' ? JSON.parse(data) : [...data]);
  }
  close(code?: number): void {
    this.closed = code ?? 1000;
  }
  says(message: Partial<ServerMessage> & { type: string }): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
  attached(offset: number, extra: object = {}): void {
    const facts = { targetName: 'web01' };
    this.says({
      type: 'attached',
      sessionId: 's',
      role: 'controller',
      offset,
      skipped: 0,
      resumeToken: 'r1',
      facts,
      ...extra,
    } as never);
  }
  output(text: string): void {
    const bytes = new TextEncoder().encode(text);
    const frame = new Uint8Array(bytes.length + 1);
    frame.set(bytes, 1);
    this.onmessage?.({ data: frame.buffer });
  }
}

interface Timer {
  readonly run: () => void;
  readonly at: number;
}

class World {
  readonly sockets: FakeSocket[] = [];
  readonly states: LinkState[] = [];
  readonly output: string[] = [];
  readonly restarts: number[] = [];
  readonly messages: string[] = [];
  readonly drawn: (() => void)[] = [];
  tickets = 0;
  refusal: { readonly code: string } | null = null;
  now = 0;
  timers: Timer[] = [];
  readonly client = new SessionClient(
    {
      openSocket: () => {
        const socket = new FakeSocket();
        this.sockets.push(socket);
        return socket;
      },
      getTicket: () => {
        this.tickets += 1;
        if (this.refusal !== null) return Promise.reject(Object.assign(new Error('no'), this.refusal));
        return Promise.resolve(`t${this.tickets}`);
      },
      startTimer: (run, ms) => {
        const timer = { run, at: this.now + ms };
        this.timers.push(timer);
        return () => (this.timers = this.timers.filter((other) => other !== timer));
      },
      now: () => this.now,
      random: () => 0.5,
    },
    {
      output: (bytes, offset, echoOf, drawn) => {
        this.output.push(`${offset}:${echoOf ?? ''}:${new TextDecoder().decode(bytes)}`);
        this.drawn.push(drawn);
      },
      restart: (skipped) => this.restarts.push(skipped),
      message: (message) => this.messages.push(message.type),
      state: (state) => this.states.push(state),
    },
  );

  get socket(): FakeSocket {
    const last = this.sockets.at(-1);
    if (last === undefined) throw new Error('no socket was opened');
    return last;
  }
  get state(): LinkState {
    return this.client.state;
  }
  /** Lets promises settle. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  }
  async pass(ms: number): Promise<void> {
    const until = this.now + ms;
    for (;;) {
      const next = this.timers.filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.now = next.at;
      this.timers = this.timers.filter((other) => other !== next);
      next.run();
      await this.settle();
    }
    this.now = until;
  }
  async open(offset = 0, extra: object = {}): Promise<FakeSocket> {
    this.client.start('first', 80, 24);
    await this.settle();
    this.socket.onopen?.();
    this.socket.attached(offset, extra);
    return this.socket;
  }
  async drop(code = 1006, reason = ''): Promise<void> {
    this.socket.onclose?.({ code, reason });
    await this.settle();
  }
}

describe('attach', () => {
  it('uses the ticket it was given and asks for none', async () => {
    const world = new World();
    const socket = await world.open();
    expect(socket.sent[0]).toEqual({
      type: 'attach',
      ticket: 'first',
      cols: 80,
      rows: 24,
      offset: null,
      takeOver: false,
    });
    expect(world.tickets).toBe(0);
    expect(world.state).toEqual({ kind: 'attached', role: 'controller' });
    expect(world.restarts).toEqual([0]);
  });

  it('takes over only when told to', async () => {
    const world = new World();
    await world.open();
    world.client.takeOver();
    await world.settle();
    world.socket.onopen?.();
    expect(world.socket.sent[0]).toMatchObject({ type: 'attach', ticket: 't1', takeOver: true, offset: 0 });
    expect(world.sockets[0]?.closed).toBe(1000);
  });
});

describe('output', () => {
  it('carries its offset, and the line that an echo belongs to', async () => {
    const world = new World();
    const socket = await world.open(100);
    socket.output('abc');
    socket.onmessage?.({ data: encodeEcho(7, new TextEncoder().encode('PS> x')).buffer });
    socket.output('d');
    expect(world.output).toEqual(['100::abc', '103:7:PS> x', '108::d']);
  });

  it('is acknowledged every 64 KiB of drawn bytes and when it rests, never before it is drawn', async () => {
    const world = new World();
    const socket = await world.open();
    socket.output('x'.repeat(65_536));
    socket.output('yy');
    await world.pass(1000);
    expect(socket.sent.slice(1)).toEqual([]);
    world.drawn[0]?.();
    expect(socket.sent.slice(1)).toEqual([{ type: 'ack', offset: 65_536 }]);
    world.drawn[1]?.();
    expect(socket.sent.length).toBe(2);
    await world.pass(60);
    expect(socket.sent.slice(2)).toEqual([{ type: 'ack', offset: 65_538 }]);
  });
});

describe('a dropped connection', () => {
  it('resumes with token and offset, and goes on where it was', async () => {
    const world = new World();
    const socket = await world.open();
    socket.output('12345');
    await world.drop();
    expect(world.state).toMatchObject({ kind: 'waiting', attempt: 0 });
    await world.pass(1000);
    world.socket.onopen?.();
    expect(world.socket.sent[0]).toEqual({ type: 'resume', token: 'r1', offset: 5, cols: 80, rows: 24 });
    world.socket.attached(5, { resumeToken: 'r2' });
    expect(world.restarts).toEqual([0]);
    world.socket.output('6');
    expect(world.output.at(-1)).toBe('5::6');
  });

  it('attaches with a new ticket and its offset when the resume is refused', async () => {
    const world = new World();
    (await world.open()).output('12345');
    await world.drop();
    await world.pass(1000);
    world.socket.onopen?.();
    await world.drop(4401, 'resume_invalid');
    await world.pass(2000);
    world.socket.onopen?.();
    expect(world.socket.sent[0]).toMatchObject({ type: 'attach', ticket: 't1', offset: 5, takeOver: false });
  });

  it('clears the screen when the gateway cannot go on where the page was', async () => {
    const world = new World();
    (await world.open()).output('12345');
    await world.drop();
    await world.pass(1000);
    world.socket.onopen?.();
    world.socket.attached(900, { skipped: 895 });
    expect(world.restarts).toEqual([0, 895]);
  });

  it('waits longer each time and never acknowledges into the new socket what the old one sent', async () => {
    const world = new World();
    (await world.open()).output('12345');
    const waits: number[] = [];
    for (let turn = 0; turn < 8; turn += 1) {
      await world.drop();
      if (world.state.kind === 'waiting') waits.push(world.state.retryAt - world.now);
      await world.pass(20_000);
      world.socket.onopen?.();
    }
    expect(waits).toEqual([188, 375, 750, 1500, 3000, 6000, 7500, 7500]);
    world.drawn[0]?.();
    await world.pass(100);
    expect(world.socket.sent.filter((one) => (one as { type?: string }).type === 'ack')).toEqual([]);
  });

  it('is noticed when no pong comes', async () => {
    const world = new World();
    const socket = await world.open();
    await world.pass(PING_EVERY_MS);
    expect(socket.sent.at(-1)).toMatchObject({ type: 'ping' });
    await world.pass(PONG_WITHIN_MS);
    expect(socket.closed).toBe(1000);
    expect(world.sockets.length).toBe(1);
    await world.pass(1000);
    expect(world.sockets.length).toBe(2);
  });

  it('sends no line, no key and no question while there is no connection', async () => {
    const world = new World();
    await world.open();
    await world.drop();
    expect(world.client.submit(1, 'Get-Date')).toBe(false);
    expect(world.client.input(new Uint8Array([65]))).toBe(false);
  });
});

describe('what is final', () => {
  it('is the end with the words of the gateway', async () => {
    const world = new World();
    const socket = await world.open();
    socket.says({ type: 'ended', reason: 'exited', message: 'gone', detail: '', exitCode: 3, requestId: 'q' });
    await world.drop(4502, 'exited');
    expect(world.state).toMatchObject({ kind: 'ended', end: { reason: 'exited', exitCode: 3 } });
    await world.pass(60_000);
    expect(world.sockets.length).toBe(1);
  });

  it('is not a session that was left: it is picked up where the page was', async () => {
    const world = new World();
    const socket = await world.open();
    socket.output('12345');
    const end = {
      reason: 'session_left',
      message: '',
      detail: '',
      at: '',
      exitCode: null,
      requestId: 'q',
      isLeft: true,
    };
    socket.says({ type: 'ended', ...end });
    await world.drop(4502, 'session_left');
    world.client.retry();
    await world.settle();
    world.socket.onopen?.();
    expect(world.socket.sent[0]).toMatchObject({ type: 'attach', offset: 5, takeOver: false });
    world.socket.attached(5);
    expect(world.state.kind).toBe('attached');
    await world.drop();
    expect(world.state.kind).toBe('waiting');
  });

  it('is another window that took over, a lost right, a revoked sign-in', async () => {
    const ends = [
      [4409, 'taken_over', 'takenOver'],
      [4403, 'grant_removed', 'failed'],
      [4401, 'revoked', 'failed'],
      [4404, 'not_found', 'failed'],
      [4410, 'detached_too_long', 'ended'],
    ] as const;
    for (const [code, reason, kind] of ends) {
      const world = new World();
      await world.open();
      await world.drop(code, reason);
      expect(world.state.kind).toBe(kind);
      await world.pass(60_000);
      expect(world.sockets.length).toBe(1);
    }
  });

  it('is a socket that never opens while HTTP works: upgrade_failed', async () => {
    const world = new World();
    world.client.start(null, 80, 24);
    await world.settle();
    await world.drop();
    await world.pass(5000);
    await world.drop();
    expect(world.state).toMatchObject({ kind: 'failed', code: 'upgrade_failed' });
  });

  it('is not a gateway that does not answer: that is tried again', async () => {
    const world = new World();
    world.refusal = { code: 'gateway_unreachable' };
    world.client.start(null, 80, 24);
    await world.settle();
    expect(world.state).toMatchObject({ kind: 'waiting', code: 'gateway_unreachable' });
    world.refusal = null;
    await world.pass(1000);
    expect(world.sockets.length).toBe(1);
  });
});

describe('what the page sends', () => {
  it('steers nothing while the page only watches; its size is told once it has the keyboard', async () => {
    const world = new World();
    const socket = await world.open(0, { role: 'viewer' });
    world.client.resize(100, 30);
    world.client.stop();
    world.client.answer(4, { kind: 'accept' });
    world.client.complete(1, 'Get-', 4);
    expect(world.client.submit(1, 'Get-Date')).toBe(false);
    expect(world.client.input(new Uint8Array(1))).toBe(false);
    expect(socket.sent).toHaveLength(1);
    world.client.takeOver();
    await world.settle();
    const next = world.sockets.at(-1);
    next?.onopen?.();
    expect(next?.sent).toMatchObject([{ type: 'attach', takeOver: true, cols: 100, rows: 30 }]);
  });

  it('sends nothing into a socket that is closing', async () => {
    const world = new World();
    const socket = await world.open();
    socket.readyState = 2;
    world.client.stop();
    expect(world.client.input(new Uint8Array(1))).toBe(false);
    expect(socket.sent).toHaveLength(1);
  });

  it('splits a long line into messages of at most 16 KiB that join to the same text', async () => {
    const world = new World();
    const socket = await world.open();
    const text = '\u0001😀é'.repeat(3000);
    expect(world.client.submit(9, text)).toBe(true);
    const parts = socket.sent.slice(1) as { part: number; last: boolean; text: string }[];
    expect(parts.map((part) => part.text).join('')).toBe(text);
    expect(parts.map((part) => part.last)).toEqual(parts.map((_, index) => index === parts.length - 1));
    for (const part of parts) expect(new TextEncoder().encode(JSON.stringify(part)).length).toBeLessThan(16_384);
    for (const part of parts) expect(part.text).not.toMatch(/[\ud800-\udbff]$|^[\udc00-\udfff]/);
  });

  it('refuses a line over 1 MiB', async () => {
    const world = new World();
    await world.open();
    expect(() => world.client.submit(9, 'x'.repeat(1024 * 1024 + 1))).toThrow(RangeError);
  });

  it('splits input into frames of at most 64 KiB', async () => {
    const world = new World();
    const socket = await world.open();
    world.client.input(new Uint8Array(100_000).fill(65));
    const frames = socket.sent.slice(1) as number[][];
    expect(frames.map((frame) => frame.length)).toEqual([65_536, 34_466]);
    expect(frames.every((frame) => frame[0] === 2)).toBe(true);
  });

  it('is in the order of the acts', async () => {
    const world = new World();
    const socket = await world.open();
    world.client.resize(100, 30);
    world.client.resize(100, 30);
    world.client.stop();
    world.client.answer(4, { kind: 'accept' });
    world.client.complete(1, 'Get-', 4);
    expect(socket.sent.slice(1).map((one) => (one as { type: string }).type)).toEqual([
      'resize',
      'stop',
      'answer',
      'complete',
    ]);
  });
});
