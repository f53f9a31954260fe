/** Secrets with a known text go through every door; then everything that is kept or printed is searched for them. */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type { SessionRow } from '@sallyport/shared/api/sessions';
import type { AuditPage, LedgerPage } from '@sallyport/shared/api/audit';
import type { Credential, Target } from '@sallyport/shared/api/targets';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ConsolePage, openBody } from '../lab/console-page.ts';
import { LAB_PASSWORD, type LabGateway, type Person, startGateway } from '../lab/gateway.ts';
import { acceptHostKey, addLabTarget } from '../lab/journeys.ts';
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

const files = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(directory, name))
    .filter((file) => statSync(file).isFile());

/** The forms in which a text may lie somewhere. */
const forms = (text: string): Buffer[] => [
  Buffer.from(text, 'utf8'),
  Buffer.from(text, 'utf16le'),
  Buffer.from(Buffer.from(text, 'utf8').toString('base64').replace(/=+$/, '').slice(0, -1)),
  Buffer.from(Buffer.from(text, 'utf8').toString('hex')),
];

test('the search finds what is there', () => {
  const database = readFileSync(path.join(gateway.dataDir, 'sallyport.db'));
  expect(forms('credential').some((form) => database.includes(form))).toBe(true);
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

test('none of them is in the data, the logs, a recording, the ledger, an error or what was printed', async () => {
  canaries.set('cookie', ann.cookie?.split('=')[1] ?? 'none');
  const kept = files(gateway.dataDir).map(
    (file) => [path.relative(gateway.dataDir, file), readFileSync(file)] as const,
  );
  const told = [
    ['log', Buffer.from(gateway.stderr())],
    // The set-up link is printed on purpose, once.
    ['printed', Buffer.from(gateway.stdout().replace(/setup#\S+/, 'setup#'))],
    ['ledger', Buffer.from(JSON.stringify(await ann.get('/api/ledger?limit=500')))],
    ['audit', Buffer.from(JSON.stringify(await ann.get('/api/audit?limit=500')))],
    ['sessions', Buffer.from(JSON.stringify(await ann.get<{ sessions: SessionRow[] }>('/api/sessions?limit=500')))],
    ['credentials', Buffer.from(JSON.stringify(await ann.get('/api/credentials')))],
    ['tokens', Buffer.from(JSON.stringify(await ann.get('/api/tokens')))],
  ] as (readonly [string, Buffer])[];
  for (const id of sessions) {
    told.push([`replay ${id}`, Buffer.from(await ann.must<string>('GET', `/api/recordings/${id}/events`))]);
    told.push([`cast ${id}`, Buffer.from(await ann.must<string>('GET', `/api/recordings/${id}/cast`))]);
  }
  const hits: string[] = [];
  for (const [name, secret] of canaries)
    for (const [place, bytes] of [...kept, ...told])
      if (forms(secret).some((form) => bytes.includes(form))) hits.push(`${name} in ${place}`);
  expect(hits).toEqual([]);
  expect([...canaries.values()].every((secret) => secret.length >= 8)).toBe(true);
  expect(canaries.size).toBeGreaterThanOrEqual(8);
});
