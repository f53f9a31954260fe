/** Jump hosts, imported host keys and relaxations through the running gateway, as a person and an auditor see them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text as textOf } from 'node:stream/consumers';
import type { AuditPage, LedgerPage } from '@sallyport/shared/api/audit';
import type { KnownHostRow, KnownHostsReport } from '@sallyport/shared/api/host-keys';
import type { SessionRow } from '@sallyport/shared/api/sessions';
import type { HostKeyPin, ProbeResult, Target, TargetBody } from '@sallyport/shared/api/targets';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ConsolePage, openBody } from '../lab/console-page.ts';
import { LAB_PASSWORD, PROGRAM, type LabGateway, type Person, startGateway } from '../lab/gateway.ts';
import { acceptHostKey, addLabTarget } from '../lab/journeys.ts';
import { type LabSshd, findPwsh, startSshd } from '../lab/sshd.ts';

let gateway: LabGateway;
let ann: Person;
let hop: LabSshd;
let inner: LabSshd;
let bastion: Target;
let target: Target;

const bodyOf = ({ name, transport, host, port, subsystem, offers, ...rest }: Target): TargetBody => {
  const { credentialId, user, connectTimeoutMs, viaTargetId, relaxations, files, usingCredentials, wsman, notes } =
    rest;
  return { name, transport, host, port, subsystem, offers, credentialId, user, connectTimeoutMs, viaTargetId, relaxations, files, usingCredentials, wsman, notes }; // prettier-ignore
};
const change = (of: Target, more: Partial<TargetBody>): Promise<Target> =>
  ann.put<Target>(`/api/targets/${of.id}`, { ...bodyOf(of), ...more });
const audit = async (type: string): Promise<AuditPage['events']> =>
  (await ann.get<AuditPage>(`/api/audit?limit=200&type=${type}`)).events;
/** Runs the program with a token of ann's. */
async function program(
  args: readonly string[],
  input = '',
): Promise<{ code: number | null; out: string; err: string }> {
  const scopes = ['hostkey.list', 'hostkey.accept'];
  const { token } = await ann.post<{ token: string }>('/api/tokens', { label: 'cli', scopes, days: 1 });
  const env = { ...process.env, SALLYPORT_URL: gateway.url, SALLYPORT_TOKEN: token };
  const child = spawn(process.execPath, [PROGRAM, ...args], { env });
  child.stdin.end(input);
  const [out, err] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  return { code: child.exitCode ?? ((await once(child, 'exit'))[0] as number | null), out, err };
}
/** What an sshd heard of sign-ins: the name comes with the first request. */
const heard = (sshd: LabSshd): number => sshd.log().match(/userauth-request for user/g)?.length ?? 0;

beforeAll(async () => {
  const lines = ['LogLevel DEBUG1'];
  [gateway, hop, inner] = await Promise.all([
    startGateway(),
    startSshd({ lines, hostKeySet: 1 }),
    startSshd({ lines }),
  ]);
  ann = await gateway.setUp();
  await ann.post('/api/step-up', { password: LAB_PASSWORD });
  bastion = await addLabTarget(ann, hop, 'bastion');
  target = await addLabTarget(ann, inner, 'inner');
  target = await change(target, { viaTargetId: bastion.id });
});
afterAll(async () => {
  await gateway.stop();
  await Promise.all([hop.stop(), inner.stop()]);
});
beforeEach(() => ann.post('/api/step-up', { password: LAB_PASSWORD }));

describe('over a jump host', () => {
  test('each key is asked about under its own name; the way is in the facts, the list and the audit log', async () => {
    const page = await ConsolePage.open(ann, openBody(target.id, 'pty'));
    expect(await acceptHostKey(page)).toBe(hop.hostKeys[0]?.fingerprint);
    const second = await page.untilMessage('question', 2);
    expect(second.question).toMatchObject({
      ...{ kind: 'hostKey', port: inner.port, via: `127.0.0.1:${String(hop.port)}` },
      fingerprint: inner.hostKeys[0]?.fingerprint,
    });
    page.answer(second, { kind: 'accept' });
    await page.untilLive();
    page.type('echo "at $(echo $SSH_CONNECTION | cut -d" " -f4)"; exit\n');
    await page.untilText(`at ${String(inner.port)}`);
    await page.untilMessage('ended');
    const via = [`bastion (127.0.0.1:${String(hop.port)})`];
    const row = await ann.get<SessionRow>(`/api/sessions/${page.sessionId}`);
    expect(row.facts).toMatchObject({ via, weakened: [], identity: inner.user });
    const [opened] = await audit('session.open');
    expect(opened?.detail).toMatchObject({ via: via[0] });
    const used = (await audit('credential.used')).map(({ detail }) => detail['target']);
    expect(used.slice(0, 2)).toEqual(['inner', 'bastion']);
    const agreed = await audit('ssh.negotiated');
    expect(agreed.slice(0, 2).map(({ subject, detail }) => [subject, detail['via'] ?? ''])).toEqual([
      [`127.0.0.1:${String(inner.port)}`, `127.0.0.1:${String(hop.port)}`],
      [`127.0.0.1:${String(hop.port)}`, ''],
    ]);
    expect(agreed[0]?.detail['postQuantum']).toMatch(/^not available/);
    const { hostKeys } = await ann.get<{ hostKeys: HostKeyPin[] }>('/api/host-keys');
    expect(hostKeys.map(({ via: behind, port }) => [behind, port])).toEqual([
      ['', hop.port],
      [`127.0.0.1:${String(hop.port)}`, inner.port],
    ].toSorted((a, b) => Number(a[1]) - Number(b[1]))); // prettier-ignore
  });

  test.skipIf(findPwsh() === null)('PowerShell runs there, and the ledger has the way (skipped: no pwsh)', async () => {
    const page = await ConsolePage.open(ann, openBody(target.id, 'powershell'));
    await page.untilMessage('prompt');
    expect(await page.run('6*7')).toContain('42');
    page.submit('exit');
    await page.untilMessage('ended');
    const ledger = await ann.get<LedgerPage>(`/api/ledger?session=${page.sessionId}`);
    expect(ledger.rows.find(({ text }) => text === '6*7')?.via).toEqual([`bastion (127.0.0.1:${String(hop.port)})`]);
  });

  test('when the hop leads to itself instead of the target, nothing is sent there', async () => {
    // The name of the target leads to another machine: here the hop's own sshd stands where the target was.
    const port = inner.port;
    await inner.stop();
    const impostor = await startSshd({ port, hostKeySet: 1, lines: ['LogLevel DEBUG1'] });
    const page = await ConsolePage.open(ann, openBody(target.id, 'pty'));
    const ended = await page.untilMessage('ended');
    expect(ended).toMatchObject({ reason: 'host_key_changed', at: '' });
    expect(ended.detail).toMatch(/^(SHA256:\S{43}(?: |$)){2,}/);
    expect(page.all('question')).toEqual([]);
    await impostor.logged(/\[preauth\]/);
    expect(heard(impostor)).toBe(0);
    expect((await audit('hostkey.changed'))[0]?.detail).toMatchObject({ via: `127.0.0.1:${String(hop.port)}` });
    await impostor.stop();
    inner = await startSshd({ port, lines: ['LogLevel DEBUG1'] });
  });

  test('a hop with another key ends the opening before the hop hears a name, and is named', async () => {
    const port = hop.port;
    await hop.stop();
    const impostor = await startSshd({ port, hostKeySet: 0, lines: ['LogLevel DEBUG1'] });
    const before = heard(inner);
    const page = await ConsolePage.open(ann, openBody(target.id, 'pty'));
    const ended = await page.untilMessage('ended');
    const at = `jump host 1 of 1, bastion (127.0.0.1:${String(port)})`;
    expect(ended).toMatchObject({ reason: 'host_key_changed', at });
    expect(ended.message).toContain(`At the ${at}: `);
    expect([heard(impostor), heard(inner)]).toEqual([0, before]);
    expect((await audit('session.end'))[0]?.detail).toMatchObject({ reason: 'host_key_changed', at });
    await impostor.stop();
    hop = await startSshd({ port, hostKeySet: 1, lines: ['LogLevel DEBUG1'] });
  });

  test('is tested as far as the host key of the target, which hears no name; a hop that does not open is named', async () => {
    const test = () => ann.post<ProbeResult>('/api/probe', { targetId: target.id });
    const before = heard(inner);
    const good = await test();
    const label = `bastion (127.0.0.1:${String(hop.port)})`;
    expect(good.stations.map(({ step, state }) => `${step} ${state}`)).toEqual([
      ...['hop ok', 'resolve ok', 'policy ok', 'tcp ok', 'ssh ok', 'host-key ok', 'sign-in not-tried'],
      'powershell not-tried',
    ]);
    expect(good.stations[0]?.detail).toBe(label);
    expect(good.hostKey).toMatchObject({ fingerprint: inner.hostKeys[0]?.fingerprint, state: 'pinned' });
    expect(heard(inner)).toBe(before);
    expect((await audit('target.probed'))[0]?.detail).toMatchObject({ via: `127.0.0.1:${String(hop.port)}` });
    expect((await audit('credential.used'))[0]?.detail).toMatchObject({ target: 'bastion', session: 'connection-test' }); // prettier-ignore
    const closed = await change(target, { port: 1 });
    expect((await test()).stations.find(({ state }) => state === 'failed')).toMatchObject({ step: 'tcp' });
    target = await change(closed, { port: inner.port });
    // Nobody is asked during a test: a hop without a credential in the vault is as far as it goes.
    const { credentialId } = bastion;
    await change(bastion, { credentialId: null, user: 'sallyport-lab' });
    const bad = await test();
    expect(bad).toMatchObject({ at: 'bastion', hostKey: null });
    expect(bad.stations.map(({ step, state }) => `${step} ${state}`).slice(0, 3)).toEqual([
      ...['hop failed', 'resolve not-tried', 'policy not-tried'],
    ]);
    await change(bastion, { credentialId });
  });

  test('that only lets itself be signed in to: the test names it and what to look at', async () => {
    const port = hop.port;
    await hop.stop();
    hop = await startSshd({ port, hostKeySet: 1, lines: ['LogLevel DEBUG1', 'AllowTcpForwarding no'] });
    const refused = await ann.post<ProbeResult>('/api/probe', { targetId: target.id });
    expect(refused.at).toBe('bastion');
    expect(refused.stations.find(({ state }) => state === 'failed')?.detail).toContain('(hop_refused)');
    expect(refused.remedies[0]?.title).toContain('AllowTcpForwarding');
    await hop.stop();
    hop = await startSshd({ port, hostKeySet: 1, lines: ['LogLevel DEBUG1'] });
  });

  test('a circle and the deletion of a hop in use are refused', async () => {
    expect(await ann.request('PUT', `/api/targets/${bastion.id}`, { ...bodyOf(bastion), viaTargetId: target.id })).toMatchObject({ status: 422, body: { error: { code: 'jump_chain' } } }); // prettier-ignore
    expect(await ann.request('DELETE', `/api/targets/${bastion.id}`)).toMatchObject({
      status: 409,
      body: { error: { code: 'target_in_use' } },
    });
  });
});

describe('known_hosts', () => {
  test('an imported line lets a connection through without a question; a revoked one refuses it', async () => {
    const sshd = await startSshd();
    const [key] = sshd.hostKeys;
    const made = await addLabTarget(ann, sshd, 'listed');
    const name = `[127.0.0.1]:${String(sshd.port)}`;
    const line = `${name} ${key?.type ?? ''} ${key?.key ?? ''}`;
    const report = await ann.post<KnownHostsReport>('/api/host-keys/known-hosts', {
      text: `# from a desk\n${line}\nrubbish\n@cert-authority *.example ${key?.type ?? ''} ${key?.key ?? ''}\n`,
    });
    expect(report).toMatchObject({ imported: 2, unsupported: 1, problems: [{ line: 3 }] });
    expect(await ann.post('/api/host-keys/known-hosts', { text: line })).toMatchObject({ imported: 0, known: 1 });
    const page = await ConsolePage.open(ann, openBody(made.id, 'pty'));
    await page.untilLive();
    expect(page.all('question')).toEqual([]);
    page.send({ type: 'close' });
    await page.untilClosed();

    const { text } = await ann.get<{ text: string }>('/api/host-keys/known-hosts/file');
    expect(text).toContain(`\n${line}\n`);
    expect(text).toMatch(new RegExp(`^# behind 127\\.0\\.0\\.1:${String(hop.port)}: `, 'm'));
    const told = await program(['known-hosts', 'import', '-'], `${line}\nrubbish\n`);
    expect([told.code, told.out, told.err]).toEqual([1, '0 imported, 1 known already, 1 not taken\n', 'line 2: there is no key\n']); // prettier-ignore
    expect((await program(['known-hosts', 'export'])).out).toContain(`\n${line}\n`);
    const hashed = await ann.get<{ text: string }>('/api/host-keys/known-hosts/file?hashed=1');
    expect(hashed.text).toMatch(/^\|1\|/m);

    await ann.post('/api/host-keys/known-hosts', { text: `@revoked * ${key?.type ?? ''} ${key?.key ?? ''}` });
    const refused = await ConsolePage.open(ann, openBody(made.id, 'pty'));
    expect(await refused.untilMessage('ended')).toMatchObject({ reason: 'host_key_revoked' });
    expect((await audit('hostkey.revoked'))[0]).toMatchObject({ outcome: 'refused' });
    const { lines } = await ann.get<{ lines: KnownHostRow[] }>('/api/host-keys/known-hosts');
    for (const { id } of lines) await ann.delete(`/api/host-keys/${id}`);
    expect((await audit('hostkey.imported')).length).toBe(2);
    await sshd.stop();
  });
});

test('an old target is opened only with its relaxations, which the bar and the audit log name', async () => {
  const sshd = await startSshd({ hostKeys: ['rsa'], lines: ['Ciphers aes256-cbc', 'MACs hmac-sha1'] });
  const old = await addLabTarget(ann, sshd, 'old');
  const first = await ConsolePage.open(ann, openBody(old.id, 'pty'));
  expect(await first.untilMessage('ended')).toMatchObject({ reason: 'ssh_algorithms' });
  await change(old, { relaxations: ['cipher-cbc', 'mac-sha1'] });
  expect((await audit('target.changed'))[0]?.detail).toMatchObject({ relaxations: 'cipher-cbc mac-sha1' });
  const page = await ConsolePage.open(ann, openBody(old.id, 'pty'));
  await acceptHostKey(page);
  await page.untilLive();
  page.send({ type: 'close' });
  await page.untilClosed();
  const row = await ann.get<SessionRow>(`/api/sessions/${page.sessionId}`);
  expect(row.facts.weakened).toEqual(['aes256-cbc', 'hmac-sha1']);
  expect((await audit('ssh.negotiated'))[0]?.detail).toMatchObject({ weakened: 'aes256-cbc, hmac-sha1' });
  await sshd.stop();
});
