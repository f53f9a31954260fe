import type { OpeningPort, OpenTerminal } from '../../server/src/broker/contract.ts';
import { SallyportError } from '../../server/src/errors.ts';
import type { LeftTerminal, Terminal } from '../../server/src/terminals/contract.ts';

/** A terminal that tests drive by hand: `port` is the session's ear, `calls` what the session told it. */
export class FakeTerminal implements Terminal {
  readonly kind: 'powershell' | 'pty';
  readonly calls: string[] = [];
  port: OpeningPort | null = null;
  /** What it tells while it is opened. */
  openWith: ((port: OpeningPort) => void) | null = null;
  #isEnded = false;

  constructor(kind: 'powershell' | 'pty') {
    this.kind = kind;
  }
  /** Opens at once. */
  readonly open: OpenTerminal = (port) => {
    this.port = port;
    this.openWith?.(port);
    return Promise.resolve(this);
  };
  get ear(): OpeningPort {
    if (this.port === null) throw new Error('not opened');
    return this.port;
  }
  print(text: string): void {
    this.ear.output(Buffer.from(text));
  }
  input(bytes: Uint8Array): void {
    this.calls.push(`input ${Buffer.from(bytes).toString()}`);
  }
  submit(lineId: number, text: string): void {
    this.calls.push(`submit ${lineId} ${text}`);
  }
  complete(text: string, cursor: number): ReturnType<Terminal['complete']> {
    const matches = [{ text: `${text}!`, list: text, kind: 'Command', toolTip: '' }];
    return Promise.resolve({ index: 0, length: cursor, matches, more: 0 });
  }
  stop(): void {
    this.calls.push('stop');
  }
  resize(cols: number, rows: number): void {
    this.calls.push(`resize ${cols} ${rows}`);
  }
  pause(): void {
    this.calls.push('pause');
  }
  /** Each change; null: nothing was held yet. */
  readonly holds: boolean[] = [];
  hold(isHeld: boolean): void {
    if (this.holds.at(-1) !== isHeld) this.holds.push(isHeld);
  }
  resume(): void {
    this.calls.push('resume');
  }
  /** What it stands at, for when it is left; null: it cannot be. */
  #left: LeftTerminal | null = null;
  /** From now on it can be left there. */
  standsAt(left: LeftTerminal | null): void {
    this.#left = left;
    this.ear.leavable(left);
  }
  leave(): Promise<LeftTerminal> {
    this.calls.push('leave');
    if (this.#left === null) return Promise.reject(new SallyportError('session_not_leavable', 'not here'));
    this.#isEnded = true;
    this.port?.ended({ reason: 'session_left', exitCode: null, detail: '' });
    return Promise.resolve(this.#left);
  }
  close(reason: Parameters<Terminal['close']>[0]): Promise<void> {
    this.calls.push(`close ${reason}`);
    if (!this.#isEnded) {
      this.#isEnded = true;
      this.port?.ended({ reason, exitCode: null, detail: '' });
    }
    return Promise.resolve();
  }
}
