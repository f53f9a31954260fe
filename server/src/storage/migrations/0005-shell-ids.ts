import type { Kysely } from 'kysely';

/** The id under which a WinRM target knows the shell that a command ran in. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('ledger').addColumn('shellId', 'text').execute();
}
