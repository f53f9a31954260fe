import type { Kysely } from 'kysely';

/** A target may be reached through another one, which then cannot be deleted. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('targets')
    .addColumn('viaTargetId', 'text', (c) => c.references('targets.id').onDelete('restrict'))
    .execute();
}
