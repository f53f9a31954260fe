/**
 * A shell in a PTY of the target: bytes pass unread both ways, so UTF-8, escape sequences and the alternate screen are
 * the target's and the page's business alone. conventions.md section 3 "pty".
 */
import type { ErrorCode } from '@sallyport/shared/error-codes';
import type { Clock } from '../clock.ts';
import { SallyportError, codeOf, toldOf } from '../errors.ts';
import type { ChannelEnd, Connection, PtyChannel } from '../transports/contract.ts';
import type { LeftTerminal, Terminal, TerminalEnd, TerminalEvents } from './contract.ts';

const TERM = 'xterm-256color';
const INTERRUPT = Uint8Array.of(0x03);
/** Typed or pasted bytes that the target has not taken; a page may send 16 pastes of 64 KiB before anything is refused. */
const MAX_INPUT_BYTES = 1024 * 1024;
/** Sizes that a PTY takes (unsigned short) and that a screen can have. */
const MAX_CELLS = 4096;

const toCells = (value: number): number => Math.min(MAX_CELLS, Math.max(1, Math.trunc(value)));

export interface PtyTerminalOptions {
  /** Taken over: closed when the terminal ends, or when it does not open. */
  readonly connection: Connection;
  readonly cols: number;
  readonly rows: number;
  readonly events: TerminalEvents;
  readonly clock: Clock;
}

function toEnd(end: ChannelEnd): TerminalEnd {
  if (end.error !== null) {
    const { peerText: detail, explanation, at: hop } = toldOf(end.error);
    return { reason: codeOf(end.error), exitCode: null, detail, explanation, hop };
  }
  if (end.signal !== null) return { reason: 'exited', exitCode: null, detail: `ended by signal ${end.signal}` };
  return { reason: end.exitCode === null ? 'target_closed' : 'exited', exitCode: end.exitCode, detail: '' };
}

class PtyTerminal implements Terminal {
  readonly kind = 'pty';
  readonly #connection: Connection;
  readonly #events: TerminalEvents;
  readonly #clock: Clock;
  readonly #ended: Promise<void>;
  #resolveEnded: () => void = () => undefined;
  #channel: PtyChannel | null = null;
  #waitingBytes = 0;
  #isWaiting = false;
  #isRefusing = false;
  #isPaused = false;
  #closeReason: ErrorCode | null = null;
  #isEnded = false;

  constructor({ connection, events, clock }: PtyTerminalOptions) {
    this.#connection = connection;
    this.#events = events;
    this.#clock = clock;
    this.#ended = new Promise((resolve) => (this.#resolveEnded = resolve));
  }

  async open(cols: number, rows: number): Promise<void> {
    const size = { cols: toCells(cols), rows: toCells(rows), term: TERM };
    try {
      this.#channel = await this.#connection.openPty(size, {
        data: (bytes) => this.#events.output(bytes),
        drain: () => this.#drained(),
        closed: (end) => this.#end(end),
      });
    } catch (error) {
      await this.#connection.close();
      throw error;
    }
  }

  input(bytes: Uint8Array): void {
    if (this.#isEnded || this.#channel === null || bytes.length === 0) return;
    if (this.#isWaiting && this.#waitingBytes + bytes.length > MAX_INPUT_BYTES) {
      // Told once for each time the target stalls; what is refused here has visibly not been echoed.
      if (!this.#isRefusing)
        this.#events.notice(
          'warning',
          'input_refused',
          'The target takes no input. What was typed just now was dropped.',
        );
      this.#isRefusing = true;
      return;
    }
    if (this.#isWaiting) this.#waitingBytes += bytes.length;
    if (!this.#channel.write(bytes)) this.#isWaiting = true;
  }
  stop(): void {
    this.input(INTERRUPT);
  }
  submit(lineId: number): void {
    if (!this.#isEnded) this.#events.refused(lineId, 'bad_state', 'this terminal takes bytes, not lines');
  }
  complete(): ReturnType<Terminal['complete']> {
    return Promise.resolve({ index: 0, length: 0, matches: [], more: 0 });
  }
  resize(cols: number, rows: number): void {
    this.#channel?.resize(toCells(cols), toCells(rows));
  }
  pause(): void {
    this.#isPaused = true;
    this.#channel?.pause();
  }
  resume(): void {
    this.#isPaused = false;
    this.#channel?.resume();
  }

  leave(): Promise<LeftTerminal> {
    return Promise.reject(new SallyportError('session_not_leavable', 'a shell in a PTY ends with its connection'));
  }
  async close(reason: ErrorCode, deadlineMs: number): Promise<void> {
    if (this.#closeReason === null) {
      this.#closeReason = reason;
      this.#channel?.signal('HUP');
      // A paused terminal cannot see the shell's end behind the bytes that nobody takes, so it does not wait for it.
      if (this.#isPaused) void this.#channel?.close();
      else {
        const cancel = this.#clock.after(deadlineMs, () => void this.#channel?.close());
        void this.#ended.then(cancel);
      }
    }
    await this.#ended;
  }

  #drained(): void {
    this.#isWaiting = false;
    this.#isRefusing = false;
    this.#waitingBytes = 0;
  }

  #end(end: ChannelEnd): void {
    this.#isEnded = true;
    const told = toEnd(end);
    this.#events.ended(this.#closeReason === null ? told : { ...told, reason: this.#closeReason });
    void this.#connection.close().finally(this.#resolveEnded);
  }
}

/**
 * Opens a shell. The terminal owns the connection from now on.
 * @throws SallyportError shell_refused, target_timeout, target_lost
 */
export async function openPtyTerminal(options: PtyTerminalOptions): Promise<Terminal> {
  const terminal = new PtyTerminal(options);
  await terminal.open(options.cols, options.rows);
  return terminal;
}
