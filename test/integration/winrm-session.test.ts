/** A target over WinRM through the real program: its certificate asked about once, the console, ledger, recording, audit. */
import type { AuditPage, AuditVerdict, LedgerPage } from '@sallyport/shared/api/audit';
import type { SessionRow } from '@sallyport/shared/api/sessions';
import type { Credential, Target, TargetBody } from '@sallyport/shared/api/targets';
import { WsManSettings } from '@sallyport/shared/api/wsman';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ConsolePage, openBody } from '../lab/console-page.ts';
import { type LabGateway, type Person, startGateway } from '../lab/gateway.ts';
import { recordedOutput } from '../lab/journeys.ts';
import { buildStandIn } from '../lab/powershell.ts';
import { makeClientAuthority } from '../lab/client-certificates.ts';
import { certificateAcceptor, ntlmAcceptor } from '../lab/wsman/acceptors.ts';
import { labCertificate, LAB_USER, startLabWsMan } from '../lab/wsman/console.ts';
import type { LabWsMan } from '../lab/wsman/server.ts';

let gateway: LabGateway;
let standIn: Awaited<ReturnType<typeof buildStandIn>>;
let lab: LabWsMan;
let ann: Person;
let target: Target;

const startLab = (port?: number): Promise<LabWsMan> => {
  const [program = '', ...args] = standIn.command.split(' ');
  const acceptor = ntlmAcceptor(LAB_USER.user, LAB_USER.password);
  return startLabWsMan({
    ...{ command: [program, ...args], acceptor, tls: labCertificate() },
    ...(port === undefined ? {} : { port }),
  });
};
const bodyOf = (more: Partial<TargetBody> = {}) => ({
  ...{ name: 'win01', transport: 'wsman', host: 'localhost', port: lab.port, subsystem: 'powershell' },
  ...{ offers: ['powershell'], credentialId: null, user: LAB_USER.user, connectTimeoutMs: 30_000, notes: '' },
  ...{ wsman: WsManSettings.parse({}) },
  ...more,
});
const selectedShell = () => lab.requests.find(({ name }) => name === 'Command')?.header.selectors[0]?.value;

beforeAll(async () => {
  standIn = await buildStandIn();
  [gateway, lab] = await Promise.all([startGateway(), startLab()]);
  ann = await gateway.setUp();
  const { id } = await ann.post<Credential>('/api/credentials', {
    ...{ label: 'win', kind: 'password', user: LAB_USER.user, secret: LAB_USER.password, passphrase: null },
  });
  target = await ann.post<Target>('/api/targets', bodyOf({ credentialId: id }));
});
afterAll(async () => {
  await gateway.stop();
  await lab.stop();
  standIn.remove();
});

test('asks about the certificate once, then runs, records and keeps the ledger', async () => {
  const page = await ConsolePage.open(ann, { ...openBody(target.id, 'powershell'), language: 'de-DE' });
  const message = await page.untilMessage('question');
  expect(message.question).toMatchObject({
    ...{ kind: 'hostKey', keyType: 'x509', host: 'localhost', problem: 'it is self-signed' },
    chain: [{ subject: 'CN=localhost', names: 'DNS:localhost, DNS:localhost, IP Address:127.0.0.1' }],
  });
  expect(lab.requests).toEqual([]);
  page.answer(message, { kind: 'accept' });
  const first = await page.untilMessage('prompt', 1, 30_000);
  expect(first.text).toContain('[win01]: PS ');
  expect(lab.requests[0]?.header).toMatchObject({ locale: 'de-DE', dataLocale: 'de-DE' });
  expect(await page.run('1+1')).toContain('2');
  page.submit('exit 5');
  expect(await page.untilMessage('ended')).toMatchObject({ reason: 'exited', exitCode: 5 });
  const row = await ann.get<SessionRow>(`/api/sessions/${page.sessionId}`);
  expect(row).toMatchObject({ exitCode: 5, hasRecording: true, facts: { protection: 'HTTPS, NTLM', weakened: [] } });
  const ledger = await ann.get<LedgerPage>(`/api/ledger?session=${page.sessionId}`);
  expect(ledger.rows.map(({ text, state }) => [text, state])).toEqual([
    ['1+1', 'completed'],
    ['exit 5', 'completed'],
  ]);
  // The id under which the target knows the shell.
  expect(ledger.rows[0]?.shellId).toBe(selectedShell());
  expect(ledger.rows[0]?.runspacePoolId.toUpperCase()).toBe(selectedShell());
  expect((await recordedOutput(ann, page.sessionId)).equals(page.buffer())).toBe(true);
  expect(lab.shells.size).toBe(0);
});

test('asks no more, and sends nothing when the certificate is another one', async () => {
  const page = await ConsolePage.open(ann, openBody(target.id, 'powershell'));
  await page.untilMessage('prompt', 1, 30_000);
  expect(page.all('question')).toEqual([]);
  page.submit('exit');
  await page.untilMessage('ended');
  const { port } = lab;
  await lab.stop();
  lab = await startLab(port);
  let authorizations = 0;
  lab.intercept = ({ headers }) => {
    if (headers.authorization !== undefined) authorizations += 1;
    return false;
  };
  const other = await ConsolePage.open(ann, openBody(target.id, 'powershell'));
  expect(await other.untilMessage('ended')).toMatchObject({ reason: 'tls_certificate_changed' });
  expect(authorizations).toBe(0);
});

test('signs in with a client certificate of the vault, chosen by its thumbprint', async () => {
  const clients = makeClientAuthority();
  const [mine, other] = [clients.issue('ann@localhost'), clients.issue('eve@localhost')];
  const [program = '', ...args] = standIn.command.split(' ');
  const own = await startLabWsMan({
    command: [program, ...args],
    acceptor: certificateAcceptor({ [mine.sha1]: 'ann' }),
    tls: { ...labCertificate(), ca: clients.certificate, asksForCertificate: true },
  });
  const store = (label: string, secret: string, passphrase: string | null) =>
    ann.post<Credential>('/api/credentials', { label, kind: 'certificate', user: '', secret, passphrase });
  const kept = await store('ann by certificate', mine.pkcs12('canary-phrase'), 'canary-phrase');
  expect(kept).toMatchObject({ certificate: null, user: '' });
  expect(kept.clientCertificate).toMatchObject({
    ...{ subject: 'O=Lab\nCN=ann', issuer: 'CN=lab clients', upn: 'ann@localhost', isForClients: true },
    ...{ sha1: mine.sha1, sha256: mine.sha256 },
  });
  await store('eve by certificate', other.certificate + other.key, null);
  expect(await ann.request('POST', '/api/credentials', { label: 'x', kind: 'certificate', user: '', secret: mine.certificate + other.key, passphrase: null })).toMatchObject({ status: 422, body: { error: { code: 'certificate_unreadable' } } }); // prettier-ignore

  const at = async (name: string, certificateThumbprint: string, how: 'exit' | null): Promise<ConsolePage> => {
    const wsman = WsManSettings.parse({ method: 'certificate', certificateThumbprint, trust: { skipCaCheck: true } });
    const made = await ann.post<Target>('/api/targets', bodyOf({ name, port: own.port, user: '', wsman }));
    const page = await ConsolePage.open(ann, openBody(made.id, 'powershell'));
    if (how === null) return page;
    await page.untilMessage('prompt', 1, 30_000);
    expect(await page.run('1+1')).toContain('2');
    page.submit('exit');
    await page.untilMessage('ended');
    return page;
  };
  for (const [name, thumbprint] of [['by-sha1', mine.sha1], ['by-sha256', mine.sha256]] as const) {
    const { sessionId } = await at(name, thumbprint, 'exit');
    const { facts } = await ann.get<SessionRow>(`/api/sessions/${sessionId}`);
    expect(facts.protection).toMatch(new RegExp(`^HTTPS, client certificate; client certificate ann@localhost .*, SHA-1 ${mine.sha1}$`));
    expect(facts.identity).toBe('ann@localhost');
  } // prettier-ignore
  const ends = async (name: string, thumbprint: string): Promise<string> =>
    (await (await at(name, thumbprint, null)).untilMessage('ended', 1, 30_000)).reason;
  // Its chain is good, and nobody is mapped to it.
  expect(await ends('unmapped', other.sha1)).toBe('client_certificate_refused');
  const { requests } = own;
  const before = requests.length;
  const none = await ann.post<Target>('/api/targets', bodyOf({ name: 'none', port: own.port, wsman: WsManSettings.parse({ method: 'certificate' }) })); // prettier-ignore
  expect(await (await ConsolePage.open(ann, openBody(none.id, 'powershell'))).untilMessage('ended')).toMatchObject({ reason: 'client_certificate_needed' }); // prettier-ignore
  expect(requests).toHaveLength(before);
  const { events } = await ann.get<AuditPage>('/api/audit?limit=200');
  const key = mine.key.split('\n')[2] ?? '';
  const told = JSON.stringify([events, await ann.get('/api/credentials')]) + gateway.stdout() + gateway.stderr();
  for (const secret of [key, other.key.split('\n')[1] ?? '', 'canary-phrase', 'PRIVATE KEY'])
    expect(told).not.toContain(secret);
  await own.stop();
  clients.remove();
});

test('keeps what was weakened in bar and audit log, the shell that the target named, and never the password', async () => {
  const wsman = WsManSettings.parse({
    trust: { skipCaCheck: true },
    isTrustedForNtlm: true,
    locale: 'fr-FR',
    dataLocale: 'sv-SE',
  });
  const { credentialId } = target;
  const loose = await ann.post<Target>(
    '/api/targets',
    bodyOf({ name: 'win02', host: '127.0.0.1', credentialId, wsman }),
  );
  lab.requests.length = 0;
  lab.givesOwnShellIds = true;
  const page = await ConsolePage.open(ann, openBody(loose.id, 'powershell'));
  await page.untilMessage('prompt', 1, 30_000);
  page.submit('exit');
  await page.untilMessage('ended');
  const [row] = (await ann.get<LedgerPage>(`/api/ledger?session=${page.sessionId}`)).rows;
  expect(row?.shellId).toBe(selectedShell());
  expect(lab.requests[0]?.header).toMatchObject({ locale: 'fr-FR', dataLocale: 'sv-SE' });
  expect(row?.shellId).not.toBe(row?.runspacePoolId.toUpperCase());
  const { facts } = await ann.get<SessionRow>(`/api/sessions/${page.sessionId}`);
  const weakened = ['certificate not checked: it is self-signed', 'NTLM, which does not prove who the target is'];
  expect(facts.weakened).toEqual(weakened);
  const { events } = await ann.get<AuditPage>('/api/audit?limit=200');
  expect(events.find(({ type, subject }) => type === 'winrm.connected' && subject.startsWith('127'))?.detail).toEqual({
    protection: 'HTTPS, NTLM',
    weakened: weakened.join(', '),
  });
  expect(events.map(({ type }) => type)).toEqual(
    expect.arrayContaining(['hostkey.accepted', 'hostkey.changed', 'winrm.connected', 'credential.used']),
  );
  expect(await ann.post<AuditVerdict>('/api/audit/verify')).toMatchObject({ ok: true, firstBad: null });
  expect(JSON.stringify(events) + gateway.stdout() + gateway.stderr()).not.toContain(LAB_USER.password);
});
