import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { X509Certificate } from 'node:crypto';
import type { ProbeResult } from '@sallyport/shared/api/targets';
import { WsManSettings } from '@sallyport/shared/api/wsman';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SallyportError } from '../../errors.ts';
import { openPorts } from '../open-ports.ts';
import { probeWinRm, type WinRmProbeRequest } from './probe.ts';

let directory: string;
let tls: { readonly cert: Buffer; readonly key: Buffer };
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'probe-'));
  const [key, cert] = [path.join(directory, 'key.pem'), path.join(directory, 'cert.pem')];
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert];
  const subject = ['-subj', '/CN=win01', '-addext', 'subjectAltName=DNS:win01'];
  execFileSync('openssl', ['req', '-x509', '-days', '2', ...made, ...subject], { stdio: 'pipe' });
  tls = { cert: readFileSync(cert), key: readFileSync(key) };
});
afterAll(() => rmSync(directory, { recursive: true }));

const servers: Server[] = [];
afterEach(() => servers.splice(0).forEach((server) => server.close()));
async function portOf(server: Server): Promise<number> {
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

type Wanted = Partial<WsManSettings>;
function request(port: number, wsman: Wanted, more: Partial<WinRmProbeRequest> = {}): WinRmProbeRequest {
  return {
    endpoint: { host: 'win01', port, resolve: () => Promise.resolve('127.0.0.1') },
    wsman: WsManSettings.parse({ tls: false, ...wsman }),
    timeouts: { tcpMs: 5000, handshakeMs: 5000 },
    ...{ now: Date.now(), onRecord: () => Promise.resolve(null) },
    ...more,
  };
}
const probe = (...args: Parameters<typeof request>): Promise<ProbeResult> =>
  probeWinRm(request(...args), new AbortController().signal);
const states = ({ stations }: ProbeResult): string => stations.map((s) => `${s.step}:${s.state}`).join(' ');
const failed = ({ stations }: ProbeResult) => stations.find(({ state }) => state === 'failed');
const offers =
  (...schemes: string[]): RequestListener =>
  (_asked, answer) =>
    answer.writeHead(401, { 'www-authenticate': schemes }).end();

describe('probe of WinRM', () => {
  it('comes to the sign-in and says what is offered; nothing that names anybody is sent', async () => {
    const heads: string[] = [];
    const port = await portOf(
      createServer((asked, answer) => {
        heads.push(`${asked.method ?? ''} ${asked.url ?? ''} ${asked.rawHeaders.join('|')}`);
        offers('Negotiate', 'Kerberos')(asked, answer);
      }),
    );
    const result = await probe(port, {});
    expect(states(result)).toBe('resolve:ok policy:ok tcp:ok winrm:ok sign-in:not-tried powershell:not-tried');
    expect(result.stations[3]?.detail).toBe('HTTP 401; offers Negotiate, Kerberos');
    expect(heads).toHaveLength(1);
    expect(heads[0]).toMatch(/^POST \/wsman host\|win01:\d+\|content-length\|0\|/);
    expect(heads[0]).not.toMatch(/authorization/i);
  });

  it('names the ways that are off, and the line that switches them on', async () => {
    const port = await portOf(createServer(offers('Basic realm="WSMAN, Negotiate"')));
    const result = await probe(port, {});
    expect(failed(result)).toMatchObject({ step: 'sign-in' });
    expect(failed(result)?.detail).toMatch(/^The listener answers, but does not take Negotiate or Kerberos: it offers Basic\. \(wsman_method_disabled\)/); // prettier-ignore
    expect(result.remedies.flatMap(({ lines }) => lines)).toContain(
      'Set-Item WSMan:\\localhost\\Service\\Auth\\Negotiate $true',
    );
    expect(failed(await probe(port, { method: 'basic' }))).toBeUndefined();
  });

  it('tells a web server, a wrong path and something else from WinRM', async () => {
    const web = await portOf(createServer((_asked, answer) => answer.end('hello')));
    expect(failed(await probe(web, {}))?.detail).toContain('wsman_not_winrm');
    const ssh = await portOf(createTcpServer((socket) => socket.end('SSH-2.0-x\r\n')));
    expect(failed(await probe(ssh, {}))).toMatchObject({ step: 'winrm' });
    const plain = await portOf(createServer(offers('Negotiate')));
    expect(failed(await probe(plain, { tls: true }))).toMatchObject({ step: 'tls' });
  });

  it('judges the certificate: unknown, of an authority of ours, pinned, on record, changed', async () => {
    const port = await portOf(createTlsServer(tls, offers('Negotiate')));
    const leaf = new X509Certificate(tls.cert);
    const pin = leaf.fingerprint256.replaceAll(':', '').toLowerCase();
    const withTrust = (trust: object, more: Partial<WinRmProbeRequest> = {}): Promise<ProbeResult> =>
      probe(port, { tls: true, trust: WsManSettings.parse({ trust }).trust }, more);
    expect((await withTrust({})).hostKey).toEqual({ type: 'x509', fingerprint: pin, state: 'unknown' });
    expect((await withTrust({ ca: tls.cert.toString() })).hostKey?.state).toBe('pinned');
    expect((await withTrust({ pin })).hostKey?.state).toBe('pinned');
    const record = (key: string): Partial<WinRmProbeRequest> => ({
      onRecord: (given) => Promise.resolve(given === key ? 'pinned' : 'changed'),
    });
    expect((await withTrust({}, record(leaf.raw.toString('base64')))).hostKey?.state).toBe('pinned');
    for (const changed of [await withTrust({ pin: 'ab'.repeat(32) }), await withTrust({}, record('other'))]) {
      expect(failed(changed)).toMatchObject({ step: 'host-key' });
      expect(changed.hostKey?.state).toBe('changed');
    }
    const elsewhere = { host: 'win02', port, resolve: () => Promise.resolve('127.0.0.1') };
    expect((await withTrust({ ca: tls.cert.toString() }, { endpoint: elsewhere })).hostKey?.state).toBe('unknown');
    // Each check is skipped by itself, and the time by none: as when a session is opened.
    const atOther = async (skip: object): Promise<string | undefined> =>
      (await withTrust(skip, { endpoint: elsewhere })).hostKey?.state;
    expect(await atOther({ skipCnCheck: true })).toBe('unknown');
    expect(await atOther({ skipCaCheck: true })).toBe('unknown');
    expect(await atOther({ skipCaCheck: true, skipCnCheck: true })).toBe('pinned');
    const late = { now: Date.now() + 3 * 86_400_000 };
    const expired = await withTrust({ skipCaCheck: true }, late);
    expect(expired.hostKey?.state).toBe('unknown');
    expect(expired.stations.find(({ step }) => step === 'host-key')?.detail).toBe(
      `SHA-256 ${pin}; it is not valid now`,
    );
    expect((await withTrust({ pin }, late)).hostKey?.state).toBe('pinned');
  });

  it.each([
    ['target_address_refused', 'policy'],
    ['target_name_unresolved', 'resolve'],
  ] as const)('says that %s ends at %s, and connects to nothing', async (code, step) => {
    const resolve = (): Promise<string> => Promise.reject(new SallyportError(code, 'for the test'));
    const result = await probe(1, {}, { endpoint: { host: 'win01', port: 1, resolve } });
    expect(failed(result)?.step).toBe(step);
  });

  it('says that a closed port is closed, with the rule of public networks', async () => {
    const server = createTcpServer();
    const port = await portOf(server);
    server.close();
    const result = await probe(port, {});
    expect(failed(result)).toMatchObject({ step: 'tcp' });
    expect(result.remedies.some(({ title }) => title.includes('public network'))).toBe(true);
  });
});

describe('usual doors', () => {
  const doors = (resolve: (port: number) => Promise<string>) =>
    openPorts((port) => ({ host: 'win01', port, resolve: () => resolve(port) }), 1000, new AbortController().signal);
  it('ask the address policy for each port and connect to what it gives', async () => {
    const asked: number[] = [];
    const found = await doors((port) => {
      asked.push(port);
      return Promise.reject(new SallyportError('target_address_refused', 'for the test'));
    });
    expect(asked).toEqual([5986, 5985, 22]);
    expect(found.map(({ way, state }) => `${way} ${state}`)).toEqual(['https refused', 'http refused', 'ssh refused']);
  });
  it('end with the name when there is none', async () => {
    const gone = (): Promise<string> => Promise.reject(new SallyportError('target_name_unresolved', 'for the test'));
    await expect(doors(gone)).rejects.toMatchObject({ code: 'target_name_unresolved' });
  });
});
