import type { Kysely } from 'kysely';

const people = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('users')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('name', 'text', (c) => c.notNull().unique())
    .addColumn('role', 'text', (c) => c.notNull())
    .addColumn('passwordHash', 'text', (c) => c.notNull())
    .addColumn('disabled', 'integer', (c) => c.notNull())
    .addColumn('createdAt', 'bigint', (c) => c.notNull())
    .addColumn('lastLoginAt', 'bigint')
    .execute();
  await db.schema
    .createTable('logins')
    .addColumn('idHash', 'text', (c) => c.primaryKey())
    .addColumn('userId', 'text', (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('createdAt', 'bigint', (c) => c.notNull())
    .addColumn('lastSeenAt', 'bigint', (c) => c.notNull())
    .addColumn('expiresAt', 'bigint', (c) => c.notNull())
    .addColumn('steppedUpUntil', 'bigint')
    .addColumn('address', 'text', (c) => c.notNull())
    .addColumn('agent', 'text', (c) => c.notNull())
    .execute();
  await db.schema.createIndex('logins_user').on('logins').column('userId').execute();
  await db.schema
    .createTable('tokens')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('tokenHash', 'text', (c) => c.notNull().unique())
    .addColumn('userId', 'text', (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('label', 'text', (c) => c.notNull())
    .addColumn('scopes', 'text')
    .addColumn('createdAt', 'bigint', (c) => c.notNull())
    .addColumn('expiresAt', 'bigint', (c) => c.notNull())
    .addColumn('lastUsedAt', 'bigint')
    .execute();
};

const machines = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('credentials')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('label', 'text', (c) => c.notNull())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('user', 'text', (c) => c.notNull())
    .addColumn('publicFacts', 'text', (c) => c.notNull())
    .addColumn('sealed', 'blob', (c) => c.notNull())
    .addColumn('createdAt', 'bigint', (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('targets')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('name', 'text', (c) => c.notNull().unique())
    .addColumn('transport', 'text', (c) => c.notNull())
    .addColumn('host', 'text', (c) => c.notNull())
    .addColumn('port', 'integer', (c) => c.notNull())
    .addColumn('options', 'text', (c) => c.notNull())
    .addColumn('credentialId', 'text', (c) => c.references('credentials.id').onDelete('set null'))
    .addColumn('createdAt', 'bigint', (c) => c.notNull())
    .addColumn('lastOpenedAt', 'bigint')
    .execute();
  await db.schema
    .createTable('host_keys')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('via', 'text', (c) => c.notNull())
    .addColumn('host', 'text', (c) => c.notNull())
    .addColumn('port', 'integer', (c) => c.notNull())
    .addColumn('keyType', 'text', (c) => c.notNull())
    .addColumn('key', 'text', (c) => c.notNull())
    .addColumn('acceptedBy', 'text', (c) => c.notNull())
    .addColumn('acceptedAt', 'bigint', (c) => c.notNull())
    .addUniqueConstraint('host_keys_place', ['via', 'host', 'port', 'keyType'])
    .execute();
};

const sessions = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('sessions')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('userId', 'text', (c) => c.notNull())
    .addColumn('userName', 'text', (c) => c.notNull())
    .addColumn('targetId', 'text')
    .addColumn('facts', 'text', (c) => c.notNull())
    .addColumn('startedAt', 'bigint', (c) => c.notNull())
    .addColumn('endedAt', 'bigint')
    .addColumn('endReason', 'text')
    .addColumn('exitCode', 'integer')
    .addColumn('commandCount', 'integer', (c) => c.notNull())
    .addColumn('errorCount', 'integer', (c) => c.notNull())
    .addColumn('outputBytes', 'bigint', (c) => c.notNull())
    .execute();
  await db.schema.createIndex('sessions_started').on('sessions').columns(['startedAt', 'id']).execute();
  await db.schema.createIndex('sessions_user').on('sessions').columns(['userId', 'startedAt', 'id']).execute();
  await db.schema
    .createTable('recordings')
    .addColumn('sessionId', 'text', (c) => c.primaryKey())
    .addColumn('path', 'text', (c) => c.notNull())
    .addColumn('startedAt', 'bigint', (c) => c.notNull())
    .addColumn('sealedKey', 'blob', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('events', 'bigint', (c) => c.notNull())
    .addColumn('outputBytes', 'bigint', (c) => c.notNull())
    .addColumn('durationMs', 'bigint', (c) => c.notNull())
    .addColumn('head', 'text', (c) => c.notNull())
    .execute();
  await db.schema.createIndex('recordings_started').on('recordings').columns(['startedAt', 'sessionId']).execute();
  await db.schema.createIndex('recordings_state').on('recordings').column('state').execute();
};

const records = async (db: Kysely<unknown>): Promise<void> => {
  await db.schema
    .createTable('ledger')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('sessionId', 'text', (c) => c.notNull())
    .addColumn('userId', 'text', (c) => c.notNull())
    .addColumn('number', 'integer', (c) => c.notNull())
    .addColumn('sequence', 'bigint', (c) => c.notNull().unique())
    .addColumn('sealedText', 'blob', (c) => c.notNull())
    .addColumn('startedAt', 'bigint', (c) => c.notNull())
    .addColumn('endedAt', 'bigint')
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('errorCount', 'integer', (c) => c.notNull())
    .addColumn('outputBytes', 'bigint', (c) => c.notNull())
    .addColumn('runspacePoolId', 'text', (c) => c.notNull())
    .addColumn('pipelineId', 'text', (c) => c.notNull())
    .execute();
  await db.schema.createIndex('ledger_session').on('ledger').columns(['sessionId', 'sequence']).execute();
  await db.schema.createIndex('ledger_user').on('ledger').columns(['userId', 'sequence']).execute();
  await db.schema
    .createTable('audit_events')
    .addColumn('sequence', 'bigint', (c) => c.primaryKey())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('body', 'text', (c) => c.notNull())
    .addColumn('previousHash', 'text', (c) => c.notNull())
    .addColumn('hash', 'text', (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('audit_checkpoints')
    .addColumn('sequence', 'bigint', (c) => c.primaryKey())
    .addColumn('hash', 'text', (c) => c.notNull())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addColumn('signature', 'text', (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('named_values')
    .addColumn('name', 'text', (c) => c.primaryKey())
    .addColumn('value', 'text', (c) => c.notNull())
    .execute();
};

/** The first schema. Never edited once released; changes are new migrations. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await people(db);
  await machines(db);
  await sessions(db);
  await records(db);
}
