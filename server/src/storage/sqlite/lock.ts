import { chmodSync, closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { SallyportError } from '../../errors.ts';

/**
 * Takes the data directory for this process. The lock is an exclusive transaction on a small database of its own, held
 * by the operating system: it is gone the moment the process is, kill -9 included, and never stale.
 * INVARIANT: nothing else in this process opens `sallyport.lock`; closing any other handle on it would drop the lock (POSIX).
 * @returns releases it
 * @throws SallyportError data_locked
 */
export function lockDirectory(directory: string): () => void {
  const file = join(directory, 'sallyport.lock');
  const database = openLock(file);
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    throw new SallyportError('data_locked', `another process holds ${file}`, { cause });
  }
  return () => {
    if (!database.open) return;
    database.exec('ROLLBACK');
    database.close();
  };
}

function openLock(file: string): Database.Database {
  try {
    // `wx` never touches a lock that exists, see the invariant.
    closeSync(openSync(file, 'wx', 0o600));
    chmodSync(file, 0o600);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST'))
      throw new SallyportError('dependency_unavailable', `cannot create ${file}`, { cause: error });
  }
  try {
    return new Database(file, { timeout: 0 });
  } catch (cause) {
    throw new SallyportError('dependency_unavailable', `cannot open ${file}`, { cause });
  }
}
