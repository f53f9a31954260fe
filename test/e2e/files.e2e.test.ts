/** Files of a session in a real browser: allowed at the target, listed, taken, given, replaced, cancelled. */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AuditPage } from '@sallyport/shared/api/audit';
import type { Target } from '@sallyport/shared/api/targets';
import type { Tab } from '../lab/browser.ts';
import { findPwsh, startSshd, type LabSshd } from '../lab/sshd.ts';
import { ConsolePage, openBody } from '../lab/console-page.ts';
import { acceptHostKey, addLabTarget } from '../lab/journeys.ts';
import { violationsInBothThemes } from './axe.ts';
import { SHELL_PROMPT, World } from './world.ts';

let above: string;
let directory: string;
let sshd: LabSshd;
let world: World;
let target: Target;
let tab: Tab;
const at = (name: string): string => path.join(directory, name);

beforeAll(async () => {
  above = mkdtempSync(path.join(tmpdir(), 'sallyport-files-'));
  directory = path.join(above, 'inner');
  mkdirSync(directory);
  for (const each of [above, directory]) chmodSync(each, 0o777);
  [world, sshd] = await Promise.all([
    World.start(),
    startSshd({ subsystem: null, subsystems: { sftp: 'internal-sftp' } }),
  ]);
  target = await addLabTarget(world.ann, sshd, 'filer');
  const { name, transport, host, port, subsystem, credentialId, user, connectTimeoutMs, notes } = target;
  await world.ann.put(`/api/targets/${target.id}`, {
    ...{ name, transport, host, port, subsystem, credentialId, user, connectTimeoutMs, notes },
    offers: ['pty'],
  });
  const first = await ConsolePage.open(world.ann, openBody(target.id, 'pty'));
  await acceptHostKey(first);
  await first.untilLive();
  first.send({ type: 'close' });
  await first.untilClosed();
  tab = await world.signedIn(`/targets/${target.id}`);
});
afterAll(async () => {
  await world.stop();
  await sshd.stop();
  rmSync(above, { recursive: true, force: true });
});

const dialogOf = (of: Tab) => of.page.getByRole('dialog', { name: /^Files at/ });
/** Opens the files of the session that is shown, from the console's own row. */
async function openFiles(of = tab): Promise<void> {
  await of.page.getByRole('button', { name: 'Files of this session' }).click();
  await dialogOf(of).waitFor();
}
/** Goes to the directory of this test, up, and down again. */
async function goThere(of = tab): Promise<void> {
  const dialog = dialogOf(of);
  const isAt = (where: string): Promise<void> =>
    dialog.locator('.path', { hasText: new RegExp(`^${where}$`) }).waitFor();
  await dialog.getByLabel('Go to').fill(`${directory}/`);
  await dialog.getByRole('button', { name: 'Go', exact: true }).click();
  await isAt(directory);
  await dialog.getByRole('button', { name: 'Up', exact: true }).click();
  await isAt(above);
  await dialog.getByRole('button', { name: 'Open inner', exact: true }).click();
  await isAt(directory);
}

test('an administrator allows files at the target; until then there are none', async () => {
  const { page } = tab;
  await page.getByRole('button', { name: 'Open Shell' }).click();
  await tab.seen(SHELL_PROMPT);
  await page.keyboard.press('F1');
  await page.getByRole('option', { name: /^Files of this session/ }).click();
  await dialogOf(tab).waitFor();
  await page.getByRole('dialog').getByText('An administrator can allow it at the target', { exact: false }).waitFor();
  // The browser notes a refusal as an error of its own; there is no other.
  expect(tab.faults.filter((fault) => !fault.includes('403 (Forbidden)'))).toEqual([]);
  tab.faults.length = 0;
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
  const other = await world.signedIn(`/targets/${target.id}`);
  await other.page.getByRole('button', { name: 'Edit' }).click();
  await other.page.getByLabel('Files').selectOption('readWrite');
  await other.page.getByRole('button', { name: 'Save target' }).click();
  await other.page.getByRole('button', { name: 'Edit' }).waitFor();
  await other.context.close();
});

test('a file is taken and another given, whole, with their hashes in the audit log', async () => {
  const { page } = tab;
  const bytes = randomBytes(5_000_001);
  writeFileSync(at('report.bin'), bytes);
  await openFiles();
  await goThere();
  const dialog = page.getByRole('dialog', { name: /^Files at/ });
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    dialog.getByRole('button', { name: 'Download report.bin' }).click(),
  ]);
  expect(download.suggestedFilename()).toBe('report.bin');
  expect(readFileSync(await download.path()).equals(bytes)).toBe(true);
  const upload = { name: 'given.bin', mimeType: 'application/octet-stream', buffer: bytes };
  await dialog.getByLabel('Upload into it').setInputFiles(upload);
  await dialog.getByRole('button', { name: 'Download given.bin' }).waitFor();
  expect(readFileSync(at('given.bin')).equals(bytes)).toBe(true);
  const { events } = await world.ann.get<AuditPage>('/api/audit?limit=10&type=file.transferred');
  const hashes = events.map(({ outcome, detail }) => [outcome, detail['direction'], detail['bytes']]);
  expect(hashes).toEqual([['ok', 'up', bytes.length], ['ok', 'down', bytes.length]]); // prettier-ignore
  expect(new Set(events.map(({ detail }) => detail['sha256'])).size).toBe(1);
  expect(tab.faults).toEqual([]);
  // As it is now, with a list and two transfers: nothing for axe, and within a phone.
  expect(await violationsInBothThemes(tab, 'files')).toEqual([]);
  await page.setViewportSize({ width: 375, height: 720 });
  const widths = await dialog.evaluate((node) => [document.documentElement.scrollWidth, node.scrollWidth - node.clientWidth]); // prettier-ignore
  expect(widths[0]).toBeLessThanOrEqual(375);
  expect(widths[1]).toBe(0);
  await dialog.getByRole('button', { name: 'Download given.bin' }).scrollIntoViewIfNeeded();
  await page.setViewportSize({ width: 1280, height: 800 });
  tab.faults.length = 0; // What axe does to the page is not the page's fault.
});

test('what is there is replaced only when that is said, and what is cancelled leaves nothing', async () => {
  const { page } = tab;
  const dialog = page.getByRole('dialog', { name: /^Files at/ });
  const next = { name: 'given.bin', mimeType: 'application/octet-stream', buffer: Buffer.from('new') };
  await dialog.getByLabel('Upload into it').setInputFiles(next);
  await dialog.getByRole('button', { name: 'Replace it' }).click();
  await expect.poll(() => readFileSync(at('given.bin'), 'utf8')).toBe('new');
  // The second piece never arrives.
  await page.route('**/uploads/*?offset=262144', () => undefined);
  const large = { name: 'large.bin', mimeType: 'application/octet-stream', buffer: randomBytes(3_000_000) };
  await dialog.getByLabel('Upload into it').setInputFiles(large);
  await expect.poll(() => existsSync(at('large.bin.sallyport-part'))).toBe(true);
  await dialog.getByRole('button', { name: 'Cancel', exact: true }).click();
  await expect.poll(() => existsSync(at('large.bin.sallyport-part'))).toBe(false);
  expect(existsSync(at('large.bin'))).toBe(false);
  await page.unrouteAll({ behavior: 'ignoreErrors' });
});

test.skipIf(findPwsh() === null)(
  'a target without SFTP gives and takes files over PowerShell (skipped: no pwsh)',
  async () => {
    const { name, transport, host, port, subsystem, offers, credentialId, user, connectTimeoutMs, notes } =
      world.target;
    await world.ann.put(`/api/targets/${world.target.id}`, {
      ...{
        name,
        transport,
        host,
        port,
        subsystem,
        offers,
        credentialId,
        user,
        connectTimeoutMs,
        notes,
        files: 'readWrite',
      },
    });
    const other = await world.signedIn('/');
    await world.openConsole(other, 'pty');
    const bytes = randomBytes(1_000_001);
    writeFileSync(at('[odd] name.bin'), bytes);
    await openFiles(other);
    await goThere(other);
    const dialog = dialogOf(other);
    const [download] = await Promise.all([
      other.page.waitForEvent('download'),
      dialog.getByRole('button', { name: 'Download [odd] name.bin' }).click(),
    ]);
    expect(readFileSync(await download.path()).equals(bytes)).toBe(true);
    const upload = { name: 'over PowerShell.bin', mimeType: 'application/octet-stream', buffer: bytes };
    await dialog.getByLabel('Upload into it').setInputFiles(upload);
    await dialog.getByRole('button', { name: 'Download over PowerShell.bin' }).waitFor();
    expect(readFileSync(at('over PowerShell.bin')).equals(bytes)).toBe(true);
    const { events } = await world.ann.get<AuditPage>('/api/audit?limit=2&type=file.transferred');
    expect(new Set(events.map(({ detail }) => detail['sha256'])).size).toBe(1);
    expect(other.faults).toEqual([]);
    await other.context.close();
  },
);
