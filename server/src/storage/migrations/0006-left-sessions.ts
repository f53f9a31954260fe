import type { Kysely } from 'kysely';

/** Sessions that go on at their target without the gateway: how to open again, where they stand, and since when. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('sessions').addColumn('reopen', 'text').execute();
  await db.schema.alterTable('sessions').addColumn('left', 'text').execute();
  await db.schema.alterTable('sessions').addColumn('leftAt', 'bigint').execute();
}
