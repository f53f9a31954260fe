/** A target over WinRM through the real program: its certificate asked about once, the console, ledger, recording, audit. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { AuditPage, AuditVerdict, LedgerPage } from '@sallyport/shared/api/audit';
import type { RecordingInfo, SessionRow } from '@sallyport/shared/api/sessions';
import type { Credential, ProbeResult, Target, TargetBody } from '@sallyport/shared/api/targets';
import { WsManSettings } from '@sallyport/shared/api/wsman';
import { isIdentify, SESSION_OPTIONS } from '@sallyport/wsman';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { ConsolePage, openBody } from '../lab/console-page.ts';
import { LAB_PASSWORD, type LabGateway, type Person, startGateway } from '../lab/gateway.ts';
import { changeDatabase } from '../lab/people.ts';
import { type LabSshd, isRoot, startSshd } from '../lab/sshd.ts';
import { acceptHostKey, addLabTarget, recordedOutput } from '../lab/journeys.ts';
import { type BuiltStandIn, buildStandIn, realPowerShells } from '../lab/powershell.ts';
import { makeClientAuthority } from '../lab/client-certificates.ts';
import { makeCertificate } from '../lab/certificate.ts';
import { basicAcceptor, certificateAcceptor, digestAcceptor, ntlmAcceptor } from '../lab/wsman/acceptors.ts';
import { labCertificate, LAB_USER, startLabWsMan } from '../lab/wsman/console.ts';
import { startCredSspContexts } from '../lab/wsman/credssp-acceptor.ts';
import { missingForAcceptor } from '../lab/wsman/negotiate-acceptor.ts';
import { FAULTS, type LabWsMan } from '../lab/wsman/server.ts';
import { startWireTap, type WireTap } from '../lab/wire-tap.ts';
import { winRmBody, wholeSession } from '../lab/wsman/whole-session.ts';

const dataDir = mkdtempSync(path.join(tmpdir(), 'sallyport-winrm-'));
const shells = realPowerShells();
let gateway: LabGateway;
let proxy: WireTap;
/**
 * What is said of proxies counts for nothing: the address that was checked is the one that is connected to. More sessions
 * are opened here in a minute than a person may.
 */
const OPTIONS = {
  dataDir,
  env: {
    SALLYPORT_TARGET_RANGES: '127.0.0.1/32,::1/128',
    SALLYPORT_SESSION_OPENS_PER_MINUTE: '1000',
  } as Record<string, string>,
};
let standIn: BuiltStandIn;
let lab: LabWsMan;
let sshd: LabSshd;
let ann: Person;
let target: Target;

const startLab = (port?: number): Promise<LabWsMan> => {
  const acceptor = ntlmAcceptor(LAB_USER.user, LAB_USER.password);
  return startLabWsMan({
    ...{ command: standIn.argv, acceptor, tls: labCertificate() },
    ...(port === undefined ? {} : { port }),
  });
};
const bodyOf = (more: Partial<TargetBody> = {}) => winRmBody(lab, { user: LAB_USER.user, ...more });
const selectedShell = () => lab.requests.find(({ name }) => name === 'Command')?.header.selectors[0]?.value;

beforeAll(async () => {
  [standIn, proxy] = await Promise.all([buildStandIn(), startWireTap(null)]);
  const at = `http://127.0.0.1:${String(proxy.port)}`;
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY'])
    OPTIONS.env[name] = OPTIONS.env[name.toLowerCase()] = at;
  OPTIONS.env['NODE_USE_ENV_PROXY'] = '1';
  [gateway, lab, sshd] = await Promise.all([startGateway(OPTIONS), startLab(), startSshd()]);
  ann = await gateway.setUp();
  const { id } = await ann.post<Credential>('/api/credentials', {
    ...{ label: 'win', kind: 'password', user: LAB_USER.user, secret: LAB_USER.password, passphrase: null },
  });
  target = await ann.post<Target>('/api/targets', bodyOf({ credentialId: id }));
});
afterAll(async () => {
  await gateway.stop();
  await Promise.all([lab.stop(), sshd.stop(), proxy.stop()]);
  standIn.remove();
  rmSync(dataDir, { recursive: true, force: true });
});

test('asks about the certificate once, then runs, records and keeps the ledger', async () => {
  const page = await ConsolePage.open(ann, { ...openBody(target.id, 'powershell'), language: 'de-DE' });
  const message = await page.untilMessage('question');
  expect(message.question).toMatchObject({
    ...{ kind: 'hostKey', keyType: 'x509', host: 'localhost', problem: 'it is self-signed' },
    chain: [
      {
        subject: 'CN=localhost',
        names: 'DNS:localhost, DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1',
      },
    ],
  });
  expect(lab.requests).toEqual([]);
  page.answer(message, { kind: 'accept' });
  const first = await page.untilMessage('prompt');
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
  await untilNoShell();
});

/** A shell is deleted when its session has ended already. */
const untilNoShell = () => expect.poll(() => lab.shells.size, { timeout: 20_000 }).toBe(0);

/** A typed address, and nobody named who signs in there. */
const typed = (port: number, winrm: 'https' | null, kind: 'powershell' | 'pty') => ({
  ...openBody('', kind),
  to: { by: 'address', host: 'localhost', port, subsystem: '', winrm } as const,
});

test('an address that is typed opens directly: the user is asked for, then the password', async () => {
  const page = await ConsolePage.open(ann, typed(lab.port, 'https', 'powershell'));
  const who = await page.untilMessage('question');
  expect(who.question).toMatchObject({
    kind: 'keyboard',
    from: 'gateway',
    prompts: [{ text: 'User name', echo: true }],
  });
  page.answer(who, { kind: 'texts', texts: [LAB_USER.user] });
  const password = await page.untilMessage('question', 2);
  expect(password.question).toMatchObject({ kind: 'secret', from: 'gateway', user: LAB_USER.user });
  page.answer(password, { kind: 'text', text: LAB_USER.password });
  await page.untilMessage('prompt', 1, 30_000);
  expect(page.facts).toMatchObject({ identity: LAB_USER.user, protection: 'HTTPS, NTLM' });
  page.submit('exit');
  await page.untilMessage('ended');
  const refused = await ann.request('POST', '/api/sessions', typed(lab.port, 'https', 'pty'));
  expect(refused).toMatchObject({ status: 400, body: { error: { code: 'bad_request' } } });
});

test('over SSH the same, before anything but the host key is known of the target', async () => {
  const page = await ConsolePage.open(ann, typed(sshd.port, null, 'pty'));
  await acceptHostKey(page);
  const who = await page.untilMessage('question', 2);
  expect(who.question).toMatchObject({ kind: 'keyboard', from: 'gateway' });
  page.answer(who, { kind: 'texts', texts: [sshd.user] });
  // As root the lab's user has a password; else only the question is seen.
  const next = isRoot ? await page.untilMessage('question', 3) : await page.untilMessage('ended');
  if (next.type === 'question') {
    const { kind } = next.question;
    const text = sshd.password ?? '';
    page.answer(next, kind === 'keyboard' ? { kind: 'texts', texts: [text] } : { kind: 'text', text });
    await page.untilLive();
    expect(page.facts?.identity).toBe(sshd.user);
    page.send({ type: 'close' });
  }
  const nobody = await ConsolePage.open(ann, typed(sshd.port, null, 'pty'));
  nobody.answer(await nobody.untilMessage('question'), { kind: 'cancel' });
  expect(await nobody.untilMessage('ended')).toMatchObject({ reason: 'credential_needed' });
  const odd = await ConsolePage.open(ann, typed(sshd.port, null, 'pty'));
  odd.answer(await odd.untilMessage('question'), { kind: 'texts', texts: ['-oProxyCommand=x'] });
  expect(await odd.untilMessage('ended')).toMatchObject({ reason: 'bad_name' });
});

test('runs a script of the API', async () => {
  const body = { targetId: target.id, script: '1+1', output: 'text', timeoutMs: 60_000, cols: 80 };
  const { status, body: lines } = await ann.request<string>('POST', '/api/invoke', body);
  const events = lines.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>); // prettier-ignore
  expect(status).toBe(200);
  expect(events.map(({ type }) => type)).toEqual(['started', 'text', 'ended']);
  expect(events[1]).toMatchObject({ text: expect.stringContaining('2') as string });
  expect(events[2]).toMatchObject({ state: 'completed', exitCode: 0, code: null });
  await untilNoShell();
});

test('behind a jump host: the test of the connection, the certificate of that way, the console', async () => {
  const { id: viaTargetId } = await addLabTarget(ann, sshd, 'bastion');
  const { credentialId } = target;
  const beyond = await ann.post<Target>('/api/targets', bodyOf({ name: 'win03', credentialId, viaTargetId }));
  const early = await ann.post<ProbeResult>('/api/probe', { targetId: beyond.id });
  const page = await ConsolePage.open(ann, openBody(beyond.id, 'powershell'));
  await acceptHostKey(page);
  const certificate = await page.untilMessage('question', 2);
  const probed = await ann.post<ProbeResult>('/api/probe', { targetId: beyond.id });
  expect(early.stations.map(({ step }) => step)).toEqual(probed.stations.map(({ step }) => step));
  expect(early).toMatchObject({ at: 'bastion', stations: [{ step: 'hop', state: 'failed' }, { state: 'not-tried' }, {}, {}, {}, {}, {}, {}, {}] }); // prettier-ignore
  expect(probed.stations.map(({ step, state }) => [step, state])).toEqual([
    ...['hop', 'resolve', 'policy', 'tcp', 'tls', 'host-key', 'winrm'].map((step) => [step, 'ok']),
    ...['sign-in', 'powershell'].map((step) => [step, 'not-tried']),
  ]);
  expect(probed.hostKey).toMatchObject({ type: 'x509', state: 'unknown' });
  expect(certificate.question).toMatchObject({ keyType: 'x509', via: `${sshd.host}:${String(sshd.port)}` });
  page.answer(certificate, { kind: 'accept' });
  await page.untilMessage('prompt', 1, 30_000);
  expect(await page.run('1+1')).toContain('2');
  page.submit('exit');
  await page.untilMessage('ended');
  expect((await ann.post<ProbeResult>('/api/probe', { targetId: beyond.id })).hostKey?.state).toBe('pinned');
});

test('is led elsewhere by a fault of Create alone, where that is granted, and not in a circle', async () => {
  const other = await startLab();
  const at = ({ port }: LabWsMan): string => `https://localhost:${String(port)}/wsman`;
  const { credentialId } = target;
  const wsman = WsManSettings.parse({ redirects: true });
  const led = await ann.post<Target>('/api/targets', bodyOf({ name: 'win04', credentialId, wsman }));
  lab.createsAt = at(other);
  try {
    const refused = await ConsolePage.open(ann, openBody(target.id, 'powershell'));
    expect(await refused.untilMessage('ended')).toMatchObject({ reason: 'wsman_redirect_refused' });
    const page = await ConsolePage.open(ann, openBody(led.id, 'powershell'));
    const certificate = await page.untilMessage('question');
    expect(certificate.question).toMatchObject({ keyType: 'x509', port: other.port });
    page.answer(certificate, { kind: 'accept' });
    await page.untilMessage('prompt', 1, 30_000);
    expect(await page.run('1+1')).toContain('2');
    await untilNoShell();
    expect(other.shells.size).toBe(1);
    page.submit('exit');
    await page.untilMessage('ended');
    const { events } = await ann.get<AuditPage>('/api/audit?limit=50&type=winrm.redirected');
    const subject = `localhost:${String(lab.port)}`;
    expect(events).toMatchObject([
      { subject, outcome: 'ok', detail: { to: at(other), session: page.sessionId } },
      { subject, outcome: 'refused', detail: { to: at(other), session: refused.sessionId } },
    ]);
    // One that is left there is picked up there, and everything is asked of that place again.
    const elsewhere = `https://127.0.0.1:${String(other.port)}/wsman`;
    lab.createsAt = elsewhere;
    lab.givesOwnShellIds = other.givesOwnShellIds = false;
    const choose = async (asked: ConsolePage, index: number): Promise<void> => {
      const confirm = await asked.untilMessage('question');
      expect(confirm).toMatchObject({ question: { kind: 'choice', caption: 'Sign in at 127.0.0.1 instead?' } });
      asked.answer(confirm, { kind: 'choice', indexes: [index] });
    };
    const away = await ConsolePage.open(ann, openBody(led.id, 'powershell'));
    await choose(away, 0);
    away.answer(await away.untilMessage('question', 2), { kind: 'accept' });
    await away.untilMessage('prompt', 1, 30_000);
    await ann.post(`/api/sessions/${away.sessionId}/leave`);
    const before = lab.requests.length;
    const doubtful = await ConsolePage.attach(ann, away.sessionId);
    await choose(doubtful, 1);
    expect(await doubtful.untilMessage('ended')).toMatchObject({ reason: 'wsman_redirect_refused', isLeft: true });
    const back = await ConsolePage.attach(ann, away.sessionId);
    await choose(back, 0);
    await back.untilMessage('prompt', 1, 30_000);
    expect(await back.run('2+2')).toContain('4');
    expect(lab.requests).toHaveLength(before);
    await ann.post(`/api/sessions/${away.sessionId}/leave`);
    const ledTo = (await ann.get<AuditPage>('/api/audit?limit=50&type=winrm.redirected')).events;
    expect(ledTo.slice(0, 2).map(({ detail }) => detail)).toEqual(
      Array(2).fill({ to: elsewhere, session: away.sessionId }),
    );
    expect(ledTo.slice(0, 2).map(({ outcome }) => outcome)).toEqual(['ok', 'refused']);
    // Nobody says yes to the other machine when the gateway ends it by itself.
    await ann.post(`/api/sessions/${away.sessionId}/terminate`);
    const told = async () => (await ann.get<AuditPage>('/api/audit?limit=1&type=session.shellEnded')).events[0];
    await expect.poll(told, { timeout: 30_000 }).toMatchObject({ subject: `session:${away.sessionId}`, detail: { is: 'kept', why: 'wsman_redirect_refused' } }); // prettier-ignore
    lab.createsAt = at(other);
    other.createsAt = at(lab);
    const circle = await ConsolePage.open(ann, openBody(led.id, 'powershell'));
    expect(await circle.untilMessage('ended', 1, 60_000)).toMatchObject({ reason: 'wsman_redirect_refused' });
    expect(circle.all('notice').filter(({ code }) => code === 'redirected')).toHaveLength(5);
  } finally {
    lab.createsAt = null;
    await other.stop();
  }
});

test('goes nowhere a target must not be, however it is led there: told, written down, nothing sent', async () => {
  const { credentialId } = target;
  const wsman = WsManSettings.parse({ redirects: true });
  const { id } = await ann.post<Target>('/api/targets', bodyOf({ name: 'misled', credentialId, wsman }));
  const near = createServer().listen(0, '127.0.0.2');
  await once(near, 'listening');
  const dialled: string[] = [];
  const before = new Set<number>();
  near.on('connection', () => dialled.push('127.0.0.2'));
  const { port: nearPort } = near.address() as AddressInfo;
  const { port: ownPort, host: own } = new URL(gateway.url);
  const address = (host: string, port: number | string, ip: string, reason: string) => ({
    ...{ reason: 'target_address_refused', refused: [`${host}:${String(port)}`, { ip, reason }] },
  });
  const no = { reason: 'wsman_redirect_refused', refused: undefined };
  const cases = [
    ['https://169.254.169.254/latest/meta-data', address('169.254.169.254', 443, '169.254.169.254', 'link-local')],
    ['https://[fe80::1]:5986/wsman', address('fe80::1', 5986, 'fe80::1', 'link-local')],
    ['https://[fd00:ec2::254]/wsman', address('fd00:ec2::254', 443, 'fd00:ec2::254', 'metadata')],
    ['https://[::ffff:169.254.169.254]/', address('::ffff:a9fe:a9fe', 443, '::ffff:a9fe:a9fe', 'link-local')],
    // Numbers and letters that only look like others.
    ['https://0xA9FEA9FE/', address('169.254.169.254', 443, '169.254.169.254', 'link-local')],
    ['https://１６９。254.169.254/', address('169.254.169.254', 443, '169.254.169.254', 'link-local')],
    // The machine of the gateway, where the target is not; the gateway itself, where it is.
    [`https://127.0.0.2:${String(nearPort)}/`, address('127.0.0.2', nearPort, '127.0.0.2', 'loopback')],
    [`https://localhost:${ownPort}/wsman`, address('localhost', ownPort, '127.0.0.1', 'own-listener')],
    [`http://${own}/wsman`, no],
    [`https://ann:hunter2@localhost:${String(lab.port)}/`, no],
    ['file:///etc/passwd', no],
    ['//', no],
  ] as const;
  try {
    for (const [at, [location, expected]] of cases.entries()) {
      // As an HTTP status, or as a fault of Create.
      const isFault = at % 2 === 1 || /[^ -~]/.test(location);
      lab.createsAt = isFault ? location : null;
      lab.intercept = (_request, response, body) => {
        if (isFault || body.length === 0 || !isIdentify(body)) return false;
        response.writeHead(307, { Location: location }).end();
        return true;
      };
      const page = await ConsolePage.open(ann, openBody(id, 'powershell'));
      expect([location, (await page.untilMessage('ended')).reason]).toEqual([location, expected.reason]);
      // Nobody is asked about a place that it does not go to.
      expect(page.all('question')).toEqual([]);
      const { events } = await ann.get<AuditPage>('/api/audit?limit=10');
      const of = (type: string) => events.find((event) => event.type === type && !before.has(event.sequence));
      const refused = of('ssrf.refused');
      expect(refused && [refused.subject, refused.detail]).toEqual(expected.refused);
      expect(of('winrm.redirected')).toMatchObject({
        ...{ outcome: 'refused', subject: `localhost:${String(lab.port)}`, detail: { session: page.sessionId } },
      });
      for (const { sequence } of events) before.add(sequence);
    }
    expect(dialled).toEqual([]);
    expect(gateway.stderr()).not.toContain('hunter2');
  } finally {
    lab.createsAt = null;
    lab.intercept = () => false;
    near.close();
    await untilNoShell();
  }
});

test('asks no more, and sends nothing when the certificate is another one', async () => {
  const page = await ConsolePage.open(ann, openBody(target.id, 'powershell'));
  await page.untilMessage('prompt');
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
  const { reason, detail } = await other.untilMessage('ended');
  expect([reason, detail]).toEqual(['tls_certificate_changed', expect.stringMatching(/^SHA256:\S{43} SHA256:\S{43}$/)]);
  expect(authorizations).toBe(0);
});

test('signs in with a client certificate of the vault, chosen by its thumbprint', async () => {
  const clients = makeClientAuthority();
  const [mine, other] = [clients.issue('ann@localhost'), clients.issue('eve@localhost')];
  const own = await startLabWsMan({
    command: standIn.argv,
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

  const by = (name: string, certificateThumbprint: string): Partial<TargetBody> => ({
    ...{ name, port: own.port, user: '' },
    wsman: WsManSettings.parse({ method: 'certificate', certificateThumbprint, trust: { skipCaCheck: true } }),
  });
  for (const [name, thumbprint] of [['by-sha1', mine.sha1], ['by-sha256', mine.sha256]] as const) {
    const { row, ledger } = await wholeSession(ann, own, by(name, thumbprint));
    const protection = expect.stringMatching(new RegExp(`^HTTPS, client certificate; client certificate ann@localhost .*, SHA-1 ${mine.sha1}$`)) as string;
    expect(row.facts).toMatchObject({ identity: 'ann@localhost', protection });
    expect(ledger).toMatchObject(Array(3).fill({ identity: 'ann@localhost', protection }));
  } // prettier-ignore
  const ends = async (name: string, thumbprint: string): Promise<string> => {
    const made = await ann.post<Target>('/api/targets', bodyOf(by(name, thumbprint)));
    return (await (await ConsolePage.open(ann, openBody(made.id, 'powershell'))).untilMessage('ended')).reason;
  };
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

describe('from the opening to the end', () => {
  const { user, password } = LAB_USER;
  const tls = labCertificate();
  const pin = new X509Certificate(tls.cert).fingerprint256.replaceAll(':', '').toLowerCase();
  const NO_PROOF = 'NTLM, which does not prove who the target is';
  it.each([
    ['basic', true, 'HTTPS, Basic', [], basicAcceptor],
    ['digest', true, 'HTTPS, Digest', [], digestAcceptor],
    ['default', true, 'HTTPS, NTLM', [], ntlmAcceptor],
    ['negotiate', false, 'HTTP, NTLM sealed (RC4)', [NO_PROOF], ntlmAcceptor],
  ] as const)('%s, TLS %s: %s', async (method, isTls, protection, weakened, acceptor) => {
    const { credentialId } = target;
    const at = await startLabWsMan({
      command: standIn.argv,
      acceptor: acceptor(user, password),
      tls: isTls ? tls : null,
    });
    const heard: string[] = [];
    at.intercept = ({ headers }, _response, body) => {
      heard.push(`${headers.authorization ?? ''} ${Buffer.from(body).toString('latin1')}`);
      return false;
    };
    const trust = { pin: isTls ? pin : '' };
    const wsman = WsManSettings.parse({ method, tls: isTls, trust, isTrustedForNtlm: !isTls });
    const session = await wholeSession(ann, at, { name: `whole-${method}`, credentialId, wsman });
    expect(session.asked).toEqual([]);
    expect(session.row.facts).toMatchObject({ identity: user, protection, weakened });
    expect(session.ledger).toMatchObject(Array(3).fill({ identity: user, protection, weakened }));
    expect(session.events.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['credential.used', 'winrm.connected']),
    );
    if (!isTls) expect(heard.filter((text) => /Envelope|karenina|canary/.test(text))).toEqual([]);
    await at.stop();
  });

  it.skipIf(missingForAcceptor().length > 0)('CredSSP with NTLM inside: asked; no means no byte of it', async () => {
    const credSsp = await startCredSspContexts(makeCertificate(dataDir, 'inside'), [`LAB:ann:${password}`]);
    const at = await startLabWsMan({ command: standIn.argv, acceptor: credSsp.acceptor, tls });
    const { credentialId } = target;
    const wsman = WsManSettings.parse({ method: 'credssp', trust: { pin }, isTrustedForDelegation: true });
    const { row, events } = await wholeSession(ann, at, { name: 'whole-credssp', credentialId, wsman }, 0);
    expect(row.facts).toMatchObject({
      protection: 'HTTPS, CredSSP',
      weakened: ['the target has the password (CredSSP)'],
    });
    expect(events.find(({ type }) => type === 'credential.delegated')).toMatchObject({ outcome: 'ok', subject: 'localhost', detail: { user, session: row.id } }); // prettier-ignore
    expect((await credSsp.given())[0]).toEqual(['LAB', 'ann', password]);
    const made = await ann.post<Target>('/api/targets', winRmBody(at, { name: 'refused', credentialId, wsman }));
    const page = await ConsolePage.open(ann, openBody(made.id, 'powershell'));
    page.answer(await page.untilMessage('question'), { kind: 'choice', indexes: [1] });
    expect(await page.untilMessage('ended')).toMatchObject({ reason: 'credssp_not_allowed' });
    expect(await credSsp.given()).toEqual([]);
    const refused = await ann.get<AuditPage>('/api/audit?limit=20&type=credential.delegated');
    expect(refused.events[0]).toMatchObject({ outcome: 'refused' });
    await at.stop();
    await credSsp.stop();
  });
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
  await page.untilMessage('prompt');
  lab.refusals.set('Delete', FAULTS.notSupported);
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
    session: page.sessionId,
    protection: 'HTTPS, NTLM',
    weakened: weakened.join(', '),
  });
  for (const type of ['hostkey.accepted', 'hostkey.changed', 'winrm.connected', 'credential.used'])
    expect((await ann.get<AuditPage>(`/api/audit?limit=1&type=${type}`)).events).toMatchObject([{ type }]);
  // The target did not delete the shell: whoever reads the log knows where it may still be.
  const kept = async () => (await ann.get<AuditPage>('/api/audit?limit=1&type=winrm.notDeleted')).events[0];
  await expect.poll(kept, { timeout: 20_000 }).toMatchObject({
    ...{ actor: 'ann', outcome: 'failed', subject: `127.0.0.1:${String(lab.port)}` },
    detail: { session: page.sessionId, shellId: row?.shellId },
  });
  for (const shell of lab.shells.values()) shell.kill();
  await untilNoShell();
  expect(await ann.post<AuditVerdict>('/api/audit/verify')).toMatchObject({ ok: true, firstBad: null });
  expect(JSON.stringify(events) + gateway.stdout() + gateway.stderr()).not.toContain(LAB_USER.password);
});

test('a session that is left and then ended is ended at its target too, where the gateway can sign in by itself', async () => {
  const wsman = WsManSettings.parse({ trust: { skipCaCheck: true }, isTrustedForNtlm: true });
  const { credentialId } = target;
  const leave = async (credential: string | null): Promise<string> => {
    const body = bodyOf({ name: `left ${String(credential)}`, host: '127.0.0.1', credentialId: credential, wsman });
    const { id } = await ann.post<Target>('/api/targets', body);
    const page = await ConsolePage.open(ann, openBody(id, 'powershell'));
    if (credential === null)
      page.answer(await page.untilMessage('question'), { kind: 'text', text: LAB_USER.password });
    await page.untilMessage('prompt', 1, 30_000);
    await ann.post(`/api/sessions/${page.sessionId}/leave`);
    await ann.post(`/api/sessions/${page.sessionId}/terminate`);
    return page.sessionId;
  };
  const told = async (sessionId: string) => {
    const { events } = await ann.get<AuditPage>('/api/audit?limit=50&type=session.shellEnded');
    return events.find(({ subject }) => subject === `session:${sessionId}`);
  };
  lab.givesOwnShellIds = false;
  await untilNoShell();
  const own = await leave(credentialId);
  await expect.poll(() => told(own), { timeout: 30_000 }).toMatchObject({ outcome: 'ok', detail: { is: 'deleted' } });
  expect(lab.shells.size).toBe(0);
  const typedSecret = await leave(null);
  await expect.poll(() => told(typedSecret), { timeout: 30_000 }).toMatchObject({ outcome: 'failed', detail: { is: 'kept', why: 'needs_person' } }); // prettier-ignore
  expect(lab.shells.size).toBe(1);
  const { events } = await ann.get<AuditPage>('/api/audit?limit=50&type=credential.used');
  expect(events[0]).toMatchObject({ actor: 'gateway', detail: { session: own } });
  for (const shell of lab.shells.values()) shell.kill();
  await untilNoShell();
});

test('one with a stored credential that is not the target’s own is picked up with a confirmed password only', async () => {
  const wsman = WsManSettings.parse({ trust: { skipCaCheck: true }, isTrustedForNtlm: true });
  const credential = { by: 'vault', credentialId: target.credentialId } as const;
  const body = bodyOf({ name: 'of their choice', host: '127.0.0.1', credentialId: null, wsman });
  const { id } = await ann.post<Target>('/api/targets', body);
  lab.givesOwnShellIds = false;
  const page = await ConsolePage.open(ann, { ...openBody(id, 'powershell'), credential });
  await page.untilMessage('prompt', 1, 30_000);
  await ann.post(`/api/sessions/${page.sessionId}/leave`);
  const { cookie } = ann;
  await gateway.terminate();
  changeDatabase(dataDir, ['UPDATE logins SET steppedUpUntil = 1']);
  // From now on nobody leaves any there.
  gateway = await startGateway({ ...OPTIONS, env: { ...OPTIONS.env, SALLYPORT_LEFT_SESSIONS_PER_TARGET: '0' } });
  ann = gateway.nobody();
  ann.cookie = cookie;
  const before = lab.requests.length;
  const refused = await ConsolePage.attach(ann, page.sessionId);
  expect(await refused.untilClosed()).toMatchObject({ reason: 'step_up_required' });
  expect(await ann.get<SessionRow>(`/api/sessions/${page.sessionId}`)).toMatchObject({ phase: 'left', endedAt: null });
  expect(lab.requests).toHaveLength(before);
  await ann.post('/api/step-up', { password: LAB_PASSWORD });
  const back = await ConsolePage.attach(ann, page.sessionId);
  await back.untilMessage('prompt', 1, 30_000);
  const again = await ann.request('POST', `/api/sessions/${page.sessionId}/leave`);
  expect(again).toMatchObject({ status: 429, body: { error: { code: 'too_many_left_sessions' } } });
  expect(await back.run('1+1')).toContain('2');
  back.submit('exit');
  await back.untilMessage('ended');
  await untilNoShell();
});

describe.skipIf(shells.length === 0)('a session that outlives its gateway', () => {
  const COUNT = 400;
  const HALF = 200;
  let real: LabWsMan;
  let session: Target;
  beforeAll(async () => {
    const acceptor = ntlmAcceptor(LAB_USER.user, LAB_USER.password);
    const command = [shells[0]?.program ?? '', '-s', '-NoLogo', '-NoProfile'] as const;
    real = await startLabWsMan({ command, acceptor, tls: labCertificate() });
    const applicationArguments = [{ name: 'Site', value: 'Zürich <1>' }];
    const wsman = WsManSettings.parse({ trust: { skipCaCheck: true }, isTrustedForNtlm: true, applicationArguments });
    const { credentialId } = target;
    const place = { name: 'outlives', host: '127.0.0.1', port: real.port, files: 'read' } as const;
    session = await ann.post<Target>('/api/targets', bodyOf({ ...place, credentialId, wsman }));
  });
  afterAll(() => real.stop());

  /** Shown on lines of their own. */
  const numbersIn = (text: string): number[] => (text.match(/^\d+(?=\r?$)/gm) ?? []).map(Number);
  /** The page of before comes back to the gateway that was started after. */
  const comeBack = async (page: ConsolePage): Promise<ConsolePage> => {
    gateway = await startGateway(OPTIONS);
    ann = await gateway.signIn('ann');
    const row = await ann.get<SessionRow>(`/api/sessions/${page.sessionId}`);
    expect(row).toMatchObject({ phase: 'left', endedAt: null });
    return ConsolePage.attach(ann, page.sessionId, { offset: page.offset });
  };

  test('stopped, then killed: what runs comes back with every number once, as one session and one ledger row', async () => {
    const first = await ConsolePage.open(ann, openBody(session.id, 'powershell'));
    await first.untilMessage('prompt', 1, 60_000);
    const sender =
      '$a = $PSSenderInfo.ApplicationArguments; "$($a.Site), $($a.PSVersionTable.PSRemotingProtocolVersion)"';
    // The table of session options is held against the real type.
    const options = '[Management.Automation.Remoting.PSSessionOption].GetProperties().Name -join ","';
    const told = await first.run(`${sender}; ${options}`);
    expect(told).toMatch(/^Zürich <1>, 2\.\d\r?$/m);
    const names = (/^\w+(?:,\w+){9,}(?=\r?$)/m.exec(told)?.[0] ?? '').replace(
      'ConnectionRedirectionCount',
      'Redirection',
    );
    expect(names.split(',').sort()).toEqual(Object.keys(SESSION_OPTIONS).sort());
    // An answer that is on its way when the gateway is killed is lost: WS-Management has no acknowledgement. So the line
    // waits where it is killed, and runs on when it is gone.
    const go = path.join(dataDir, 'go');
    const waits = `if ($_ -eq ${String(HALF)}) { while (-not (Test-Path '${go}')) { Start-Sleep -Milliseconds 20 } }`;
    first.submit(`1..${String(COUNT)} | ForEach-Object { $_; Start-Sleep -Milliseconds 20; ${waits} }`);
    await first.untilText(/^30\r?$/m, 60_000);
    expect(await gateway.terminate()).toBe(0);
    expect(await first.untilClosed()).toMatchObject({ reason: 'draining' });
    const second = await comeBack(first);
    await second.until(() => numbersIn(first.text() + second.text()).at(-1) === HALF, 'the half of it', 60_000);
    // The shell of its files is one that nobody goes on with.
    const listed = await ann.request(
      'GET',
      `/api/sessions/${first.sessionId}/files?path=${encodeURIComponent(dataDir)}`,
    );
    expect([listed.status, real.shells.size]).toEqual([200, 2]);
    await gateway.kill();
    await second.untilClosed();
    writeFileSync(go, '');
    const third = await comeBack(second);
    await expect.poll(() => real.shells.size, { timeout: 60_000 }).toBe(1);
    await third.untilMessage('prompt', 1, 120_000);
    const seen = [first, second, third].map((page) => page.text()).join('');
    expect(numbersIn(seen)).toEqual(Array.from({ length: COUNT }, (_, i) => i + 1));
    expect(await third.run("'still ' + 'here'")).toContain('still here');
    third.submit('exit');
    await third.untilMessage('ended');
    const whole = Buffer.concat([first, second, third].map((page) => page.buffer()));
    expect((await recordedOutput(ann, first.sessionId)).equals(whole)).toBe(true);
    const { sessions } = await ann.get<{ sessions: SessionRow[] }>('/api/sessions');
    const rows = sessions.filter(({ facts }) => facts.targetName === 'outlives');
    expect(rows).toMatchObject([{ id: first.sessionId, phase: 'ended', endReason: 'exited', commandCount: 4 }]);
    const ledger = await ann.get<LedgerPage>(`/api/ledger?session=${first.sessionId}`);
    expect(ledger.rows.map(({ number, state }) => [number, state])).toEqual([
      [1, 'completed'],
      [2, 'completed'],
      [3, 'completed'],
      [4, 'completed'],
    ]);
    expect(await ann.get<RecordingInfo>(`/api/recordings/${first.sessionId}`)).toMatchObject({ chain: 'verified' });
    const { events } = await ann.get<AuditPage>('/api/audit?limit=200');
    const types = events.filter(({ subject }) => subject === `session:${first.sessionId}`).map(({ type }) => type);
    expect(types.filter((type) => /left|pickedUp/.test(type)).reverse()).toEqual([
      ...['session.left', 'session.pickedUp', 'session.left', 'session.pickedUp'],
    ]);
    expect(await ann.post<AuditVerdict>('/api/audit/verify')).toMatchObject({ ok: true });
  }, 240_000);
});

test('no session of all these went over a proxy, whatever the environment says', () => {
  expect(proxy.connections).toBe(0);
});
