/** The file system as recordings need it: small, so that tests can make it full, slow or hung. */
import * as fs from 'node:fs';
import * as fsp from 'node:fs/promises';

/** A journal that is being written. Callbacks, not promises: this is on the way of every key's echo. */
export interface JournalFile {
  /** Writes at `position`; `done` tells how many bytes went in (may be fewer, as write(2) says). */
  write(bytes: Uint8Array, position: number, done: (error: Error | null, written: number) => void): void;
  /** Pieces in order, in this turn of the event loop, which stands until the disk answers. @returns bytes written. @throws the system's error */
  writeNow(pieces: readonly Uint8Array[], position: number): number;
  /** fdatasync */
  sync(done: (error: Error | null) => void): void;
  truncate(length: number): Promise<void>;
  /** Once nothing is under way any more: a number that is still used must not become another file's. Idempotent. */
  close(): Promise<void>;
}
/** A journal that is being read. */
export interface ReadableFile {
  /** Fills as much of `into` as there is at `position`. @returns bytes read */
  read(into: Uint8Array, position: number): Promise<number>;
  size(): Promise<number>;
  close(): Promise<void>;
}
export interface RecordingFiles {
  /** Makes the folder; fails when the file exists. */
  create(folder: string, name: string): Promise<JournalFile>;
  /** Opens an existing journal for writing, to recover it. */
  reopen(file: string): Promise<JournalFile>;
  /** @throws the system's ENOENT */
  open(file: string): Promise<ReadableFile>;
  /** Whole small file, or null when there is none. */
  load(file: string): Promise<Buffer | null>;
  /** Replaces a small file: written aside, flushed, renamed. */
  save(file: string, bytes: Uint8Array): Promise<void>;
  removeFolder(folder: string): Promise<void>;
  /** Share of the file system's blocks that an ordinary user may still fill, 0 to 1. */
  freeFraction(folder: string): Promise<number>;
}

function journalFile(fd: number): JournalFile {
  let running = 0;
  let onIdle: () => void = () => undefined;
  const ended = () => {
    running -= 1;
    if (running === 0) onIdle();
  };
  let closing: Promise<void> | null = null;
  const closeFd = () =>
    new Promise<void>((resolve, reject) => fs.close(fd, (error) => (error ? reject(error) : resolve())));
  return {
    write(bytes, position, done) {
      if (closing !== null) {
        done(new Error('the journal is closed'), 0);
        return;
      }
      running += 1;
      fs.write(fd, bytes, 0, bytes.length, position, (error, written) => {
        ended();
        done(error, written);
      });
    },
    writeNow(pieces, position) {
      if (closing !== null) throw new Error('the journal is closed');
      const [first] = pieces;
      if (pieces.length === 1 && first !== undefined) return fs.writeSync(fd, first, 0, first.length, position);
      return fs.writevSync(fd, [...pieces], position);
    },
    sync(done) {
      if (closing !== null) {
        done(new Error('the journal is closed'));
        return;
      }
      running += 1;
      fs.fdatasync(fd, (error) => {
        ended();
        done(error);
      });
    },
    truncate: (length) =>
      new Promise((resolve, reject) => fs.ftruncate(fd, length, (error) => (error ? reject(error) : resolve()))),
    close: () =>
      (closing ??= running === 0 ? closeFd() : new Promise<void>((resolve) => (onIdle = resolve)).then(closeFd)),
  };
}

const openFd = (file: string, flags: string): Promise<number> =>
  new Promise((resolve, reject) => fs.open(file, flags, 0o600, (error, fd) => (error ? reject(error) : resolve(fd))));

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';

/** The real file system. Folders 0700, files 0600. */
export const systemFiles: RecordingFiles = {
  async create(folder, name) {
    await fsp.mkdir(folder, { recursive: true, mode: 0o700 });
    return journalFile(await openFd(`${folder}/${name}`, 'wx'));
  },
  reopen: async (file) => journalFile(await openFd(file, 'r+')),
  async open(file) {
    const handle = await fsp.open(file, 'r');
    return {
      async read(into, position) {
        let total = 0;
        while (total < into.length) {
          const { bytesRead } = await handle.read(into, total, into.length - total, position + total);
          if (bytesRead === 0) break;
          total += bytesRead;
        }
        return total;
      },
      size: async () => (await handle.stat()).size,
      close: () => handle.close(),
    };
  },
  async load(file) {
    try {
      return await fsp.readFile(file);
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  },
  async save(file, bytes) {
    const aside = `${file}.new`;
    await fsp.writeFile(aside, bytes, { mode: 0o600, flush: true });
    await fsp.rename(aside, file);
  },
  removeFolder: (folder) => fsp.rm(folder, { recursive: true, force: true }),
  async freeFraction(folder) {
    await fsp.mkdir(folder, { recursive: true, mode: 0o700 });
    const { bavail, blocks } = await fsp.statfs(folder);
    return blocks === 0 ? 1 : bavail / blocks;
  },
};
