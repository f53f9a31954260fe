import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { NewApiToken } from '@sallyport/shared/api/users';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { saveLogin } from './client.ts';
import { runCli } from './index.ts';

let directory = '';
let stop: () => Promise<void> = () => Promise.resolve();
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'sallyport-cli-'));
});
afterEach(async () => {
  await stop();
  stop = () => Promise.resolve();
  rmSync(directory, { recursive: true, force: true });
});

async function run(args: string[], env: Record<string, string> = {}) {
  let out = '';
  let err = '';
  const code = await runCli(args, {
    env: { XDG_CONFIG_HOME: directory, ...env },
    out: (text) => (out += text),
    err: (text) => (err += text),
    ask: () => Promise.reject(new Error('there is no terminal')),
  });
  return { code, out, err };
}

/** A gateway that answers as told, over real HTTP; it keeps what it was asked. */
async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stop = () => new Promise((resolve) => server.close(() => resolve()));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { url: `http://127.0.0.1:${port}/`, asked };
}

const target = {
  id: 't1', name: 'web01', transport: 'ssh', host: 'web01', port: 22, subsystem: 'powershell', offers: ['powershell'],
  credentialId: null, user: '', connectTimeoutMs: 30000, viaTargetId: null, relaxations: [], files: 'off', wsman: null, notes: '', isDemo: false, administratorOnly: false,
  powershellMissing: false, createdAt: 0, lastOpenedAt: null,
}; // prettier-ignore

const invokeAnswers = (lines: unknown[]) => (request: IncomingMessage, response: ServerResponse) => {
  response.setHeader('content-type', 'application/json');
  if (request.url === '/api/targets') response.end(JSON.stringify({ targets: [target] }));
  else response.end(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
};
const ended = (exitCode: number) => ({
  type: 'ended',
  state: 'Completed',
  exitCode,
  code: null,
  message: '',
  sessionId: 's',
});

describe('sallyport', () => {
  it('says what it can do, and exits 2 on an unknown command', async () => {
    expect(await run(['help'])).toMatchObject({ code: 0, out: expect.stringContaining('invoke') as string });
    expect(await run(['nonsense'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('no command nonsense') as string,
    });
    expect(await run(['invoke', '--help'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('Exit code') as string,
    });
    expect(await run(['invoke', 'web01', '--nonsense'])).toMatchObject({ code: 2 });
  });

  it('has help for every command that it lists, and names the usage when words are wrong', async () => {
    const { out } = await run(['--help']);
    const names = [...out.matchAll(/^ {2}([a-z]+) +\S/gm)].map((match) => match[1] ?? '');
    expect(names.length).toBeGreaterThanOrEqual(13);
    for (const name of names) {
      const help = await run([name, '--help']);
      expect(help, name).toMatchObject({
        code: 0,
        err: '',
        out: expect.stringContaining(`sallyport ${name}`) as string,
      });
      expect(await run([name, '--no-such-option']), name).toMatchObject({ code: 2, out: '' });
    }
    expect(await run([])).toMatchObject({ code: 2 });
  });

  it('checks, and exits 1, where there is nothing to work on', async () => {
    const data = path.join(directory, 'none');
    expect((await run(['audit', 'verify', '--data', data])).code).toBe(1);
    expect((await run(['backup', '--data', data, '--to', path.join(directory, 'to')])).code).toBe(1);
    expect((await run(['doctor', '--data', data, '--json'])).out).toContain('"what":"Node.js"');
    expect((await run(['user', 'list'])).code).toBe(2);
    expect(
      (await run(['config', 'check', '--data', data, '--json'])).out
        .trim()
        .split('\n')
        .map((line) => Object.keys(JSON.parse(line) as object)),
    ).toContainEqual(['name', 'value', 'source']);
  });

  it('keeps text on stdout and the other streams on stderr, and exits with the code of the script', async () => {
    const { url } = await serve(
      invokeAnswers([
        { type: 'text', text: 'one\r\n' },
        { type: 'stream', stream: 'warning', text: 'careful' },
        ended(3),
      ]),
    );
    const result = await run(['invoke', 'web01', '--script', 'x', '--url', url], { SALLYPORT_TOKEN: 't' });
    expect(result).toEqual({ code: 3, out: 'one\r\n', err: 'WARNING: careful\n' });
  });

  it('runs at fewer targets at once than a person may have sessions, if not told otherwise', async () => {
    const names = Array.from({ length: 20 }, (_, n) => `web${String(n)}`);
    const held: (() => void)[] = [];
    let arrived = 0;
    const { url } = await serve((request, response) => {
      const targets = names.map((name) => ({ ...target, id: name, name }));
      if (request.url === '/api/targets') response.end(JSON.stringify({ targets }));
      else {
        const answer = (): unknown => response.end(`${JSON.stringify(ended(0))}\n`);
        if (++arrived > 16) answer();
        else held.push(answer);
        if (arrived === 16) void release();
      }
    });
    let atOnce = 0;
    /** Whatever else was sent together with the 16th is here after some round trips. */
    const release = async (): Promise<void> => {
      for (let trip = 0; trip < 10; trip++) await fetch(new URL('api/targets', url));
      atOnce = arrived;
      for (const answer of held) answer();
    };
    expect((await run(['invoke', ...names, '--script', 'x', '--url', url], { SALLYPORT_TOKEN: 't' })).code).toBe(0);
    expect([atOnce, arrived]).toEqual([16, 20]);
  });

  it('prints one JSON object per line for objects', async () => {
    const { url } = await serve(
      invokeAnswers([{ type: 'object', value: { Name: 'a', Size: 1 } }, { type: 'object', value: 'b' }, ended(0)]),
    );
    const result = await run(['invoke', 'web01', '--script', 'x', '--output', 'json', '--url', url], {
      SALLYPORT_TOKEN: 't',
    });
    expect(result).toEqual({ code: 0, out: '{"Name":"a","Size":1}\n"b"\n', err: '' });
  });

  it('reports a cut answer instead of taking it for success', async () => {
    const { url } = await serve(invokeAnswers([{ type: 'text', text: 'half' }]));
    expect(await run(['invoke', 'web01', '--script', 'x', '--url', url], { SALLYPORT_TOKEN: 't' })).toMatchObject({
      code: 1,
    });
  });

  it('shows a refusal with its code and request id', async () => {
    const { url, asked } = await serve((_, response) => {
      response.statusCode = 403;
      response.end(JSON.stringify({ error: { code: 'forbidden', message: 'You may not do this.', requestId: 'r-7' } }));
    });
    const result = await run(['target', 'list', '--url', url], { SALLYPORT_TOKEN: 'secret-token' });
    expect(result).toEqual({
      code: 1,
      out: '',
      err: 'sallyport target: You may not do this. (forbidden, request r-7)\n',
    });
    expect(asked[0]?.headers.authorization).toBe('Bearer secret-token');
  });

  it('waits for its turn when more is opened than may be in a minute', async () => {
    let refusals = 0;
    let granted = 1;
    const { url } = await serve((request, response) => {
      if (request.url === '/api/targets' || refusals === granted) invokeAnswers([ended(0)])(request, response);
      else {
        refusals += 1;
        response.statusCode = 429;
        response.setHeader('retry-after', refusals === 1 ? '0' : '2');
        response.end(JSON.stringify({ error: { code: 'rate_limited', message: 'wait', requestId: 'r1' } }));
      }
    });
    const env = { SALLYPORT_URL: url, SALLYPORT_TOKEN: 'x' };
    expect(await run(['invoke', 'web01', '--script', '1'], env)).toEqual({ code: 0, out: '', err: '' });
    expect(refusals).toBe(1);
    granted = -1;
    const short = await run(['invoke', 'web01', '--script', '1', '--timeout', '1'], env);
    expect(short.code).toBe(1);
    expect(short.err).toContain('rate_limited');
  });

  it('keeps the token of a login in a file that only its owner can read', () => {
    const file = saveLogin({ XDG_CONFIG_HOME: directory }, { url: 'http://127.0.0.1:1/', token: 't' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('closes a file of a login that others could read', () => {
    mkdirSync(path.join(directory, 'sallyport'));
    writeFileSync(path.join(directory, 'sallyport', 'login.json'), '{}', { mode: 0o644 });
    const file = saveLogin({ XDG_CONFIG_HOME: directory }, { url: 'http://127.0.0.1:1/', token: 't' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('sends a saved token to the gateway that gave it, and to no other', async () => {
    const { url, asked } = await serve((_, response) => response.end('{"targets":[]}'));
    saveLogin({ XDG_CONFIG_HOME: directory }, { url, token: 'saved' });
    expect((await run(['target', 'list'])).code).toBe(0);
    expect((await run(['target', 'list', '--url', url.slice(0, -1)])).code).toBe(0);
    saveLogin({ XDG_CONFIG_HOME: directory }, { url: 'https://gateway.example/', token: 'saved' });
    expect(await run(['target', 'list', '--url', url])).toMatchObject({
      code: 2,
      err: expect.stringContaining('https://gateway.example/') as string,
    });
    expect((await run(['target', 'list'], { SALLYPORT_URL: url })).code).toBe(2);
    expect(asked.length).toBe(2);
  });

  it('sends neither token nor password over plain http off this machine', async () => {
    const env = { SALLYPORT_TOKEN: 't' };
    for (const url of ['http://gateway.example/', 'http://192.0.2.1/', 'ftp://gateway.example/', 'gateway'])
      for (const args of [
        ['target', 'list'],
        ['token', 'login'],
      ])
        expect(await run([...args, '--url', url], env), `${args.join(' ')} ${url}`).toMatchObject({
          code: 2,
          err: expect.stringContaining('https') as string,
        });
  });

  it('shows what others named without its control sequences', async () => {
    const token = { id: 'k1', userName: 'eve', scopes: null, createdAt: 0, expiresAt: 0, lastUsedAt: null };
    const label = 'x\x1b]52;c;ZXZpbA==\x07\x9b2Jy\u202e\nadmin  root';
    const { url } = await serve((request, response) => {
      if (request.url === '/api/tokens') response.end(JSON.stringify({ tokens: [{ ...token, label }] }));
      else {
        response.statusCode = 403;
        response.end(JSON.stringify({ error: { code: 'forbidden', message: label, requestId: 'r' } }));
      }
    });
    const env = { SALLYPORT_TOKEN: 't' };
    const listed = await run(['token', 'list', '--url', url], env);
    expect(listed.out).toContain('x^[]52;c;ZXZpbA==^G<009B>2Jy<202E>^Jadmin  root');
    expect(listed.out.trimEnd().split('\n').length).toBe(2);
    expect(NewApiToken.safeParse({ label, scopes: null, days: 1 }).success).toBe(false);
    expect((await run(['user', 'list', '--url', url], env)).err).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
  });

  it('prints every setting with its source', async () => {
    writeFileSync(path.join(directory, 'config.json'), JSON.stringify({ logLevel: 'warn' }));
    const result = await run(['config', 'check', '--data', directory], { SALLYPORT_LISTEN: '127.0.0.1:9' });
    expect(result.code).toBe(0);
    expect(result.out).toMatch(/logLevel +"warn" +file /);
    expect(result.out).toMatch(/listen +"127.0.0.1:9" +environment/);
    expect(await run(['config', 'check', '--data', directory], { SALLYPORT_NONSENSE: '1' })).toMatchObject({
      code: 1,
      err: expect.stringContaining('config_invalid') as string,
    });
  });

  it('tells a container whether the gateway answers', async () => {
    const { url } = await serve((request, response) => {
      response.statusCode = request.url === '/healthz' ? 200 : 404;
      response.end();
    });
    const env = { SALLYPORT_LISTEN: new URL(url).host, SALLYPORT_DATA: directory };
    expect(await run(['healthcheck'], env)).toMatchObject({ code: 0 });
    await stop();
    stop = () => Promise.resolve();
    expect(await run(['healthcheck'], env)).toMatchObject({ code: 1 });
  });
});
