/** Secrets with a known text go through every door; then everything that is kept or printed is searched for them. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { AuditPage, LedgerPage } from '@sallyport/shared/api/audit';
import type { Credential, Target } from '@sallyport/shared/api/targets';
import { WsManSettings } from '@sallyport/shared/api/wsman';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeClientAuthority } from '../lab/client-certificates.ts';
import { ConsolePage, openBody } from '../lab/console-page.ts';
import { LAB_PASSWORD, type LabGateway, type Person, startGateway } from '../lab/gateway.ts';
import { acceptHostKey, addLabTarget } from '../lab/journeys.ts';
import { keptAndTold } from '../lab/kept-and-told.ts';
import { realPowerShells } from '../lab/powershell.ts';
import { holdsSecret } from '../lab/secret-forms.ts';
import { startWireTap } from '../lab/wire-tap.ts';
import { ntlmAcceptor } from '../lab/wsman/acceptors.ts';
import { LAB_USER, startLabWsMan } from '../lab/wsman/console.ts';
import { winRmBody } from '../lab/wsman/whole-session.ts';
import { type LabSshd, findPwsh, isRoot, startSshd } from '../lab/sshd.ts';

let gateway: LabGateway;
let sshd: LabSshd;
let ann: Person;
let target: Target;
/** Name and text of everything that must not be found. */
const canaries = new Map<string, string>();
const sessions: string[] = [];
/** Of a target, what its form does not send. */
const NOT_SENT = new Set(['id', 'isDemo', 'administratorOnly', 'powershellMissing', 'createdAt', 'lastOpenedAt']);

beforeAll(async () => {
  [gateway, sshd] = await Promise.all([startGateway({ env: { SALLYPORT_LOG_LEVEL: 'debug' } }), startSshd()]);
  ann = await gateway.setUp();
  target = await addLabTarget(ann, sshd);
  const page = await ConsolePage.open(ann, openBody(target.id, 'pty'));
  await acceptHostKey(page);
  await page.untilLive();
  page.send({ type: 'close' });
  await page.untilClosed();
  canaries.set('set-up token', gateway.setupToken ?? 'none');
  canaries.set('password of a person', LAB_PASSWORD);
});
afterAll(async () => {
  await gateway.stop();
  await sshd.stop();
});

test('the search finds what is there', () => {
  const database = readFileSync(path.join(gateway.dataDir, 'sallyport.db'));
  expect(holdsSecret(database, 'credential')).toBe(true);
});

test('a stored password, a wrong one and one typed at connect, a key with its passphrase, an API token', async () => {
  const stored = 'Canary-stored-password-4711';
  const wrong = 'Canary-wrong-password-4712';
  const passphrase = 'Canary-passphrase-4713';
  const token = await ann.post<{ token: string }>('/api/tokens', {
    label: 'canary',
    scopes: null,
    days: 1,
  });
  canaries.set('stored password', stored).set('wrong password', wrong).set('passphrase', passphrase);
  canaries.set('API token', token.token);
  const withToken = gateway.nobody();
  withToken.token = token.token;
  await withToken.get('/api/account');
  await ann.post('/api/credentials', {
    label: 'canary',
    kind: 'password',
    user: 'nobody',
    secret: stored,
    passphrase: null,
  });
  await ann.request('POST', '/api/credentials', {
    ...{ label: 'canary key', kind: 'privateKey', user: '', passphrase },
    secret: sshd.keys.ed25519.privateKey,
  });
  await ann.request('POST', '/api/login', { name: 'ann', password: wrong });
  const page = await ConsolePage.open(ann, {
    ...openBody(target.id, 'pty'),
    credential: {
      by: 'typed',
      typed: { user: sshd.user, kind: 'password', secret: wrong, passphrase: null, saveAs: null },
    },
  });
  await page.untilMessage('ended');
  sessions.push(page.sessionId);
  canaries.set('ticket', (await ann.post<{ ticket: string }>(`/api/sessions/${page.sessionId}/tickets`)).ticket);
});

test('a password asked for while opening', async (context) => {
  if (!isRoot) context.skip('only root can give the lab user a password');
  const password = sshd.password ?? '';
  canaries.set('password asked for', password);
  const page = await ConsolePage.open(ann, {
    ...openBody(target.id, 'pty'),
    credential: {
      by: 'typed',
      typed: { user: sshd.user, kind: 'ask', secret: '', passphrase: null, saveAs: null },
    },
  });
  const question = await page.untilMessage('question');
  page.answer(
    question,
    question.question.kind === 'keyboard' ? { kind: 'texts', texts: [password] } : { kind: 'text', text: password },
  );
  await page.untilLive();
  page.type('exit\n');
  await page.untilMessage('ended');
  sessions.push(page.sessionId);
});

test('SecureString and PSCredential in PowerShell', async (context) => {
  if (findPwsh() === null) context.skip('no pwsh');
  const secure = 'Canary-secure-string-4714';
  const credential = 'Canary-pscredential-4715';
  canaries.set('SecureString', secure).set('PSCredential', credential);
  const page = await ConsolePage.open(ann, openBody(target.id, 'powershell'));
  await page.untilMessage('prompt');
  page.submit('$s = Read-Host -AsSecureString -Prompt word; $s.Length');
  page.answer(await page.untilMessage('question'), { kind: 'text', text: secure });
  await page.untilText(String(secure.length));
  await page.untilMessage('prompt', 2);
  page.submit('$c = Get-Credential; $c.GetNetworkCredential().Password.Length * 1000');
  page.answer(await page.untilMessage('question', 2), { kind: 'credential', user: 'bob', password: credential });
  await page.untilText(String(credential.length * 1000));
  canaries.set('resume token', (await page.untilMessage('attached')).resumeToken);
  page.send({ type: 'close' });
  await page.untilClosed();
  sessions.push(page.sessionId);
});

test('a credential of the vault for a command', async (context) => {
  if (findPwsh() === null) context.skip('no pwsh');
  const lent = 'Canary-lent-password-4716';
  canaries.set('lent password', lent);
  const { id } = await ann.post<Credential>('/api/credentials', {
    ...{ label: 'hop', kind: 'password', user: 'CORP\\hop', secret: lent, passphrase: null },
  });
  const place = { ...(await ann.get<{ targets: Target[] }>('/api/targets')).targets[0], usingCredentials: [id] };
  const body = Object.fromEntries(Object.entries(place).filter(([key]) => !NOT_SENT.has(key)));
  await ann.put(`/api/targets/${target.id}`, body);
  const page = await ConsolePage.open(ann, openBody(target.id, 'powershell'));
  const hash = createHash('sha256').update(lent).digest('hex').toUpperCase();
  const line =
    '$c = $using:vault:Hop; $c.UserName; [Convert]::ToHexString([Security.Cryptography.SHA256]::HashData([Text.Encoding]::UTF8.GetBytes($c.GetNetworkCredential().Password)))';
  expect(await page.run(line)).toContain(`CORP\\hop\r\n${hash}`);
  page.submit('$using:vault:other');
  expect(await page.untilMessage('refused')).toMatchObject({ code: 'using_unknown' });
  page.send({ type: 'close' });
  await page.untilClosed();
  sessions.push(page.sessionId);
  expect(JSON.stringify(page.messages) + page.text()).not.toContain(lent);
  const { events } = await ann.get<AuditPage>('/api/audit?limit=50&type=credential.used');
  const { rows } = await ann.get<LedgerPage>(`/api/ledger?session=${page.sessionId}`);
  expect(rows.map(({ text }) => text)).toEqual([line]);
  expect(events[0]).toMatchObject({
    subject: `credential:${id}`,
    detail: { name: 'hop', session: page.sessionId, command: rows[0]?.pipelineId },
  });
});

test('over WinRM in clear text: a stored credential, a vault entry for a line, files, a script, leaving, refusals, certificates', async (context) => {
  const [shell] = realPowerShells();
  if (shell === undefined) return context.skip('no pwsh');
  const [password, lent, wrong] = ['Canary-winrm-password-4717', 'Canary-winrm-lent-4718', 'Canary-winrm-wrong-4719'];
  const [secure, phrase, other] = ['Canary-winrm-secure-4720', 'Canary-pfx-phrase-4721', 'Canary-pfx-other-4722'];
  for (const [at, secret] of [password, lent, wrong, secure, phrase, other].entries()) canaries.set(`WinRM ${String(at)}`, secret);
  const lab = await startLabWsMan({ command: [shell.program, '-s', '-NoLogo', '-NoProfile'], acceptor: ntlmAcceptor(LAB_USER.user, password), tls: null });
  const tap = await startWireTap(lab.port);
  const store = (label: string, kind: string, user: string, secret: string, passphrase: string | null) =>
    ann.request<Credential>('POST', '/api/credentials', { label, kind, user, secret, passphrase });
  const credentialId = (await store('winrm', 'password', LAB_USER.user, password, null)).body.id;
  const lentId = (await store('far', 'password', 'CORP\\far', lent, null)).body.id;
  const wsman = WsManSettings.parse({ tls: false, isTrustedForNtlm: true });
  const files = 'read';
  const place = await ann.post<Target>('/api/targets', winRmBody(tap, { credentialId, wsman, files, usingCredentials: [lentId] }));
  const first = await ConsolePage.open(ann, openBody(place.id, 'powershell'));
  await first.untilMessage('prompt', 1, 60_000);
  const hash = createHash('sha256').update(lent).digest('hex').toUpperCase();
  const hashed = '[Convert]::ToHexString([Security.Cryptography.SHA256]::HashData([Text.Encoding]::UTF8.GetBytes($c.GetNetworkCredential().Password)))';
  expect(await first.run(`$c = $using:vault:far; ${hashed}`)).toContain(hash);
  first.submit('$s = Read-Host -AsSecureString -Prompt word; $s.Length');
  first.answer(await first.untilMessage('question'), { kind: 'text', text: secure });
  await first.untilText(String(secure.length));
  await first.untilMessage('prompt', 3, 60_000);
  expect((await ann.request('GET', `/api/sessions/${first.sessionId}/files?path=${encodeURIComponent(path.dirname(shell.program))}`)).status).toBe(200);
  await ann.post(`/api/sessions/${first.sessionId}/leave`);
  const again = await ConsolePage.attach(ann, first.sessionId);
  await again.untilMessage('prompt', 1, 60_000);
  expect(await again.run("'Canary-line-' + 4723")).toContain('Canary-line-4723');
  again.send({ type: 'close' });
  await again.untilClosed();
  const script = { targetId: place.id, script: "'Canary-line-' + 4724", output: 'text', timeoutMs: 60_000, cols: 80 };
  expect((await ann.request<string>('POST', '/api/invoke', script)).body).toContain('Canary-line-4724');
  expect((await ann.request('POST', '/api/probe', { targetId: place.id })).status).toBe(200);
  expect((await ann.request('GET', `/api/targets/${place.id}/shells`)).status).toBe(200);
  const typed = { user: LAB_USER.user, kind: 'password', secret: wrong, passphrase: null, saveAs: null } as const;
  for (const [id, reason] of [[place.id, 'target_auth_failed'], [(await basicAt(tap.port)).id, 'wsman_clear_refused']] as const) {
    const refused = await ConsolePage.open(ann, { ...openBody(id, 'powershell'), credential: { by: 'typed', typed } });
    expect(await refused.untilMessage('ended')).toMatchObject({ reason });
    sessions.push(refused.sessionId);
  }
  sessions.push(first.sessionId);
  const clients = makeClientAuthority();
  const mine = clients.issue('ann@localhost');
  canaries.set('key of a client certificate', mine.key.split('\n')[1] ?? '');
  expect((await store('by certificate', 'certificate', '', mine.pkcs12(phrase), phrase)).status).toBe(200);
  expect((await store('no certificate', 'certificate', '', mine.pkcs12(phrase), other)).status).toBe(422);
  clients.remove();
  // Of all that, nothing is on the wire in clear: not what signs in, not what is lent, not the lines themselves.
  const wire = tap.sent();
  expect(wire.includes('Encrypted Boundary')).toBe(true);
  const heard = [...canaries].filter(([, secret]) => holdsSecret(wire, secret)).map(([name]) => name);
  const lines = ['Canary-line-', 'Envelope', 'SHA256'].filter((text) => [wire, tap.answered()].some((bytes) => holdsSecret(bytes, text)));
  expect([heard, lines]).toEqual([[], []]);
  await tap.stop();
  await lab.stop();
}, 240_000); // prettier-ignore

/** A target that may not be signed in to: Basic over plain HTTP. */
const basicAt = (port: number): Promise<Target> =>
  ann.post<Target>('/api/targets', winRmBody({ port }, { name: 'basic', wsman: WsManSettings.parse({ tls: false, method: 'basic' }) })); // prettier-ignore

test('none of them is in the data, the logs, a recording, the ledger, an error or what was printed', async () => {
  canaries.set('cookie', ann.cookie?.split('=')[1] ?? 'none');
  const kept = await keptAndTold(gateway, ann, sessions);
  const hits: string[] = [];
  for (const [name, secret] of canaries)
    for (const [place, bytes] of kept) if (holdsSecret(bytes, secret)) hits.push(`${name} in ${place}`);
  expect(hits).toEqual([]);
  expect([...canaries.values()].every((secret) => secret.length >= 8)).toBe(true);
  expect(canaries.size).toBeGreaterThanOrEqual(8);
});
