/**
 * Files of a target: SFTP version 3 (draft-ietf-secsh-filexfer-02) over ssh2. Many requests are under way at once, in
 * both directions; what is asked for ahead of its use is bounded.
 */
import type { FileEntryWithStats, SFTPWrapper, Stats } from 'ssh2';
import type { ErrorCode } from '@sallyport/shared/error-codes';
import { SallyportError, toError } from '../../errors.ts';
import type { RemoteEntry, RemoteFile, RemoteFiles } from '../contract.ts';
import { escapePeerText } from './errors.ts';

/** What is written in one request: every server takes it. */
const PIECE_BYTES = 32 * 1024;
/** What is read in one request: OpenSSH gives up to 256 KiB; of a server that gives less, the rest is asked for. */
const READ_BYTES = 128 * 1024;
/** As ssh2's own fastGet: 2 MiB ahead. */
const PIECES_AHEAD = 16;

/** Section 7 "Responses from the Server to the Client". */
const STATUS: ReadonlyMap<unknown, ErrorCode> = new Map<unknown, ErrorCode>([
  [2, 'file_not_found'],
  [3, 'file_refused'],
]);

function toFileError(thrown: unknown): SallyportError {
  if (thrown instanceof SallyportError) return thrown;
  const cause = toError(thrown);
  const status = (cause as { readonly code?: unknown }).code;
  const code = STATUS.get(status) ?? (typeof status === 'number' ? 'file_failed' : 'target_lost');
  return new SallyportError(code, 'sftp request failed', { cause, peerText: escapePeerText(cause.message) });
}

/** @param isGone whether the channel has ended; ssh2 would never answer then */
type Call = <T>(ask: (done: (error: Error | null | undefined, value: T) => void) => unknown) => Promise<T>;

const FILE_TYPE = 0o170000;
const TYPES: ReadonlyMap<number, RemoteEntry['kind']> = new Map([
  [0o100000, 'file'],
  [0o040000, 'directory'],
  [0o120000, 'link'],
]);

const toEntry = (name: string, { mode, size, mtime }: Pick<Stats, 'mode' | 'size' | 'mtime'>): RemoteEntry => ({
  name,
  kind: TYPES.get(mode & FILE_TYPE) ?? 'other',
  size,
  modifiedAt: mtime * 1000,
});

/** A name that leads elsewhere, or is none, is not shown: a target that sends one is broken or worse. */
const isName = (name: string): boolean => name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);

class SftpFile implements RemoteFile {
  readonly size: number;
  readonly modifiedAt: number;
  readonly #sftp: SFTPWrapper;
  readonly #handle: Buffer;
  readonly #call: Call;
  #closing: Promise<void> | null = null;
  constructor(sftp: SFTPWrapper, handle: Buffer, call: Call, { size, mtime }: Pick<Stats, 'size' | 'mtime'>) {
    this.#sftp = sftp;
    this.#handle = handle;
    this.#call = call;
    this.size = size;
    this.modifiedAt = mtime * 1000;
  }

  /** A whole piece; a shorter one only at the end of the file. */
  async #piece(offset: number): Promise<Buffer> {
    const piece = Buffer.allocUnsafe(READ_BYTES);
    let filled = 0;
    while (filled < READ_BYTES) {
      const read = await this.#call<number>((done) =>
        this.#sftp.read(this.#handle, piece, filled, READ_BYTES - filled, offset + filled, (error, count) => {
          // Status 1: the end of the file.
          const isEnd = (error as { readonly code?: unknown } | undefined)?.code === 1;
          done(isEnd ? null : error, isEnd ? 0 : count);
        }),
      );
      if (read === 0) break;
      filled += read;
    }
    return piece.subarray(0, filled);
  }

  async *read(offset: number): AsyncGenerator<Uint8Array, void, undefined> {
    const ahead: Promise<Buffer>[] = [];
    let next = offset;
    const ask = (): void => {
      const piece = this.#piece(next);
      piece.catch(() => undefined); // Whoever waits for it is told; nobody may be waiting yet.
      ahead.push(piece);
      next += READ_BYTES;
    };
    // One more than there is to read, so that a file that grew meanwhile is read to its end.
    while (ahead.length < PIECES_AHEAD && next <= this.size) ask();
    for (let head = ahead.shift(); head !== undefined; head = ahead.shift()) {
      const piece = await head;
      if (piece.length > 0) yield piece;
      if (piece.length < READ_BYTES) return;
      ask();
    }
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    const pieces: Promise<void>[] = [];
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, bytes.length - at);
      const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      pieces.push(
        this.#call<undefined>((done) =>
          this.#sftp.write(this.#handle, source, at, length, offset + at, (error) => done(error, undefined)),
        ),
      );
    }
    await Promise.all(pieces);
  }

  close(): Promise<void> {
    this.#closing ??= this.#call<undefined>((done) =>
      this.#sftp.close(this.#handle, (error) => done(error, undefined)),
    );
    return this.#closing;
  }
}

/** One SFTP channel. */
export class SftpFiles implements RemoteFiles {
  readonly over = 'sftp';
  readonly #sftp: SFTPWrapper;
  readonly #waiting = new Set<(error: SallyportError) => void>();
  readonly #ended: Promise<void>;
  #lost: SallyportError | null = null;

  /** @param sftp just opened */
  constructor(sftp: SFTPWrapper) {
    this.#sftp = sftp;
    this.#ended = new Promise((resolve) => {
      const end = (thrown?: unknown): void => {
        this.#lost ??=
          thrown instanceof Error ? toFileError(thrown) : new SallyportError('target_lost', 'sftp has ended');
        for (const reject of [...this.#waiting]) reject(this.#lost);
        resolve();
      };
      sftp.on('error', end);
      sftp.on('close', () => end());
      sftp.on('end', () => end());
    });
  }

  /** Whether it has ended, by whichever side. */
  get isOver(): boolean {
    return this.#lost !== null;
  }

  readonly #call: Call = (ask) =>
    new Promise((resolve, reject) => {
      if (this.#lost !== null) {
        reject(this.#lost);
        return;
      }
      const fail = (error: SallyportError): void => {
        this.#waiting.delete(fail);
        reject(error);
      };
      this.#waiting.add(fail);
      try {
        ask((error, value) => {
          this.#waiting.delete(fail);
          if (error === null || error === undefined) resolve(value);
          else reject(toFileError(error));
        });
      } catch (thrown) {
        fail(toFileError(thrown));
      }
    });

  resolve(path: string): Promise<string> {
    return this.#call<string>((done) => this.#sftp.realpath(path === '' ? '.' : path, done));
  }

  async list(path: string, limit: number): Promise<{ entries: RemoteEntry[]; isCut: boolean }> {
    const handle = await this.#call<Buffer>((done) => this.#sftp.opendir(path, done));
    try {
      const entries: RemoteEntry[] = [];
      for (;;) {
        const batch = await this.#call<FileEntryWithStats[] | null>((done) =>
          this.#sftp.readdir(handle, (error, list) => {
            const isEnd = (error as { readonly code?: unknown } | undefined)?.code === 1;
            done(isEnd ? null : error, isEnd ? null : list);
          }),
        );
        if (batch === null || batch.length === 0) return { entries, isCut: false };
        for (const { filename, attrs } of batch) if (isName(filename)) entries.push(toEntry(filename, attrs));
        if (entries.length > limit) return { entries: entries.slice(0, limit), isCut: true };
      }
    } finally {
      await this.#call<undefined>((done) => this.#sftp.close(handle, (error) => done(error, undefined))).catch(
        () => undefined,
      );
    }
  }

  async look(path: string): Promise<RemoteEntry | null> {
    try {
      const stats = await this.#call<Stats>((done) => this.#sftp.lstat(path, done));
      return toEntry(path.slice(path.lastIndexOf('/') + 1), stats);
    } catch (error) {
      if (error instanceof SallyportError && error.code === 'file_not_found') return null;
      throw error;
    }
  }

  async open(path: string, mode: 'read' | 'create' | 'continue'): Promise<RemoteFile> {
    const flags = mode === 'read' ? 'r' : mode === 'create' ? 'xw+' : 'r+';
    const handle = await this.#call<Buffer>((done) => this.#sftp.open(path, flags, done));
    try {
      const stats = await this.#call<Stats>((done) => this.#sftp.fstat(handle, done));
      if ((stats.mode & FILE_TYPE) !== 0o100000) throw new SallyportError('file_refused', 'it is no plain file');
      return new SftpFile(this.#sftp, handle, this.#call, stats);
    } catch (error) {
      this.#sftp.close(handle, () => undefined);
      throw error;
    }
  }

  /** By OpenSSH's extension; others take the place only where nothing is, so what is there goes first. */
  async rename(from: string, to: string): Promise<void> {
    try {
      await this.#call<undefined>((done) => this.#sftp.ext_openssh_rename(from, to, (error) => done(error, undefined)));
    } catch (error) {
      if (error instanceof SallyportError && error.code === 'target_lost' && this.#lost !== null) throw error;
      if ((await this.look(to)) !== null) await this.remove(to);
      await this.#call<undefined>((done) => this.#sftp.rename(from, to, (failed) => done(failed, undefined)));
    }
  }

  remove(path: string): Promise<void> {
    return this.#call<undefined>((done) => this.#sftp.unlink(path, (error) => done(error, undefined)));
  }

  async close(): Promise<void> {
    if (this.#lost === null) this.#sftp.end();
    await this.#ended;
  }
}
