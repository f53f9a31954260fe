import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openAuditLog } from '../audit/log.ts';
import { systemClock } from '../clock.ts';
import { openIdentity } from '../identity/identity.ts';
import { openStorage } from '../storage/sqlite/open.ts';
import { runCli } from './index.ts';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(path.join(tmpdir(), 'sallyport-recover-'));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const seen = { out: '', err: '' };
  const io = {
    env: {},
    out: (text: string) => void (seen.out += text),
    err: (text: string) => void (seen.err += text),
    ask: () => Promise.reject(new Error('nothing is asked')),
  };
  return { code: await runCli(args, io), ...seen };
}
async function withRooms<T>(work: (rooms: Awaited<ReturnType<typeof openIdentity>>) => Promise<T>): Promise<T> {
  const storage = await openStorage({ file: path.join(dataDir, 'sallyport.db') });
  const [keyDirectory, spoolFile] = [path.join(dataDir, 'keys'), path.join(dataDir, 'spool', 'audit.jsonl')];
  const audit = await openAuditLog({ storage, keyDirectory, spoolFile });
  const rooms = await openIdentity({ storage, audit, clock: systemClock, passwordCost: { memoryKiB: 64, passes: 1 } });
  try {
    return await work(rooms);
  } finally {
    rooms.close();
    await audit.close();
    await storage.close();
  }
}
const FROM = { address: '192.0.2.1', agent: 'test' };

it('user recover prints a link of a stopped gateway that works once after its start, audited', async () => {
  await withRooms(async ({ identity }) => {
    await identity.setUp((await identity.issueSetupToken()) ?? '', 'ann', 'a forgotten password', FROM);
  });
  const { code, out } = await run('user', 'recover', '--data', dataDir);
  expect(code).toBe(0);
  const token = /^http:\/\/127\.0\.0\.1:8022\/setup#([a-z2-7]{52})\n$/.exec(out)?.[1] ?? '';
  await withRooms(async ({ identity }) => {
    await identity.setUp(token, 'ann', 'another good password', FROM);
    await expect(identity.setUp(token, 'ann', 'another good password', FROM)).rejects.toMatchObject({
      code: 'setup_done',
    });
  });
  expect(await run('audit', 'verify', '--data', dataDir)).toMatchObject({ code: 0 });
  const storage = await openStorage({ file: path.join(dataDir, 'sallyport.db'), access: 'read' });
  const recovered = await storage.audit.list({ before: null, type: 'user.recovered', limit: 10 });
  await storage.close();
  expect(recovered).toHaveLength(2);
});

it('user recover makes nothing where there is no gateway', async () => {
  const { code, err } = await run('user', 'recover', '--data', path.join(dataDir, 'none'), '--json');
  expect(code).toBe(1);
  expect(err).toContain('not_found');
});
