import type { OpeningPort, OpenTerminal } from '../../server/src/broker/contract.ts';
import { SallyportError } from '../../server/src/errors.ts';
import type { LeftTerminal, Terminal } from '../../server/src/terminals/contract.ts';

/** A terminal that tests drive by hand: `port` is the session's ear, `calls` what the session told it. */
export class FakeTerminal implements Terminal {
  readonly kind: 'powershell' | 'pty';
  readonly calls: string[] = [];
  port: OpeningPort | null = null;
  #isEnded = false;

  constructor(kind: 'powershell' | 'pty') {
    this.kind = kind;
  }
  /** Opens at once. */
  readonly open: OpenTerminal = (port) => {
    this.port = port;
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
  resume(): void {
    this.calls.push('resume');
  }
  leave(): Promise<LeftTerminal> {
    this.calls.push('leave');
    return Promise.reject(new SallyportError('session_not_leavable', 'not here'));
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
