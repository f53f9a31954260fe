import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/contracts/fake-clock.ts';
import { aLedgerRow, anAuditRow, aUser, storageContract } from '../../../../test/contracts/storage.ts';
import { MIGRATIONS } from '../migrations/index.ts';
import { backupDatabase } from './backup.ts';
import { openStorage } from './open.ts';

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-storage-'));
  file = join(directory, 'data', 'sallyport.db');
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

storageContract('sqlite', () => openStorage({ file }));

const NEXT = {
  ...MIGRATIONS,
  '9999-next': {
    up: async (db: Parameters<(typeof MIGRATIONS)['0001-first']['up']>[0]) => {
      await db.schema.alterTable('users').addColumn('later', 'text').execute();
    },
  },
};
const digest = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

describe('the data directory', () => {
  it('is for its owner only', async () => {
    const storage = await openStorage({ file });
    await storage.values.set('a', 'b');
    for (const name of readdirSync(join(directory, 'data')))
      expect([name, statSync(join(directory, 'data', name)).mode & 0o077]).toEqual([name, 0]);
    expect(statSync(join(directory, 'data')).mode & 0o077).toBe(0);
    await storage.close();
  });

  it('belongs to one gateway at a time', async () => {
    const storage = await openStorage({ file });
    await expect(openStorage({ file })).rejects.toMatchObject({ code: 'data_locked' });
    await storage.close();
    await (await openStorage({ file })).close();
  });

  it('is free again after a kill -9, with what was written', async () => {
    const program = `
      const { openStorage } = await import(${JSON.stringify(join(import.meta.dirname, 'open.ts'))});
      const storage = await openStorage({ file: ${JSON.stringify(file)} });
      await storage.values.set('written', 'yes');
      process.stdout.write('ready');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(child.stdout, 'data');
      await expect(openStorage({ file })).rejects.toMatchObject({ code: 'data_locked' });
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    const storage = await openStorage({ file });
    expect(await storage.values.get('written')).toBe('yes');
    await storage.close();
  });

  it('may be read beside a running gateway, and only read', async () => {
    const storage = await openStorage({ file });
    await storage.values.set('a', 'b');
    const reader = await openStorage({ file, access: 'read' });
    expect(await reader.values.get('a')).toBe('b');
    await expect(reader.values.set('a', 'c')).rejects.toMatchObject({ code: 'dependency_unavailable' });
    await reader.close();
    await storage.values.set('a', 'd');
    await storage.close();
  });

  it('that holds something else than a database is refused', async () => {
    await (await openStorage({ file })).close();
    writeFileSync(file, 'x'.repeat(8192));
    // Bytes where the version stands in a database: "xxxx" is a very new one.
    await expect(openStorage({ file })).rejects.toMatchObject({ code: 'schema_newer' });
    writeFileSync(file, '\0'.repeat(8192));
    await expect(openStorage({ file })).rejects.toMatchObject({ code: 'dependency_unavailable' });
  });

  it('that cannot be written is refused', async () => {
    writeFileSync(join(directory, 'data'), '');
    await expect(openStorage({ file })).rejects.toMatchObject({ code: 'dependency_unavailable' });
  });
});

describe('the schema', () => {
  it('is brought up to date after a copy of the data', async () => {
    const before = await openStorage({ file });
    await before.users.insert(aUser({ name: 'ann' }));
    await before.close();
    const told: (string | null)[] = [];
    const after = await openStorage({
      file,
      migrations: NEXT,
      clock: new FakeClock(),
      onMigrated: (applied, copy) => told.push(...applied, copy),
    });
    expect((await after.users.byName('ann'))?.name).toBe('ann');
    await after.close();
    expect(told).toEqual(['9999-next', `${file}.before-9999-next-20261121T120000Z`]);
    const copy = await openStorage({ file: told[1] ?? '', access: 'read' });
    expect((await copy.users.byName('ann'))?.name).toBe('ann');
    await copy.close();
    expect(statSync(told[1] ?? '').mode & 0o777).toBe(0o600);
  });

  it('makes no copy of nothing, and none when nothing is pending', async () => {
    await (await openStorage({ file })).close();
    await (await openStorage({ file })).close();
    expect(readdirSync(join(directory, 'data')).filter((name) => name.includes('before'))).toEqual([]);
  });

  it('of a newer program is refused, the file untouched', async () => {
    await (await openStorage({ file, migrations: NEXT })).close();
    const was = digest(file);
    await expect(openStorage({ file })).rejects.toMatchObject({ code: 'schema_newer' });
    await expect(openStorage({ file, access: 'read' })).rejects.toMatchObject({ code: 'schema_newer' });
    expect(digest(file)).toBe(was);
    await (await openStorage({ file, migrations: NEXT })).close();
  });

  it('stays as it was when a step fails', async () => {
    await (await openStorage({ file })).close();
    const broken = {
      ...NEXT,
      '99999-broken': { up: () => Promise.reject(new Error('broken step')) },
    };
    await expect(openStorage({ file, migrations: broken })).rejects.toMatchObject({ code: 'dependency_unavailable' });
    await (await openStorage({ file })).close();
  });
});

describe('a backup', () => {
  it('is whole and consistent while rows are written', async () => {
    const storage = await openStorage({ file });
    const copy = join(directory, 'copy.db');
    const writes = Array.from({ length: 30 }, (_, index) =>
      storage.transaction(async (within) => {
        await within.ledger.insert(aLedgerRow());
        await within.audit.append([anAuditRow(index + 1)]);
      }),
    );
    await writes[9];
    await storage.backupTo(copy);
    await Promise.all(writes);
    await storage.close();
    const restored = await openStorage({ file: copy, access: 'read' });
    const ledger = await restored.ledger.list({ userId: null, before: null, limit: 100 });
    expect(ledger.length).toBeGreaterThanOrEqual(10);
    expect((await restored.audit.last())?.sequence).toBe(ledger.length);
    await restored.close();
  });

  it('is never written over something', async () => {
    await (await openStorage({ file })).close();
    const copy = join(directory, 'copy.db');
    backupDatabase(file, copy);
    expect(() => {
      backupDatabase(file, copy);
    }).toThrow(/exists/);
    expect(() => {
      backupDatabase(join(directory, 'nothing.db'), join(directory, 'other.db'));
    }).toThrow(/does not exist/);
  });
});
