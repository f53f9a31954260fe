import { createHash, generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { signBackup } from '../audit/signing.ts';
import { runCli } from './index.ts';

let directory: string;
let from: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'sallyport-backup-'));
  from = path.join(directory, 'backup');
  mkdirSync(path.join(from, 'recordings'), { recursive: true });
  makeKey(from);
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** The key that signs backups, and stands where the keys are taken from. */
function makeKey(place: string): void {
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
  writeFileSync(path.join(place, 'audit-signing.key'), pem, { mode: 0o600 });
}

const content = 'somebody made this';
/** @param change what somebody does to the backup once it is made */
async function restore(file: string, change: () => void = () => undefined) {
  const sha256 = createHash('sha256').update(content).digest('hex');
  const files = [{ path: file, bytes: content.length, sha256 }];
  const manifest = { format: 'sallyport-backup-1', madeAt: '2026-11-21T12:00:00Z', files };
  const text = Buffer.from(JSON.stringify(manifest));
  writeFileSync(path.join(from, 'manifest.json'), text);
  writeFileSync(path.join(from, 'manifest.sig'), signBackup(text, from));
  change();
  let err = '';
  const to = path.join(directory, 'new');
  const code = await runCli(['restore', '--from', from, '--keys-from', from, '--data', to], {
    env: {},
    out: () => undefined,
    err: (text) => (err += text),
    ask: () => Promise.reject(new Error('there is no terminal')),
  });
  return { code, err, isThere: existsSync(to) };
}

// A request for an administrator's link, events for the audit log, a key: files that the gateway acts upon.
it.each(['recover.request', 'spool/audit.jsonl', 'keys/vault.key', './sallyport.db', 'recordings/../recover.request'])(
  'restores no %s',
  async (file) => {
    mkdirSync(path.dirname(path.join(from, file)), { recursive: true });
    writeFileSync(path.join(from, file), content);
    expect(await restore(file)).toMatchObject({
      ...{ code: 1, isThere: false },
      err: expect.stringContaining('the manifest names') as string,
    });
  },
);

it('follows no link', async () => {
  writeFileSync(path.join(directory, 'outside'), content);
  symlinkSync(path.join(directory, 'outside'), path.join(from, 'recordings', 'a'));
  mkdirSync(path.join(directory, 'elsewhere'));
  writeFileSync(path.join(directory, 'elsewhere', 'b'), content);
  symlinkSync(path.join(directory, 'elsewhere'), path.join(from, 'recordings', 'deep'));
  for (const file of ['recordings/a', 'recordings/deep/b'])
    expect(await restore(file)).toMatchObject({
      ...{ code: 1, isThere: false },
      err: expect.stringContaining('link') as string,
    });
});

// Whoever can write to a backup could else give themselves a password in its database, and its sum in the list.
it.each<[string, () => void]>([
  ['has another list', () => writeFileSync(path.join(from, 'manifest.json'), ' ', { flag: 'a' })],
  ['has no signature', () => rmSync(path.join(from, 'manifest.sig'))],
  ['has an empty signature', () => writeFileSync(path.join(from, 'manifest.sig'), '')],
  ['was signed by another gateway', () => makeKey(from)],
])('restores nothing of a backup that %s', async (_what, change) => {
  writeFileSync(path.join(from, 'sallyport.db'), content);
  expect(await restore('sallyport.db', change)).toMatchObject({
    ...{ code: 1, isThere: false },
    err: expect.stringContaining('not signed with the key') as string,
  });
});
