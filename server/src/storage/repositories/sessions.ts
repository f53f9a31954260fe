import type { Kysely } from 'kysely';
import type { Storage } from '../contract.ts';
import type { Tables } from '../tables.ts';

export const sessionRepository = (db: Kysely<Tables>): Storage['sessions'] => ({
  async insert(row) {
    await db.insertInto('sessions').values(row).execute();
  },
  async byId(id) {
    return (await db.selectFrom('sessions').selectAll().where('id', '=', id).executeTakeFirst()) ?? null;
  },
  async update(id, change) {
    if (Object.keys(change).length === 0) return;
    await db.updateTable('sessions').set(change).where('id', '=', id).execute();
  },
  list({ userId, before, beforeId, limit }) {
    let query = db.selectFrom('sessions').selectAll();
    if (userId !== null) query = query.where('userId', '=', userId);
    if (before !== null)
      query = query.where((where) => {
        const older = where('startedAt', '<', before);
        return beforeId === null
          ? older
          : where.or([older, where.and([where('startedAt', '=', before), where('id', '<', beforeId)])]);
      });
    return query.orderBy('startedAt', 'desc').orderBy('id', 'desc').limit(limit).execute();
  },
  unended: () => db.selectFrom('sessions').selectAll().where('endedAt', 'is', null).orderBy('startedAt').execute(),
  async byShell(shellId) {
    const query = db.selectFrom('sessions').selectAll().where('shellId', '=', shellId);
    return (await query.orderBy('startedAt', 'desc').limit(1).executeTakeFirst()) ?? null;
  },
});

export const recordingRepository = (db: Kysely<Tables>): Storage['recordings'] => ({
  async insert(row) {
    await db.insertInto('recordings').values(row).execute();
  },
  async bySession(sessionId) {
    return (
      (await db.selectFrom('recordings').selectAll().where('sessionId', '=', sessionId).executeTakeFirst()) ?? null
    );
  },
  async update(sessionId, change) {
    if (Object.keys(change).length === 0) return;
    await db.updateTable('recordings').set(change).where('sessionId', '=', sessionId).execute();
  },
  open: () => db.selectFrom('recordings').selectAll().where('state', '=', 'open').orderBy('startedAt').execute(),
  olderThan: (startedAt, limit) =>
    db
      .selectFrom('recordings')
      .selectAll()
      .where('startedAt', '<', startedAt)
      .where('state', 'in', ['closed', 'recovered'])
      .orderBy('startedAt')
      .limit(limit)
      .execute(),
});
