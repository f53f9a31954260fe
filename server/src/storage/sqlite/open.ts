import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { Kysely, SqliteAdapter, SqliteDialect } from 'kysely';
import type { Migration, Transaction } from 'kysely';
import { systemClock } from '../../clock.ts';
import type { Clock } from '../../clock.ts';
import { SallyportError } from '../../errors.ts';
import type { Storage } from '../contract.ts';
import { MIGRATIONS } from '../migrations/index.ts';
import { repositories } from '../repositories/index.ts';
import type { Tables } from '../tables.ts';
import { backupDatabase } from './backup.ts';
import { Connection } from './driver.ts';
import { lockDirectory } from './lock.ts';
import { appliedMigrations, migrate, refuseNewerFile } from './schema.ts';

export interface StorageOptions {
  /** The database; its directory is the data directory and is locked for this process. */
  readonly file: string;
  readonly clock?: Clock;
  /**
   * `own` (default): lock, migrate, write. `read`: beside a running gateway; no lock, no migration, no write.
   */
  readonly access?: 'own' | 'read';
  /** Steps of the schema; only tests give others. */
  readonly migrations?: Readonly<Record<string, Migration>>;
  /** Told when steps were applied, with the copy made before. */
  readonly onMigrated?: (applied: readonly string[], copy: string | null) => void;
}

/**
 * Opens the embedded database and brings its schema up to date.
 * @throws SallyportError data_locked, schema_newer, dependency_unavailable
 */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  const migrations = options.migrations ?? MIGRATIONS;
  if (options.access === 'read') return openForReading(options.file, migrations);
  prepareFile(options.file, 'directory');
  const unlock = lockDirectory(dirname(options.file));
  try {
    refuseNewerFile(options.file, Object.keys(migrations).length);
    prepareFile(options.file, 'file');
    const { db, connection } = connect(options.file, false);
    try {
      const now = (options.clock ?? systemClock).now();
      const done = await migrate({ db, connection, file: options.file, migrations, now });
      if (done.applied.length > 0) options.onMigrated?.(done.applied, done.copy);
    } catch (error) {
      await db.destroy();
      connection.close();
      throw error;
    }
    return storageOver(db, options.file, unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

async function openForReading(file: string, migrations: Readonly<Record<string, Migration>>): Promise<Storage> {
  refuseNewerFile(file, Object.keys(migrations).length);
  const { db } = connect(file, true);
  const applied = await appliedMigrations(db);
  const known = Object.keys(migrations).length;
  if (applied.length === known) return storageOver(db, file, () => undefined);
  await db.destroy();
  const code = applied.length > known ? 'schema_newer' : 'dependency_unavailable';
  throw new SallyportError(code, `${file} has ${applied.length} schema steps, ${known} are known here`);
}

/** SQLite gives its side files the mode of the database, so the database is made first, for its owner only. */
function prepareFile(file: string, what: 'directory' | 'file'): void {
  try {
    if (what === 'directory') return void mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    closeSync(openSync(file, 'a', 0o600));
    chmodSync(file, 0o600);
  } catch (cause) {
    throw new SallyportError('dependency_unavailable', `cannot write in ${dirname(file)}`, { cause });
  }
}

/** SQLite's DDL is transactional, so a migration that fails half-way leaves nothing; Kysely assumes otherwise. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}
class Dialect extends SqliteDialect {
  override createAdapter(): SqliteAdapter {
    return new TransactionalAdapter();
  }
}

function connect(file: string, isReadOnly: boolean): { db: Kysely<Tables>; connection: Connection } {
  const connection = new Connection(file, { isReadOnly });
  return { connection, db: new Kysely<Tables>({ dialect: new Dialect({ database: connection }) }) };
}

function within(trx: Transaction<Tables>): Storage {
  const refuse = (): Promise<never> =>
    Promise.reject(new SallyportError('internal', 'not possible within a transaction'));
  return { ...repositories(trx), transaction: refuse, backupTo: refuse, close: refuse };
}

function storageOver(db: Kysely<Tables>, file: string, unlock: () => void): Storage {
  let closing: Promise<void> | null = null;
  return {
    ...repositories(db),
    transaction: (work) => db.transaction().execute((trx) => work(within(trx))),
    backupTo: async (into) => {
      await Promise.resolve();
      backupDatabase(file, into);
    },
    close: () => (closing ??= db.destroy().finally(unlock)),
  };
}
