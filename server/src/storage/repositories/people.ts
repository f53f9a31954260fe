import type { Kysely } from 'kysely';
import type { Storage, UserRecord } from '../contract.ts';
import type { Tables } from '../tables.ts';

const toUser = (row: Tables['users']): UserRecord => ({ ...row, disabled: row.disabled !== 0 });

export const userRepository = (db: Kysely<Tables>): Storage['users'] => ({
  async insert(row) {
    await db
      .insertInto('users')
      .values({ ...row, disabled: row.disabled ? 1 : 0 })
      .execute();
  },
  async byId(id) {
    const row = await db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst();
    return row === undefined ? null : toUser(row);
  },
  async byName(name) {
    const row = await db.selectFrom('users').selectAll().where('name', '=', name).executeTakeFirst();
    return row === undefined ? null : toUser(row);
  },
  async list() {
    return (await db.selectFrom('users').selectAll().orderBy('name').execute()).map(toUser);
  },
  async update(id, { disabled, ...rest }) {
    const change = disabled === undefined ? rest : { ...rest, disabled: disabled ? 1 : 0 };
    if (Object.keys(change).length === 0) return;
    await db.updateTable('users').set(change).where('id', '=', id).execute();
  },
  async count() {
    const row = await db
      .selectFrom('users')
      .select((e) => e.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    return row.count;
  },
});

export const loginRepository = (db: Kysely<Tables>): Storage['logins'] => ({
  async insert(row) {
    await db.insertInto('logins').values(row).execute();
  },
  async byHash(idHash) {
    return (await db.selectFrom('logins').selectAll().where('idHash', '=', idHash).executeTakeFirst()) ?? null;
  },
  async update(idHash, change) {
    if (Object.keys(change).length === 0) return;
    await db.updateTable('logins').set(change).where('idHash', '=', idHash).execute();
  },
  async delete(idHash) {
    await db.deleteFrom('logins').where('idHash', '=', idHash).execute();
  },
  async deleteOfUser(userId) {
    const rows = await db.deleteFrom('logins').where('userId', '=', userId).returning('idHash').execute();
    return rows.map((row) => row.idHash);
  },
  async countByUser() {
    const rows = await db
      .selectFrom('logins')
      .select((e) => ['userId', e.fn.countAll<number>().as('count')])
      .groupBy('userId')
      .execute();
    return new Map(rows.map((row) => [row.userId, row.count]));
  },
  async deleteExpired(now) {
    const gone = await db.deleteFrom('logins').where('expiresAt', '<=', now).executeTakeFirst();
    return Number(gone.numDeletedRows);
  },
});

export const tokenRepository = (db: Kysely<Tables>): Storage['tokens'] => ({
  async insert(row) {
    await db.insertInto('tokens').values(row).execute();
  },
  async byHash(tokenHash) {
    return (await db.selectFrom('tokens').selectAll().where('tokenHash', '=', tokenHash).executeTakeFirst()) ?? null;
  },
  list(userId) {
    const all = db.selectFrom('tokens').selectAll().orderBy('createdAt', 'desc').orderBy('id');
    return (userId === null ? all : all.where('userId', '=', userId)).execute();
  },
  async touch(id, at) {
    await db.updateTable('tokens').set({ lastUsedAt: at }).where('id', '=', id).execute();
  },
  async delete(id) {
    const gone = await db.deleteFrom('tokens').where('id', '=', id).executeTakeFirst();
    return gone.numDeletedRows > 0n;
  },
});

export const valueRepository = (db: Kysely<Tables>): Storage['values'] => ({
  async get(name) {
    const row = await db.selectFrom('named_values').select('value').where('name', '=', name).executeTakeFirst();
    return row?.value ?? null;
  },
  async set(name, value) {
    await db
      .insertInto('named_values')
      .values({ name, value })
      .onConflict((c) => c.column('name').doUpdateSet({ value }))
      .execute();
  },
});
