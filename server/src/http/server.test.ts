import { once } from 'node:events';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { ERROR_TEXT } from '@sallyport/shared/error-codes';
import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { NewAuditEvent } from '../audit/contract.ts';
import { systemClock } from '../clock.ts';
import type { Principal } from '../identity/contract.ts';
import { silentLog } from '../log/log.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { ACTIONS, ROLES, decide, type Role } from '../policy.ts';
import { hasErrorStatus } from './error-status.ts';
import { parseStrictJson } from './json-body.ts';
import { RateLimiter } from './rate-limiter.ts';
import { publicRoute, registerRoutes, userRoute, type Route } from './route.ts';
import { createServer } from './server.ts';

const ORIGIN = 'https://gate.example';
const door = {
  publicUrl: ORIGIN,
  basePath: '',
  isSecure: true,
  cookieName: '__Host-sallyport',
  origins: new Set([ORIGIN]),
  socketOrigins: ['wss://gate.example'],
  isBehindProxy: false,
};
const principal = (role: Role, via: 'login' | 'token' = 'login'): Principal => ({
  user: {
    id: role,
    name: role,
    role,
    passwordHash: '',
    disabled: false,
    createdAt: 0,
    lastLoginAt: null,
  },
  loginHash: role,
  via,
  scopes: null,
  steppedUpUntil: null,
  expiresAt: Number.MAX_SAFE_INTEGER,
  actor: { userId: role, name: role, address: '127.0.0.1', via },
});
const roleOf = (text: string): Role | null => ROLES.find((role) => role === text) ?? null;

const ran: string[] = [];
/** Who asked, as identity was told. */
const asked: ('person' | 'page')[] = [];
const events: NewAuditEvent[] = [];
const opened: FastifyInstance[] = [];
afterEach(async () => {
  ran.length = events.length = asked.length = 0;
  await Promise.all(opened.splice(0).map((app) => app.close()));
});

const echo = publicRoute({
  method: 'POST',
  path: '/api/echo',
  body: z.strictObject({ name: z.string() }).or(z.unknown()),
  handle: async ({ body }) => {
    ran.push('echo');
    return { body };
  },
});
const strict = publicRoute({
  method: 'POST',
  path: '/api/strict',
  bodyLimit: 1024,
  body: z.strictObject({ title: z.string() }),
  handle: async () => ({}),
});

async function serve(routes: readonly Route[], change: { isBehindProxy?: boolean; requestTimeoutMs?: number } = {}) {
  const { app, refused } = await createServer({
    identity: {
      byCookie: async (cookie, _from, isByPerson) => {
        asked.push(isByPerson === true ? 'person' : 'page');
        const role = roleOf(cookie);
        return role === null ? null : principal(role);
      },
      byToken: async (token) => {
        const role = roleOf(token);
        return role === null ? null : principal(role, 'token');
      },
    },
    audit: {
      append: async (event) => {
        events.push(event);
        return { ...event, detail: event.detail ?? {}, sequence: 1, at: 0, previousHash: '', hash: '' };
      },
    },
    clock: systemClock,
    log: silentLog(),
    metrics: createMetrics({ withProcess: false }),
    door: () => ({ ...door, isBehindProxy: change.isBehindProxy ?? false }),
    isTrustedProxy: (address) => address === '10.0.0.1',
    isLoopback: (host) => host === '127.0.0.1' || host === 'localhost',
    tls: null,
    requestTimeoutMs: change.requestTimeoutMs ?? 10_000,
  });
  registerRoutes(app, routes, refused);
  opened.push(app);
  return app;
}
const good = { origin: ORIGIN, 'x-sallyport': '1', 'content-type': 'application/json' };

async function listen(app: FastifyInstance): Promise<number> {
  await app.listen({ host: '127.0.0.1', port: 0 });
  const address = app.server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (bytes: Buffer) => (answer += bytes.toString('latin1')));
  socket.on('error', () => undefined);
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

describe('error table', () => {
  it('has a status for every code', () => {
    expect(Object.keys(ERROR_TEXT).filter((code) => !hasErrorStatus(code))).toEqual([]);
  });
});

describe('the door', () => {
  it('does not take a page that refreshes itself, or opens a socket, for a person who is there', async () => {
    const app = await serve([
      userRoute({ method: 'GET', path: '/api/mine', action: 'account.read', handle: async () => ({}) }),
    ]);
    app.get('/socket', { config: { access: { kind: 'user', action: 'account.read' }, isSocket: true } }, () => 'x');
    const get = (url: string, headers: Record<string, string> = {}) =>
      app.inject({ method: 'GET', url, cookies: { [door.cookieName]: 'administrator' }, headers });
    await get('/api/mine');
    await get('/api/mine', { 'x-sallyport-quiet': '0' });
    await get('/api/mine', { 'x-sallyport-quiet': '1' });
    expect((await get('/socket')).statusCode).toBe(200);
    expect(asked).toEqual(['person', 'person', 'page', 'page']);
  });

  it('starts without what makes code out of JSON schemas', async () => {
    await serve([echo]);
    const loaded = Object.keys(createRequire(import.meta.url).cache);
    expect(loaded.some((file) => /node_modules\/fastify\/lib\/server\.js$/.test(file))).toBe(true);
    expect(loaded.filter((file) => /node_modules\/(?:ajv\/|fast-json-stringify\/index|@fastify\/[\w-]+-compiler\/)/.test(file))).toEqual([]); // prettier-ignore
  });

  it('does not start with a route that declares no access', async () => {
    const app = await serve([]);
    expect(() => app.get('/open', () => 'hello')).toThrow(/declares no access/);
  });

  it.each([
    ['no origin', { 'x-sallyport': '1' }, 'origin_refused'],
    ['origin null', { 'x-sallyport': '1', origin: 'null' }, 'origin_refused'],
    ['another origin', { 'x-sallyport': '1', origin: 'https://evil.example' }, 'origin_refused'],
    ['a longer origin', { 'x-sallyport': '1', origin: 'https://gate.example.evil' }, 'origin_refused'],
    ['another scheme', { 'x-sallyport': '1', origin: 'http://gate.example' }, 'origin_refused'],
    ['another port', { 'x-sallyport': '1', origin: 'https://gate.example:444' }, 'origin_refused'],
    ['upper case', { 'x-sallyport': '1', origin: 'HTTPS://GATE.EXAMPLE' }, 'origin_refused'],
    ['cross-site', { 'x-sallyport': '1', origin: ORIGIN, 'sec-fetch-site': 'cross-site' }, 'origin_refused'],
    ['no header', { origin: ORIGIN }, 'csrf_refused'],
    ['another header value', { origin: ORIGIN, 'x-sallyport': 'true' }, 'csrf_refused'],
  ])('refuses a write with %s, and the handler does not run', async (_, headers, code) => {
    const app = await serve([echo]);
    const answer = await app.inject({
      method: 'POST',
      url: '/api/echo',
      headers: { 'content-type': 'application/json', ...headers },
      payload: '{}',
    });
    expect(answer.statusCode).toBe(403);
    expect(answer.json()).toEqual({
      error: { code, message: ERROR_TEXT[code as 'csrf_refused'], requestId: answer.headers['x-request-id'] },
    });
    expect(ran).toEqual([]);
  });

  it.each([
    'text/plain',
    'application/json; charset=utf-8',
    'application/json, text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'text/json',
    'application/jsonx',
    '',
  ])('refuses the content type "%s" before the handler', async (type) => {
    const app = await serve([echo]);
    const answer = await app.inject({
      method: 'POST',
      url: '/api/echo',
      headers: { ...good, 'content-type': type },
      payload: '{}',
    });
    expect(answer.statusCode).toBe(415);
    expect(ran).toEqual([]);
  });

  it.each([
    ['not JSON', '{', 'bad_request'],
    ['bad UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'bad_request'],
    ['__proto__', '{"a":{"__proto__":{"x":1}}}', 'bad_request'],
    ['constructor', '[{"constructor":1}]', 'bad_request'],
    ['17 levels', `${'['.repeat(17)}${']'.repeat(17)}`, 'bad_request'],
    ['60,000 levels', `${'['.repeat(60_000)}${']'.repeat(60_000)}`, 'bad_request'],
    ['257 KiB', `"${'x'.repeat(257 * 1024)}"`, 'payload_too_large'],
  ])('refuses a body with %s', async (_, payload, code) => {
    const app = await serve([echo]);
    const answer = await app.inject({ method: 'POST', url: '/api/echo', headers: good, payload });
    expect(answer.json<{ error: { code: string } }>().error.code).toBe(code);
    expect(ran).toEqual([]);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it('takes a body of 16 levels, and no key that the schema does not name', async () => {
    const app = await serve([echo, strict]);
    const deep = `${'['.repeat(16)}${']'.repeat(16)}`;
    const post = (url: string, payload: string) => app.inject({ method: 'POST', url, headers: good, payload });
    expect((await post('/api/echo', deep)).statusCode).toBe(200);
    expect((await post('/api/strict', '{"title":"a"}')).statusCode).toBe(200);
    expect((await post('/api/strict', '{"title":"a","more":1}')).statusCode).toBe(400);
    expect((await post('/api/strict', JSON.stringify({ title: 'x'.repeat(2000) }))).statusCode).toBe(413);
  });

  it('answers 414, 431 and 408 to a head that is too long, too large or too slow, and 408 to a slow body', async () => {
    const app = await serve([echo], { requestTimeoutMs: 300 });
    const port = await listen(app);
    const head = `Host: x\r\nConnection: close\r\n`;
    expect(await raw(port, `GET /${'a'.repeat(9000)} HTTP/1.1\r\n${head}\r\n`)).toMatch(/^HTTP\/1.1 414 /);
    expect(await raw(port, `GET / HTTP/1.1\r\n${head}X: ${'a'.repeat(17_000)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431 /);
    expect(await raw(port, `GET / HTTP/1.1\r\n${head}`)).toMatch(/^HTTP\/1.1 408 /);
    const slow =
      `POST /api/echo HTTP/1.1\r\nHost: x\r\nOrigin: ${ORIGIN}\r\nX-Sallyport: 1\r\n` +
      `Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{`;
    expect(await raw(port, slow)).toMatch(/^HTTP\/1.1 408 /);
    expect(await raw(port, 'NONSENSE\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /);
    expect(ran).toEqual([]);
  });

  it('speaks behind a proxy only through that proxy, and believes only its forwarded address', async () => {
    const seen = publicRoute({ method: 'GET', path: '/api/seen', handle: async ({ from }) => from });
    const app = await serve([seen], { isBehindProxy: true });
    const get = (remoteAddress: string, headers = {}) =>
      app.inject({
        method: 'GET',
        url: '/api/seen',
        remoteAddress,
        headers: { 'x-forwarded-for': '9.9.9.9', ...headers },
      });
    expect((await get('10.0.0.2')).statusCode).toBe(403);
    expect((await get('10.0.0.1')).json()).toMatchObject({ address: '9.9.9.9' });
    expect((await get('10.0.0.1', { 'x-forwarded-for': '1.1.1.1, 9.9.9.9' })).json()).toMatchObject({
      address: '9.9.9.9',
    });
  });

  it('sends the policy of the page on every answer', async () => {
    const app = await serve([]);
    const { headers } = await app.inject('/nothing');
    expect(headers['content-security-policy']).toMatch(/script-src 'self';.*frame-ancestors 'none'/);
    expect(headers['content-security-policy']).toMatch(/require-trusted-types-for 'script'/);
    expect(headers).toMatchObject({
      'strict-transport-security': 'max-age=31536000; includeSubDomains',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    });
  });
});

describe('policy at the door', () => {
  const guarded = ACTIONS.map((action) =>
    userRoute({
      method: 'POST',
      path: `/api/do/${action}`,
      action,
      handle: async () => {
        ran.push(action);
      },
    }),
  );

  it('lets each role do what policy says and nothing else, by cookie and by token', async () => {
    const app = await serve(guarded);
    for (const action of ACTIONS)
      for (const role of ROLES)
        for (const headers of [
          { ...good, cookie: `__Host-sallyport=${role}` },
          { ...good, authorization: `Bearer ${role}` },
        ]) {
          ran.length = 0;
          const answer = await app.inject({ method: 'POST', url: `/api/do/${action}`, headers, payload: '' });
          const decision = decide({ userId: role, role, tokenScopes: null }, action, null);
          expect([answer.statusCode, action, role]).toEqual([
            decision.allowed ? 204 : decision.code === 'forbidden' ? 403 : 404,
            action,
            role,
          ]);
          expect(ran).toEqual(decision.allowed ? [action] : []);
        }
    expect(events.every((event) => event.type === 'policy.refused' && event.outcome === 'refused')).toBe(true);
  });

  it('answers 401 to no login, a dead one, and a cookie of the other name', async () => {
    const app = await serve(guarded);
    for (const cookie of ['', '__Host-sallyport=dead', 'sallyport-loopback=administrator', '__Host-sallyport='])
      expect(
        (await app.inject({ method: 'POST', url: '/api/do/target.list', headers: { ...good, cookie }, payload: '' }))
          .statusCode,
      ).toBe(401);
    expect(ran).toEqual([]);
  });

  it('lets a token write without an origin, and never fall back on the cookie', async () => {
    const app = await serve(guarded);
    const post = (headers: Record<string, string>) =>
      app.inject({ method: 'POST', url: '/api/do/target.list', headers, payload: '' });
    expect((await post({ 'x-sallyport': '1', authorization: 'Bearer operator' })).statusCode).toBe(204);
    const both = { ...good, authorization: 'Bearer dead', cookie: '__Host-sallyport=operator' };
    expect((await post(both)).statusCode).toBe(401);
  });

  it('wants a confirmed password where a route says so', async () => {
    const app = await serve([
      userRoute({ method: 'POST', path: '/api/deep', action: 'user.write', stepUp: true, handle: async () => ({}) }),
    ]);
    const headers = { ...good, cookie: '__Host-sallyport=administrator' };
    const answer = await app.inject({ method: 'POST', url: '/api/deep', headers, payload: '' });
    expect([answer.statusCode, answer.json<{ error: { code: string } }>().error.code]).toEqual([
      403,
      'step_up_required',
    ]);
  });
});

describe('pieces', () => {
  it('limits by key and says when to come back', () => {
    let now = 0;
    const limiter = new RateLimiter(2, 10_000, { ...systemClock, monotonic: () => now });
    limiter.take('a');
    limiter.take('a');
    limiter.take('b');
    expect(() => {
      limiter.take('a');
    }).toThrow(expect.objectContaining({ code: 'rate_limited', retryAfterS: 5 }));
    now = 5000;
    limiter.take('a');
  });

  it('keeps a byte order mark and lone surrogates out of trouble', () => {
    expect(parseStrictJson(new TextEncoder().encode('{"a":"\\ud800"}'))).toEqual({ a: '\ud800' });
  });
});
