import { createOutputFilter, type OutputFilter } from '@sallyport/shared/terminal-output/filter';
import type { CompletionMatch, ServerMessage, TerminalKind } from '@sallyport/shared/wire/control';
import type { Answer, Question } from '@sallyport/shared/wire/questions';
import type { LinkState } from '../session/link-state.ts';
import { GutterMarks } from './gutter-marks.ts';
import {
  hostCall,
  isAskedOnTheLine,
  openEditor,
  type EditorEvent,
  type Effect,
  type LineEditor,
  type Snapshot,
} from './line-editor.ts';
import { asksFirst, cleanPaste } from './paste.ts';
import { isAllowedInput } from './reports.ts';
import { Serial } from './serial.ts';
import { TerminalScreen, type ScreenOptions } from './terminal-screen.ts';

/** What a terminal asks of its page and session. */
export interface TerminalPorts {
  submit(lineId: number, text: string): boolean;
  stop(): void;
  answer(id: number, answer: Answer): void;
  complete(reqId: number, text: string, cursor: number): void;
  input(bytes: Uint8Array): boolean;
  resized(cols: number, rows: number): void;
  announce(text: string, isPolite: boolean): void;
  /** More than one line was pasted: ask, then call `pasteAs` or `pasteRaw`. */
  askPaste(text: string, lines: number): void;
  link(address: string): void;
  bell(): void;
  /** Draft, gutter, completions or mode changed: read them again. */
  changed(): void;
}

/** Matches that a completion menu shows. */
export interface CompletionMenu {
  readonly matches: readonly CompletionMatch[];
  readonly index: number;
  readonly more: number;
}

interface Chunk {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly drawn: () => void;
}
const SYNC_ON = '\x1b[?2026h';
const SYNC_OFF = '\x1b[?2026l';
const CLEAR = '\x1b[H\x1b[2J\x1b[3J';

/** The middle of a terminal: puts stream, editor and marks on one screen in one order. Knows no socket. */
export class TerminalController {
  readonly screen: TerminalScreen;
  readonly gutter = new GutterMarks();
  menu: CompletionMenu | null = null;
  readonly #ports: TerminalPorts;
  readonly #serial = new Serial();
  #filter: OutputFilter;
  #editor: LineEditor | null = null;
  #kind: TerminalKind | null = null;
  #isController = false;
  /** The output job that is queued and not begun, so that what comes meanwhile joins it. */
  #queued: Chunk[] | null = null;

  constructor(host: HTMLElement, options: Omit<ScreenOptions, 'takesKeys'>, ports: TerminalPorts) {
    this.#ports = ports;
    this.#filter = this.#newFilter();
    this.screen = new TerminalScreen(
      host,
      { ...options, takesKeys: false },
      {
        data: (data) => this.#typed(data),
        binary: (data) => {
          if (this.takesKeys) ports.input(Uint8Array.from(data, (char) => char.charCodeAt(0)));
        },
        room: (cols, rows) => this.#resize(cols, rows),
        link: (address) => ports.link(address),
        moved: () => ports.changed(),
      },
    );
  }

  /** Whether keys go to a program at the target, not to the editor. */
  get takesKeys(): boolean {
    return this.#kind === 'pty' && this.#isController;
  }
  /** Another window has the keys; the grid is as large as there. */
  get isWatching(): boolean {
    return this.#kind !== null && !this.#isController;
  }
  /** Whether the editor has the keys. */
  get hasEditor(): boolean {
    return this.#editor !== null && this.#isController;
  }
  get snapshot(): Snapshot | null {
    return this.#editor?.snapshot() ?? null;
  }

  output(bytes: Uint8Array, offset: number, echoOf: number | null, drawn: () => void): void {
    if (echoOf !== null) {
      this.#push((next) => this.#echo(echoOf, { bytes, offset, drawn }, next));
      return;
    }
    if (this.#queued !== null) {
      this.#queued.push({ bytes, offset, drawn });
      return;
    }
    const chunks: Chunk[] = [{ bytes, offset, drawn }];
    let hasBegun = false;
    const wasQueued = (): boolean => !hasBegun;
    this.#push((next) => {
      hasBegun = true;
      if (this.#queued === chunks) this.#queued = null;
      this.#output(chunks, next);
    });
    if (wasQueued()) this.#queued = chunks;
  }

  /** The bytes that follow are of another place: nothing on the screen can stay. */
  restart(skipped: number): void {
    this.#push((next) => {
      this.#filter = this.#newFilter();
      this.#editor = null;
      this.gutter.clear();
      this.screen.terminal.reset();
      if (skipped > 0) this.#ports.announce('Earlier output is in the replay.', true);
      next();
    });
  }

  message(message: ServerMessage): void {
    switch (message.type) {
      case 'attached':
        this.#push((next) => {
          this.#attach(message.facts.kind, message.role === 'controller', message);
          this.gutter.set(message.commands);
          next();
        });
        return;
      case 'command':
        if (message.command.state === 'failed') this.edit({ type: 'failed' });
        this.#push((next) => {
          this.gutter.put(message.command);
          this.#ports.changed();
          next();
        });
        return;
      case 'prompt':
        this.edit({ type: 'settings', pathSeparator: /[A-Za-z]:\\/.test(message.text) ? '\\' : '/' });
        this.edit(message);
        return;
      case 'refused':
      case 'incomplete':
        this.edit(message);
        return;
      case 'completion':
        this.menu =
          message.matches.length > 1 ? { matches: message.matches, index: message.index, more: message.more } : null;
        this.edit(message);
        return;
      case 'question':
        this.#ask(message.question);
        return;
      case 'questionEnded':
        this.edit({ type: 'hostCallEnded', id: message.id });
        return;
      case 'clear':
        this.#clear();
        return;
      case 'resized':
        if (this.#isController) return;
        this.#push((next) => {
          this.screen.resize(message.cols, message.rows);
          next();
        });
        return;
      case 'resumeToken':
      case 'phase':
      case 'facts':
      case 'progress':
      case 'title':
      case 'watchers':
      case 'notice':
      case 'pong':
      case 'ended':
        return;
    }
  }

  /** The connection changed: a session that is over takes no more keys. */
  link(state: LinkState): void {
    if (state.kind === 'ended') {
      this.edit({ type: 'output', phase: 'before' });
      this.#push((next) => {
        this.#editor = null;
        this.screen.takesKeys = false;
        next();
      });
    }
    this.#ports.changed();
  }

  /** Earlier lines of this person, oldest first. */
  history(lines: readonly string[]): void {
    this.edit({ type: 'history', lines });
  }

  /** Hands an event to the editor, after what is under way. @returns whether a key was the editor's */
  edit(event: EditorEvent): boolean {
    if (this.#serial.isBusy) {
      this.#push((next) => {
        this.#handle(event);
        next();
      });
      return true;
    }
    return this.#handle(event);
  }

  /** Text that a person pasted or dropped. */
  paste(text: string): void {
    if (this.hasEditor) this.edit({ type: 'paste', text });
    else if (this.takesKeys) {
      const paste = cleanPaste(text);
      if (asksFirst(paste)) this.#ports.askPaste(paste.text, paste.lines);
      else this.screen.terminal.paste(paste.text);
    }
  }

  /** The answer to `askPaste`. */
  pasteAs(how: 'block' | 'edit' | 'lines' | 'cancel', text: string): void {
    if (this.hasEditor) this.edit({ type: 'pasteAs', how, text });
    else if (how !== 'cancel') this.screen.terminal.paste(text);
  }

  /** Keys from the key bar and the line field of a phone, for a PTY. */
  send(data: string): void {
    if (this.takesKeys) this.#ports.input(new TextEncoder().encode(data));
  }

  /** Scrolls to the command before or after the one at the top. */
  goToCommand(step: 1 | -1): void {
    const { terminal } = this.screen;
    const top = terminal.buffer.active.viewportY;
    const lines = this.gutter.numbers().flatMap((number) => this.gutter.lineOf(number) ?? []);
    const line = step < 0 ? lines.findLast((at) => at < top) : lines.find((at) => at > top);
    if (line !== undefined) terminal.scrollToLine(line);
    else if (step > 0) terminal.scrollToBottom();
  }

  dispose(): void {
    this.screen.dispose();
  }

  #push(job: (next: () => void) => void): void {
    this.#queued = null;
    this.#serial.push(job);
  }

  #newFilter(): OutputFilter {
    return createOutputFilter({
      answer: (text) => {
        if (this.takesKeys) this.#ports.input(new TextEncoder().encode(text));
      },
    });
  }

  #attach(kind: TerminalKind, isController: boolean, grid: { readonly cols: number; readonly rows: number }): void {
    this.#kind = kind;
    this.#isController = isController;
    // Who watches sees the grid of the one who types; with the keyboard the grid is what this page has room for.
    const { cols, rows } = isController ? (this.screen.room() ?? grid) : grid;
    if (this.#editor === null && (cols !== this.screen.terminal.cols || rows !== this.screen.terminal.rows))
      this.screen.resize(cols, rows);
    if (isController) this.#ports.resized(cols, rows);
    if (kind === 'powershell' && isController) this.#editor ??= openEditor(cols, rows);
    else this.#editor = null;
    this.screen.takesKeys = this.takesKeys;
    this.#ports.changed();
  }

  #typed(data: string): void {
    if (this.takesKeys && isAllowedInput(data)) this.#ports.input(new TextEncoder().encode(data));
  }

  /** Writes the bytes, and sets a mark wherever a command began. @returns nothing; `done` after the last is in the grid */
  #write(chunks: readonly Chunk[], done: () => void): void {
    for (const { bytes, offset } of chunks) {
      let at = 0;
      for (const mark of this.gutter.offsetsIn(offset, offset + bytes.length)) {
        this.screen.write(this.#filter.push(bytes.subarray(at, mark - offset)));
        this.screen.write('', () => this.gutter.mark(mark, this.screen));
        at = mark - offset;
      }
      this.screen.write(this.#filter.push(bytes.subarray(at)));
    }
    this.screen.write('', done);
  }

  #output(chunks: Chunk[], next: () => void): void {
    const drawn = (): void => chunks.forEach((chunk) => chunk.drawn());
    if (this.#editor === null) {
      this.#write(chunks, drawn);
      next();
      return;
    }
    const before = this.#editor.handle({ type: 'output', phase: 'before' }, performance.now());
    const isMerged = before.vt !== '';
    if (isMerged) this.screen.write(SYNC_ON + before.vt);
    this.#write(chunks, () => {
      const column = this.screen.terminal.buffer.active.cursorX;
      this.#handle({ type: 'output', phase: 'after', column });
      if (isMerged) this.screen.write(SYNC_OFF);
      drawn();
      next();
    });
  }

  #echo(lineId: number, chunk: Chunk, next: () => void): void {
    this.menu = null;
    this.#handle({ type: 'echo', lineId });
    this.screen.write('', () => this.gutter.mark(chunk.offset, this.screen));
    this.screen.write(this.#filter.push(chunk.bytes), () => {
      chunk.drawn();
      this.#ports.changed();
      next();
    });
  }

  #ask(question: Question): void {
    this.#push((next) => {
      // The column is known once everything before is in the grid.
      this.screen.write('', () => {
        this.#handle(hostCall(question, this.screen.terminal.buffer.active.cursorX));
        if (isAskedOnTheLine(question)) this.#ports.announce(`Asked by ${question.fromName}`, false);
        next();
      });
    });
  }

  #clear(): void {
    this.#push((next) => {
      this.#handle({ type: 'output', phase: 'before' });
      this.gutter.clear();
      this.screen.write(CLEAR, () => {
        this.#handle({ type: 'cleared' });
        next();
      });
    });
  }

  #resize(cols: number, rows: number): void {
    if (this.isWatching) {
      this.#ports.resized(cols, rows);
      return;
    }
    this.#push((next) => {
      this.#handle({ type: 'resize', phase: 'before' });
      this.screen.write('', () => {
        this.screen.resize(cols, rows);
        this.#handle({ type: 'resize', phase: 'after', cols, rows });
        this.#ports.resized(cols, rows);
        this.#ports.changed();
        next();
      });
    });
  }

  #handle(event: EditorEvent): boolean {
    if (this.#editor === null) return false;
    const { vt, effects, isHandled } = this.#editor.handle(event, performance.now());
    if (vt !== '') this.screen.write(vt);
    if (event.type === 'key' || event.type === 'text') {
      this.screen.terminal.scrollToBottom();
      if (event.type === 'key' && event.key !== 'Tab') this.menu = null;
    }
    for (const effect of effects) this.#carryOut(effect);
    this.#ports.changed();
    return isHandled;
  }

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case 'submit':
        this.#submit(effect.lineId, effect.text);
        return;
      case 'stop':
        this.#ports.stop();
        return;
      case 'answer':
        this.#ports.answer(effect.id, effect.answer);
        return;
      case 'complete':
        this.#ports.complete(effect.reqId, effect.text, effect.cursor);
        return;
      case 'copy':
        void navigator.clipboard.writeText(effect.text).catch(() => this.#ports.bell());
        return;
      case 'askPaste':
        this.#ports.askPaste(effect.text, effect.lines);
        return;
      case 'announce':
        this.#ports.announce(effect.text, effect.polite);
        return;
      case 'bell':
        this.#ports.bell();
        return;
      case 'clearScreen':
      case 'cancel':
      case 'cancelled':
      case 'draft':
        return;
    }
  }

  #submit(lineId: number, text: string): void {
    let message = '';
    try {
      if (!this.#ports.submit(lineId, text)) message = 'There is no connection. The line was not run.';
    } catch {
      message = 'The line is longer than 1 MiB and was not run.';
    }
    if (message !== '') this.edit({ type: 'refused', lineId, message });
  }
}
