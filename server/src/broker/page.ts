/** One attached page: what it may say, and its stream. */
import { CloseCode } from '@sallyport/shared/wire/close-codes';
import { MAX_SUBMIT_BYTES } from '@sallyport/shared/wire/credit';
import { SallyportError, assertNever } from '../errors.ts';
import { decide } from '../policy.ts';
import type { Terminal } from '../terminals/contract.ts';
import type { Page, PageMessage, Requester, SessionSocket } from './contract.ts';
import { PageStream, type StreamSource } from './page-stream.ts';
import type { Questions } from './questions.ts';

/** What a page does to its session. */
export interface PageHost extends StreamSource {
  readonly sessionId: string;
  readonly ownerId: string;
  readonly questions: Questions;
  /** Null while opening and after the end. */
  readonly terminal: Terminal | null;
  /** The line was taken for the prompt it answers. @returns false when another prompt is current */
  submit(lineId: number, text: string): boolean;
  resize(cols: number, rows: number): void;
  creditChanged(): void;
  closeAsked(page: AttachedPage): void;
  /** `resumable`: the page may come back with its token. */
  left(page: AttachedPage, resumable: boolean): void;
}

interface Submitting {
  readonly lineId: number;
  readonly parts: string[];
  bytes: number;
}
const viewerMay: ReadonlySet<PageMessage['type']> = new Set(['ack', 'detach']);

export class AttachedPage implements Page {
  readonly role: 'controller' | 'viewer';
  readonly who: Requester;
  readonly stream: PageStream;
  readonly #host: PageHost;
  #submitting: Submitting | null = null;
  #completing: AbortController | null = null;
  #isGone = false;

  constructor(host: PageHost, who: Requester, role: 'controller' | 'viewer', socket: SessionSocket, offset: number) {
    this.#host = host;
    this.who = who;
    this.role = role;
    // A page that only took nothing for too long may come back for what it lacks.
    this.stream = new PageStream(host, socket, offset, (code) => {
      this.#leave(code === 'slow_reader');
    });
  }

  get sessionId(): string {
    return this.#host.sessionId;
  }
  get ownerId(): string {
    return this.#host.ownerId;
  }

  handle(message: PageMessage): void {
    if (this.stream.isClosed) return;
    if (this.role === 'viewer' && !viewerMay.has(message.type))
      throw new SallyportError('bad_state', `a watching page sent ${message.type}`);
    switch (message.type) {
      case 'ack':
        this.stream.ack(message.offset);
        this.#host.creditChanged();
        return;
      case 'resize':
        this.#host.resize(message.cols, message.rows);
        return;
      case 'submit':
        this.#submit(message);
        return;
      case 'stop':
        this.#host.terminal?.stop();
        return;
      case 'answer':
        this.#host.questions.answer(
          message.id,
          message.answer,
          () => decide(this.who.subject, 'hostkey.accept', null).allowed,
        );
        return;
      case 'complete':
        this.#complete(message);
        return;
      case 'detach':
        this.stream.close('closed_by_user', CloseCode.normal);
        return;
      case 'close':
        this.#host.closeAsked(this);
        return;
      default:
        assertNever(message);
    }
  }

  input(bytes: Uint8Array): void {
    if (this.stream.isClosed) return;
    if (this.role === 'viewer') throw new SallyportError('bad_state', 'a watching page sent input');
    const { terminal } = this.#host;
    if (terminal === null) return; // Typed before the shell is there, or after its end.
    if (terminal.kind !== 'pty') throw new SallyportError('bad_state', 'a PowerShell console takes lines');
    terminal.input(bytes);
  }

  gone(): void {
    this.#leave(true);
  }

  #leave(resumable: boolean): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.stream.stop();
    this.#completing?.abort();
    this.#host.left(this, resumable);
  }

  #submit(message: Extract<PageMessage, { type: 'submit' }>): void {
    if (message.part === 0) this.#submitting = { lineId: message.lineId, parts: [], bytes: 0 };
    const joined = this.#submitting;
    if (joined?.lineId !== message.lineId || joined.parts.length !== message.part)
      throw new SallyportError('bad_state', 'parts of a line out of order');
    joined.parts.push(message.text);
    joined.bytes += Buffer.byteLength(message.text);
    if (joined.bytes > MAX_SUBMIT_BYTES) throw new SallyportError('line_too_long', 'a line over 1 MiB');
    if (!message.last) return;
    this.#submitting = null;
    if (this.#host.submit(message.lineId, joined.parts.join(''))) return;
    this.stream.control({
      type: 'refused',
      lineId: message.lineId,
      code: 'session_busy',
      message: 'The session does not wait for this line.',
    });
  }

  #complete({ reqId, text, cursor }: Extract<PageMessage, { type: 'complete' }>): void {
    this.#completing?.abort();
    const { terminal } = this.#host;
    if (terminal === null) return;
    if (cursor > text.length) throw new SallyportError('bad_state', 'the cursor is behind the text');
    const abort = new AbortController();
    this.#completing = abort;
    const nothing = { index: 0, length: 0, matches: [], more: 0 };
    void terminal
      .complete(text, cursor, abort.signal)
      .catch(() => nothing)
      .then((found) => {
        const { index, length, more } = found;
        this.stream.control({ type: 'completion', reqId, index, length, matches: [...found.matches], more });
      });
  }
}
