import { MAX_PIECE_BYTES } from '@sallyport/shared/file-limits';
import { beginUpload, cancelUpload, fetchFile, finishUpload, sendPiece } from '../api/files.ts';

/** Pieces grow while they are quick and shrink on a slow line: each has to arrive within the gateway's 10 s. */
const FIRST_PIECE_BYTES = 256 * 1024;
const MIN_PIECE_BYTES = 64 * 1024;
const QUICK_MS = 500;
const SLOW_MS = 3000;

/** The size of the next piece, from how long the last one took. */
export function nextPiece(bytes: number, ms: number): number {
  if (ms < QUICK_MS) return Math.min(MAX_PIECE_BYTES, bytes * 2);
  return ms > SLOW_MS ? Math.max(MIN_PIECE_BYTES, Math.floor(bytes / 2)) : bytes;
}

/** One file on its way. `go` starts it, and goes on with it after it failed. */
abstract class Transfer {
  readonly name: string;
  readonly path: string;
  readonly sessionId: string;
  size = 0;
  done = 0;
  state: 'running' | 'done' | 'failed' | 'cancelled' = 'running';
  error: unknown = null;
  /** Whoever shows it. */
  changed: () => void = () => undefined;
  abstract readonly direction: 'up' | 'down';
  #abort = new AbortController();
  constructor(sessionId: string, path: string) {
    this.sessionId = sessionId;
    this.path = path;
    this.name = path.slice(path.lastIndexOf('/') + 1);
  }
  async go(): Promise<void> {
    this.#abort = new AbortController();
    this.state = 'running';
    this.error = null;
    this.changed();
    try {
      await this.run(this.#abort.signal);
      this.state = 'done';
    } catch (caught) {
      if (this.#isCancelled()) return;
      this.error = caught;
      this.state = 'failed';
    }
    this.changed();
  }
  #isCancelled = (): boolean => this.#abort.signal.aborted;
  async cancel(): Promise<void> {
    this.state = 'cancelled';
    this.#abort.abort();
    this.changed();
    await this.undo().catch(() => undefined); // The gateway forgets it by itself after two minutes.
  }
  protected abstract run(signal: AbortSignal): Promise<void>;
  protected abstract undo(): Promise<void>;
}

/** Hands the browser a file to keep. */
export type Keep = (name: string, contents: Blob) => void;

/** From the target to this browser. What came before it failed is kept, to go on with. */
export class DownloadTransfer extends Transfer {
  readonly direction = 'down';
  readonly #keep: Keep;
  #parts: Blob[] = [];
  #tag: string | null = null;
  constructor(sessionId: string, path: string, keep: Keep) {
    super(sessionId, path);
    this.#keep = keep;
  }
  protected async run(signal: AbortSignal): Promise<void> {
    const answer = await fetchFile(this.sessionId, this.path, this.done, this.#tag, signal);
    this.#tag = answer.headers.get('x-file-tag');
    this.size = Number(answer.headers.get('x-file-size') ?? 0);
    const reader = answer.body?.getReader();
    for (;;) {
      const read = await reader?.read();
      if (read?.value === undefined) break;
      this.#parts.push(new Blob([read.value]));
      this.done += read.value.length;
      this.changed();
    }
    if (this.done !== this.size) throw new Error('The file ended early. Go on to get the rest.');
    this.#keep(this.name, new Blob(this.#parts));
    this.#parts = [];
  }
  protected undo(): Promise<void> {
    this.#parts = [];
    return Promise.resolve();
  }
}

/** From this browser to the target. */
export class UploadTransfer extends Transfer {
  readonly direction = 'up';
  readonly #file: Blob;
  /** Put in place of a file that is there. */
  replace = false;
  #uploadId: string | null = null;
  #isResumed = false;
  #piece = FIRST_PIECE_BYTES;
  constructor(sessionId: string, path: string, file: Blob) {
    super(sessionId, path);
    this.#file = file;
    this.size = file.size;
  }
  protected async run(signal: AbortSignal): Promise<void> {
    const { sessionId, path, replace } = this;
    const wish = { path, size: this.size, replace, resume: this.#isResumed };
    const { uploadId, offset } = await beginUpload(sessionId, wish);
    this.#uploadId = uploadId;
    this.#isResumed = true;
    this.done = offset;
    this.changed();
    while (this.done < this.size) {
      const start = performance.now();
      const piece = this.#file.slice(this.done, this.done + this.#piece);
      this.done = (await sendPiece(sessionId, uploadId, this.done, piece, signal)).offset;
      this.#piece = nextPiece(this.#piece, performance.now() - start);
      this.changed();
    }
    await finishUpload(sessionId, uploadId);
  }
  protected async undo(): Promise<void> {
    if (this.#uploadId !== null) await cancelUpload(this.sessionId, this.#uploadId);
  }
}
