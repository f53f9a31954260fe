/** The front door: TLS in the gateway, a proxy that is named, and starts that are refused. security.md section 3 "Front door". */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TLSSocket, connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type LabCertificate, makeCertificate } from '../lab/certificate.ts';
import { LAB_PASSWORD, type LabGateway, PROGRAM, startGateway } from '../lab/gateway.ts';
import { type RawDoor, ask, connectDoor } from '../lab/raw-http.ts';
import { freePort } from '../lab/sshd.ts';

let directory: string;
let first: LabCertificate;
let second: LabCertificate;
let live: LabCertificate;
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'sallyport-tls-'));
  first = makeCertificate(directory, 'first');
  second = makeCertificate(directory, 'second');
  live = { certFile: path.join(directory, 'live.pem'), keyFile: path.join(directory, 'live.key') };
  copyFileSync(first.certFile, live.certFile);
  copyFileSync(first.keyFile, live.keyFile);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function handshake(port: number, options: object = {}): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false, ...options });
  await once(socket, 'secureConnect');
  return socket;
}
async function fingerprint(port: number): Promise<string> {
  const socket = await handshake(port);
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}
const login = (name: string, password = LAB_PASSWORD) => ({
  method: 'POST',
  target: '/api/login',
  body: JSON.stringify({ name, password }),
});
const writing = (origin: string, ...more: string[]) => [`Origin: ${origin}`, 'X-Sallyport: 1', 'Content-Type: application/json', ...more]; // prettier-ignore

describe('TLS in the gateway', () => {
  let gateway: LabGateway;
  let door: RawDoor;
  let port: number;
  beforeAll(async () => {
    port = await freePort('127.0.0.1');
    gateway = await startGateway({
      env: {
        SALLYPORT_LISTEN: `127.0.0.1:${String(port)}`,
        SALLYPORT_PUBLIC_URL: `https://localhost:${String(port)}/`,
        SALLYPORT_TLS_CERT_FILE: live.certFile,
        SALLYPORT_TLS_KEY_FILE: live.keyFile,
      },
    });
    door = { host: '127.0.0.1', port, isSecure: true };
  });
  test('gives a __Host- cookie, tells browsers to stay with TLS, and lets sockets in over wss', async () => {
    expect(gateway.url).toBe(`https://localhost:${String(port)}`);
    const body = JSON.stringify({ token: gateway.setupToken, name: 'ann', password: LAB_PASSWORD });
    const done = await ask(door, { method: 'POST', target: '/api/setup', lines: writing(gateway.url), body });
    expect(done.status).toBe(204);
    expect(done.headers['set-cookie']).toMatch(/^__Host-sallyport=[a-z2-7]{52}; Path=\/; HttpOnly; Secure; SameSite=Strict$/); // prettier-ignore
    expect(done.headers['strict-transport-security']).toMatch(/^max-age=31536000/);
    expect(done.headers['content-security-policy']).toContain(`connect-src 'self' wss://localhost:${String(port)}`);
    const value = /=([a-z2-7]+);/.exec(done.headers['set-cookie'] ?? '')?.[1] ?? '';
    const account = (cookie: string) => ask(door, { target: '/api/account', lines: [`Cookie: ${cookie}`] });
    expect((await account(`__Host-sallyport=${value}`)).status).toBe(200);
    expect((await account(`sallyport-loopback=${value}`)).status, 'the name of the other door').toBe(401);
    const socket = new WebSocket(`wss://localhost:${String(port)}/api/sessions/socket`, ['sallyport.v1'], {
      headers: { cookie: `__Host-sallyport=${value}`, origin: gateway.url },
      rejectUnauthorized: false,
    });
    await once(socket, 'open');
    expect([socket.protocol, socket.extensions]).toEqual(['sallyport.v1', '']);
    socket.terminate();
  });

  test('speaks TLS 1.2 and 1.3, nothing older, and no plain HTTP', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await handshake(port, { minVersion: version, maxVersion: version });
      expect(socket.getProtocol()).toBe(version);
      socket.destroy();
    }
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
    await expect(handshake(port, old)).rejects.toThrow(/version|alert|disconnected|reset/i);
    expect((await ask({ ...door, isSecure: false }, { target: '/healthz' })).status).not.toBe(200);
  });

  test('takes up a changed certificate without a restart; while the files do not fit, the one before stays', async () => {
    const before = await fingerprint(port);
    const kept = await handshake(port);
    copyFileSync(second.certFile, live.certFile); // The key is not there yet.
    await gateway.logged('TlsReloadFailed');
    expect(await fingerprint(port)).toBe(before);
    copyFileSync(second.keyFile, live.keyFile);
    await gateway.logged(/TlsReloaded\b/);
    expect(await fingerprint(port)).not.toBe(before);
    expect(kept.destroyed).toBe(false);
    kept.destroy();
  });

  test('stops in time although somebody is connected who says nothing, before and after the handshake', async () => {
    const silent = await connectDoor({ ...door, isSecure: false });
    const idle = await handshake(port);
    const started = performance.now();
    expect(await gateway.terminate()).toBe(0);
    // security.md section 4: a node that drains is gone within 30 s. Nobody would let go of these two.
    expect(performance.now() - started).toBeLessThan(30_000);
    silent.destroy();
    idle.destroy();
    await gateway.stop();
  });
});

describe('behind a proxy', () => {
  const ORIGIN = 'https://gw.example';
  let gateway: LabGateway;
  let port: number;
  const from = (localAddress: string): RawDoor => ({ host: '127.0.0.1', port, isSecure: false, localAddress });
  beforeAll(async () => {
    port = await freePort('127.0.0.1');
    gateway = await startGateway({
      env: {
        SALLYPORT_LISTEN: `127.0.0.1:${String(port)}`,
        SALLYPORT_PUBLIC_URL: `${ORIGIN}/shell/`,
        SALLYPORT_TRUSTED_PROXIES: '127.0.0.2',
      },
    });
  });
  afterAll(() => gateway.stop());

  test('only the proxy that is named is answered; probes are answered to everybody', async () => {
    expect(gateway.stdout()).toContain(`${ORIGIN}/shell/setup#`);
    for (const lines of [[], ['X-Forwarded-For: 127.0.0.2'], ['X-Forwarded-Proto: https', 'X-Real-IP: 127.0.0.2']]) {
      const answer = await ask(from('127.0.0.1'), { target: '/shell/api/state', lines });
      expect(answer).toMatchObject({ status: 403, code: 'origin_refused' });
    }
    expect((await ask(from('127.0.0.2'), { target: '/shell/api/state' })).status).toBe(200);
    expect((await ask(from('127.0.0.1'), { target: '/shell/healthz' })).status).toBe(200);
    expect((await ask(from('127.0.0.1'), { target: '/shell/readyz' })).status).toBe(200);
  });

  test('everything is below the path of publicUrl, and the page knows it', async () => {
    const proxy = from('127.0.0.2');
    for (const target of ['/', '/api/state', '/healthz', '/shellapi/state'])
      expect((await ask(proxy, { target })).status, target).toBe(404);
    expect((await ask(proxy, { target: '/shell/' })).body).toContain('<base href="/shell/" />');
    expect((await ask(proxy, { target: '/shell/sign-in' })).body).toContain('<base href="/shell/" />');
  });

  test('the address behind the proxy counts for the limits, however often its spelling changes', async () => {
    const proxy = from('127.0.0.2');
    const behind = (forwarded: string) => writing(ORIGIN, `X-Forwarded-For: ${forwarded}`);
    // Both doors count alike; this one costs no password check.
    const body = JSON.stringify({ token: 'x', name: 'eve', password: LAB_PASSWORD });
    const setUp = (forwarded: string) =>
      ask(proxy, { method: 'POST', target: '/shell/api/setup', lines: behind(forwarded), body });
    const signIn = (forwarded: string) =>
      ask(proxy, { ...login('someone', 'wrong'), target: '/shell/api/login', lines: behind(forwarded) });
    const spellings = ['198.51.100.7', '::ffff:198.51.100.7', '198.51.100.7:50123', '6.6.6.6, 198.51.100.7'];
    const statuses = new Set<number>();
    for (let n = 0; n < 100; n++) statuses.add((await setUp(spellings[n % 4] ?? '')).status);
    expect([...statuses]).toEqual([403]);
    expect(await signIn('198.51.100.99')).toMatchObject({ status: 429, code: 'rate_limited' });
    expect((await signIn('203.0.113.1')).status).toBe(401);
  });
});

test('nobody else’s word counts: a forwarded header off a proxy changes nothing', async () => {
  const gateway = await startGateway();
  try {
    const ann = await gateway.setUp();
    const door = { host: '127.0.0.1', port: Number(new URL(gateway.url).port), isSecure: false };
    const spoof = ['X-Forwarded-For: 203.0.113.9', 'Forwarded: for=203.0.113.9', 'X-Real-IP: 203.0.113.9'];
    await ask(door, { ...login('ann', 'wrong'), lines: writing(gateway.url, ...spoof) });
    expect(JSON.stringify(await ann.get('/api/audit?type=login.failed'))).toContain('login.failed');
    await gateway.terminate();
    expect(gateway.stderr()).not.toContain('203.0.113.9');
  } finally {
    await gateway.stop();
  }
});

describe('a start is refused, by name, before anything is opened:', () => {
  async function refusal(env: Record<string, string>): Promise<{ code: number | null; text: string }> {
    const data = path.join(directory, `refused-${Math.random().toString(36).slice(2)}`);
    const child = spawn(process.execPath, [PROGRAM, 'serve'], {
      cwd: directory,
      env: { PATH: process.env['PATH'], SALLYPORT_DATA: data, SALLYPORT_LISTEN: '127.0.0.1:0', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
      killSignal: 'SIGKILL',
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (part: string) => (text += part));
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, text };
  }
  const tls = () => ({ SALLYPORT_TLS_CERT_FILE: first.certFile, SALLYPORT_TLS_KEY_FILE: first.keyFile });
  test.concurrent.each<[string, () => Record<string, string>, string]>([
    ['every address without TLS', () => ({ SALLYPORT_LISTEN: '0.0.0.0:0' }), 'insecure_listen'],
    ['every IPv6 address without TLS', () => ({ SALLYPORT_LISTEN: '[::]:0' }), 'insecure_listen'],
    ['http for a name', () => ({ SALLYPORT_PUBLIC_URL: 'http://gw.example/' }), 'insecure_listen'],
    ['http for a name like loopback', () => ({ SALLYPORT_PUBLIC_URL: 'http://127.0.0.1.example/' }), 'insecure_listen'],
    ['https with neither TLS nor proxy', () => ({ SALLYPORT_PUBLIC_URL: 'https://gw.example/' }), 'insecure_listen'],
    ['TLS for no name', () => ({ SALLYPORT_LISTEN: '0.0.0.0:0', ...tls() }), 'insecure_listen'],
    ['a proxy, but http outside', () => ({ SALLYPORT_LISTEN: '0.0.0.0:0', SALLYPORT_TRUSTED_PROXIES: '10.0.0.1', SALLYPORT_PUBLIC_URL: 'http://localhost/' }), 'insecure_listen'], // prettier-ignore
    ['the whole world as proxy', () => ({ SALLYPORT_TRUSTED_PROXIES: '0.0.0.0/0', SALLYPORT_PUBLIC_URL: 'https://gw.example/' }), 'config_invalid'], // prettier-ignore
    ['half a pair', () => ({ SALLYPORT_TLS_CERT_FILE: first.certFile }), 'config_invalid'],
    ['a key of another', () => ({ ...tls(), SALLYPORT_TLS_KEY_FILE: second.keyFile, SALLYPORT_PUBLIC_URL: 'https://localhost/' }), 'config_invalid'], // prettier-ignore
    ['no such file', () => ({ ...tls(), SALLYPORT_TLS_CERT_FILE: '/nonexistent.pem', SALLYPORT_PUBLIC_URL: 'https://localhost/' }), 'config_invalid'], // prettier-ignore
    ['a setting that is none', () => ({ SALLYPORT_TRUST_PROXIES: '127.0.0.1' }), 'config_invalid'],
  ])('%s', async (_, env, code) => {
    const seen = await refusal(env());
    expect(seen.code).toBe(1);
    expect(seen.text).toContain(code);
    expect(seen.text).not.toMatch(/listens at|node_modules|\n\s+at /);
  });

  test('and a warning is no start either when the file is a directory', async () => {
    writeFileSync(path.join(directory, 'empty.pem'), '');
    const env = { ...tls(), SALLYPORT_TLS_CERT_FILE: path.join(directory, 'empty.pem'), SALLYPORT_PUBLIC_URL: 'https://localhost/' }; // prettier-ignore
    expect((await refusal(env)).text).toContain('config_invalid');
  });
});
