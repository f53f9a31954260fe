/** The gateway's own authority, end to end: made over the API, shown by the program, trusted by a real sshd, in its log. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { AuditPage } from '@sallyport/shared/api/audit';
import type { AgentState, Authority } from '@sallyport/shared/api/certificates';
import type { Credential, Target } from '@sallyport/shared/api/targets';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LabAgent, startAgent } from '../lab/agent.ts';
import { makeAuthority } from '../lab/certificates.ts';
import { ConsolePage, openBody } from '../lab/console-page.ts';
import { LAB_PASSWORD, PROGRAM, type LabGateway, type Person, startGateway } from '../lab/gateway.ts';
import { acceptHostKey } from '../lab/journeys.ts';
import { type LabSshd, startSshd } from '../lab/sshd.ts';

let directory: string;
let gateway: LabGateway;
let agent: LabAgent;
let sshd: LabSshd;
let ann: Person;
let bob: Person;
let authority: Authority;
const fileOfKeys = (): string => path.join(directory, 'trusted');

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'sallyport-trusted-'));
  writeFileSync(fileOfKeys(), '');
  agent = await startAgent();
  [gateway, sshd] = await Promise.all([
    startGateway({ env: { SALLYPORT_AGENT_SOCKET: agent.socket } }),
    startSshd({
      methods: ['publickey'],
      subsystem: null,
      lines: ['AuthorizedKeysFile none', `TrustedUserCAKeys ${fileOfKeys()}`],
    }),
  ]);
  ann = await gateway.setUp();
  for (const name of ['bob', sshd.user])
    await ann.post('/api/users', { name, role: 'operator', password: LAB_PASSWORD });
  bob = await gateway.signIn('bob');
});
afterAll(async () => {
  await gateway.stop();
  await sshd.stop();
  await agent.stop();
  rmSync(directory, { recursive: true, force: true });
});

const sallyport = (token: string, ...args: string[]): Promise<{ code: number; out: string; err: string }> =>
  new Promise((resolve) => {
    const env = { ...process.env, SALLYPORT_URL: gateway.url, SALLYPORT_TOKEN: token };
    execFile(process.execPath, [PROGRAM, ...args], { env, cwd: directory }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
async function tokenFor(scopes: readonly string[]): Promise<string> {
  return (await ann.post<{ token: string }>('/api/tokens', { label: 'ca', scopes, days: 1 })).token;
}
async function targetWith(
  name: string,
  credential: Record<string, unknown>,
  more: Record<string, unknown> = {},
): Promise<Target> {
  const { id } = await ann.post<Credential>('/api/credentials', { label: name, passphrase: null, secret: '', ...credential }); // prettier-ignore
  return ann.post<Target>('/api/targets', {
    ...{ name, transport: 'ssh', host: sshd.host, port: sshd.port, subsystem: 'powershell', offers: ['pty'] },
    ...{ credentialId: id, user: '', connectTimeoutMs: 30_000, notes: '', ...more },
  });
}
const events = async (type: string) => (await ann.get<AuditPage>(`/api/audit?limit=200&type=${type}`)).events;
/** Opens a shell, and leaves it. @returns the session's id */
async function visit(person: Person, target: Target, command = ''): Promise<ConsolePage> {
  const page = await ConsolePage.open(person, openBody(target.id, 'pty'));
  await page.untilLive();
  page.type(`${command}exit\n`);
  await page.untilMessage('ended');
  return page;
}

describe('a certificate of this gateway', () => {
  let target: Target;

  test('is not issued before there is an authority, nor before the host key is known', async () => {
    target = await targetWith('signed', { kind: 'signed', user: sshd.user });
    const refused = await ConsolePage.open(ann, openBody(target.id, 'pty'));
    const question = await refused.untilMessage('question');
    refused.answer(question, { kind: 'cancel' });
    expect(await refused.untilMessage('ended')).toMatchObject({ reason: 'host_key_unknown' });
    const page = await ConsolePage.open(ann, openBody(target.id, 'pty'));
    await acceptHostKey(page);
    expect(await page.untilMessage('ended')).toMatchObject({ reason: 'authority_missing' });
    expect(await events('certificate.issued')).toEqual([]);
  });

  test('is trusted by the line that the program prints', async () => {
    const token = await tokenFor(['authority.read', 'authority.write']);
    expect(await sallyport(token, 'ca', 'show')).toMatchObject({ code: 1, out: '' });
    const made = await sallyport(token, 'ca', 'create', '--json');
    authority = JSON.parse(made.out) as Authority;
    const shown = await sallyport(token, 'ca', 'show');
    expect(shown).toMatchObject({ code: 0, out: `${authority.line}\n` });
    expect(shown.out).toMatch(/^ssh-ed25519 AAAA\S+ sallyport-authority\n$/);
    writeFileSync(fileOfKeys(), shown.out);
    const denied = await sallyport(await tokenFor(['target.list']), 'ca', 'show');
    expect(denied.code).toBe(1);
  });

  test('names the person and the session in the log of the target', async () => {
    for (const [person, name] of [
      [ann, 'ann'],
      [bob, 'bob'],
    ] as const) {
      // prettier-ignore
      const page = await visit(person, target);
      const [issued] = await events('certificate.issued');
      expect(issued).toMatchObject({
        actor: name,
        subject: `session:${page.sessionId}`,
        detail: { target: 'signed', principal: sshd.user, keyId: `${name}:${page.sessionId}` },
      });
      const { serial, fingerprint } = issued?.detail ?? {};
      const id = `ID ${name}:${page.sessionId} \\(serial ${String(serial)}\\)`;
      const key = String(fingerprint).replaceAll(/[+/]/g, '\\$&');
      const from = authority.fingerprint.replaceAll(/[+/]/g, '\\$&');
      await sshd.logged(
        new RegExp(`Accepted publickey for ${sshd.user} .*ED25519-CERT ${key} ${id} CA ED25519 ${from}`),
      );
      expect(page.facts?.protection).toContain(`certificate of this gateway for ${sshd.user}`);
    }
  });

  test('signs in at a hop and behind it, each time with a certificate of its own', async () => {
    const behind = await startSshd({ methods: ['publickey'], subsystem: null, lines: ['AuthorizedKeysFile none', `TrustedUserCAKeys ${fileOfKeys()}`] }); // prettier-ignore
    const inner = await targetWith('inner', { kind: 'signed', user: behind.user }, { port: behind.port, viaTargetId: target.id }); // prettier-ignore
    const page = await ConsolePage.open(ann, openBody(inner.id, 'pty'));
    await acceptHostKey(page);
    await page.untilLive();
    const issued = (await events('certificate.issued')).slice(0, 2);
    expect(issued.map(({ subject, detail }) => [subject, detail['target']])).toEqual(
      ['inner', 'signed'].map((name) => [`session:${page.sessionId}`, name]),
    );
    const [last, first] = issued.map(({ detail }) => String(detail['serial']));
    expect(last).not.toBe(first);
    await sshd.logged(new RegExp(`ID ann:${page.sessionId} \\(serial ${String(first)}\\)`));
    await behind.logged(new RegExp(`ID ann:${page.sessionId} \\(serial ${String(last)}\\)`));
    page.send({ type: 'close' });
    await page.untilClosed();
    await ann.delete(`/api/targets/${inner.id}`);
    await behind.stop();
  });

  test('opens a terminal and forwards nothing', async () => {
    const page = await visit(ann, target, 'tty; echo "agent=[$SSH_AUTH_SOCK]"; ');
    expect(page.buffer().toString()).toContain('/dev/pts/');
    expect(page.buffer().toString()).toContain('agent=[]');
  });

  test('for the own name is for that name only', async () => {
    const own = await targetWith('own name', { kind: 'signed', user: '' });
    await visit(await gateway.signIn(sshd.user), own);
    const page = await ConsolePage.open(bob, openBody(own.id, 'pty'));
    expect(await page.untilMessage('ended')).toMatchObject({ reason: 'target_auth_failed' });
    await ann.post('/api/users', { name: 'root', role: 'operator', password: LAB_PASSWORD });
    const root = await ConsolePage.open(await gateway.signIn('root'), openBody(own.id, 'pty'));
    expect(await root.untilMessage('ended')).toMatchObject({ reason: 'principal_refused' });
    expect(sshd.log()).not.toContain('for root');
  });

  test('is for nobody who may not choose the credential: another name, another machine', async () => {
    const credentials = (await ann.get<{ credentials: Credential[] }>('/api/credentials')).credentials;
    const signed = credentials.find(({ label }) => label === 'signed');
    const other = await targetWith('bare', { kind: 'password', user: 'x', secret: 'y' });
    const stolen = { ...openBody(other.id, 'pty'), credential: { by: 'vault', credentialId: signed?.id } };
    expect((await bob.request('POST', '/api/sessions', stolen)).status).toBe(403);
    const named = { ...openBody(other.id, 'pty'), credential: { by: 'typed', typed: { user: 'root', kind: 'signed', secret: '', passphrase: null, saveAs: null } } }; // prettier-ignore
    expect((await bob.request('POST', '/api/sessions', named)).status).toBe(400);
  });

  test('is bound to where connections come from, when the authority says so', async () => {
    await ann.put('/api/authority', { sourceAddresses: ['192.0.2.0/24'] });
    const page = await ConsolePage.open(ann, openBody(target.id, 'pty'));
    expect(await page.untilMessage('ended')).toMatchObject({ reason: 'target_auth_failed' });
    await sshd.logged(/valid certificate but not from a permitted source address/);
    await ann.put('/api/authority', { sourceAddresses: ['127.0.0.0/8', '::1/128'] });
    await visit(ann, target);
  });

  test('of a replaced authority is taken by nobody who has the new line', async () => {
    const next = await ann.post<Authority>('/api/authority', { replaces: authority.fingerprint, sourceAddresses: [] });
    const page = await ConsolePage.open(ann, openBody(target.id, 'pty'));
    expect(await page.untilMessage('ended')).toMatchObject({ reason: 'target_auth_failed' });
    writeFileSync(fileOfKeys(), `${next.line}\n`);
    await visit(ann, target);
    expect((await events('authority.')).map(({ type }) => type)).toEqual([
      'authority.created',
      'authority.changed',
      'authority.changed',
      'authority.created',
    ]);
  });

  test('comes from a key that is nowhere to be had', async () => {
    const answers = [await ann.get('/api/authority'), await ann.get('/api/credentials'), await events('')];
    expect(JSON.stringify(answers)).not.toMatch(/PRIVATE KEY|"key":|pkcs8/i);
    // PKCS #8 of an Ed25519 key starts with these bytes, in whatever form it would be written.
    const head = Buffer.from('302e020100300506032b6570', 'hex');
    for (const file of ['sallyport.db', 'sallyport.db-wal']) {
      const bytes = readFileSync(path.join(gateway.dataDir, file));
      expect(bytes.includes(head)).toBe(false);
      expect(bytes.includes(head.toString('base64').slice(0, 12))).toBe(false);
    }
    expect(gateway.stderr() + gateway.stdout()).not.toMatch(/PRIVATE KEY/);
  });
});

describe('a stored certificate', () => {
  test('is shown before it is kept, and before it is used', async () => {
    const lab = makeAuthority();
    try {
      writeFileSync(fileOfKeys(), readFileSync(lab.publicFile));
      const { privateKey, publicLine } = sshd.keys.ed25519;
      const certificate = lab.sign(publicLine, 'ann at work', [sshd.user, 'deploy'], ['-V', '-1m:+1h', '-z', '7']);
      const facts = { keyId: 'ann at work', serial: '7', principals: [sshd.user, 'deploy'], authorityFingerprint: lab.fingerprint }; // prettier-ignore
      expect(await ann.post('/api/certificates/read', { certificate })).toMatchObject(facts);
      const target = await targetWith('certified', { kind: 'privateKey', user: sshd.user, secret: privateKey, certificate }); // prettier-ignore
      const { credentials } = await ann.get<{ credentials: Credential[] }>('/api/credentials');
      expect(credentials.find(({ label }) => label === 'certified')?.certificate).toMatchObject(facts);
      const page = await visit(ann, target);
      await sshd.logged(/ED25519-CERT .* ID ann at work \(serial 7\)/);
      expect(page.facts?.protection).toContain('certificate "ann at work" for ');
      // The same, typed for one session and kept nowhere.
      const typed = { user: sshd.user, kind: 'privateKey', secret: privateKey, passphrase: null, certificate, saveAs: null }; // prettier-ignore
      const bare = await targetWith('typed', { kind: 'password', user: 'x', secret: 'y' });
      const once = await ConsolePage.open(ann, { ...openBody(bare.id, 'pty'), credential: { by: 'typed', typed } });
      await once.untilLive();
      expect(once.facts?.protection).toContain('certificate "ann at work" for ');
      once.send({ type: 'close' });
      await once.untilClosed();
      for (const odd of [{ certificate: 'ssh-ed25519 AAAA' }, { kind: 'password' }]) {
        const answer = await ann.request('POST', '/api/sessions', { ...openBody(bare.id, 'pty'), credential: { by: 'typed', typed: { ...typed, ...odd } } }); // prettier-ignore
        expect([400, 422]).toContain(answer.status);
      }
      const wrong = { label: 'w', kind: 'privateKey', user: 'x', secret: sshd.keys.rsa.privateKey, passphrase: null, certificate }; // prettier-ignore
      expect(await ann.request('POST', '/api/credentials', wrong)).toMatchObject({
        status: 422,
        body: { error: { code: 'certificate_unreadable' } },
      });
    } finally {
      lab.remove();
    }
  });
});

describe('a key of the agent', () => {
  test('is listed, chosen, used by who may, and never forwarded', async () => {
    const lab = makeAuthority();
    try {
      writeFileSync(fileOfKeys(), readFileSync(lab.publicFile));
      agent.add(sshd.keys.ecdsa256, lab.sign(sshd.keys.ecdsa256.publicLine, 'from the agent', [sshd.user]));
      const state = await ann.get<AgentState>('/api/agent');
      expect(state).toMatchObject({ isConfigured: true, keys: [{ type: 'ecdsa-sha2-nistp256' }, { certificate: { keyId: 'from the agent' } }] }); // prettier-ignore
      const target = await targetWith('agent', { kind: 'agent', user: sshd.user, secret: state.keys[0]?.fingerprint });
      const page = await visit(bob, target, 'echo "agent=[$SSH_AUTH_SOCK]"; ');
      await sshd.logged(/ECDSA-CERT .* ID from the agent/);
      expect(page.buffer().toString()).toContain('agent=[]');
      const scoped = gateway.nobody();
      scoped.token = await tokenFor(['session.open', 'target.list']);
      expect((await scoped.request('POST', '/api/sessions', openBody(target.id, 'pty'))).status).toBe(403);
      agent.removeAll();
      const gone = await ConsolePage.open(bob, openBody(target.id, 'pty'));
      expect(await gone.untilMessage('ended')).toMatchObject({ reason: 'agent_key_missing' });
    } finally {
      lab.remove();
    }
  });
});
