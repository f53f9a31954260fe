import { once } from 'node:events';
import { CloseCode } from '@sallyport/shared/wire/close-codes';
import { SUBPROTOCOL } from '@sallyport/shared/wire/control';
import { ACK_EVERY_BYTES } from '@sallyport/shared/wire/credit';
import { ERROR_TEXT, type ErrorCode } from '@sallyport/shared/error-codes';
import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket, type ClientOptions } from 'ws';
import { FakeClock } from '../../../test/contracts/fake-clock.ts';
import { processHeap } from '../app/resting-heap.ts';
import type { AttachRequest, Page, PageMessage, SessionSocket } from '../broker/contract.ts';
import { SallyportError } from '../errors.ts';
import { requireOrigin } from '../http/front-door.ts';
import { createServer } from '../http/server.ts';
import type { Identity, Principal } from '../identity/contract.ts';
import { silentLog } from '../log/log.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { randomId } from '../random.ts';
import { closeCodeOf } from '../broker/close-code.ts';
import { prepareSockets, serveSockets } from './plugin.ts';

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const SESSION = randomId();
const principal = (name: string): Principal => ({
  user: {
    id: name,
    name,
    role: 'operator',
    passwordHash: '',
    disabled: false,
    createdAt: 0,
    lastLoginAt: null,
  },
  loginHash: name,
  via: 'login',
  scopes: null,
  steppedUpUntil: null,
  expiresAt: Number.MAX_SAFE_INTEGER,
  actor: { userId: name, name, address: '', via: 'login' },
});

/** A gateway's worth of doors around a broker that writes down what it is told. */
class World {
  readonly heard: (PageMessage | Uint8Array)[] = [];
  readonly sockets: SessionSocket[] = [];
  readonly upgrades: WeakRef<object>[] = [];
  readonly tickets = new Map<string, Principal>();
  /** Stands still: what counts in a second counts the same on a slow machine. */
  readonly clock = new FakeClock();
  gone = 0;
  touched = 0;
  ended: Parameters<Identity['onEnded']>[0] = () => undefined;
  attach: () => Promise<void> = () => Promise.resolve();
  owner = 'ann';
  onHeard: () => void = () => undefined;
  port = 0;
  app: FastifyInstance | null = null;

  async start(): Promise<this> {
    const door = {
      publicUrl: '',
      basePath: '',
      isSecure: false,
      cookieName: 'c',
      origins: new Set(['http://gate']),
      socketOrigins: [],
      isBehindProxy: false,
    };
    const metrics = createMetrics({ withProcess: false });
    const log = silentLog();
    const { app } = await createServer({
      identity: {
        byCookie: (cookie) => Promise.resolve(cookie === 'dead' ? null : principal(cookie)),
        byToken: () => Promise.resolve({ ...principal('ann'), via: 'token' as const }),
      },
      audit: { append: () => Promise.reject(new Error('not audited here')) },
      clock: this.clock,
      log,
      metrics,
      door: () => door,
      isTrustedProxy: () => false,
      isLoopback: () => true,
      tls: null,
      requestTimeoutMs: 10_000,
      prepare: prepareSockets,
    });
    this.app = app;
    serveSockets(app, {
      pickUp: () => Promise.resolve(),
      identity: {
        redeemTicket: (ticket) => {
          const found = this.tickets.get(ticket);
          this.tickets.delete(ticket);
          return Promise.resolve(found === undefined ? null : { principal: found, purpose: `session:${SESSION}` });
        },
        refresh: (old) => Promise.resolve(old),
        touch: () => {
          this.touched += 1;
          return Promise.resolve();
        },
        onEnded: (listener) => {
          this.ended = listener;
          return () => undefined;
        },
      },
      broker: {
        attach: async (_who, sessionId, _request: AttachRequest, socket) => {
          await this.attach();
          return this.#page(sessionId, socket);
        },
        resume: (_who, request, socket) =>
          request.token === 'good'
            ? Promise.resolve(this.#page(SESSION, socket))
            : Promise.reject(new SallyportError('resume_invalid', 'no such token')),
      },
      clock: this.clock,
      log,
      metrics,
      requireOrigin: (request) => {
        requireOrigin(request.headers, door);
      },
      principalOf: (request) => {
        this.upgrades.push(new WeakRef(request.raw));
        return request.principal;
      },
      routeConfig: { access: { kind: 'user', action: 'session.attach' }, isSocket: true },
    });
    await app.listen({ host: '127.0.0.1', port: 0 });
    const address = app.server.address();
    this.port = typeof address === 'object' && address !== null ? address.port : 0;
    return this;
  }

  #page(sessionId: string, socket: SessionSocket): Page {
    this.sockets.push(socket);
    return {
      sessionId,
      ownerId: this.owner,
      role: 'controller',
      handle: (message) => {
        this.heard.push(message);
        this.onHeard();
      },
      input: (bytes) => {
        this.heard.push(bytes);
        this.onHeard();
      },
      gone: () => (this.gone += 1),
    };
  }

  connect(cookie = 'ann', options: ClientOptions = {}, protocols: string[] = [SUBPROTOCOL]): WebSocket {
    return new WebSocket(`ws://127.0.0.1:${this.port}/api/sessions/socket`, protocols, {
      origin: 'http://gate',
      headers: { cookie: `c=${cookie}` },
      ...options,
    });
  }
  ticket(name = 'ann'): string {
    const ticket = randomId();
    this.tickets.set(ticket, principal(name));
    return ticket;
  }
  /** An open socket that has attached. */
  async attached(): Promise<WebSocket> {
    const ws = this.connect();
    await once(ws, 'open');
    ws.send(attach(this.ticket()));
    ws.send('{"type":"ping","t":1}');
    await once(ws, 'message');
    return ws;
  }
  heardOne(): Promise<void> {
    return new Promise((resolve) => (this.onHeard = resolve));
  }
}
const attach = (ticket: string) =>
  JSON.stringify({ type: 'attach', ticket, cols: 80, rows: 24, offset: null, takeOver: false });
async function closed(ws: WebSocket): Promise<[number, string]> {
  const [code, reason]: [number, Buffer] = (await once(ws, 'close')) as [number, Buffer];
  return [code, reason.toString()];
}
/** Status and error code of an upgrade that is refused. */
async function refusal(ws: WebSocket): Promise<[number, string]> {
  const [request, response] = (await once(ws, 'unexpected-response')) as [
    { destroy(): void },
    AsyncIterable<Buffer> & { statusCode: number },
  ];
  let text = '';
  for await (const part of response) text += part.toString();
  request.destroy();
  return [response.statusCode, (JSON.parse(text) as { error: { code: string } }).error.code];
}

const worlds: World[] = [];
const start = async () => {
  const world = await new World().start();
  worlds.push(world);
  return world;
};
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.app?.close();
});

describe('the upgrade', () => {
  it.each<[string, string, ClientOptions, string[], number, string]>([
    ['no origin', 'ann', { origin: undefined }, [SUBPROTOCOL], 403, 'origin_refused'],
    ['origin null', 'ann', { origin: 'null' }, [SUBPROTOCOL], 403, 'origin_refused'],
    ['another origin', 'ann', { origin: 'http://evil' }, [SUBPROTOCOL], 403, 'origin_refused'],
    ['a longer origin', 'ann', { origin: 'http://gate.evil' }, [SUBPROTOCOL], 403, 'origin_refused'],
    ['a dead login', 'dead', {}, [SUBPROTOCOL], 401, 'unauthenticated'],
    ['no login', '', { headers: {} }, [SUBPROTOCOL], 401, 'unauthenticated'],
    ['a token', '', { headers: { authorization: 'Bearer t' } }, [SUBPROTOCOL], 401, 'unauthenticated'],
    ['no subprotocol', 'ann', {}, [], 400, 'bad_request'],
    ['another subprotocol', 'ann', {}, ['sallyport.v2'], 400, 'bad_request'],
  ])('is refused before it happens: %s', async (_, cookie, options, protocols, status, code) => {
    const world = await start();
    expect(await refusal(world.connect(cookie, options, protocols))).toEqual([status, code]);
  });

  it('agrees on the subprotocol and on no compression', async () => {
    const world = await start();
    const ws = world.connect('ann', { perMessageDeflate: true });
    await once(ws, 'open');
    expect([ws.protocol, ws.extensions]).toEqual([SUBPROTOCOL, '']);
    ws.terminate();
  });
});

describe('the first message', () => {
  it('is a ticket of the same login, good once', async () => {
    const world = await start();
    const ticket = world.ticket();
    const first = world.connect();
    await once(first, 'open');
    first.send(attach(ticket));
    first.send('{"type":"ping","t":7}');
    const [pong] = (await once(first, 'message')) as [Buffer];
    expect(JSON.parse(pong.toString())).toEqual({ type: 'pong', t: 7 });
    for (const bad of [ticket, world.ticket('bob'), 'x', '']) {
      const ws = world.connect();
      await once(ws, 'open');
      ws.send(attach(bad));
      expect(await closed(ws)).toEqual([CloseCode.unauthenticated, 'ticket_invalid']);
    }
    expect(world.sockets).toHaveLength(1);
  });

  it.each<[string, string | Uint8Array, number, string]>([
    ['a resize', '{"type":"resize","cols":80,"rows":24}', 1008, 'bad_state'],
    ['input', new Uint8Array([2, 65]), 1008, 'bad_state'],
    ['a bad resume', '{"type":"resume","token":"x","offset":0,"cols":80,"rows":24}', 4401, 'resume_invalid'],
  ])('is not %s', async (_, message, code, reason) => {
    const world = await start();
    const ws = world.connect();
    await once(ws, 'open');
    ws.send(message);
    expect(await closed(ws)).toEqual([code, reason]);
  });

  it('may be a resume', async () => {
    const world = await start();
    const ws = world.connect();
    await once(ws, 'open');
    ws.send('{"type":"resume","token":"good","offset":0,"cols":80,"rows":24}');
    const heard = world.heardOne();
    ws.send('{"type":"stop"}');
    await heard;
    expect(world.heard).toEqual([{ type: 'stop' }]);
    ws.terminate();
  });

  it('keeps in order what the page says while it is being attached', async () => {
    const world = await start();
    let go: () => void = () => undefined;
    world.attach = () => new Promise((resolve) => (go = resolve));
    const ws = world.connect();
    await once(ws, 'open');
    ws.send(attach(world.ticket()));
    ws.send('{"type":"resize","cols":81,"rows":25}');
    ws.send(new Uint8Array([2, 65, 66]));
    ws.ping();
    await once(ws, 'pong');
    expect(world.heard).toEqual([]);
    go();
    await world.heardOne();
    expect(world.heard).toEqual([{ type: 'resize', cols: 81, rows: 25 }, expect.objectContaining({ length: 2 })]);
    ws.terminate();
  });
});

describe('each message', () => {
  const nested = (depth: number) => `{"type":"answer","id":1,"answer":${'['.repeat(depth)}${']'.repeat(depth)}}`;
  it.each<[string, string | Uint8Array, number, string]>([
    ['no JSON', '{', 1008, 'bad_message'],
    ['an array', '[]', 1008, 'bad_message'],
    ['an unknown type', '{"type":"eval"}', 1008, 'bad_message'],
    ['a name from the prototype', '{"type":"constructor"}', 1008, 'bad_message'],
    ['an extra key', '{"type":"stop","now":true}', 1008, 'bad_message'],
    ['too deep', nested(9), 1008, 'bad_message'],
    ['6,000 levels', nested(6000), 1008, 'bad_message'],
    ['over 16 KiB', `{"type":"ping","t":1${' '.repeat(16 * 1024)}}`, 1008, 'bad_message'],
    ['a binary frame of ours', new Uint8Array([0, 1]), 1008, 'bad_message'],
    ['an empty binary frame', new Uint8Array(0), 1008, 'bad_message'],
    ['a second attach', attach('x'), 1008, 'bad_state'],
    ['a window of no size', '{"type":"resize","cols":0,"rows":24}', 1008, 'bad_message'],
    ['over 64 KiB', new Uint8Array(64 * 1024 + 1).fill(2), 1009, ''],
  ])('closes the socket when it is %s', async (_, message, code, reason) => {
    const world = await start();
    const ws = await world.attached();
    ws.send(message);
    expect(await closed(ws)).toEqual([code, reason]);
    expect([world.heard, world.gone]).toEqual([[], 1]);
  });

  it('lives on without what its upgrade was made of', async () => {
    const world = await start();
    const ws = await world.attached();
    const heap = processHeap();
    const isHeld = () => world.upgrades.some((one) => one.deref() !== undefined);
    // What was looked at is held until the turn is over.
    for (let turns = 0; turns < 20 && isHeld(); turns++) {
      await nextTurn();
      heap.collect();
    }
    expect(world.upgrades.length).toBeGreaterThan(0);
    expect(isHeld()).toBe(false);
    expect(ws.readyState).toBe(ws.OPEN);
  });

  it('is valid UTF-8 (1007), well framed (1002), and of at most 16 fragments', async () => {
    const world = await start();
    const rawSocket = (ws: WebSocket) => (ws as unknown as { _socket: { write(bytes: Uint8Array): void } })._socket;
    const mask = [0, 0, 0, 0];
    const notUtf8 = await world.attached();
    rawSocket(notUtf8).write(new Uint8Array([0x81, 0x81, ...mask, 0xff]));
    expect((await closed(notUtf8))[0]).toBe(1007);
    const unmasked = await world.attached();
    rawSocket(unmasked).write(new Uint8Array([0x81, 0x01, 0x41]));
    expect((await closed(unmasked))[0]).toBe(1002);
    const pieces = await world.attached();
    for (let n = 0; n < 17; n += 1) pieces.send('a', { fin: false });
    expect((await closed(pieces))[0]).toBe(1008);
  });

  it('comes at most 400 at once', async () => {
    const world = await start();
    const ws = await world.attached();
    for (let n = 0; n < 600; n += 1) ws.send('{"type":"ack","offset":1}');
    expect(await closed(ws)).toEqual([CloseCode.rateLimited, 'rate_limited']);
    // The attaching and the ping are of the 400.
    expect(world.heard.length).toBe(398);
  });

  it('acknowledges as fast as output comes: what stands for 64 KiB does not count', async () => {
    const world = await start();
    const ws = await world.attached();
    for (let n = 1; n <= 1000; n += 1) ws.send(JSON.stringify({ type: 'ack', offset: n * ACK_EVERY_BYTES }));
    ws.send('{"type":"ping","t":2}');
    const [answer] = (await once(ws, 'message')) as [Buffer];
    expect(answer.toString()).toContain('pong');
    expect(world.heard.length).toBe(1000);
  });

  it('counts pings against the same limit', async () => {
    const world = await start();
    const ws = await world.attached();
    const end = closed(ws);
    for (let n = 0; n < 50 && ws.readyState === ws.OPEN; n += 1) {
      for (let m = 0; m < 20; m += 1) ws.ping();
      await Promise.race([once(ws, 'pong'), end]);
    }
    expect(await end).toEqual([CloseCode.rateLimited, 'rate_limited']);
  });

  it('is refused on a session of somebody else, whatever the broker let in', async () => {
    const world = await start();
    world.owner = 'bob';
    const ws = await world.attached();
    ws.send('{"type":"stop"}');
    expect(await closed(ws)).toEqual([CloseCode.forbidden, 'forbidden']);
    expect(world.heard).toEqual([]);
  });

  it('ends with the login: nothing typed afterwards arrives', async () => {
    const world = await start();
    const ws = await world.attached();
    const other = await world.attached();
    const end = [closed(ws), closed(other)];
    const typing = setInterval(() => {
      ws.send(new Uint8Array([2, 65]));
    }, 1);
    world.ended({ loginHashes: ['ann'], userId: 'ann', why: 'revoked' });
    const heard = world.heard.length;
    expect(await Promise.all(end)).toEqual([
      [4401, 'revoked'],
      [4401, 'revoked'],
    ]);
    clearInterval(typing);
    expect([world.heard.length, world.gone]).toEqual([heard, 2]);
  });

  it('tells the login that a person types, not for each key', async () => {
    const world = await start();
    const ws = await world.attached();
    expect(world.touched).toBe(0);
    for (let n = 0; n < 20; n += 1) ws.send(new Uint8Array([2, 65]));
    await world.heardOne();
    expect(world.touched).toBe(1);
    ws.terminate();
  });
});

describe('sending', () => {
  it('delivers frames and messages in order, then the close code', async () => {
    const world = await start();
    const ws = await world.attached();
    const got: string[] = [];
    ws.on('message', (data: Buffer, isBinary: boolean) => got.push(isBinary ? data.toString('hex') : data.toString()));
    const [socket] = world.sockets;
    socket?.send(new Uint8Array([0, 1]));
    socket?.sendControl({ type: 'clear' });
    socket?.send(new Uint8Array([0, 2]));
    socket?.close(CloseCode.ended, 'exited');
    socket?.send(new Uint8Array([0, 3]));
    expect(await closed(ws)).toEqual([4502, 'exited']);
    expect(got).toEqual(['0001', '{"type":"clear"}', '0002']);
  });

  it('has a close code for every error code', () => {
    for (const code of Object.keys(ERROR_TEXT))
      expect(Object.values(CloseCode)).toContain(closeCodeOf(code as ErrorCode));
  });
});
