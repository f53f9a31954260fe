import { chmodSync, closeSync, existsSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { SallyportError } from '../../errors.ts';
import { syncPath } from '../files.ts';
import { attempt, Connection } from './driver.ts';

/**
 * A consistent copy of a database while it is in use, by this process or another: one read transaction (VACUUM INTO).
 * The copy appears under its name only when whole, with mode 0600.
 * @throws SallyportError conflict when `into` exists, dependency_unavailable
 */
export function backupDatabase(file: string, into: string): void {
  if (existsSync(into)) throw new SallyportError('conflict', `${into} exists`);
  if (!existsSync(file)) throw new SallyportError('dependency_unavailable', `${file} does not exist`);
  const partial = `${into}.partial`;
  rmSync(partial, { force: true });
  const source = new Connection(file, { isReadOnly: false });
  try {
    attempt(() => closeSync(openSync(partial, 'wx', 0o600)));
    chmodSync(partial, 0o600);
    source.prepare('VACUUM INTO ?').run([partial]);
    syncPath(partial);
    renameSync(partial, into);
    syncPath(dirname(into));
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  } finally {
    source.close();
  }
}
