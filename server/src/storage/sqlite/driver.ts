import Database from 'libsql';
import type { SqliteDatabase, SqliteStatement } from 'kysely';
import type { ErrorCode } from '@sallyport/shared/error-codes';
import { SallyportError, toError } from '../../errors.ts';

/** Prepared statements kept: about four times what the repositories use, so that only unusual queries are prepared anew. */
const MAX_STATEMENTS = 256;

/** Columns whose uniqueness is a name that people give. */
const NAME_COLUMNS = /\b(users|targets)\.name\b/;

function codeOfFailure(error: Error): ErrorCode {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (!code.startsWith('SQLITE_CONSTRAINT')) return 'dependency_unavailable';
  return NAME_COLUMNS.test(error.message) ? 'name_taken' : 'conflict';
}

/** Runs one act of the database and gives its failure a name. The message holds no values: SQLite names tables and columns only. */
export function attempt<T>(act: () => T): T {
  try {
    return act();
  } catch (thrown) {
    const error = toError(thrown);
    throw new SallyportError(codeOfFailure(error), `database: ${error.message}`, { cause: error });
  }
}

/** libsql hands out blobs as ArrayBuffer; everything of ours is Uint8Array. */
function withBytes(row: unknown): unknown {
  if (typeof row !== 'object' || row === null) return row;
  for (const [name, value] of Object.entries(row))
    if (value instanceof ArrayBuffer) Reflect.set(row, name, new Uint8Array(value));
  return row;
}

/** libsql 0.5.29 cuts text at the first NUL when it reads; better refused than cut. Ours never holds one: JSON escapes it. */
function checked(parameters: readonly unknown[]): unknown[] {
  if (parameters.some((value) => typeof value === 'string' && value.includes('\0')))
    throw new SallyportError('bad_request', 'database: a text holds a NUL');
  return [...parameters];
}

function wrapStatement(statement: Database.Statement, check: () => void): SqliteStatement {
  const isReader = statement.reader;
  return {
    reader: isReader,
    all(parameters) {
      check();
      const values = checked(parameters);
      return attempt(() => statement.all(values).map(withBytes));
    },
    run(parameters) {
      check();
      const values = checked(parameters);
      return attempt(() => statement.run(values));
    },
    iterate(parameters) {
      check();
      const values = checked(parameters);
      return attempt(() => statement.iterate(values));
    },
  };
}

export interface OpenOptions {
  /** Refuses every write on this connection. */
  readonly isReadOnly?: boolean;
}

/** One libsql connection as Kysely's SqliteDialect wants it: errors with our codes, statements cached, closed means closed. */
export class Connection implements SqliteDatabase {
  readonly #database: Database.Database;
  readonly #statements = new Map<string, SqliteStatement>();
  #isOpen = true;

  constructor(file: string, options: OpenOptions = {}) {
    this.#database = attempt(() => new Database(file));
    try {
      // busy_timeout: a backup of another process may hold the file for a moment.
      this.exec('PRAGMA busy_timeout = 5000');
      if (options.isReadOnly === true) this.exec('PRAGMA query_only = ON');
      else {
        this.pragma('journal_mode = WAL');
        // FULL: a commit is on the disk before its promise resolves; "written before the act" depends on it.
        this.exec('PRAGMA synchronous = FULL');
      }
      this.exec('PRAGMA foreign_keys = ON');
    } catch (error) {
      this.close();
      throw error;
    }
  }

  prepare(sql: string): SqliteStatement {
    this.#mustBeOpen();
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = wrapStatement(
      attempt(() => this.#database.prepare(sql)),
      () => this.#mustBeOpen(),
    );
    const oldest = this.#statements.size >= MAX_STATEMENTS ? this.#statements.keys().next().value : undefined;
    if (oldest !== undefined) this.#statements.delete(oldest);
    this.#statements.set(sql, statement);
    return statement;
  }

  exec(sql: string): void {
    this.#mustBeOpen();
    attempt(() => this.#database.exec(sql));
  }

  /** First column of the first row, or undefined. */
  pragma(text: string): unknown {
    this.#mustBeOpen();
    const [row] = attempt(() => this.#database.prepare(`PRAGMA ${text}`).all());
    return typeof row === 'object' && row !== null ? Object.values(row)[0] : undefined;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#statements.clear();
    attempt(() => this.#database.close());
  }

  /** libsql runs statements even after close (0.5.29), so the wrapper refuses. */
  #mustBeOpen(): void {
    if (!this.#isOpen) throw new SallyportError('dependency_unavailable', 'database: closed');
  }
}
