import {
  chmodSync,
  closeSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { SallyportError } from '../errors.ts';

/** Makes a file's contents, or a directory's entries, durable. */
export function syncPath(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Makes a directory that only its owner may enter. */
export function makePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
}

/**
 * Writes a small file whole: under another name first, flushed, then renamed. Killed at any point, the name holds either
 * the whole file or what was there before.
 */
export function writeWhole(path: string, content: string | Uint8Array, mode: number): void {
  const partial = `${path}.partial`;
  rmSync(partial, { force: true });
  try {
    writeFileSync(partial, content, { flag: 'wx', mode });
    chmodSync(partial, mode);
    syncPath(partial);
    renameSync(partial, path);
  } catch (cause) {
    rmSync(partial, { force: true });
    throw new SallyportError('dependency_unavailable', `cannot write ${path}`, { cause });
  }
  syncPath(dirname(path));
}

/**
 * Reads a key file; null when there is none.
 * @throws SallyportError config_invalid when others than the owner may read or write it, or it cannot be read
 */
export function readPrivateFile(path: string): string | null {
  let handle: number;
  try {
    handle = openSync(path, 'r');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null;
    throw new SallyportError('config_invalid', `cannot read ${path}`, { cause });
  }
  try {
    // Windows has no such bits; there the access list of the data directory counts.
    if (process.platform !== 'win32' && (fstatSync(handle).mode & 0o077) !== 0)
      throw new SallyportError('config_invalid', `${path} is open to others than its owner; set its mode to 0600`);
    return readFileSync(handle, 'utf8');
  } finally {
    closeSync(handle);
  }
}
