/** What a stranger does first: the set-up link, one console, the replay. In a real browser against the real program. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBrowser, type LabBrowser, type Tab } from '../lab/browser.ts';
import { LAB_PASSWORD, startGateway, type LabGateway } from '../lab/gateway.ts';
import { SHELL_PROMPT } from './world.ts';

const SHOTS = path.join(import.meta.dirname, '..', '..', '.cache', 'screenshots');
let gateway: LabGateway;
let browser: LabBrowser;
let tab: Tab;

beforeAll(async () => {
  mkdirSync(SHOTS, { recursive: true });
  [gateway, browser] = await Promise.all([startGateway({ args: ['demo'] }), startBrowser()]);
});
afterAll(async () => {
  await browser.close();
  await gateway.stop();
});
const keep = (name: string): Promise<unknown> => tab.page.screenshot({ path: path.join(SHOTS, `${name}.png`) });

test('set-up link, "Where to?", console; then the replay and the ledger', async () => {
  tab = await browser.open(`${gateway.url}/setup#${gateway.setupToken ?? ''}`);
  const { page } = tab;
  // Step 1: create the administrator. The token has left the address bar.
  await page.getByLabel('User name').fill('ann');
  expect(page.url()).not.toContain('#');
  await keep('1-setup');
  await page.getByLabel('Password', { exact: true }).fill(LAB_PASSWORD);
  await page.getByRole('button', { name: 'Create administrator' }).click();
  // Step 2: answer "Where to?".
  await page.getByRole('heading', { name: 'Where to?', level: 1 }).waitFor();
  await keep('2-where-to');
  await page.getByRole('button', { name: /^Shell +at this-machine/ }).click();
  // Step 3: be in a console.
  await tab.seen(SHELL_PROMPT);
  await tab.line('echo through-the-$((6*7))-door');
  await tab.seen('through-the-42-door');
  await keep('3-console');
  await tab.line('exit');
  await page.getByRole('heading', { name: /ended/i }).waitFor();
  // Leave, replay.
  await page
    .getByRole('link', { name: /replay/i })
    .first()
    .click();
  await page.getByRole('region', { name: 'Recording, this-machine' }).waitFor();
  await tab.seen('through-the-42-door');
  await keep('4-replay');
  await page.getByText('typed text is not a command log', { exact: false }).first().waitFor();
  await page.getByRole('navigation', { name: 'Sections', exact: true }).getByRole('link', { name: 'Audit' }).click();
  await page.getByRole('button', { name: 'Verify the chain' }).click();
  await page.getByText('Proved').waitFor();
  await keep('5-audit');
  expect(tab.faults).toEqual([]);
});

test('the link is good once; afterwards the page says so and where to go', async () => {
  const other = await browser.open(`${gateway.url}/setup#${gateway.setupToken ?? ''}`);
  await other.page.getByLabel('User name').fill('eve');
  await other.page.getByLabel('Password', { exact: true }).fill(LAB_PASSWORD);
  await other.page.keyboard.press('Enter');
  await other.page.getByRole('alert').first().waitFor();
  expect(new URL(other.page.url()).pathname).not.toBe('/');
  await other.context.close();
});

test('UTC is one click away', async () => {
  const { page } = tab;
  await page.goto(`${gateway.url}/sessions`);
  const zone = page.getByRole('button', { name: /Times are/ });
  expect(await zone.innerText()).toMatch(/Times are \+0[12]:00/);
  const began = page.locator('td.began').first();
  const [there, row] = [await began.innerText(), await began.locator('time').getAttribute('datetime')];
  await zone.click();
  expect(await zone.innerText()).toContain('UTC');
  expect(row).toMatch(/Z$/);
  const utc = await began.innerText();
  expect(utc).not.toBe(there);
  expect(utc).toContain(row?.slice(11, 19));
});

test('without sshd: the gateway is the target, for administrators only, and says so wherever it is named', async () => {
  const inside = await startGateway({ args: ['demo', '--no-sshd'] });
  try {
    const first = await browser.open(`${inside.url}/setup#${inside.setupToken ?? ''}`);
    const { page } = first;
    await page.getByLabel('User name').fill('ann');
    await page.getByLabel('Password', { exact: true }).fill(LAB_PASSWORD);
    await page.getByRole('button', { name: 'Create administrator' }).click();
    await page.getByRole('heading', { name: 'Where to?', level: 1 }).waitFor();
    await page.getByRole('row', { name: /this-machine.*demo target/ }).waitFor();
    await page.getByRole('button', { name: /^Shell +at this-machine/ }).click();
    await first.seen(SHELL_PROMPT);
    await page.getByText('demo target', { exact: true }).waitFor();
    await first.line(`echo inside-the-$((6*7))-gateway $(awk '/^PPid/ { print "of " $2 }' /proc/$PPID/status)`);
    // No sshd is between the two: script(1), which gives the terminal, is a child of the gateway.
    await first.seen(`inside-the-42-gateway of ${String(inside.pid)}`);
    await first.line('exit');
    await page.getByRole('heading', { name: /ended/i }).waitFor();
    await page.getByRole('link', { name: /replay/i }).first().click(); // prettier-ignore
    await page.getByRole('region', { name: 'Recording, this-machine' }).waitFor();
    await first.seen('inside-the-42-gateway');
    await page.goto(`${inside.url}/targets`);
    await page.getByRole('row', { name: /this-machine.*demo target/ }).click();
    await page.getByText('demo target', { exact: true }).first().waitFor();
    expect(first.faults).toEqual([]);
    await first.context.close();

    const ann = await inside.signIn('ann');
    await ann.post('/api/users', { name: 'bob', role: 'operator', password: LAB_PASSWORD });
    const bob = await inside.signIn('bob');
    expect(await bob.get('/api/targets')).toEqual({ targets: [] });
  } finally {
    await inside.stop();
  }
});
