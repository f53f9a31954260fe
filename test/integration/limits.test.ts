/** What the door does with heads, bodies, paths and methods that nobody should send. security.md section 4, rows "HTTP head", "REST body", "Content type". */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LabGateway, type Person, startGateway } from '../lab/gateway.ts';
import { type RawDoor, ask, connectDoor, doorOf, exchange, parseAnswer, requestBytes } from '../lab/raw-http.ts';

let gateway: LabGateway;
let ann: Person;
let door: RawDoor;
let write: readonly string[];
/** Requests that never come whole: they wait while the other tests run. */
let slow: Promise<readonly { readonly answer: string; readonly tookMs: number }[]>;
async function begin(bytes: string | Buffer): Promise<{ answer: string; tookMs: number }> {
  const started = performance.now();
  const answer = await exchange(door, bytes);
  return { answer, tookMs: performance.now() - started };
}

beforeAll(async () => {
  gateway = await startGateway();
  ann = await gateway.setUp();
  door = doorOf(gateway.url);
  write = [`Origin: ${gateway.url}`, 'X-Sallyport: 1', `Cookie: ${ann.cookie ?? ''}`];
  const body = requestBytes(door, { method: 'POST', target: '/api/where-to', lines: json('Content-Length: 99') });
  slow = Promise.all([begin('GET /api/state HTTP/1.1\r\nHost: x\r\nX-Slow: '), begin(Buffer.concat([body, Buffer.from('{')]))]); // prettier-ignore
});
afterAll(() => gateway.stop());

const json = (...more: string[]): string[] => [...write, 'Content-Type: application/json', ...more];
const whereTo = (body: string | Buffer, ...more: string[]) =>
  ask(door, { method: 'POST', target: '/api/where-to', lines: json(...more), body });

describe('HTTP head', () => {
  test('414 over 8 KiB of URL, 431 over 16 KiB of head, and both just below pass', async () => {
    const state = '/api/state';
    const pad = (bytes: number) => `${state}?${'a'.repeat(bytes - state.length - 1)}`;
    expect(await ask(door, { target: pad(8 * 1024 + 1) })).toMatchObject({ status: 414, code: 'payload_too_large' });
    expect((await ask(door, { target: pad(8 * 1024) })).status).toBe(400); // The query is none of this route's.
    expect(await ask(door, { target: state, lines: [`X-Pad: ${'a'.repeat(17 * 1024)}`] })).toMatchObject({
      status: 431,
      code: 'payload_too_large',
    });
    expect((await ask(door, { target: state, lines: [`X-Pad: ${'a'.repeat(15 * 1024)}`] })).status).toBe(200);
  });

  test.each([
    ['no HTTP', 'NONSENSE\r\n\r\n'],
    ['no Host', 'GET /api/state HTTP/1.1\r\n\r\n'],
    ['a space before the colon', 'GET /api/state HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n'],
    ['a folded header', 'GET /api/state HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n'],
    ['a NUL in a header', 'GET /api/state HTTP/1.1\r\nHost: x\r\nX-A: b\0c\r\n\r\n'],
    ['a lone CR in a header', 'GET /api/state HTTP/1.1\r\nHost: x\r\nX-A: b\rX-B: c\r\n\r\n'],
    ['HTTP/2 with prior knowledge', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['two hosts', 'GET /api/state HTTP/1.1\r\nHost: x\r\nHost: y\r\nConnection: close\r\n\r\n'],
  ])('refuses %s with 400', async (_, bytes) => {
    const answer = parseAnswer(await exchange(door, bytes));
    expect(answer.status).toBe(400);
    expect(answer.body).not.toMatch(/node_modules|\bat /);
  });
});

describe('request smuggling', () => {
  const head = (...lines: string[]) => requestBytes(door, { method: 'POST', target: '/api/where-to', lines: json('Connection: keep-alive', ...lines) }); // prettier-ignore
  const second = 'GET /api/account HTTP/1.1\r\nHost: x\r\n\r\n';
  test.each([
    ['length and chunks', ['Content-Length: 5', 'Transfer-Encoding: chunked'], `0\r\n\r\n${second}`],
    ['two lengths', ['Content-Length: 5', 'Content-Length: 6'], `{"a":1${second}`],
    ['a signed length', ['Content-Length: +5'], `{"a":${second}`],
    ['a hexadecimal length', ['Content-Length: 0x5'], `{"a":${second}`],
    ['a list of lengths', ['Content-Length: 5, 5'], `{"a":${second}`],
    ['an unknown encoding', ['Transfer-Encoding: xchunked'], `0\r\n\r\n${second}`],
    ['chunked not last', ['Transfer-Encoding: chunked, identity'], `0\r\n\r\n${second}`],
    ['a chunk of no length', ['Transfer-Encoding: chunked'], `zz\r\n\r\n${second}`],
    ['a chunk longer than said', ['Transfer-Encoding: chunked'], `1\r\n{"a"\r\n0\r\n\r\n${second}`],
    ['a bare LF after a chunk', ['Transfer-Encoding: chunked'], `2\n{}\n0\n\n${second}`],
  ])('answers once and closes: %s', async (_, lines, rest) => {
    const seen = await exchange(door, Buffer.concat([head(...lines), Buffer.from(rest)]));
    expect(seen.match(/HTTP\/1\.1 \d{3}/g)).toHaveLength(1);
    expect(parseAnswer(seen).status).toBe(400);
  });

  test('a body after an answer that did not need it is never read as a request', async () => {
    const inner = 'GET /api/account HTTP/1.1\r\nHost: x\r\n\r\n';
    const bytes = requestBytes(door, {
      method: 'POST',
      target: '/api/where-to',
      lines: ['Content-Type: text/plain', 'Connection: keep-alive'],
      body: inner,
    });
    const last = requestBytes(door, { target: '/healthz' });
    const seen = await exchange(door, Buffer.concat([bytes, last]));
    expect(seen.match(/HTTP\/1\.1 \d{3}/g)).toEqual(['HTTP/1.1 415', 'HTTP/1.1 200']);
  });
});

describe('REST body', () => {
  test('413 over 256 KiB, over 16 KiB at the sign-in, said or chunked', async () => {
    const big = JSON.stringify({ line: 'x'.repeat(256 * 1024) });
    expect(await whereTo(big)).toMatchObject({ status: 413, code: 'payload_too_large' });
    const chunked = `${big.length.toString(16)}\r\n${big}\r\n0\r\n\r\n`;
    expect(await whereTo(chunked, 'Transfer-Encoding: chunked')).toMatchObject({ status: 413, code: 'payload_too_large' }); // prettier-ignore
    for (const target of ['/api/login', '/api/setup', '/api/step-up', '/api/account/password'])
      expect(await ask(door, { method: 'POST', target, lines: json(), body: `"${'x'.repeat(16 * 1024)}"` })).toMatchObject({ status: 413 }); // prettier-ignore
    expect((await whereTo(JSON.stringify({ line: 'web01' }))).status).toBe(200);
  });

  test.each([
    ['not JSON', '{"line":"a"'],
    ['two values', '{"line":"a"}{"line":"b"}'],
    ['a comment', '{"line":"a"}//'],
    ['bad UTF-8', Buffer.from([...Buffer.from('{"line":"'), 0xc3, 0x28, ...Buffer.from('"}')])],
    ['UTF-16', Buffer.from('{"line":"a"}', 'utf16le')],
    ['17 levels', `{"line":${'['.repeat(16)}${']'.repeat(16)}}`],
    ['100,000 levels', '['.repeat(100_000)],
    ['__proto__', '{"line":"a","__proto__":{"isAdmin":true}}'],
    ['__proto__ escaped', '{"line":"a","\\u005f_proto__":{"isAdmin":true}}'],
    ['constructor', '{"line":"a","constructor":{"prototype":{"isAdmin":true}}}'],
    ['an extra key', '{"line":"a","more":1}'],
    ['a number for a text', '{"line":1}'],
    ['a number beyond doubles', '{"line":1e999}'],
    ['null', 'null'],
    ['a list', '[]'],
    ['nothing', ''],
  ])('400 to %s, and it changes nothing', async (_, body) => {
    const answer = await whereTo(body);
    expect(answer).toMatchObject({ status: 400, code: 'bad_request' });
    expect(answer.body).not.toContain('isAdmin');
    expect((await whereTo('{"line":"web01"}')).body).not.toContain('isAdmin');
  });
});

describe('Content type', () => {
  test.each([
    ['text/plain'],
    ['text/plain;application/json'],
    ['application/json; charset=utf-8'],
    ['application/json;charset=utf-16le'],
    ['application/json, text/plain'],
    ['application/x-www-form-urlencoded'],
    ['multipart/form-data; boundary=application/json'],
    ['application/json\tx'],
    ['application/jsonp'],
    ['application/octet-stream'],
    ['"application/json"'],
    [''],
  ])('415 to "%s", and the handler does not run', async (type) => {
    const answer = await ask(door, {
      method: 'POST',
      target: '/api/login',
      lines: [...write, `Content-Type: ${type}`],
      body: JSON.stringify({ name: 'ann', password: 'correct horse battery staple 7' }),
    });
    expect(answer).toMatchObject({ status: 415, code: 'unsupported_media_type' });
    expect(answer.headers['set-cookie']).toBeUndefined();
  });

  test('415 to a body without a type and to a compressed one, 400 to two types', async () => {
    const body = '{"line":"a"}';
    const target = '/api/where-to';
    const post = (...lines: string[]) => ask(door, { method: 'POST', target, lines: [...write, ...lines], body });
    expect((await post()).status).toBe(415);
    expect((await post('Content-Type: application/json', 'Content-Type: application/json')).status).toBe(400);
    expect((await whereTo(body, 'Content-Encoding: gzip')).status).toBe(415);
    expect((await whereTo(body, 'Content-Encoding: identity')).status).toBe(415);
    expect((await whereTo(body)).status).toBe(200);
  });
});

describe('paths and methods', () => {
  test.each([
    '/../../etc/passwd',
    '/..%2f..%2fetc%2fpasswd',
    '/%2e%2e/%2e%2e/etc/passwd.txt',
    '/assets/..%5c..%5cpackage.json',
    '/....//....//package.json',
    '/assets/%00.js',
    '/package.json',
    '/main.js',
    '/.git/config.txt',
    '/__proto__.js',
    '/constructor.js',
    '//etc/passwd.txt',
    '/index.html%00.png',
    '/index.html/../main.js',
    '/assets/../../server/main.js',
  ])('serves no file for %s', async (target) => {
    const answer = await ask(door, { target });
    if (answer.status === 200) expect(answer.body).toMatch(/^<!doctype html>/i);
    else expect(answer).toMatchObject({ status: 404, code: 'not_found' });
    expect(answer.body).not.toMatch(/root:|"workspaces"|SALLYPORT_/);
  });

  test.each(['/%', '/%zz', '/api/sessions/%ff', '/api/%c0%ae/state', 'http://evil.example/api/account', '*'])(
    'answers %s in its own words',
    async (target) => {
      const answer = await ask(door, { target });
      expect([400, 404, 401]).toContain(answer.status);
      expect(answer.code).not.toBeNull();
      expect(answer.body).not.toContain('evil');
    },
  );

  test.each(['OPTIONS', 'TRACE', 'PROPFIND', 'PURGE', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'QUERY'])(
    'gives nothing away to %s',
    async (method) => {
      for (const target of ['/api/account', '/api/state', '/api/no-such-thing', '/']) {
        const answer = await ask(door, { method, target, lines: [...json(), 'X-Echo: canary'] });
        expect([404, 405, 400], `${method} ${target}`).toContain(answer.status);
        expect(answer.body).not.toContain('canary');
        expect(answer.headers['allow']).toBeUndefined();
        expect(answer.headers['access-control-allow-origin']).toBeUndefined();
      }
    },
  );

  test('closes a CONNECT without a word to anybody else', async () => {
    const seen = await exchange(door, 'CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n');
    expect(seen).not.toMatch(/ 200 /);
  });

  test('an upgrade that is no console socket is refused and closed', async () => {
    const key = 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==';
    const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', key];
    const refused = { status: 400, code: 'bad_request' };
    for (const target of ['/api/state', '/api/account', '/nothing.js', '/'])
      expect(await ask(door, { target, lines: upgrade }), target).toMatchObject(refused);
    const h2c = ['Connection: Upgrade', 'Upgrade: h2c'];
    expect(await ask(door, { target: '/api/state', lines: h2c })).toMatchObject(refused);
    const body = '{"name":"ann","password":"x"}';
    const signIn = { method: 'POST', target: '/api/login', lines: [...json(), ...upgrade], body };
    expect(await ask(door, signIn)).toMatchObject(refused);
    const target = '/api/sessions/socket';
    expect((await ask(door, { target, lines: upgrade })).status).toBe(401);
    const plain = [...write, 'Sec-WebSocket-Protocol: sallyport.v1'];
    expect(await ask(door, { target, lines: plain })).toMatchObject({ status: 400, code: 'upgrade_failed' });
  });
});

describe('answers', () => {
  const SECURITY = {
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
  };
  test('carry the headers that keep a browser safe, whatever they are', async () => {
    const targets = ['/', '/sign-in', '/api/state', '/api/account', '/api/nothing', '/nothing.js', '/healthz', '/%zz'];
    for (const target of targets) {
      const { headers } = await ask(door, { target });
      expect(headers, target).toMatchObject(SECURITY);
      const policy = headers['content-security-policy'] ?? '';
      for (const part of [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "frame-ancestors 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "require-trusted-types-for 'script'",
        `connect-src 'self' ws://127.0.0.1:${String(door.port)}`,
      ])
        expect(policy, target).toContain(part);
      expect(policy).not.toMatch(/script-src[^;]*unsafe|\*/);
      expect(headers['strict-transport-security'], 'no TLS here').toBeUndefined();
      expect(headers['server']).toBeUndefined();
      expect(headers['x-powered-by']).toBeUndefined();
    }
  });

  test('of the API are never kept by a cache, however the path is spelt', async () => {
    const cookie = `Cookie: ${ann.cookie ?? ''}`;
    for (const target of ['/api/account', '/%61pi/account', '/api/%61ccount', '/%61pi/nothing', '/readyz'])
      expect((await ask(door, { target, lines: [cookie] })).headers, target).toMatchObject({
        'cache-control': 'no-store',
      });
    const crossSite = ['Sec-Fetch-Site: cross-site', cookie];
    for (const target of ['/api/account', '/%61pi/account'])
      expect(await ask(door, { target, lines: crossSite }), target).toMatchObject({
        status: 403,
        code: 'origin_refused',
      });
  });

  test('never repeat the Host header, and nothing depends on it', async () => {
    for (const host of ['evil.example', 'evil.example:8022', '127.0.0.1:1', '[::1]', 'localhost/path', '"><script>']) {
      const lines = [`Host: ${host}`, 'X-Forwarded-Host: evil.example', 'Forwarded: host=evil.example'];
      for (const target of ['/', '/api/state', '/.well-known/security.txt', '/nothing.js', '/api/account']) {
        const answer = await ask(door, { target, lines });
        expect(JSON.stringify(answer), `${host} ${target}`).not.toMatch(/evil|<script>"/);
        expect(answer.headers['location']).toBeUndefined();
      }
      expect((await ask(door, { target: '/metrics', lines })).status).toBe(404);
    }
    expect((await ask(door, { target: '/metrics' })).status).toBe(200);
    const contact = (await ask(door, { target: '/.well-known/security.txt' })).body;
    expect(contact).toContain(`Contact: ${gateway.url}/`);
  });

  test('carry a code, a sentence and a request id, no stack and no path', async () => {
    const answer = await ask(door, { target: '/api/sessions/x', lines: write });
    expect(Object.keys(JSON.parse(answer.body) as object)).toEqual(['error']);
    const { error } = JSON.parse(answer.body) as { error: Record<string, string> };
    expect(Object.keys(error)).toEqual(['code', 'message', 'requestId']);
    expect(error['requestId']).toBe(answer.headers['x-request-id']);
    expect(answer.body).not.toMatch(/\/|node_modules|Error:|zod|sqlite/i);
  });
});

test('408 to a head and to a body that do not come within 10 s', async () => {
  for (const { answer, tookMs } of await slow) {
    expect(parseAnswer(answer)).toMatchObject({ status: 408, code: 'bad_request' });
    expect(tookMs).toBeGreaterThan(9000);
    // Without a limit of ours it would be a minute for the head and five for the body.
    expect(tookMs).toBeLessThan(40_000);
  }
});

test('the gateway still answers, and nothing failed inside', async () => {
  expect((await ask(door, { target: '/healthz' })).status).toBe(200);
  expect(gateway.stderr()).not.toMatch(/Request failed|"level":"?(error|50)/);
  const idle = await connectDoor(door);
  idle.destroy();
});
