import { type Kysely, sql } from 'kysely';

/** Which shell a session had at its target, in capitals: known for ever, so that nobody else gets it. And whose login had it last. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('sessions').addColumn('shellId', 'text').execute();
  await db.schema.alterTable('sessions').addColumn('loginHash', 'text').execute();
  await db.schema.createIndex('sessions_by_shell').on('sessions').column('shellId').execute();
  await sql`update sessions set "shellId" = upper(coalesce(
    json_extract("left", '$.shellId'),
    (select ledger."shellId" from ledger
      where ledger."sessionId" = sessions.id and ledger."shellId" is not null limit 1)))`.execute(db);
}
