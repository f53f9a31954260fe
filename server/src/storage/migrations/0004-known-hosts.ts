import type { Kysely } from 'kysely';

/** Lines of imported `known_hosts` files, as they stood. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('known_hosts')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('marker', 'text', (c) => c.notNull())
    .addColumn('hosts', 'text', (c) => c.notNull())
    .addColumn('keyType', 'text', (c) => c.notNull())
    .addColumn('key', 'text', (c) => c.notNull())
    .addColumn('importedBy', 'text', (c) => c.notNull())
    .addColumn('importedAt', 'bigint', (c) => c.notNull())
    .execute();
}
