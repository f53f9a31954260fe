/** Files in a session, over the API of the built program: the grant, both ways, resume, cancel, what the audit log holds. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { AuditPage } from '@sallyport/shared/api/audit';
import type { FileListing, UploadState, Uploaded } from '@sallyport/shared/api/files';
import type { Credential, Target } from '@sallyport/shared/api/targets';
import { WsManSettings } from '@sallyport/shared/api/wsman';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ConsolePage, openBody } from '../lab/console-page.ts';
import { LAB_PASSWORD, type LabGateway, type Person, startGateway } from '../lab/gateway.ts';
import { acceptHostKey, addLabTarget } from '../lab/journeys.ts';
import { realPowerShells } from '../lab/powershell.ts';
import { findPwsh, isRoot, type LabSshd, startSshd } from '../lab/sshd.ts';
import { ntlmAcceptor } from '../lab/wsman/acceptors.ts';
import { labCertificate, LAB_USER, startLabWsMan } from '../lab/wsman/console.ts';
import { winRmBody } from '../lab/wsman/whole-session.ts';

let gateway: LabGateway;
let sshd: LabSshd;
let directory: string;
let ann: Person;
let bob: Person;
let target: Target;
let page: ConsolePage;
const at = (name: string): string => path.join(directory, name);
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'sallyport-session-files-'));
  chmodSync(directory, 0o777);
  [gateway, sshd] = await Promise.all([startGateway(), startSshd({ subsystem: null, subsystems: { sftp: 'internal-sftp' } })]); // prettier-ignore
  ann = await gateway.setUp();
  target = await addLabTarget(ann, sshd);
  const first = await ConsolePage.open(ann, openBody(target.id, 'pty'));
  await acceptHostKey(first);
  await first.untilLive();
  first.send({ type: 'close' });
  await first.untilClosed();
  await ann.post('/api/users', { name: 'bob', role: 'operator', password: LAB_PASSWORD });
  bob = await gateway.signIn('bob');
  page = await ConsolePage.open(bob, openBody(target.id, 'pty'));
  await page.untilLive();
});
beforeEach(() => grant('readWrite'));
afterAll(async () => {
  // Who hangs up in the middle of a download is no fault.
  expect(gateway.stderr()).not.toContain('ERR_HTTP_HEADERS_SENT');
  await gateway.stop();
  await sshd.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** As an administrator does it in the target's form. */
async function grant(files: Target['files'], of = target): Promise<void> {
  const { name, transport, host, port, subsystem, offers, credentialId, user, connectTimeoutMs, viaTargetId, relaxations, notes } = of; // prettier-ignore
  await ann.put(`/api/targets/${of.id}`, {
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
      viaTargetId,
      relaxations,
    },
    ...{ notes, files },
  });
}
const route = (rest: string): string => `/api/sessions/${page.sessionId}/${rest}`;
const list = (where = directory) => bob.request<FileListing>('GET', route(`files?path=${encodeURIComponent(where)}`));
const codeOf = ({ body }: { body: unknown }): unknown => (body as { error?: { code: string } }).error?.code;
const fetched = (name: string, more = '', signal?: AbortSignal): Promise<Response> =>
  fetch(`${gateway.url}${route(`file?path=${encodeURIComponent(at(name))}${more}`)}`, {
    headers: bob.headers(),
    ...(signal === undefined ? {} : { signal }),
  });
const put = (uploadId: string, offset: number, bytes: Uint8Array, type = 'application/octet-stream') =>
  fetch(`${gateway.url}${route(`uploads/${uploadId}?offset=${String(offset)}`)}`, {
    method: 'PUT',
    headers: bob.headers({ 'content-type': type }),
    body: new Uint8Array(bytes),
  });
const begin = (name: string, size: number, more: Record<string, unknown> = {}) =>
  bob.request<UploadState>('POST', route('uploads'), { path: at(name), size, replace: false, resume: false, ...more });
/** Whether the target holds the part, with as many bytes. */
const partOf = (name: string): number => (existsSync(`${at(name)}.sallyport-part`) ? statSync(`${at(name)}.sallyport-part`).size : -1); // prettier-ignore
/**
 * The newest end of a transfer of that file, once it is told: the last byte is here before the target has closed the file,
 * and the end of another transfer may come between. @param offset of the one that began there, else of any
 */
async function transferOf(name: string, offset?: number): Promise<AuditPage['events'][number] | undefined> {
  const find = async () =>
    (await ann.get<AuditPage>('/api/audit?limit=20&type=file.transferred')).events.find(
      ({ detail }) => detail['path'] === at(name) && (offset === undefined || detail['offset'] === offset),
    );
  await expect.poll(find).toBeDefined();
  return find();
}

describe('the grant', () => {
  test('is off at first, read or both, and asked at each request', async () => {
    writeFileSync(at('granted'), 'hello');
    await grant('off');
    for (const answer of [await list(), await begin('x', 1)]) expect(codeOf(answer)).toBe('files_off');
    await grant('read');
    expect((await list()).body).toMatchObject({ path: directory, mayWrite: false });
    expect(await (await fetched('granted')).text()).toBe('hello');
    expect(codeOf(await begin('x', 1))).toBe('files_off');
    await grant('readWrite');
    const { uploadId } = (await begin('x', 4)).body;
    expect((await put(uploadId, 0, Buffer.from('ab'))).status).toBe(200);
    await grant('read');
    expect((await put(uploadId, 2, Buffer.from('cd'))).status).toBe(403);
    expect(existsSync(at('x'))).toBe(false);
  });

  test('is of the session that one has: nobody else gets at it', async () => {
    const answer = await ann.request('GET', route(`files?path=${directory}`));
    expect(answer.status).toBe(404);
    const scoped = await ann.request('GET', `/api/sessions/${page.sessionId}/file?path=/etc/hostname`);
    expect(scoped.status).toBe(404);
  });
});

describe('a download', () => {
  const bytes = randomBytes(3_000_001);
  test('is the file, with its size, its name and its hash in the audit log', async () => {
    writeFileSync(at('näme (1).bin'), bytes);
    const answer = await fetched('näme (1).bin');
    expect(answer.headers.get('content-length')).toBe(String(bytes.length));
    expect(answer.headers.get('content-disposition')).toBe("attachment; filename*=UTF-8''n%C3%A4me%20%281%29.bin");
    expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true);
    expect(await transferOf('näme (1).bin')).toMatchObject({
      actor: 'bob',
      subject: `session:${page.sessionId}`,
      outcome: 'ok',
      detail: {
        target: 'lab',
        path: at('näme (1).bin'),
        bytes: bytes.length,
        sha256: sha256(bytes),
        direction: 'down',
      },
    });
  });

  test('goes on where it was cut off, and only with the same file', async () => {
    writeFileSync(at('resumed'), bytes);
    const first = await fetched('resumed');
    const tag = first.headers.get('x-file-tag') ?? '';
    const reader = first.body?.getReader();
    const got = (await reader?.read())?.value ?? new Uint8Array();
    await reader?.cancel();
    const rest = await fetched('resumed', `&offset=${String(got.length)}&tag=${tag}`);
    const whole = Buffer.concat([got, Buffer.from(await rest.arrayBuffer())]);
    expect(whole.equals(bytes)).toBe(true);
    expect((await transferOf('resumed', got.length))?.detail).toMatchObject({ sha256: sha256(bytes.subarray(got.length)) }); // prettier-ignore
    writeFileSync(at('resumed'), 'another one');
    expect(codeOf({ body: await (await fetched('resumed', `&offset=3&tag=${tag}`)).json() })).toBe('file_changed');
  });

  test('that is given up is noted as such', async () => {
    writeFileSync(at('left'), randomBytes(40_000_000));
    const abort = new AbortController();
    const answer = await fetched('left', '', abort.signal);
    await answer.body?.getReader().read();
    abort.abort();
    expect(await transferOf('left')).toMatchObject({ outcome: 'failed', detail: { why: 'cancelled' } });
  });

  test('stops when the grant goes', async () => {
    writeFileSync(at('granted no more'), Buffer.alloc(60_000_000));
    const answer = await fetched('granted no more');
    const reader = answer.body?.getReader();
    await reader?.read();
    await grant('off');
    const rest = async (): Promise<void> => {
      for (let at = await reader?.read(); at?.done === false; at = await reader?.read());
    };
    await expect(rest()).rejects.toThrow();
    expect(await transferOf('granted no more')).toMatchObject({ outcome: 'failed', detail: { why: 'files_off' } });
  });

  test('follows no link and takes no odd path', async () => {
    symlinkSync('/etc/passwd', at('link'));
    expect((await fetched('link')).status).toBe(403);
    expect((await fetched('none')).status).toBe(404);
    const odd = ['relative', '/a\0b', '/a\nb', `/${'x'.repeat(256)}`, `/${'x/'.repeat(2100)}`, '/ends/with/'];
    for (const one of odd) {
      const answer = await bob.request('GET', route(`file?path=${encodeURIComponent(one)}`));
      expect(answer.status === 414 || codeOf(answer) === 'bad_name').toBe(true);
    }
  });
});

describe('an upload', () => {
  const bytes = randomBytes(9_000_001);
  const PIECE = 4 * 1024 * 1024;
  async function send(uploadId: string, from: number): Promise<void> {
    for (let offset = from; offset < bytes.length; offset += PIECE)
      expect((await put(uploadId, offset, bytes.subarray(offset, offset + PIECE))).status).toBe(200);
  }
  const finish = (uploadId: string) => bob.request<Uploaded>('POST', route(`uploads/${uploadId}/finish`));

  test('is there when it is whole, and not before; its hash is in the audit log', async () => {
    const { uploadId, offset } = (await begin('up', bytes.length)).body;
    expect(offset).toBe(0);
    await send(uploadId, 0);
    expect(existsSync(at('up'))).toBe(false);
    expect((await finish(uploadId)).body).toEqual({ path: at('up'), size: bytes.length, sha256: sha256(bytes) });
    expect(readFileSync(at('up')).equals(bytes)).toBe(true);
    expect(partOf('up')).toBe(-1);
    if (isRoot) expect(statSync(at('up')).uid).toBe(Number(execFileSync('id', ['-u', sshd.user]).toString()));
    expect(await transferOf('up')).toMatchObject({ outcome: 'ok', detail: { path: at('up'), bytes: bytes.length, sha256: sha256(bytes), direction: 'up' } }); // prettier-ignore
    expect(codeOf(await finish(uploadId))).toBe('transfer_gone');
  });

  test('does not replace what is there unless that is said', async () => {
    writeFileSync(at('kept'), 'old');
    chmodSync(at('kept'), 0o666);
    expect(codeOf(await begin('kept', 3))).toBe('file_exists');
    const { uploadId } = (await begin('kept', 3, { replace: true })).body;
    await put(uploadId, 0, Buffer.from('new'));
    expect(readFileSync(at('kept'), 'utf8')).toBe('old');
    // The directory is not sticky, so its writers may replace what is in it.
    expect((await finish(uploadId)).status).toBe(200);
    expect(readFileSync(at('kept'), 'utf8')).toBe('new');
    symlinkSync(at('kept'), at('trap'));
    expect(codeOf(await begin('trap', 3, { replace: true }))).toBe('file_refused');
  });

  test('goes on after its session ended, with the hash of the whole', async () => {
    const { uploadId } = (await begin('again', bytes.length)).body;
    await put(uploadId, 0, bytes.subarray(0, PIECE));
    await page.untilLive();
    // A piece is answered while the target still takes it; what it had not taken at the end would be sent again.
    await expect.poll(() => partOf('again')).toBe(PIECE);
    page.send({ type: 'close' });
    await page.untilClosed();
    page = await ConsolePage.open(bob, openBody(target.id, 'pty'));
    await page.untilLive();
    expect(partOf('again')).toBe(PIECE);
    const next = (await begin('again', bytes.length, { resume: true })).body;
    expect(next.offset).toBe(PIECE);
    await send(next.uploadId, next.offset);
    expect((await finish(next.uploadId)).body.sha256).toBe(sha256(bytes));
    expect(readFileSync(at('again')).equals(bytes)).toBe(true);
  });

  test('goes on for a page that lost its line, and its first try is over', async () => {
    const { uploadId } = (await begin('line', bytes.length)).body;
    await put(uploadId, 0, bytes.subarray(0, PIECE));
    const next = (await begin('line', bytes.length, { resume: true })).body;
    expect(next.offset).toBe(PIECE);
    expect((await put(uploadId, PIECE, bytes.subarray(PIECE, PIECE + 9))).status).toBe(409);
    await send(next.uploadId, next.offset);
    expect((await finish(next.uploadId)).body.sha256).toBe(sha256(bytes));
  });

  test('that is cancelled leaves nothing', async () => {
    const { uploadId } = (await begin('cancelled', bytes.length)).body;
    await put(uploadId, 0, bytes.subarray(0, PIECE));
    expect(codeOf(await begin('cancelled', 5))).toBe('file_exists');
    await bob.delete(route(`uploads/${uploadId}`));
    expect([partOf('cancelled'), existsSync(at('cancelled'))]).toEqual([-1, false]);
    expect(await transferOf('cancelled')).toMatchObject({
      outcome: 'failed',
      detail: { why: 'cancelled', bytes: PIECE },
    });
  });

  test('takes pieces in order, no more than was said, as bytes only', async () => {
    const { uploadId } = (await begin('strict', 10)).body;
    expect((await put(uploadId, 3, Buffer.from('abc'))).status).toBe(409);
    expect((await put(uploadId, 0, Buffer.from('elevenbytes'))).status).toBe(413);
    expect((await put(uploadId, 0, Buffer.from('{}'), 'application/json')).status).toBe(415);
    // The gateway answers before it has read it all, and hangs up.
    const tooLong = await put(uploadId, 0, new Uint8Array(PIECE + 1)).then(
      ({ status }) => status,
      () => 'hung up',
    );
    expect([413, 'hung up']).toContain(tooLong);
    expect(codeOf(await finish(uploadId))).toBe('conflict');
    expect(codeOf(await begin('huge', 2 * 1024 ** 3 + 1))).toBe('payload_too_large');
    // Bytes are for that one door.
    const other = await fetch(`${gateway.url}/api/where-to`, { method: 'POST', headers: bob.headers({ 'content-type': 'application/octet-stream' }), body: 'x' }); // prettier-ignore
    expect(other.status).toBe(415);
  });

  test('does not write through a link that waits where its part goes', async () => {
    writeFileSync(at('victim'), 'mine');
    chmodSync(at('victim'), 0o666);
    symlinkSync(at('victim'), at('lured.sallyport-part'));
    for (const resume of [true, false]) {
      const begun = await begin('lured', 3, { resume });
      expect(begun.status).toBe(200);
      await put(begun.body.uploadId, 0, Buffer.from('bad'));
      await bob.delete(route(`uploads/${begun.body.uploadId}`));
    }
    expect(readFileSync(at('victim'), 'utf8')).toBe('mine');
  });
});

describe('a target with PowerShell and no SFTP', () => {
  let bare: LabSshd | null = null;
  beforeAll(async () => {
    if (findPwsh() === null) return;
    bare = await startSshd();
    const other = await addLabTarget(ann, bare, 'bare');
    await grant('readWrite', other);
    const first = await ConsolePage.open(ann, openBody(other.id, 'powershell'));
    await acceptHostKey(first);
    await first.untilLive();
    first.send({ type: 'close' });
    await first.untilClosed();
    page.send({ type: 'close' });
    await page.untilClosed();
    page = await ConsolePage.open(bob, openBody(other.id, 'powershell'));
    await page.untilLive();
  });
  beforeEach((context) => {
    if (findPwsh() === null) context.skip('no pwsh');
  });
  afterAll(() => bare?.stop());
  const bytes = randomBytes(1_500_001);

  test('gives its files all the same: they go on where they were cut off, with the same events', async () => {
    writeFileSync(at('down'), bytes);
    expect((await list()).body).toMatchObject({ path: directory, mayWrite: true });
    const first = await fetched('down');
    const reader = first.body?.getReader();
    const got = (await reader?.read())?.value ?? new Uint8Array();
    await reader?.cancel();
    const tag = first.headers.get('x-file-tag') ?? '';
    const rest = await fetched('down', `&offset=${String(got.length)}&tag=${tag}`);
    expect(Buffer.concat([got, Buffer.from(await rest.arrayBuffer())]).equals(bytes)).toBe(true);
    expect(await transferOf('down', got.length)).toMatchObject({
      outcome: 'ok',
      detail: { target: 'bare', path: at('down'), sha256: sha256(bytes.subarray(got.length)) },
    });
    const [began] = (await ann.get<AuditPage>('/api/audit?limit=1&type=file.download')).events;
    expect(began?.detail).toMatchObject({ over: 'powershell' });
  });

  test('takes files all the same: whole or not at all, resumed, replaced, cancelled', async () => {
    const half = 700_000;
    const first = (await begin('given', bytes.length)).body;
    expect((await put(first.uploadId, 0, bytes.subarray(0, half))).status).toBe(200);
    await expect.poll(() => partOf('given')).toBe(half);
    const next = (await begin('given', bytes.length, { resume: true })).body;
    expect(next.offset).toBe(half);
    expect((await put(next.uploadId, half, bytes.subarray(half))).status).toBe(200);
    expect(existsSync(at('given'))).toBe(false);
    const end = await bob.request<Uploaded>('POST', route(`uploads/${next.uploadId}/finish`));
    expect(end.body).toEqual({ path: at('given'), size: bytes.length, sha256: sha256(bytes) });
    expect(readFileSync(at('given')).equals(bytes)).toBe(true);
    const other = (await begin('given', 3, { replace: true })).body;
    await put(other.uploadId, 0, Buffer.from('new'));
    expect((await bob.request('POST', route(`uploads/${other.uploadId}/finish`))).status).toBe(200);
    expect(readFileSync(at('given'), 'utf8')).toBe('new');
    const given = (await begin('gone', 10)).body;
    await put(given.uploadId, 0, Buffer.from('12345'));
    await bob.delete(route(`uploads/${given.uploadId}`));
    expect([partOf('gone'), existsSync(at('gone'))]).toEqual([-1, false]);
    expect((await transferOf('gone'))?.detail).toMatchObject({ why: 'cancelled', bytes: 5 });
  });
});

const [shell] = realPowerShells();
test.skipIf(shell === undefined)('a session over WinRM that is left ends its transfers; an upload goes on when it is picked up', async () => {
  const command = [shell?.program ?? '', '-s', '-NoLogo', '-NoProfile'] as const;
  const acceptor = ntlmAcceptor(LAB_USER.user, LAB_USER.password);
  const lab = await startLabWsMan({ command, acceptor, tls: labCertificate() });
  const { id: credentialId } = await ann.post<Credential>('/api/credentials', {
    ...{ label: 'win', kind: 'password', user: LAB_USER.user, secret: LAB_USER.password, passphrase: null },
  });
  const wsman = WsManSettings.parse({ trust: { skipCaCheck: true }, isTrustedForNtlm: true });
  const place = { name: 'left with files', host: '127.0.0.1', credentialId, wsman, files: 'readWrite' } as const;
  const { id } = await ann.post<Target>('/api/targets', winRmBody(lab, place));
  page = await ConsolePage.open(bob, openBody(id, 'powershell'));
  await page.untilMessage('prompt', 1, 60_000);
  const bytes = randomBytes(300_000);
  const { uploadId } = (await begin('half-way', bytes.length)).body;
  expect((await put(uploadId, 0, bytes.subarray(0, 100_000))).status).toBe(200);
  await expect.poll(() => partOf('half-way'), { timeout: 30_000 }).toBe(100_000);
  // More than fits on the way, and nobody reads on: it is under way.
  writeFileSync(at('long'), '');
  truncateSync(at('long'), 256 * 1024 * 1024);
  const download = await fetched('long');
  expect(download.status).toBe(200);
  await bob.post(route('leave'));
  await expect(download.arrayBuffer()).rejects.toThrow();
  const late = await put(uploadId, 100_000, bytes.subarray(100_000));
  expect([late.status, await late.json()]).toMatchObject([409, { error: { code: 'bad_state' } }]);
  for (const [name, direction] of [['long', 'down'], ['half-way', 'up']] as const)
    expect(await transferOf(name)).toMatchObject({ outcome: 'failed', detail: { direction, why: 'target_lost' } });
  // The shell of the files is gone, that of the session waits.
  await lab.until(() => lab.shells.size === 1);
  expect([...lab.shells.values()].map(({ state }) => state)).toEqual(['Disconnected']);
  page = await ConsolePage.attach(bob, page.sessionId);
  await page.untilMessage('prompt', 1, 60_000);
  const again = (await begin('half-way', bytes.length, { resume: true })).body;
  expect(again.offset).toBe(100_000);
  expect((await put(again.uploadId, again.offset, bytes.subarray(again.offset))).status).toBe(200);
  const done = await bob.post<Uploaded>(route(`uploads/${again.uploadId}/finish`));
  expect(done).toMatchObject({ size: bytes.length, sha256: sha256(bytes) });
  expect(readFileSync(at('half-way')).equals(bytes)).toBe(true);
  page.submit('exit');
  await page.untilMessage('ended');
  await lab.until(() => lab.shells.size === 0);
  await lab.stop();
}, 120_000); // prettier-ignore
