import type { Kysely } from 'kysely';
import type { Storage } from '../contract.ts';
import type { Tables } from '../tables.ts';

export const targetRepository = (db: Kysely<Tables>): Storage['targets'] => ({
  async insert(row) {
    await db.insertInto('targets').values(row).execute();
  },
  async byId(id) {
    return (await db.selectFrom('targets').selectAll().where('id', '=', id).executeTakeFirst()) ?? null;
  },
  async byName(name) {
    return (await db.selectFrom('targets').selectAll().where('name', '=', name).executeTakeFirst()) ?? null;
  },
  list: () => db.selectFrom('targets').selectAll().orderBy('name').execute(),
  async update(id, change) {
    if (Object.keys(change).length === 0) return;
    await db.updateTable('targets').set(change).where('id', '=', id).execute();
  },
  async delete(id) {
    const gone = await db.deleteFrom('targets').where('id', '=', id).executeTakeFirst();
    return gone.numDeletedRows > 0n;
  },
});

export const credentialRepository = (db: Kysely<Tables>): Storage['credentials'] => ({
  async insert(row) {
    await db.insertInto('credentials').values(row).execute();
  },
  async byId(id) {
    return (await db.selectFrom('credentials').selectAll().where('id', '=', id).executeTakeFirst()) ?? null;
  },
  list: () => db.selectFrom('credentials').selectAll().orderBy('label').orderBy('id').execute(),
  async update(id, change) {
    if (Object.keys(change).length === 0) return;
    await db.updateTable('credentials').set(change).where('id', '=', id).execute();
  },
  async delete(id) {
    const gone = await db.deleteFrom('credentials').where('id', '=', id).executeTakeFirst();
    return gone.numDeletedRows > 0n;
  },
});

export const authorityRepository = (db: Kysely<Tables>): Storage['authorities'] => ({
  current: async () => (await db.selectFrom('authorities').selectAll().executeTakeFirst()) ?? null,
  async replace(row) {
    await db.deleteFrom('authorities').execute();
    await db.insertInto('authorities').values(row).execute();
  },
});

export const hostKeyRepository = (db: Kysely<Tables>): Storage['hostKeys'] => ({
  async insert(row) {
    await db.insertInto('host_keys').values(row).execute();
  },
  find: (via, host, port) =>
    db
      .selectFrom('host_keys')
      .selectAll()
      .where('via', '=', via)
      .where('host', '=', host)
      .where('port', '=', port)
      .orderBy('keyType')
      .execute(),
  list: () =>
    db.selectFrom('host_keys').selectAll().orderBy('host').orderBy('port').orderBy('via').orderBy('keyType').execute(),
  async delete(id) {
    const gone = await db.deleteFrom('host_keys').where('id', '=', id).executeTakeFirst();
    return gone.numDeletedRows > 0n;
  },
});

/** Values in one statement: SQLite takes 32,766 of them. */
const ROWS_AT_ONCE = 1000;

export const knownHostRepository = (db: Kysely<Tables>): Storage['knownHosts'] => ({
  async insert(rows) {
    const parts = Array.from({ length: Math.ceil(rows.length / ROWS_AT_ONCE) }, (_, at) =>
      rows.slice(at * ROWS_AT_ONCE, (at + 1) * ROWS_AT_ONCE),
    );
    for (const part of parts) await db.insertInto('known_hosts').values(part).execute();
  },
  list: () => db.selectFrom('known_hosts').selectAll().orderBy('importedAt').orderBy('hosts').orderBy('id').execute(),
  async delete(id) {
    const gone = await db.deleteFrom('known_hosts').where('id', '=', id).executeTakeFirst();
    return gone.numDeletedRows > 0n;
  },
});
