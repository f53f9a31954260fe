import { sql } from 'kysely';
import type { Kysely } from 'kysely';
import { SallyportError } from '../../errors.ts';
import type { AuditRecord, Storage } from '../contract.ts';
import type { Tables } from '../tables.ts';

/** Rows of one INSERT: 6 columns each, far below SQLite's 32,766 parameters. */
const ROWS_PER_INSERT = 200;

/** All columns but the text. */
const MARK_COLUMNS = [
  ...(['id', 'sequence', 'sessionId', 'userId', 'number', 'startedAt', 'endedAt', 'state'] as const),
  ...(['errorCount', 'outputBytes', 'runspacePoolId', 'pipelineId', 'shellId'] as const),
] as const;

export const ledgerRepository = (db: Kysely<Tables>): Storage['ledger'] => ({
  async insert(row) {
    // One statement, so the number and the row are one act: no gap, no double, whoever else writes.
    const sequence = sql<number>`(select coalesce(max(sequence), 0) + 1 from ledger)`;
    const stored = await db
      .insertInto('ledger')
      .values({ ...row, sequence })
      .returning('sequence')
      .executeTakeFirstOrThrow();
    return stored.sequence;
  },
  async update(id, { endedAt, state, errorCount, outputBytes }) {
    await db.updateTable('ledger').set({ endedAt, state, errorCount, outputBytes }).where('id', '=', id).execute();
  },
  ofSession({ sessionId, after, limit }) {
    let query = db.selectFrom('ledger').selectAll().where('sessionId', '=', sessionId);
    if (after !== null) query = query.where('sequence', '>', after);
    return query.orderBy('sequence').limit(limit).execute();
  },
  marksOfSession: (sessionId) =>
    db.selectFrom('ledger').select(MARK_COLUMNS).where('sessionId', '=', sessionId).orderBy('sequence').execute(),
  list({ userId, before, limit }) {
    let query = db.selectFrom('ledger').selectAll();
    if (userId !== null) query = query.where('userId', '=', userId);
    if (before !== null) query = query.where('sequence', '<', before);
    return query.orderBy('sequence', 'desc').limit(limit).execute();
  },
  async markRunningLost(sessionId, at) {
    const result = await db
      .updateTable('ledger')
      .set({ state: 'lost', endedAt: at })
      .where('sessionId', '=', sessionId)
      .where('endedAt', 'is', null)
      .executeTakeFirst();
    return Number(result.numUpdatedRows);
  },
});

async function appendAudit(db: Kysely<Tables>, rows: readonly AuditRecord[]): Promise<void> {
  const last = await db
    .selectFrom('audit_events')
    .select((e) => e.fn.max('sequence').as('sequence'))
    .executeTakeFirst();
  // `max` of nothing is null, whatever the column's own type says.
  const head: number | null = last?.sequence ?? null;
  rows.forEach((row, index) => {
    const expected = (head ?? 0) + 1 + index;
    if (row.sequence !== expected)
      throw new SallyportError('conflict', `audit sequence ${row.sequence} where ${expected} is next`);
  });
  for (let from = 0; from < rows.length; from += ROWS_PER_INSERT)
    await db
      .insertInto('audit_events')
      .values(rows.slice(from, from + ROWS_PER_INSERT))
      .execute();
}

export const auditRepository = (db: Kysely<Tables>): Storage['audit'] => ({
  async append(rows) {
    if (rows.length === 0) return;
    if (db.isTransaction) return appendAudit(db, rows);
    await db.transaction().execute((within) => appendAudit(within, rows));
  },
  async last() {
    return (
      (await db.selectFrom('audit_events').selectAll().orderBy('sequence', 'desc').limit(1).executeTakeFirst()) ?? null
    );
  },
  range: (fromSequence, limit) =>
    db
      .selectFrom('audit_events')
      .selectAll()
      .where('sequence', '>=', fromSequence)
      .orderBy('sequence')
      .limit(limit)
      .execute(),
  list({ before, type, limit }) {
    let query = db.selectFrom('audit_events').selectAll();
    if (before !== null) query = query.where('sequence', '<', before);
    if (type !== null) query = query.where(sql`substr(type, 1, ${type.length})`, '=', type);
    return query.orderBy('sequence', 'desc').limit(limit).execute();
  },
  async addCheckpoint(row) {
    await db.insertInto('audit_checkpoints').values(row).execute();
  },
  checkpoints: (fromSequence) =>
    db.selectFrom('audit_checkpoints').selectAll().where('sequence', '>=', fromSequence).orderBy('sequence').execute(),
});
