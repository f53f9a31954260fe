/** Every page: accessible in both themes, no wider than a phone, within its weight, under the content security policy. */
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import { randomInt } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Tab } from '../lab/browser.ts';
import { ConsolePage, openBody } from '../lab/console-page.ts';
import { startGateway, type Person } from '../lab/gateway.ts';
import { addLabTarget } from '../lab/journeys.ts';
import { freePort } from '../lab/sshd.ts';
import { violationsInBothThemes } from './axe.ts';
import { SHELL_PROMPT, World, sessionOf } from './world.ts';

/** The bound of the issue: the first page with a terminal, as served, gzip. */
const MAX_FIRST_PAGE_KB = 150;

const SHOTS = path.join(import.meta.dirname, '..', '..', '.cache', 'screenshots');
mkdirSync(SHOTS, { recursive: true });

let world: World;
let ended: string;
beforeAll(async () => {
  world = await World.start();
  const page = await ConsolePage.open(world.ann, openBody(world.target.id, 'pty'));
  await page.untilLive();
  page.type('echo for-the-replay; exit\n');
  await page.untilClosed();
  ended = page.sessionId;
});
afterAll(() => world.stop());

const settings = [
  'account',
  'appearance',
  'tokens',
  'users',
  'roles',
  'credentials',
  'authority',
  'host-keys',
  'ranges',
  'retention',
];
/** A path, and what stands there once the page is drawn. */
const pages = (): readonly (readonly [path: string, ready: string])[] => [
  ['/', 'button >> text=Shell'],
  ['/targets', 'td >> text=lab'],
  ['/targets/new', 'form >> text=Name'],
  [`/targets/${world.target.id}`, 'text=Test connection'],
  [`/targets/${world.target.id}/access`, 'li >> text=delegation'],
  ['/sessions', 'td.began'],
  [`/replay/${ended}`, '.deck'],
  ['/audit', 'text=Verify the chain'],
  ['/audit/events', 'td'],
  ...settings.map((section) => [`/settings/${section}`, 'h2'] as const),
  ['/no/such/page', 'h1'],
];

test('every page: within 375 px, no fault of script or policy, and nothing for axe in either theme', async () => {
  const found: string[] = [];
  const out = await world.browser.open(`${world.gateway.url}/sign-in`);
  await out.page.getByLabel('User name').waitFor();
  found.push(...(await violationsInBothThemes(out, '/sign-in')));
  await out.context.close();
  const tab = await world.signedIn('/');
  const { page, faults } = tab;
  for (const [path, ready] of pages()) {
    await page.setViewportSize({ width: 375, height: 720 });
    await page.goto(`${world.gateway.url}${path}`);
    await page.locator(ready).first().waitFor();
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    if (width > 375) found.push(`${path} is ${String(width)} px wide`);
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.locator(ready).first().waitFor();
    // What axe does to the page is not the page's fault.
    found.push(...faults.map((fault) => `${path}: ${fault}`));
    found.push(...(await violationsInBothThemes(tab, path)));
    faults.length = 0;
  }
  await tab.context.close();
  expect(found).toEqual([]);
});

/** Everything that axe and a phone's width find, with all that folds unfolded. */
async function unfoldedFindings(tab: Tab, where: string): Promise<string[]> {
  const { page } = tab;
  const unfold = (): Promise<void> =>
    page.evaluate(() =>
      document.querySelectorAll<HTMLDetailsElement>('main details').forEach((one) => (one.open = true)),
    );
  await page.setViewportSize({ width: 375, height: 720 });
  await unfold();
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  await keep(tab, `${where}-375`);
  await page.setViewportSize({ width: 1280, height: 800 });
  const found = await violationsInBothThemes(tab, where);
  await keep(tab, where);
  return width > 375 ? [...found, `${where} is ${String(width)} px wide`] : found;
}
const keep = (tab: Tab, name: string): Promise<unknown> =>
  tab.page.screenshot({ path: path.join(SHOTS, `${name}.png`), fullPage: true });

test('a target over WinRM: its form says what cannot be, its facts say what is weakened', async () => {
  const tab = await world.signedIn('/targets/new');
  const { page } = tab;
  await page.getByLabel('Name', { exact: true }).fill('win01');
  await page.getByLabel('Host name or address').fill('win01.contoso.test');
  await page.getByRole('button', { name: 'WinRM', exact: true }).click();
  expect(await page.getByLabel('Port', { exact: true }).inputValue()).toBe('5986');
  await page.getByRole('radio', { name: /^HTTP;/ }).check();
  expect(await page.getByLabel('Port', { exact: true }).inputValue()).toBe('5985');
  await page.getByLabel('Sign-in method').selectOption('basic');
  await page.getByRole('button', { name: 'Add target' }).click();
  await page.getByText('Basic and Digest go over HTTPS with a checked certificate only.').waitFor();
  const found = await unfoldedFindings(tab, 'winrm-form-http');
  await page.getByLabel('Sign-in method').selectOption('default');
  await page.getByRole('checkbox', { name: /^NTLM may be used/ }).check();
  await page.getByLabel('Messages', { exact: true }).fill('de-DE');
  await page.getByRole('button', { name: 'Add target' }).click();
  const facts = page.getByRole('complementary', { name: 'win01' });
  await facts.getByText('WinRM, HTTP with sealed messages').waitFor();
  await facts.getByText('NTLM may be used although nothing proves who the target is').waitFor();
  await facts.getByText('de-DE').waitFor();
  found.push(...(await unfoldedFindings(tab, 'winrm-facts')));
  // What was saved comes back; over HTTPS there is more to choose.
  await facts.getByRole('button', { name: 'Edit' }).click();
  await page.getByRole('radio', { name: /^HTTPS;/ }).check();
  await page.getByLabel('Host name or address').waitFor();
  expect(await page.getByLabel('Messages', { exact: true }).inputValue()).toBe('de-DE');
  found.push(...(await unfoldedFindings(tab, 'winrm-form-https')));
  await page.getByLabel('Only the certificate with this SHA-256').fill('AB:'.repeat(31) + 'AB');
  await page.getByRole('button', { name: 'Save target' }).click();
  await facts.getByText('ab'.repeat(32)).waitFor();
  expect([...found, ...tab.faults]).toEqual([]);
  await tab.context.close();
});

test('a machine that was typed: its doors are looked at when asked, and the diagnosis says which way is off', async () => {
  // An address of its own, so that the usual port is free, and as long as one gets.
  const host = `127.66.${String(randomInt(200, 250))}.${String(randomInt(200, 250))}`;
  let asked = 0;
  const listener = createServer((_request, answer) => {
    asked += 1;
    answer.writeHead(401, { 'www-authenticate': ['Basic realm="WSMAN"', 'CredSSP'] }).end();
  }).listen(5985, host);
  await once(listener, 'listening');
  const tab = await world.signedIn('/');
  const { page } = tab;
  try {
    await page.getByRole('textbox', { name: 'Where to?' }).fill(host);
    const look = page.getByRole('button', { name: 'See which doors are open' });
    await look.waitFor();
    expect(asked).toBe(0);
    const way = page.getByRole('table', { name: 'Ways in' }).locator('tbody tr');
    expect(await way.innerText()).toMatch(/not saved, SSH\s+Enter/);
    await look.click();
    const doors = page.getByRole('list', { name: `Doors of ${host}` });
    await doors.getByText('WinRM over HTTP, 5985').waitFor();
    expect(await doors.getByRole('listitem').allInnerTexts()).toEqual([
      expect.stringMatching(/5986\s+closed/),
      expect.stringMatching(/5985\s+open/),
      expect.stringMatching(/SSH, 22/),
    ]);
    await way.getByText('not saved, WinRM').waitFor();
    expect(await way.innerText()).toMatch(/not saved, WinRM\s+Enter\s+\S+:5985\s/);
    const found = await unfoldedFindings(tab, 'doors');
    const opened = page.waitForRequest((request) => /\/sessions$/.test(request.url()) && request.method() === 'POST');
    await page.route(/\/sessions$/, (route) =>
      route.request().method() === 'POST' ? route.abort() : route.continue(),
    );
    await page.getByRole('textbox', { name: 'Where to?' }).press('Enter');
    expect((await opened).postDataJSON()).toMatchObject({ to: { by: 'address', host, port: 5985, winrm: 'http' } });
    await tab.until(() => tab.faults.length > 0, 'the request that was not let through');
    expect(tab.faults.splice(0)).toEqual([expect.stringContaining('/api/sessions')]);
    await page.getByRole('alert').waitFor();
    await doors.getByRole('link', { name: 'Add as a target over http', exact: true }).click();
    await page.getByRole('button', { name: 'Add target' }).click();
    const facts = page.getByRole('complementary', { name: host });
    await facts.getByRole('button', { name: 'Test connection' }).click();
    await facts.getByText('the listener answers, the way to sign in is off').waitFor();
    await facts.getByText(/does not take Negotiate or Kerberos: it offers CredSSP, Basic/).waitFor();
    await facts.getByText('Set-Item WSMan:\\localhost\\Service\\Auth\\Negotiate $true').waitFor();
    found.push(...(await unfoldedFindings(tab, 'winrm-diagnosis')));
    expect(asked).toBe(1);
    expect([...found, ...tab.faults]).toEqual([]);
    await tab.context.close();
  } finally {
    listener.close();
  }
});

test('a certificate is shown with its chain, compared, and pinned only by an act', async () => {
  const tab = await world.signedIn('/');
  const { page } = tab;
  const fingerprint = '3af0'.repeat(16);
  const link = (subject: string, issuer: string, digest: string) => ({
    ...{ subject, issuer, names: subject === 'CN=win01' ? 'win01, win01.contoso.test' : '', fingerprint: digest },
    ...{ validFrom: Date.UTC(2026, 0, 1), validTo: Date.UTC(2027, 0, 1) },
  });
  // The question as a gateway asks it; everything else of the session is real.
  const question = {
    ...{ id: 900, kind: 'hostKey', from: 'gateway', fromName: 'gateway', host: 'win01', port: 5986, via: '' },
    ...{
      keyType: 'x509',
      fingerprint: `SHA256:${Buffer.from(fingerprint, 'hex').toString('base64').replace(/=+$/, '')}`,
    },
    ...{ problem: 'its issuer is not known here', mayAccept: true },
    chain: [link('CN=win01', 'CN=Contoso CA', fingerprint), link('CN=Contoso CA', 'CN=Contoso CA', '0d'.repeat(32))],
  };
  const answers: unknown[] = [];
  await page.routeWebSocket(/socket$/, (route) => {
    const server = route.connectToServer();
    server.onMessage((message) => {
      route.send(message);
      if (typeof message === 'string' && message.includes('"type":"attached"'))
        route.send(JSON.stringify({ type: 'question', question }));
    });
    route.onMessage((message) => {
      const isAnswer = typeof message === 'string' && message.includes('"type":"answer"');
      if (isAnswer) answers.push(JSON.parse(message));
      else server.send(message);
    });
  });
  await page.getByRole('button', { name: /^Shell +at lab/ }).click();
  const dialog = page.getByRole('dialog', { name: 'First time at win01: is this its certificate?' });
  await dialog.getByText('its issuer is not known here').waitFor();
  await dialog.getByText('win01, win01.contoso.test').waitFor();
  await dialog.getByText(/The chain that was shown/).click();
  await dialog.getByRole('list', { name: 'Chain' }).getByText('signed by itself').waitFor();
  const given = dialog.getByLabel(/^Paste the SHA-256/);
  await given.fill('00'.repeat(32));
  await dialog.getByText('Not the same certificate. Do not connect.').waitFor();
  await dialog.getByRole('button', { name: 'Pin certificate and connect' }).click({ force: true });
  expect(answers).toEqual([]);
  await given.fill(fingerprint.toUpperCase().replace(/..(?=.)/g, '$&-'));
  await dialog.getByText('equal', { exact: true }).waitFor();
  const found = await violationsInBothThemes(tab, 'certificate');
  await keep(tab, 'certificate');
  await page.setViewportSize({ width: 375, height: 720 });
  await keep(tab, 'certificate-375');
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(375);
  await dialog.getByRole('button', { name: 'Pin certificate and connect' }).click();
  await dialog.waitFor({ state: 'detached' });
  await tab.until(() => answers.length > 0, 'the answer');
  expect(answers).toEqual([{ type: 'answer', id: 900, answer: { kind: 'accept' } }]);
  expect([...found, ...tab.faults]).toEqual([]);
  await tab.context.close();
});

test('a console, its layers and its end: nothing for axe in either theme', async () => {
  const tab = await world.signedIn('/');
  await world.openConsole(tab, 'pty');
  const found = await violationsInBothThemes(tab, 'console');
  await tab.page.keyboard.press('F1');
  await tab.page.getByRole('dialog').waitFor();
  found.push(...(await violationsInBothThemes(tab, 'palette')));
  await tab.page.keyboard.press('Escape');
  await tab.page.getByRole('dialog').waitFor({ state: 'detached' });
  await tab.line('exit');
  await tab.page.getByRole('heading', { name: /ended/i }).waitFor();
  found.push(...(await violationsInBothThemes(tab, 'ended')));
  await tab.context.close();
  expect(found).toEqual([]);
});

test('lists that still load are no wider than a phone either', async () => {
  const tab = await world.signedIn('/', { width: 375, height: 720 });
  await tab.page.route(/\/api\/(ledger|audit|sessions|targets|users)/, () => undefined); // No answer comes.
  const wide: string[] = [];
  for (const path of ['/targets', '/sessions', '/audit', '/audit/events', '/settings/users']) {
    await tab.page.goto(`${world.gateway.url}${path}`);
    await tab.page.locator('.skel').first().waitFor();
    const width = await tab.page.evaluate(() => document.documentElement.scrollWidth);
    if (width > 375) wide.push(`${path} is ${String(width)} px wide`);
  }
  expect(wide).toEqual([]);
  await tab.page.unrouteAll({ behavior: 'ignoreErrors' });
  await tab.context.close();
});

test('an administrator is told on every page that the room for recordings gets small', async () => {
  const tab = await world.signedIn('/healthz');
  const { page } = tab;
  for (const [recordingSpace, words] of [
    ['warning', 'more than 80 % full'],
    ['refused', 'no new session starts'],
  ] as const) {
    await page.unrouteAll();
    await page.route('**/api/account', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...((await response.json()) as object), recordingSpace } });
    });
    for (const path of ['/', '/sessions']) {
      await page.setViewportSize({ width: 375, height: 720 });
      await page.goto(`${world.gateway.url}${path}`);
      await page.getByText(words).waitFor();
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(375);
    }
    expect(await violationsInBothThemes(tab, recordingSpace)).toEqual([]);
  }
  await page.getByRole('link', { name: 'fewer days' }).click();
  await page.getByLabel('Days that recordings are kept').waitFor();
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await tab.context.close();
});

test('the audit page says how far the log is signed', async () => {
  const tab = await world.signedIn('/audit');
  await tab.page.getByRole('button', { name: 'Verify the chain' }).click();
  await tab.page.getByText(/signed through event \d/).waitFor();
  await tab.context.close();
});

test('the keys of the player are in sight on a phone, wherever the page is scrolled to', async () => {
  const tab = await world.signedIn(`/replay/${ended}`, { width: 375, height: 720 });
  const deck = tab.page.getByRole('group', { name: 'Player' });
  const play = deck.getByRole('button', { name: /^(Play|Pause)$/ });
  await play.waitFor();
  for (const to of [0, 100_000]) {
    await tab.page.evaluate((y) => scrollTo(0, y), to);
    const box = await play.boundingBox();
    expect((box?.y ?? -1) >= 0 && (box?.y ?? 0) + (box?.height ?? 0) <= 720, JSON.stringify(box)).toBe(true);
  }
  await tab.context.close();
});

test('the policy is in force: scripts of our own only, and no markup from strings', async () => {
  const tab = await world.signedIn('/');
  const answer = await tab.page.goto(world.gateway.url);
  const policy = answer?.headers()['content-security-policy'] ?? '';
  expect(policy).toContain("require-trusted-types-for 'script'");
  expect(policy).not.toContain('unsafe-eval');
  expect(policy).not.toMatch(/script-src[^;]*unsafe-inline/);
  // A page that could still do these has no policy, whatever its header says.
  const refused = await tab.page.evaluate(() => {
    try {
      document.body.innerHTML = '<b>markup</b>';
      return false;
    } catch (error) {
      return error instanceof TypeError;
    }
  });
  expect(refused).toBe(true);
  await tab.context.close();
});

test(`the first page with a terminal is at most ${String(MAX_FIRST_PAGE_KB)} kB gzip as served`, async () => {
  const opener = await world.signedIn('/');
  await world.openConsole(opener, 'pty');
  const path = `/console/${sessionOf(opener)}`;
  await opener.context.close();
  const tab = await world.signedIn('/healthz');
  const asked = new Set<string>();
  tab.page.on('request', (one) => asked.add(one.url()));
  await tab.page.goto(`${world.gateway.url}${path}`);
  await tab.seen(SHELL_PROMPT);
  const weights: [string, number][] = [];
  for (const url of asked) {
    // The WebGL renderer comes after the first prompt; the API's answers are data, not the page.
    if (!url.startsWith('http') || /addon-webgl|\/api\//.test(url)) continue;
    weights.push([new URL(url).pathname, await gzipBytes(url, world.ann)]);
  }
  const kb = weights.reduce((sum, [, bytes]) => sum + bytes, 0) / 1000;
  console.log(`first page with a terminal: ${kb.toFixed(1)} kB gzip in ${String(weights.length)} files`);
  expect(kb, weights.map((weight) => weight.join(' ')).join('\n')).toBeLessThanOrEqual(MAX_FIRST_PAGE_KB);
  expect(weights.length).toBeGreaterThan(4);
  // A page without a terminal does not wait for one.
  asked.clear();
  await tab.page.goto(`${world.gateway.url}/targets`);
  await tab.page.locator('td >> text=lab').first().waitFor();
  expect([...asked].filter((url) => url.includes('/terminal-'))).toEqual([]);
  await tab.context.close();
});

/** Length of the body as served to a client that takes gzip. */
async function gzipBytes(url: string, person: Person): Promise<number> {
  const headers = { ...person.headers(), 'accept-encoding': 'gzip' };
  const asked = request(url, { headers }).end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  let bytes = 0;
  for await (const chunk of response) bytes += (chunk as Buffer).length;
  return bytes;
}

/** A proxy that passes HTTP and knows nothing of WebSockets, as many do. */
function startDullProxy(port: number): Server {
  const server = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const onward = request({ host: '127.0.0.1', port, method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  server.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n'));
  return server;
}

test('a proxy that refuses the WebSocket upgrade gets its own message in the page', async () => {
  const port = await freePort('127.0.0.1');
  const proxy = startDullProxy(port).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const outside = `http://127.0.0.1:${String((proxy.address() as AddressInfo).port)}`;
  const gateway = await startGateway({
    env: { SALLYPORT_PUBLIC_URL: outside, SALLYPORT_LISTEN: `127.0.0.1:${String(port)}` },
  });
  try {
    const ann = await gateway.setUp();
    await addLabTarget(ann, world.sshd);
    const [name = '', value = ''] = (ann.cookie ?? '').split('=');
    const tab = await world.browser.open(outside, { cookies: [{ name, value, url: outside }] });
    await tab.page.getByRole('button', { name: /^Shell +at lab/ }).click();
    await tab.page.getByText('A proxy between you and the gateway may block WebSockets').waitFor();
    await tab.page.getByRole('button', { name: 'Try again' }).waitFor();
    await tab.context.close();
  } finally {
    await gateway.stop();
    proxy.closeAllConnections();
    proxy.close();
  }
});
