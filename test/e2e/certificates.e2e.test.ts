/**
 * Certificates in a real browser: the authority is made, a target trusts it, a session is signed; a stored one is
 * shown; that of a WinRM target is pinned, and another one refused.
 */
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Credential, Target } from '@sallyport/shared/api/targets';
import { WsManSettings } from '@sallyport/shared/api/wsman';
import { startAgent, type LabAgent } from '../lab/agent.ts';
import type { Tab } from '../lab/browser.ts';
import { makeAuthority, type LabAuthority } from '../lab/certificates.ts';
import { makeCertificate } from '../lab/certificate.ts';
import { buildStandIn } from '../lab/powershell.ts';
import { makeClientAuthority } from '../lab/client-certificates.ts';
import { startSshd, type LabSshd } from '../lab/sshd.ts';
import { ntlmAcceptor } from '../lab/wsman/acceptors.ts';
import { LAB_USER, startLabWsMan } from '../lab/wsman/console.ts';
import type { LabWsMan } from '../lab/wsman/server.ts';
import { violationsInBothThemes } from './axe.ts';
import { PS_PROMPT, SHELL_PROMPT, World } from './world.ts';

let directory: string;
let agent: LabAgent;
let authority: LabAuthority;
let sshd: LabSshd;
let world: World;
let tab: Tab;
const trusted = (): string => path.join(directory, 'trusted');

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'sallyport-trusted-'));
  writeFileSync(trusted(), '');
  authority = makeAuthority();
  agent = await startAgent();
  sshd = await startSshd({
    methods: ['publickey'],
    subsystem: null,
    lines: ['AuthorizedKeysFile none', `TrustedUserCAKeys ${trusted()}`],
  });
  world = await World.start({ env: { SALLYPORT_AGENT_SOCKET: agent.socket } });
  tab = await world.signedIn('/settings/authority');
});
afterAll(async () => {
  await world.stop();
  await Promise.all([sshd.stop(), agent.stop()]);
  authority.remove();
  rmSync(directory, { recursive: true, force: true });
});

const go = (where: string): Promise<unknown> => tab.page.goto(`${world.gateway.url}${where}`);
/** Fills the form of a new credential and seals it. */
async function seal(kind: string, label: string, user: string, more: () => Promise<void>): Promise<void> {
  const { page } = tab;
  await go('/settings/credentials');
  await page.getByRole('button', { name: 'Add credential' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: kind, exact: true }).click();
  await dialog.getByLabel('Label').fill(label);
  await dialog.getByLabel('User name at the target').fill(user);
  await more();
  await dialog.getByRole('button', { name: 'Seal credential' }).click();
  await page.getByRole('cell', { name: label, exact: true }).waitFor();
}
/** A target that uses the credential with this label. */
async function targetWith(name: string): Promise<Target> {
  const { credentials } = await world.ann.get<{ credentials: { id: string; label: string }[] }>('/api/credentials');
  const credentialId = credentials.find(({ label }) => label === name)?.id ?? null;
  return world.ann.post<Target>('/api/targets', {
    ...{ name, transport: 'ssh', host: sshd.host, port: sshd.port, subsystem: 'powershell', offers: ['pty'] },
    ...{ credentialId, user: '', connectTimeoutMs: 30_000, notes: '' },
  });
}
async function visit(target: Target, isFirst = false): Promise<void> {
  const { page } = tab;
  await go(`/targets/${target.id}`);
  await page.getByRole('button', { name: 'Open Shell' }).click();
  if (isFirst) await page.getByRole('dialog').getByRole('button', { name: /pin/i }).click();
  await tab.seen(SHELL_PROMPT);
}

test('the authority is made, its line put at a target, and a session signed by it', async () => {
  const { page } = tab;
  await page.getByRole('button', { name: 'Make the authority' }).click();
  const line = await page.locator('code', { hasText: 'sallyport-authority' }).innerText();
  expect(line).toMatch(/^ssh-ed25519 \S+ sallyport-authority$/);
  writeFileSync(trusted(), `${line}\n`);
  await seal('Signed here', 'signed', sshd.user, () => Promise.resolve());
  await visit(await targetWith('signed'), true);
  const facts = page.getByRole('region', { name: 'Session facts' });
  expect(await facts.innerText()).toContain(`certificate of this gateway for ${sshd.user}`);
  await sshd.logged(/ED25519-CERT .* ID ann:[a-z2-7]{52} /);
  await tab.line('exit');
  await page.getByRole('heading', { name: /ended/i }).waitFor();
  expect(tab.faults).toEqual([]);
});

test('what a certificate says stands there before it is sealed, and at its target', async () => {
  const { page } = tab;
  const { privateKey, publicLine } = sshd.keys.ed25519;
  const old = authority.sign(publicLine, 'last year', ['deploy'], ['-V', '-2h:-1h']);
  const certificate = authority.sign(publicLine, 'ann at work', [sshd.user, 'deploy'], ['-V', '-1m:+1h']);
  await seal('Private key', 'certified', sshd.user, async () => {
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel(/^Private key/).fill(privateKey);
    await dialog.getByLabel(/^Certificate/).fill(old);
    await dialog.getByText('expired: it is refused here').waitFor();
    await dialog.getByText(`${sshd.user} is not among them`).waitFor();
    await dialog.getByLabel(/^Certificate/).fill(certificate);
    await dialog.getByText(`${sshd.user}, deploy`).waitFor();
    await dialog.getByText('ann at work, serial 0').waitFor();
  });
  writeFileSync(trusted(), readFileSync(authority.publicFile));
  const target = await targetWith('certified');
  await go(`/targets/${target.id}`);
  await page.getByLabel('What the certificate says').getByText(`${sshd.user}, deploy`).waitFor();
  await visit(target);
  await sshd.logged(/ED25519-CERT .* ID ann at work /);
  await tab.line('exit');
  await page.getByRole('heading', { name: /ended/i }).waitFor();
  expect(tab.faults).toEqual([]);
});

test('a key of the agent is chosen by its name and signs in', async () => {
  const { page } = tab;
  agent.add(sshd.keys.ecdsa256, authority.sign(sshd.keys.ecdsa256.publicLine, 'from the agent', [sshd.user]));
  await seal('Agent', 'agent', sshd.user, async () => {
    const choice = page.getByRole('dialog').getByLabel('Key of the agent');
    await choice.waitFor();
    expect(await choice.locator('option').allInnerTexts()).toEqual([expect.stringMatching(/, SHA256:\S{43}$/)]);
  });
  await visit(await targetWith('agent'));
  await sshd.logged(/ECDSA-CERT .* ID from the agent/);
  expect(tab.faults).toEqual([]);
});

test('a WinRM target of an unknown authority: shown, pinned, used; another certificate is refused with both', async () => {
  const { page } = tab;
  const standIn = await buildStandIn();
  const ca = makeCertificate(directory, 'ca', 'Contoso Test CA');
  let lab: LabWsMan | null = null;
  const serve = async (name: string): Promise<{ readonly port: number; readonly digest: string }> => {
    const { certFile, keyFile } = makeCertificate(directory, name, 'localhost', ca);
    const cert = readFileSync(certFile, 'utf8');
    const before = lab === null ? {} : { port: lab.port };
    await lab?.stop();
    lab = await startLabWsMan({
      ...{ command: standIn.argv, acceptor: ntlmAcceptor(LAB_USER.user, LAB_USER.password) },
      ...{ tls: { cert, key: readFileSync(keyFile, 'utf8') }, ...before },
    });
    return { port: lab.port, digest: new X509Certificate(cert).fingerprint256.replaceAll(':', '').toLowerCase() };
  };
  const openConsole = async (target: Target): Promise<void> => {
    await go(`/targets/${target.id}`);
    await page.getByRole('button', { name: 'Open PowerShell' }).click();
  };
  try {
    const first = await serve('first');
    const { id: credentialId } = await world.ann.post<Credential>('/api/credentials', {
      ...{ label: 'win', kind: 'password', user: LAB_USER.user, secret: LAB_USER.password, passphrase: null },
    });
    const target = await world.ann.post<Target>('/api/targets', {
      ...{ name: 'win01', transport: 'wsman', host: 'localhost', port: first.port, subsystem: 'powershell' },
      ...{ offers: ['powershell'], credentialId, user: LAB_USER.user, connectTimeoutMs: 30_000, notes: '' },
      wsman: WsManSettings.parse({}),
    });
    await openConsole(target);
    const dialog = page.getByRole('dialog', { name: 'First time at localhost: is this its certificate?' });
    await dialog.getByText('The certificate is not trusted by itself:').waitFor();
    await dialog.getByRole('img', { name: first.digest }).waitFor();
    await dialog.getByText('The chain that was shown, 2 certificates').click();
    await dialog.getByRole('list', { name: 'Chain' }).getByText('signed by CN=Contoso Test CA').waitFor();
    await dialog.getByLabel(/^Paste the SHA-256/).fill(first.digest.toUpperCase());
    await dialog.getByText('equal', { exact: true }).waitFor();
    await dialog.getByRole('button', { name: 'Pin certificate and connect' }).click();
    await tab.seen(PS_PROMPT);
    expect(await page.getByRole('region', { name: 'Session facts' }).innerText()).toContain('HTTPS, NTLM');
    await tab.line('exit');
    await page.getByRole('heading', { name: /ended/i }).waitFor();
    const second = await serve('second');
    await openConsole(target);
    await page.getByRole('heading', { name: 'Refused: win01 shows another certificate' }).waitFor();
    const shown = page.getByRole('region', { name: /shows another certificate/ }).getByRole('img');
    await shown.first().waitFor();
    const prints = await shown.evaluateAll((all) => all.map((one) => one.getAttribute('aria-label') ?? ''));
    expect(prints.filter((print) => /^[0-9a-f]{64}$/.test(print))).toEqual([second.digest, first.digest]);
    expect(await violationsInBothThemes(tab, 'changed-certificate')).toEqual([]);
    expect(tab.faults).toEqual([]);
  } finally {
    await (lab as LabWsMan | null)?.stop();
    standIn.remove();
  }
});

test('a client certificate for WinRM is sealed from a file, shown, and chosen by its thumbprint', async () => {
  const { page } = tab;
  const clients = makeClientAuthority();
  const ada = clients.issue('ada@localhost');
  const buffer = Buffer.from(ada.pkcs12('p w'), 'base64');
  await seal('Certificate', 'ada by certificate', '', async () => {
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel(/Certificate and key from a file/).setInputFiles({ name: 'ada.pfx', mimeType: '', buffer });
    await dialog.getByText('Taken from ada.pfx.').waitFor();
    await dialog.getByLabel(/Passphrase/).fill('p w');
  });
  const shown = page.getByLabel('What the client certificate says');
  for (const text of ['ada@localhost', 'O=Lab, CN=ada', 'CN=lab clients', ada.sha1, ada.sha256])
    await shown.getByText(text, { exact: true }).waitFor();
  await go('/targets/new?host=win02&way=https');
  await page.getByLabel('Sign-in method').selectOption('certificate');
  await page.getByLabel(/by its thumbprint/).fill(ada.sha1.toUpperCase());
  await page.getByLabel('What the client certificate says').getByText('ada@localhost').waitFor();
  await page.getByRole('button', { name: 'Add target' }).click();
  await page.getByText('Client certificate, over HTTPS').waitFor();
  const { targets } = await world.ann.get<{ targets: Target[] }>('/api/targets');
  expect(targets.find(({ name }) => name === 'win02')?.wsman).toMatchObject({
    method: 'certificate',
    certificateThumbprint: ada.sha1,
  });
  clients.remove();
});
