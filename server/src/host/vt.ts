/** What scripts write through their host, as terminal bytes. interactive.md section 5. */
import { colouredText } from '@sallyport/shared/terminal-output/visible-text';

const RESET = '\x1b[0m';
const ERROR = '31';
const NOTE = '33';
/** SGR foreground by number of ConsoleColor; a background is 10 more. */
const FOREGROUND = [30, 34, 32, 36, 31, 35, 33, 37, 90, 94, 92, 96, 91, 95, 93, 97] as const;
/** The colours that our host says it has: they stay those of the page. */
const DEFAULT_FOREGROUND = 7;
const DEFAULT_BACKGROUND = 0;

/** Text of a peer: of the control sequences only colours stay, every line end is CR LF. */
export const terminalText = (text: string): string => colouredText(text).replace(/\r?\n/g, '\r\n');

const painted = (sgr: string, text: string): string =>
  sgr === '' ? terminalText(text) : `\x1b[${sgr}m${terminalText(text)}${RESET}`;

/** Text in colours of ConsoleColor; numbers that are none are passed over. */
export function consoleColours(foreground: number, background: number, text: string): string {
  const codes: number[] = [];
  const front = foreground === DEFAULT_FOREGROUND ? undefined : FOREGROUND[foreground];
  const back = background === DEFAULT_BACKGROUND ? undefined : FOREGROUND[background];
  if (front !== undefined) codes.push(front);
  if (back !== undefined) codes.push(back + 10);
  return painted(codes.join(';'), text);
}

/** A line in the colour of errors. */
export const errorLine = (text: string): string => `${painted(ERROR, text)}\r\n`;
/** A warning, verbose or debug line with its prefix. */
export const noteLine = (kind: 'WARNING' | 'VERBOSE' | 'DEBUG', text: string): string =>
  `${painted(NOTE, `${kind}: ${text}`)}\r\n`;
/** A plain line. */
export const textLine = (text: string): string => `${terminalText(text)}\r\n`;

/** Collects what is to be shown, and knows whether the cursor is in the first column and a colour is still on. */
export class VtOutput {
  readonly #encoder = new TextEncoder();
  readonly #send: (bytes: Uint8Array) => void;
  #pieces: string[] = [];
  #isLineStart = true;
  #isColoured = false;
  #byteCount = 0;

  constructor(send: (bytes: Uint8Array) => void) {
    this.#send = send;
  }
  /** All bytes ever given out. */
  get byteCount(): number {
    return this.#byteCount;
  }
  /** @param text terminal text already */
  write(text: string): void {
    if (text === '') return;
    this.#pieces.push(text);
    const last = text.lastIndexOf('\x1b[');
    if (last >= 0) this.#isColoured = !/^\x1b\[0?m/.test(text.slice(last, last + 4));
    const visible = text.replace(/(?:\x1b\[[0-9;:]*m)+$/, '');
    if (visible !== '') this.#isLineStart = visible.endsWith('\n');
  }
  /** Ends a colour that was left on and a line that was left open: a prompt follows. */
  settle(): void {
    if (this.#isColoured) this.write(RESET);
    if (!this.#isLineStart) this.write('\r\n');
  }
  /** Gives out what was collected. */
  flush(): void {
    if (this.#pieces.length === 0) return;
    const bytes = this.#encoder.encode(this.#pieces.join(''));
    this.#pieces = [];
    this.#byteCount += bytes.length;
    this.#send(bytes);
  }
}
