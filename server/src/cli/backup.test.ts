import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runCli } from './index.ts';

let directory: string;
let from: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'sallyport-backup-'));
  from = path.join(directory, 'backup');
  mkdirSync(path.join(from, 'recordings'), { recursive: true });
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const content = 'somebody made this';
async function restore(file: string) {
  const sha256 = createHash('sha256').update(content).digest('hex');
  const files = [{ path: file, bytes: content.length, sha256 }];
  const manifest = { format: 'sallyport-backup-1', madeAt: '2026-11-21T12:00:00Z', files };
  writeFileSync(path.join(from, 'manifest.json'), JSON.stringify(manifest));
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
