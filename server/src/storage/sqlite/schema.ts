import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { Migrator } from 'kysely';
import type { Kysely, Migration } from 'kysely';
import { SallyportError } from '../../errors.ts';
import type { Tables } from '../tables.ts';
import { backupDatabase } from './backup.ts';
import type { Connection } from './driver.ts';

/** The table in which Kysely's Migrator keeps what was applied. */
const APPLIED = 'kysely_migration';

const newer = (file: string, known: number): SallyportError =>
  new SallyportError('schema_newer', `${basename(file)} has a newer schema than the ${known} steps known here`);

/**
 * Refuses a database of a newer program before SQLite touches the file: `user_version` stands at bytes 60 to 63 of the
 * header (SQLite file format, 1.3 "The Database Header") and holds the number of migrations applied.
 * @throws SallyportError schema_newer
 */
export function refuseNewerFile(file: string, known: number): void {
  if (!existsSync(file)) return;
  const header = Buffer.alloc(100);
  const handle = openSync(file, 'r');
  try {
    if (readSync(handle, header, 0, 100, 0) < 100) return;
  } finally {
    closeSync(handle);
  }
  if (header.readUInt32BE(60) > known) throw newer(file, known);
}

/** Names of applied migrations, oldest first; empty for a new file. */
export async function appliedMigrations(db: Kysely<Tables>): Promise<readonly string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some((table) => table.name === APPLIED)) return [];
  const rows = await db.withTables<{ [APPLIED]: { name: string } }>().selectFrom(APPLIED).select('name').execute();
  return rows.map((row) => row.name).sort();
}

export interface Migrated {
  /** Names of the steps applied now. */
  readonly applied: readonly string[];
  /** The copy made before; null when there was no data yet. */
  readonly copy: string | null;
}

/**
 * Brings the schema up to date. An existing database is copied beside itself first.
 * @throws SallyportError schema_newer; dependency_unavailable when a step fails (all steps are one transaction)
 */
export async function migrate(options: {
  readonly db: Kysely<Tables>;
  readonly connection: Connection;
  readonly file: string;
  readonly migrations: Readonly<Record<string, Migration>>;
  readonly now: number;
}): Promise<Migrated> {
  const { db, connection, file, migrations } = options;
  const known = Object.keys(migrations).sort();
  const applied = await appliedMigrations(db);
  if (applied.some((name) => !known.includes(name))) throw newer(file, known.length);
  const pending = known.slice(applied.length);
  if (pending.length === 0) return { applied: [], copy: null };
  let copy: string | null = null;
  if (applied.length > 0) {
    const stamp = new Date(options.now).toISOString().replaceAll(/[-:]|\.\d+/g, '');
    copy = `${file}.before-${pending[0] ?? ''}-${stamp}`;
    backupDatabase(file, copy);
  }
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve({ ...migrations }) } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined)
    throw new SallyportError('dependency_unavailable', 'the schema could not be brought up to date', { cause: error });
  connection.exec(`PRAGMA user_version = ${known.length}`);
  // The header on disk must carry the number, so that an older program sees it without opening the file.
  connection.pragma('wal_checkpoint(TRUNCATE)');
  return { applied: pending, copy };
}
