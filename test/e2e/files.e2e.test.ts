/** Files of a session in a real browser: allowed at the target, listed, taken, given, replaced, cancelled. */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AuditPage } from '@sallyport/shared/api/audit';
import type { Target } from '@sallyport/shared/api/targets';
import type { Tab } from '../lab/browser.ts';
import { startSshd, type LabSshd } from '../lab/sshd.ts';
import { ConsolePage, openBody } from '../lab/console-page.ts';
import { acceptHostKey, addLabTarget } from '../lab/journeys.ts';
import { SHELL_PROMPT, World } from './world.ts';

let directory: string;
let sshd: LabSshd;
let world: World;
let target: Target;
let tab: Tab;
const at = (name: string): string => path.join(directory, name);

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'sallyport-files-'));
  chmodSync(directory, 0o777);
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
  rmSync(directory, { recursive: true, force: true });
});

/** Opens the files of the session that is shown, from the palette. */
async function openFiles(): Promise<void> {
  const { page } = tab;
  await page.keyboard.press('F1');
  await page.getByRole('option', { name: /^Files of this session/ }).click();
  await page.getByRole('dialog', { name: /^Files at/ }).waitFor();
}
/** Goes down to the directory of this test, as a person does. */
async function goThere(): Promise<void> {
  const dialog = tab.page.getByRole('dialog', { name: /^Files at/ });
  await dialog.locator('.path').waitFor();
  while ((await dialog.locator('.path').innerText()) !== '/') {
    const before = await dialog.locator('.path').innerText();
    await dialog.getByRole('button', { name: 'Up', exact: true }).click();
    await expect.poll(() => dialog.locator('.path').innerText()).not.toBe(before);
  }
  for (const name of directory.split('/').slice(1)) {
    await dialog.getByRole('button', { name: `Open ${name}`, exact: true }).click();
    await expect.poll(() => dialog.locator('.path').innerText()).toMatch(new RegExp(`/${name}$`));
  }
}

test('an administrator allows files at the target; until then there are none', async () => {
  const { page } = tab;
  await page.getByRole('button', { name: 'Open Shell' }).click();
  await tab.seen(SHELL_PROMPT);
  await openFiles();
  await page.getByRole('dialog').getByText('An administrator can allow it at the target', { exact: false }).waitFor();
  tab.faults.length = 0; // The browser notes a refusal as an error of its own.
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
