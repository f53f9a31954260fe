/**
 * Files of a session's target, over the session's own connection, by SFTP or else by PowerShell: nobody signs in anew, and
 * what ends the session ends its transfers. Off unless the target allows it; asked at each request, so that a grant that goes is gone at once.
 * Bytes stream through; nothing is kept here. security.md section 3 "Files".
 */
import { createHash, type Hash } from 'node:crypto';
import {
  type FileListing,
  isFilePath,
  isRemotePath,
  type NewUpload,
  type UploadState,
  type Uploaded,
} from '@sallyport/shared/api/files';
import { MAX_FILE_BYTES, MAX_PIECE_BYTES } from '@sallyport/shared/file-limits';
import type { Target } from '@sallyport/shared/api/targets';
import type { Actor, AuditDetail, AuditLog } from '../audit/contract.ts';
import type { Clock } from '../clock.ts';
import { SallyportError, codeOf } from '../errors.ts';
import type { Download, SessionFiles } from '../http/ports.ts';
import { randomId } from '../random.ts';
import type { Inventory } from '../targets/inventory.ts';
import type { RemoteEntry, RemoteFile, RemoteFiles } from '../transports/contract.ts';

const MAX_ENTRIES = 10_000;
const MAX_TRANSFERS = 4;
/** Of one upload, taken from the page and not yet taken by the target. */
const MAX_AHEAD_BYTES = 2 * MAX_PIECE_BYTES;
/** An upload without a piece: its part stays at the target, to go on with. */
const UPLOAD_IDLE_MS = 120_000;
const PART = '.sallyport-part';
/** A download under way asks this often, and after so many bytes, whether it is still granted. security.md T13 */
const ASK_AGAIN_MS = 1000;
const ASK_AGAIN_BYTES = 8 * 1024 * 1024;

interface Upload {
  readonly id: string;
  readonly actor: Actor;
  readonly wish: NewUpload;
  readonly file: RemoteFile;
  readonly hash: Hash;
  offset: number;
  /** Writes under way, and their bytes. */
  readonly writing: Set<Promise<void>>;
  ahead: number;
  failure: SallyportError | null;
  isOver: boolean;
  cancelIdle: () => void;
}
/** A live session whose target is at hand. */
interface Place {
  readonly way: FilesWay;
  readonly target: Target | null;
  readonly name: string;
  files: Promise<RemoteFiles> | null;
  transfers: number;
  readonly uploads: Map<string, Upload>;
}

/** How a session comes to its target's files; ends with its connection. */
export interface FilesWay {
  openFiles(): Promise<RemoteFiles>;
  readonly closed: Promise<void>;
}
export interface SessionFilesDeps {
  readonly inventory: Pick<Inventory, 'byId'>;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly clock: Clock;
}
export interface SessionFilesOwner extends SessionFiles {
  /** From now on the session has files; until its connection ends. */
  attach(sessionId: string, way: FilesWay, target: Target | null, name: string): void;
}

const isLink = (entry: RemoteEntry | null): boolean => entry?.kind === 'link';
const plainOnly = (entry: RemoteEntry | null): void => {
  if (entry !== null && entry.kind !== 'file')
    throw new SallyportError('file_refused', isLink(entry) ? 'a link is not followed' : 'it is no plain file');
};
const tagOf = ({ size, modifiedAt }: Pick<RemoteEntry, 'size' | 'modifiedAt'>): string => `${size}-${modifiedAt}`;
const checkPath = (isGood: boolean): void => {
  if (!isGood) throw new SallyportError('bad_name', 'not a path at the target');
};
const gone = (): SallyportError => new SallyportError('transfer_gone', 'there is no such transfer');

/** Files of all live sessions. */
export class LiveSessionFiles implements SessionFilesOwner {
  readonly #deps: SessionFilesDeps;
  readonly #places = new Map<string, Place>();
  constructor(deps: SessionFilesDeps) {
    this.#deps = deps;
  }

  attach(sessionId: string, way: FilesWay, target: Target | null, name: string): void {
    const place: Place = { way, target, name, files: null, transfers: 0, uploads: new Map() };
    this.#places.set(sessionId, place);
    void way.closed.then(() => {
      this.#places.delete(sessionId);
      for (const upload of place.uploads.values()) void this.#drop(place, sessionId, upload, 'target_lost');
    });
  }

  /** The place, if what is asked for is granted there now. @throws SallyportError files_off, bad_state */
  async #granted(sessionId: string, act: 'read' | 'write'): Promise<Place & { mayWrite: boolean }> {
    const place = this.#places.get(sessionId);
    if (place === undefined) throw new SallyportError('bad_state', 'the session is not live');
    const grant = place.target === null ? 'off' : ((await this.#deps.inventory.byId(place.target.id))?.files ?? 'off');
    if (grant === 'off' || (act === 'write' && grant !== 'readWrite'))
      throw new SallyportError('files_off', `files at the target: ${grant}`);
    return Object.assign(place, { mayWrite: grant === 'readWrite' });
  }

  /** One channel a session, opened when it is first needed and again when it broke. */
  async #files(place: Place): Promise<RemoteFiles> {
    const opened = (await place.files?.catch(() => null)) ?? null;
    if (opened !== null && !opened.isOver) return opened;
    place.files = place.way.openFiles();
    return place.files;
  }

  async #note(
    sessionId: string,
    actor: Actor,
    type: 'file.listed' | 'file.download' | 'file.upload',
    detail: AuditDetail,
  ): Promise<void> {
    // prettier-ignore
    await this.#deps.audit.append({ type, actor, subject: `session:${sessionId}`, outcome: 'ok', detail });
  }
  /** How a transfer ended; what is not told as done is failed or cancelled. */
  async #noteEnd(sessionId: string, actor: Actor, detail: AuditDetail, outcome: 'ok' | 'failed'): Promise<void> {
    await this.#deps.audit.append({
      type: 'file.transferred',
      actor,
      subject: `session:${sessionId}`,
      outcome,
      detail,
    });
  }

  async list(sessionId: string, actor: Actor, path: string): Promise<FileListing> {
    const place = await this.#granted(sessionId, 'read');
    checkPath(isRemotePath(path));
    await this.#note(sessionId, actor, 'file.listed', { target: place.name, path });
    const files = await this.#files(place);
    const absolute = await files.resolve(path);
    const { entries, isCut } = await files.list(absolute, MAX_ENTRIES);
    return { path: absolute, entries: [...entries], isCut, mayWrite: place.mayWrite };
  }

  async download(
    sessionId: string,
    actor: Actor,
    wish: { readonly path: string; readonly offset: number; readonly tag?: string | undefined },
  ): Promise<Download> {
    const place = await this.#granted(sessionId, 'read');
    const { path, offset } = wish;
    checkPath(isFilePath(path));
    if (place.transfers >= MAX_TRANSFERS) throw new SallyportError('rate_limited', 'too many transfers', { retryAfterS: 5 }); // prettier-ignore
    const files = await this.#files(place);
    const seen = await files.look(path);
    if (seen === null) throw new SallyportError('file_not_found', 'there is no such file');
    plainOnly(seen);
    const { over } = files;
    await this.#note(sessionId, actor, 'file.download', { target: place.name, path, size: seen.size, offset, over });
    const file = await files.open(path, 'read');
    const tag = tagOf(file);
    if ((wish.tag !== undefined && wish.tag !== tag) || offset > file.size) {
      await file.close();
      throw new SallyportError('file_changed', 'the file is another one now');
    }
    const body = this.#body(sessionId, actor, place, file, wish);
    return { name: path.slice(path.lastIndexOf('/') + 1), size: file.size, length: file.size - offset, tag, ...body };
  }

  #body(
    sessionId: string,
    actor: Actor,
    place: Place,
    file: RemoteFile,
    { path, offset }: { readonly path: string; readonly offset: number },
  ): Pick<Download, 'body' | 'close'> {
    const hash = createHash('sha256');
    const length = file.size - offset;
    let bytes = 0;
    let ending: Promise<void> | null = null;
    place.transfers += 1;
    const finish = async (why: string): Promise<void> => {
      place.transfers -= 1;
      await file.close().catch(() => undefined);
      const detail = { target: place.name, path, offset, bytes, sha256: hash.digest('hex'), why, direction: 'down' };
      await this.#noteEnd(sessionId, actor, detail, why === 'ok' ? 'ok' : 'failed');
    };
    const end = (why: string): Promise<void> => (ending ??= finish(why));
    const { clock } = this.#deps;
    const asked = { at: clock.monotonic(), bytes: 0 };
    const mayGoOn = async (): Promise<void> => {
      if (clock.monotonic() - asked.at < ASK_AGAIN_MS && bytes - asked.bytes < ASK_AGAIN_BYTES) return;
      Object.assign(asked, { at: clock.monotonic(), bytes });
      await this.#granted(sessionId, 'read');
    };
    async function* pieces(): AsyncGenerator<Uint8Array, void, undefined> {
      try {
        for await (const piece of file.read(offset)) {
          await mayGoOn();
          // What was announced is sent: a file that grows meanwhile ends where it ended.
          const part = piece.subarray(0, length - bytes);
          hash.update(part);
          bytes += part.length;
          yield part;
          if (bytes === length) break;
        }
        if (bytes < length) throw new SallyportError('file_changed', 'the file became shorter');
        await end('ok');
      } catch (error) {
        await end(codeOf(error));
        throw error;
      }
    }
    return { body: pieces(), close: () => end('cancelled') };
  }

  async upload(sessionId: string, actor: Actor, wish: NewUpload): Promise<UploadState> {
    const place = await this.#granted(sessionId, 'write');
    checkPath(isFilePath(wish.path + PART));
    if (wish.size > MAX_FILE_BYTES) throw new SallyportError('payload_too_large', 'more than 2 GiB');
    if (place.uploads.size >= MAX_TRANSFERS) throw new SallyportError('rate_limited', 'too many transfers', { retryAfterS: 5 }); // prettier-ignore
    const other = [...place.uploads.values()].find((one) => one.wish.path === wish.path);
    // A page that lost its line goes on before the gateway has noticed.
    if (other !== undefined && wish.resume) await this.#drop(place, sessionId, other, 'resumed');
    else if (other !== undefined) throw new SallyportError('file_exists', 'it is being uploaded already');
    const files = await this.#files(place);
    const there = await files.look(wish.path);
    plainOnly(there);
    if (there !== null && !wish.replace) throw new SallyportError('file_exists', 'there is a file of that name');
    const part = await files.look(wish.path + PART);
    const isResumed = wish.resume && part?.kind === 'file' && part.size <= wish.size;
    const { path, size, replace } = wish;
    const offset = isResumed ? part.size : 0;
    const { over } = files;
    await this.#note(sessionId, actor, 'file.upload', { target: place.name, path, size, offset, replace, over });
    // `create` makes a new file only: a link that somebody laid there is not written through.
    if (part !== null && !isResumed) await files.remove(wish.path + PART);
    const file = await files.open(wish.path + PART, isResumed ? 'continue' : 'create');
    const hash = createHash('sha256');
    const upload: Upload = {
      ...{ id: randomId(), actor, wish, file, hash, offset: 0, ahead: 0, failure: null, isOver: false },
      writing: new Set(),
      cancelIdle: () => undefined,
    };
    place.uploads.set(upload.id, upload);
    // The hash is of the whole file, so what is there already is read once more.
    try {
      if (isResumed) for await (const piece of file.read(0)) hash.update(piece);
    } catch (error) {
      await this.#drop(place, sessionId, upload, codeOf(error));
      throw error;
    }
    upload.offset = offset;
    this.#waitIdle(sessionId, place, upload);
    return { uploadId: upload.id, offset };
  }

  #waitIdle(sessionId: string, place: Place, upload: Upload): void {
    upload.cancelIdle();
    upload.cancelIdle = this.#deps.clock.after(UPLOAD_IDLE_MS, () => {
      void this.#drop(place, sessionId, upload, 'transfer_gone');
    });
  }

  /** Gives an upload up; its part stays at the target. */
  async #drop(place: Place, sessionId: string, upload: Upload, why: string): Promise<void> {
    if (upload.isOver) return;
    upload.isOver = true;
    upload.cancelIdle();
    place.uploads.delete(upload.id);
    await Promise.allSettled(upload.writing);
    await upload.file.close().catch(() => undefined);
    const { wish, offset, actor } = upload;
    const detail = { target: place.name, path: wish.path, bytes: offset, why, direction: 'up' };
    await this.#noteEnd(sessionId, actor, detail, 'failed').catch(() => undefined);
  }

  async #upload(sessionId: string, uploadId: string): Promise<{ place: Place; upload: Upload }> {
    const place = await this.#granted(sessionId, 'write');
    const upload = place.uploads.get(uploadId);
    if (upload === undefined || upload.isOver) throw gone();
    if (upload.failure !== null) {
      await this.#drop(place, sessionId, upload, upload.failure.code);
      throw upload.failure;
    }
    return { place, upload };
  }

  async piece(sessionId: string, uploadId: string, offset: number, bytes: Uint8Array): Promise<UploadState> {
    const { place, upload } = await this.#upload(sessionId, uploadId);
    if (offset !== upload.offset) throw new SallyportError('conflict', `the next byte is ${upload.offset}`);
    if (offset + bytes.length > upload.wish.size) throw new SallyportError('payload_too_large', 'more than announced');
    upload.offset += bytes.length;
    upload.ahead += bytes.length;
    upload.hash.update(bytes);
    const write = upload.file
      .write(bytes, offset)
      .catch((error: unknown) => {
        upload.failure ??= error instanceof SallyportError ? error : gone();
      })
      .finally(() => {
        upload.ahead -= bytes.length;
        upload.writing.delete(write);
      });
    upload.writing.add(write);
    // The page sends the next piece while the target takes this one; beyond that it waits.
    while (upload.ahead > MAX_AHEAD_BYTES - MAX_PIECE_BYTES && upload.writing.size > 0)
      await Promise.race(upload.writing);
    this.#waitIdle(sessionId, place, upload);
    return { uploadId, offset: upload.offset };
  }

  async finish(sessionId: string, uploadId: string): Promise<Uploaded> {
    const { place, upload } = await this.#upload(sessionId, uploadId);
    const { path, size, replace } = upload.wish;
    if (upload.offset !== size) throw new SallyportError('conflict', `${size - upload.offset} bytes are missing`);
    await Promise.all(upload.writing);
    await this.#upload(sessionId, uploadId); // The last write may have failed, or the grant be gone.
    upload.isOver = true;
    upload.cancelIdle();
    place.uploads.delete(upload.id);
    const sha256 = upload.hash.digest('hex');
    const detail = { target: place.name, path, bytes: size, sha256, direction: 'up' };
    try {
      await upload.file.close();
      const files = await this.#files(place);
      const there = await files.look(path);
      plainOnly(there);
      if (there !== null && !replace) throw new SallyportError('file_exists', 'a file of that name came up meanwhile');
      await files.rename(path + PART, path);
    } catch (error) {
      await this.#noteEnd(sessionId, upload.actor, { ...detail, why: codeOf(error) }, 'failed');
      throw error;
    }
    await this.#noteEnd(sessionId, upload.actor, { ...detail, why: 'ok' }, 'ok');
    return { path, size, sha256 };
  }

  async cancel(sessionId: string, uploadId: string): Promise<void> {
    const { place, upload } = await this.#upload(sessionId, uploadId);
    await this.#drop(place, sessionId, upload, 'cancelled');
    await (await this.#files(place)).remove(upload.wish.path + PART);
  }
}
