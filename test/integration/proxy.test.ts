/** The nginx example of docs/operations.md, as it stands there, in front of the built gateway: page, sign-in, console. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Target } from '@sallyport/shared/api/targets';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LabCertificate, makeCertificate } from '../lab/certificate.ts';
import { ConsolePage, openBody } from '../lab/console-page.ts';
import { type LabGateway, type Person, startGateway } from '../lab/gateway.ts';
import { acceptHostKey, addLabTarget } from '../lab/journeys.ts';
import { type LabNginx, startNginx } from '../lab/nginx.ts';
import { type LabSshd, freePort, startSshd } from '../lab/sshd.ts';

const DOC = readFileSync(path.join(import.meta.dirname, '..', '..', 'docs', 'operations.md'), 'utf8');
const EXAMPLE = /### nginx[^\n]*\n+```nginx\n([\s\S]*?)```/.exec(DOC)?.[1] ?? '';
/** What the example must have, to be filled in; a replacement that meets nothing is a changed example. */
function fillIn(example: string, changes: readonly (readonly [string, string])[]): string {
  return changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the example has no ${from}`);
    return text.replaceAll(from, to);
  }, example);
}

let directory: string;
let certificate: LabCertificate;
let sshd: LabSshd;
beforeAll(async () => {
  // The certificate is thrown away with this process; nothing else is asked from here.
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
  directory = mkdtempSync(path.join(tmpdir(), 'sallyport-proxy-'));
  certificate = makeCertificate(directory, 'proxy', 'gw.example');
  sshd = await startSshd({ subsystem: null });
});
afterAll(async () => {
  await sshd.stop();
  rmSync(directory, { recursive: true, force: true });
});

interface Site {
  readonly gateway: LabGateway;
  readonly nginx: LabNginx;
}
async function startSite(subPath: string, more: readonly (readonly [string, string])[] = []): Promise<Site> {
  const [outside, inside] = [await freePort('127.0.0.1'), await freePort('127.0.0.1')];
  const gateway = await startGateway({
    env: {
      SALLYPORT_LISTEN: `127.0.0.1:${String(inside)}`,
      SALLYPORT_PUBLIC_URL: `https://localhost:${String(outside)}${subPath}`,
      SALLYPORT_TRUSTED_PROXIES: '127.0.0.1',
    },
  });
  const blocks = fillIn(EXAMPLE, [
    ['listen 443 ssl;', `listen 127.0.0.1:${String(outside)} ssl;`],
    ['gw.example.pem', 'PEM'],
    ['/etc/ssl/PEM', certificate.certFile],
    ['/etc/ssl/gw.example.key', certificate.keyFile],
    ['location / {', `location ${subPath} {`],
    ['http://127.0.0.1:8022', `http://127.0.0.1:${String(inside)}${subPath === '/' ? '' : subPath}`],
    ...more,
  ]);
  return { gateway, nginx: await startNginx(blocks) };
}
async function stopSite({ gateway, nginx }: Site): Promise<void> {
  await nginx.stop();
  await gateway.stop();
}

describe.each(['/', '/sallyport/'])('nginx in front, publicUrl with the path %s', (subPath) => {
  let site: Site;
  let ann: Person;
  let target: Target;
  beforeAll(async () => {
    site = await startSite(subPath);
    ann = await site.gateway.setUp();
    target = await addLabTarget(ann, sshd);
  });
  afterAll(() => stopSite(site));

  test('serves the page and the API over TLS, with a __Host- cookie', async () => {
    expect(ann.cookie).toMatch(/^__Host-sallyport=/);
    const page = await fetch(`${site.gateway.url}/sign-in`);
    expect(page.status).toBe(200);
    expect(page.headers.get('strict-transport-security')).not.toBeNull();
    const html = await page.text();
    expect(html).toContain(`<base href="${subPath}" />`);
    const script = /src="\.?\/?([^"]+\.js)"/.exec(html)?.[1] ?? '';
    expect((await fetch(new URL(script, `${site.gateway.url}/`))).status).toBe(200);
    expect((await ann.request('GET', '/api/account')).status).toBe(200);
    const other = site.gateway.nobody();
    expect((await other.request('GET', '/metrics')).status, 'not through a proxy').toBe(404);
  });

  test('passes a console on: what is typed, a megabyte back, a reload in the middle', async () => {
    const page = await ConsolePage.open(ann, openBody(target.id, 'pty'));
    await acceptHostKey(page);
    await page.untilLive();
    page.type("head -c 1000000 /dev/zero | tr '\\0' x; echo; echo all-$((40+2))\n");
    await page.untilText('xxxx');
    page.cut();
    const resume = { token: page.last('resumeToken')?.token ?? page.last('attached')?.resumeToken ?? '', offset: page.offset }; // prettier-ignore
    const again = await ConsolePage.attach(ann, page.sessionId, { resume }, 'none');
    await again.untilText('all-42');
    const seen = Buffer.concat([page.buffer(), again.buffer()]).toString('utf8');
    expect(seen.match(/x/g)?.length).toBeGreaterThanOrEqual(1_000_000);
    again.send({ type: 'close' });
    await again.untilClosed();
  });
});

test('a proxy that does not pass the upgrade on is told apart, with a code', async () => {
  const site = await startSite('/', [['    proxy_set_header Upgrade $http_upgrade;\n', ''], ['$connection_upgrade;\n', 'close;\n']]); // prettier-ignore
  try {
    const ann = await site.gateway.setUp();
    const socket = ConsolePage.socket(ann);
    socket.on('error', () => undefined);
    const [, answer] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    const body = Buffer.concat(await answer.toArray() as Buffer[]).toString(); // prettier-ignore
    expect([answer.statusCode, body]).toEqual([400, expect.stringContaining('upgrade_failed')]);
  } finally {
    await stopSite(site);
  }
});

test('the examples leave a quiet console open, and say which of them were run', () => {
  const seconds = Number(/proxy_read_timeout (\d+)s;/.exec(EXAMPLE)?.[1]);
  const ping = readFileSync(path.join(import.meta.dirname, '..', '..', 'server', 'src', 'ws', 'plugin.ts'), 'utf8');
  const pingMs = Number((/const PING_MS = ([\d_]+);/.exec(ping)?.[1] ?? '').replaceAll('_', ''));
  expect(seconds * 1000).toBeGreaterThan(2 * pingMs);
  expect(DOC).toContain(`pings every ${String(pingMs / 1000)} s`);
  for (const name of ['Caddy', 'IIS']) expect(DOC).toMatch(new RegExp(`### ${name}[^\n]*not run here`));
});
