/** The ways to a machine as a person sets them up and sees them: a jump host, old algorithms, a known_hosts file. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Target } from '@sallyport/shared/api/targets';
import { LAB_PASSWORD } from '../lab/gateway.ts';
import { addLabTarget } from '../lab/journeys.ts';
import type { Tab } from '../lab/browser.ts';
import { startSshd, type LabSshd } from '../lab/sshd.ts';
import { SHELL_PROMPT, World } from './world.ts';

let world: World;
let inner: LabSshd;
let target: Target;
beforeAll(async () => {
  world = await World.start();
  inner = await startSshd({ hostKeySet: 1, lines: ['Ciphers aes128-cbc', 'MACs hmac-sha2-256'] });
  await world.ann.post('/api/step-up', { password: LAB_PASSWORD });
  target = await addLabTarget(world.ann, inner, 'inner');
});
afterAll(async () => {
  await world.stop();
  await inner.stop();
});

/** Confirms the password where the page asks for it. */
async function confirmed(tab: Tab, done: ReturnType<Tab['page']['locator']>): Promise<void> {
  const password = tab.page.getByRole('dialog').getByLabel('Password', { exact: false });
  await done.or(password).first().waitFor();
  if (await done.isVisible()) return;
  await password.fill(LAB_PASSWORD);
  await tab.page.keyboard.press('Enter');
  await done.waitFor();
}

test('a target is put behind a jump host, its key asked about there, and the bar shows way and weakness', async () => {
  const tab = await world.signedIn(`/targets/${target.id}`);
  const { page } = tab;
  await page.getByRole('button', { name: 'Edit' }).click();
  await page.getByLabel('Reached through').selectOption(world.target.id);
  await page.getByText('For old devices: weaker algorithms').click();
  await page.getByLabel('AES in CBC mode').check();
  await page.getByRole('button', { name: 'Save target' }).click();
  await confirmed(tab, page.locator('dt', { hasText: 'Reached through' }));
  await page.getByText('AES in CBC mode').waitFor();
  await page.getByRole('complementary').getByRole('button', { name: 'Shell', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText(`127.0.0.1:${String(world.sshd.port)}`).waitFor();
  await dialog.getByText(`port ${String(inner.port)}`).waitFor();
  await dialog.getByRole('button', { name: 'Pin key and connect' }).click();
  await tab.seen(SHELL_PROMPT);
  const bar = page.getByRole('region', { name: 'Session facts' });
  await bar.getByText(`via lab (127.0.0.1:${String(world.sshd.port)})`).waitFor();
  await bar.getByText('weakened: aes128-cbc').waitFor();
  await tab.line('echo "at $(echo $SSH_CONNECTION | cut -d" " -f4)"');
  await tab.seen(`at ${String(inner.port)}`);
  expect(tab.faults).toEqual([]);
  await tab.context.close();
});

test('a test goes over the jump host; what to do is shown with a failure, also with one to open', async () => {
  const tab = await world.signedIn(`/targets/${target.id}`);
  const { page } = tab;
  await page.getByRole('button', { name: 'Test connection' }).click();
  const diagnosis = page.getByRole('region', { name: 'Diagnosis' });
  await diagnosis.getByRole('heading', { name: 'inner answers' }).waitFor();
  await diagnosis.getByText('Jump host passed').waitFor();
  await diagnosis.getByText('Host key is the pinned one').waitFor();
  const silent = await addLabTarget(world.ann, { ...inner, port: 1 }, 'silent');
  await page.goto(`${world.gateway.url}/targets/${silent.id}`);
  await page.getByRole('complementary').getByRole('button', { name: 'Shell', exact: true }).click();
  const ended = page.getByRole('region', { name: 'silent does not answer' });
  await ended.getByRole('heading', { name: 'Do this on silent, once' }).waitFor();
  await ended.getByRole('button', { name: 'Windows' }).click();
  await ended.getByText('Start-Service sshd').waitFor();
  expect(tab.faults).toEqual([]);
  await tab.context.close();
});

test('a subsystem that leads nowhere, said in the words of Windows, is named with both forms of the line', async () => {
  const words =
    'printf "\'c:/progra~1/powershell/7/pwsh.exe\' is not recognized as an internal or external command,\\r\\n"; exit 1';
  const file = path.join(mkdtempSync(path.join(tmpdir(), 'sallyport-windows-')), 'subsystem.sh');
  chmodSync(path.dirname(file), 0o755);
  writeFileSync(file, `#!/bin/sh\n${words}\n`, { mode: 0o755 });
  const sshd = await startSshd({ hostKeySet: 1, subsystem: file });
  const windows = await addLabTarget(world.ann, sshd, 'win22');
  const tab = await world.signedIn(`/targets/${windows.id}`);
  const { page } = tab;
  await page.getByRole('button', { name: 'Open PowerShell' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Pin key and connect' }).click();
  const ended = page.getByRole('region', { name: /win22 has no PowerShell where the subsystem looks for it/ });
  await ended.getByText('is not recognized as an internal').waitFor();
  await ended.getByRole('button', { name: 'Windows' }).click();
  await ended.getByText('Subsystem powershell c:/progra~1/powershell/7/pwsh.exe -sshs', { exact: false }).waitFor();
  await ended.getByText('mklink /D c:\\pwsh', { exact: false }).waitFor();
  await ended.getByText('administrators_authorized_keys', { exact: false }).first().waitFor();
  expect(tab.faults).toEqual([]);
  await tab.context.close();
  await sshd.stop();
  rmSync(path.dirname(file), { recursive: true });
});

test('a known_hosts file is taken, told about, and given back', async () => {
  const tab = await world.signedIn('/settings/host-keys');
  const { page } = tab;
  const [key] = inner.hostKeys;
  const text = `web77 ${key?.type ?? ''} ${key?.key ?? ''}\n@revoked lost.example ${key?.type ?? ''} ${key?.key ?? ''}\nrubbish\n`;
  const file = { name: 'known_hosts', mimeType: 'text/plain', buffer: Buffer.from(text) };
  await page.getByLabel('Import a file').setInputFiles(file);
  await confirmed(tab, page.getByText(/2 imported, 1 of them revoke/));
  await page.getByText('Line 3: there is no key').waitFor();
  const table = page.getByRole('table', { name: 'Known hosts' });
  await table.getByText('web77').first().waitFor();
  await table.getByText('revoked', { exact: true }).waitFor();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export' }).click()]); // prettier-ignore
  const chunks: Buffer[] = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
  const saved = Buffer.concat(chunks).toString();
  expect(saved).toContain(`web77 ${key?.type ?? ''} ${key?.key ?? ''}`);
  expect(saved).toContain('@revoked lost.example');
  expect(saved).toContain(`[127.0.0.1]:${String(world.sshd.port)} `);
  expect(tab.faults).toEqual([]);
  await tab.context.close();
});
