import { type Ask, SecretInput, askOf } from './ask.ts';
import { Buffer } from './buffer.ts';
import { editWith, movementOf } from './commands.ts';
import { Completion } from './completion.ts';
import { History, keepsOut } from './history.ts';
import { type Command, INERT_KEYS, chordOf, commandOf, isPrintable, keyInfo } from './keys.ts';
import { type Picture, layout } from './layout.ts';
import { verdictOf } from './lexer.ts';
import { Renderer } from './render.ts';
import { LineQueue } from './line-queue.ts';
import { cleanText, lineStart, pasted } from './text.ts';
import type { EditorEvent, EditorOptions, Effect, KeyEvent, Mode, Result, Snapshot } from './types.ts';
import { widthProvider } from './width.ts';

/** The line editor. One instance per terminal; the same events give the same result. */
export interface Editor {
  handle(event: EditorEvent, nowMs: number): Result;
  snapshot(): Snapshot;
}

class LineEditor implements Editor {
  readonly #options: EditorOptions;
  readonly #renderer = new Renderer();
  readonly #buffer = new Buffer();
  readonly #history = new History();
  readonly #completion = new Completion();
  readonly #secret = new SecretInput();
  #cols: number;
  #rows: number;
  #mode: Mode = 'busy';
  #prompt = '';
  #lineId = 0;
  #startCol = 0;
  /** Text of the line that was sent and not yet echoed. */
  #sent = '';
  readonly #queue = new LineQueue();
  #ask: Ask | null = null;
  /** The question that a dialog of the page asks. */
  #dialogId: number | null = null;
  #effects: Effect[] = [];
  #now = 0;

  constructor(options: EditorOptions) {
    this.#options = options;
    this.#cols = options.cols;
    this.#rows = options.rows;
  }

  handle(event: EditorEvent, nowMs: number): Result {
    this.#effects = [];
    this.#now = nowMs;
    const handled = this.#dispatch(event);
    const vt = typeof handled === 'string' ? handled : this.#draw();
    return { vt, effects: this.#effects, isHandled: handled !== false };
  }

  snapshot(): Snapshot {
    const isSecret = this.#mode === 'secure';
    const text = isSecret ? '' : this.#buffer.text;
    return {
      mode: this.#mode,
      text,
      cursor: isSecret ? 0 : this.#buffer.cursor,
      queued: [...this.#queue.lines],
      verdict: verdictOf(text),
    };
  }

  /** @returns the bytes when the event made its own drawing, false for a key that is not ours */
  #dispatch(event: EditorEvent): string | boolean {
    switch (event.type) {
      case 'key':
        return this.#key(event);
      case 'text':
        return this.#type(event.text);
      case 'paste':
        return this.#paste(event.text);
      case 'pasteAs':
        return this.#pasteAs(event.how, event.text);
      case 'resize':
        if (event.phase === 'before') return this.#renderer.erase();
        this.#cols = Math.max(1, event.cols);
        this.#rows = Math.max(1, event.rows);
        this.#startCol = Math.min(this.#startCol, this.#cols - 1);
        return true;
      case 'output':
        return this.#output(event);
      case 'prompt':
        return this.#onPrompt(event.lineId, event.text);
      case 'echo':
        if (event.lineId === this.#lineId) this.#mode = 'busy';
        return this.#renderer.erase();
      case 'refused':
        return this.#onRefused(event.lineId, event.message);
      case 'incomplete':
        if (event.lineId !== this.#lineId) return true;
        this.#mode = 'block';
        this.#buffer.reset(`${event.text}\n`);
        return true;
      case 'failed':
        return this.#onFailed();
      case 'completion':
        return this.#onCompletion(event);
      case 'hostCall':
        return this.#onHostCall(event);
      case 'hostCallEnded':
        return event.id === (this.#ask?.id ?? this.#dialogId) ? this.#endAsk() : true;
      case 'history':
        this.#history.load(event.lines);
        return true;
      case 'settings':
        this.#completion.pathSeparator = event.pathSeparator;
        return true;
      case 'cleared':
        this.#renderer.forget();
        this.#startCol = 0;
        return true;
    }
  }

  #effect(effect: Effect): void {
    this.#effects.push(effect);
  }
  get #isEditing(): boolean {
    return this.#mode === 'line' || this.#mode === 'block';
  }

  // ---- drawing

  #picture(): Picture | null {
    const base = { startCol: this.#startCol, selection: [0, 0] as const };
    switch (this.#mode) {
      case 'sent':
        return { ...base, prompt: this.#prompt, text: this.#sent, cursor: this.#sent.length };
      case 'line':
      case 'block':
      case 'answer':
      case 'choice': {
        const { text, cursor, selection } = this.#buffer;
        return { ...base, prompt: this.#ask?.prompt ?? this.#prompt, text, cursor, selection };
      }
      case 'secure': {
        const { mask } = this.#secret;
        return { ...base, prompt: this.#ask?.prompt ?? '', text: mask, cursor: mask.length };
      }
      case 'busy':
      case 'key':
      case 'dialog':
        return null;
    }
  }
  #draw(): string {
    const picture = this.#picture();
    if (picture === null) return this.#renderer.erase();
    const frame = layout(picture, this.#cols, this.#options.widths ?? widthProvider);
    return this.#renderer.draw(frame, this.#rows, this.#startCol);
  }
  #output(event: Extract<EditorEvent, { type: 'output' }>): string | boolean {
    if (event.phase === 'before') {
      // An answered question is taken over by the gateway's own echo of it.
      if (this.#mode === 'sent' && this.#ask !== null) this.#endAsk();
      return this.#renderer.erase();
    }
    if (this.#picture() === null) return '';
    const isQuestion = this.#ask !== null;
    this.#startCol = isQuestion ? Math.min(event.column, this.#cols - 1) : 0;
    return (event.column > 0 && !isQuestion ? '\r\n' : '') + this.#draw();
  }

  // ---- what the gateway says

  #onPrompt(lineId: number, text: string): string | boolean {
    const erased = this.#renderer.erase();
    if (this.#ask !== null || this.#dialogId !== null) this.#endAsk();
    this.#lineId = lineId;
    this.#prompt = text;
    this.#startCol = 0;
    this.#mode = 'line';
    this.#effect({ type: 'announce', text, polite: true });
    const next = this.#queue.next();
    if (next !== undefined) this.#submit(next);
    return erased + this.#draw();
  }
  /** What waits is a draft again. */
  #unqueue(): void {
    const lines = this.#queue.takeAll();
    if (lines.length > 0) this.#buffer.put([...lines, this.#buffer.text].join('\n').trimEnd());
  }
  #onFailed(): boolean {
    if (!this.#queue.isPasted) return true;
    this.#effect({ type: 'announce', text: this.#queue.notRun, polite: false });
    this.#effect({ type: 'bell' });
    this.#unqueue();
    return true;
  }
  #onRefused(lineId: number, message: string): boolean {
    if (lineId !== this.#lineId || this.#mode !== 'sent') return true;
    this.#mode = 'line';
    this.#buffer.reset(this.#sent + this.#buffer.text);
    this.#effect({ type: 'announce', text: message, polite: false });
    this.#effect({ type: 'bell' });
    return true;
  }
  #onCompletion(event: Extract<EditorEvent, { type: 'completion' }>): boolean {
    if (!this.#isEditing || !this.#completion.answer(event, this.#buffer)) this.#effect({ type: 'bell' });
    return true;
  }
  #onHostCall(event: Extract<EditorEvent, { type: 'hostCall' }>): string | boolean {
    const erased = this.#renderer.erase();
    this.#secret.wipe();
    this.#ask = askOf(event.question);
    this.#mode = this.#ask?.mode ?? 'dialog';
    this.#dialogId = this.#ask === null ? event.question.id : null;
    this.#startCol = Math.min(event.column, this.#cols - 1);
    this.#buffer.reset();
    this.#effect({ type: 'announce', text: this.#ask?.prompt ?? '', polite: false });
    return erased + this.#draw();
  }
  #endAsk(): boolean {
    this.#secret.wipe();
    this.#ask = null;
    this.#dialogId = null;
    this.#buffer.reset();
    this.#mode = 'busy';
    this.#startCol = 0;
    return true;
  }

  // ---- keys

  #key(event: KeyEvent): string | boolean {
    if (INERT_KEYS.has(event.key)) return false;
    if (this.#mode === 'key') return this.#answerKey(event);
    const found = commandOf(event);
    if (found?.command === 'CopyOrCancelLine') return this.#copyOrCancel();
    if (this.#mode === 'secure') return this.#secureKey(event);
    if (this.#mode === 'dialog') return false;
    if (found === null) return isPrintable(event) ? this.#type(event.key) : false;
    if (this.#completion.isWaiting && !found.command.startsWith('Tab')) this.#cancelCompletion();
    if (!found.command.startsWith('Tab')) this.#completion.leave();
    return this.#run(found.command, found.isSelecting);
  }
  #cancelCompletion(): void {
    const reqId = this.#completion.cancel();
    if (reqId !== null) this.#effect({ type: 'cancel', reqId });
  }

  #type(raw: string): boolean {
    const { text } = cleanText(raw);
    if (this.#mode === 'secure') this.#secret.add(text.split('\n')[0] ?? '');
    else if (this.#mode !== 'key' && this.#mode !== 'dialog') {
      this.#cancelCompletion();
      this.#completion.leave();
      this.#history.endSearch();
      const kept = this.#ask === null ? text : text.replaceAll('\n', ' ');
      if (!this.#buffer.type(kept, this.#now)) this.#effect({ type: 'bell' });
    }
    return true;
  }
  #answerKey(event: KeyEvent): boolean {
    const info = keyInfo(event);
    if (info === null || this.#ask === null) return false;
    this.#effect({ type: 'answer', id: this.#ask.id, answer: { kind: 'key', ...info } });
    this.#endAsk();
    return true;
  }
  #secureKey(event: KeyEvent): boolean {
    const chord = chordOf(event);
    if (chord === 'Enter') this.#answer(this.#secret.take());
    else if (chord === 'Backspace') this.#secret.back();
    else if (chord === 'Ctrl+u') this.#secret.wipe();
    else if (chord === 'Escape') {
      if (this.#secret.isEmpty) this.#effect({ type: 'stop' });
      this.#secret.wipe();
    } else return isPrintable(event) ? this.#type(event.key) : false;
    return true;
  }
  #answer(input: string): void {
    const ask = this.#ask;
    if (ask === null) return;
    const answer = ask.take(input);
    this.#buffer.reset();
    if (answer === null) {
      this.#mode = ask.mode;
      return;
    }
    this.#effect({ type: 'answer', id: ask.id, answer });
    this.#endAsk();
  }

  /** Ctrl+C: copy what is selected, stop what runs, or drop the line. */
  #copyOrCancel(): string | boolean {
    const { selected } = this.#buffer;
    if (selected !== '' && this.#mode !== 'secure') {
      this.#effect({ type: 'copy', text: selected });
      return true;
    }
    if (!this.#isEditing) {
      this.#secret.wipe();
      this.#unqueue();
      this.#effect({ type: 'stop' });
      return true;
    }
    this.#buffer.move(this.#buffer.text.length, false);
    const vt = `${this.#draw()}\x1b[31m^C\x1b[0m${this.#renderer.leave()}`;
    this.#buffer.reset();
    this.#history.leave();
    this.#mode = 'line';
    this.#effect({ type: 'cancelled', lineId: this.#lineId });
    return vt + this.#draw();
  }

  // ---- commands

  #run(command: Command, isSelecting: boolean): string | boolean {
    const buffer = this.#buffer;
    const target = movementOf(command, buffer);
    if (target !== null) {
      buffer.move(target, isSelecting);
      return true;
    }
    if (editWith(command, buffer)) {
      this.#history.endSearch();
      return true;
    }
    switch (command) {
      case 'AcceptLine':
        return this.#accept(false);
      case 'SendAsIs':
        return this.#accept(true);
      case 'AddLine':
        if (this.#ask === null) buffer.type('\n', this.#now);
        return true;
      case 'RevertLine':
        if (this.#ask !== null && buffer.text === '') this.#effect({ type: 'stop' });
        buffer.put('');
        return true;
      case 'PreviousHistory':
      case 'NextHistory':
        return this.#walk(command === 'PreviousHistory' ? -1 : 1);
      case 'HistorySearchBackward':
      case 'HistorySearchForward':
        return this.#search(command === 'HistorySearchBackward' ? -1 : 1);
      case 'TabCompleteNext':
      case 'TabCompletePrevious':
        return this.#complete(command === 'TabCompleteNext' ? 1 : -1);
      case 'ClearScreen':
        return this.#clear();
      case 'Cut':
      case 'Copy':
        if (buffer.selected === '') return false;
        this.#effect({ type: 'copy', text: buffer.selected });
        if (command === 'Cut') buffer.deleteTo(buffer.cursor);
        return true;
      default:
        return true;
    }
  }
  /** Enter. */
  #accept(isForced: boolean): boolean {
    const { text } = this.#buffer;
    if (this.#ask !== null) {
      this.#answer(text);
      return true;
    }
    if (this.#mode === 'block' && !isForced && !/\n\s*$/.test(text)) {
      this.#buffer.replace(text.length, text.length, '\n');
      return true;
    }
    const isOnBlankEnd = /\n[ \t]*$/.test(text) && this.#buffer.cursor >= lineStart(text, text.length);
    const verdict = isForced || this.#mode === 'block' ? 'C' : verdictOf(text);
    if (verdict === 'I' || (verdict === 'W' && !isOnBlankEnd)) {
      this.#buffer.type('\n', this.#now);
      this.#effect({ type: 'announce', text: 'line added', polite: true });
      return true;
    }
    if (this.#isEditing) {
      this.#buffer.reset();
      this.#submit(this.#mode === 'block' ? text.replace(/\n\s*$/, '') : text);
    } else if (this.#queue.type(text)) this.#buffer.reset();
    else this.#effect({ type: 'bell' });
    return true;
  }
  #submit(text: string): void {
    this.#sent = text;
    this.#mode = 'sent';
    this.#history.add(text);
    this.#effect({ type: 'submit', lineId: this.#lineId, text, keepOutOfHistory: keepsOut(text) });
  }

  #walk(direction: -1 | 1): boolean {
    if (this.#ask !== null) return true;
    const row = this.#history.isWalking ? null : this.#buffer.vertical(direction);
    if (row !== null) this.#buffer.move(row, false);
    else {
      const text = this.#history.step(direction, this.#buffer.text);
      if (text !== null) this.#buffer.put(text);
    }
    return true;
  }
  #search(direction: -1 | 1): boolean {
    if (this.#ask !== null) return true;
    const { cursor, text } = this.#buffer;
    const found = this.#history.search(direction, text, text.slice(0, cursor));
    if (found === null) this.#effect({ type: 'bell' });
    else {
      this.#buffer.put(found);
      this.#buffer.move(Math.min(cursor, found.length), false);
    }
    return true;
  }
  #complete(step: 1 | -1): boolean {
    if (!this.#isEditing || this.#completion.isWaiting) return true;
    if (this.#completion.cycle(step, this.#buffer)) return true;
    const { text, cursor } = this.#buffer;
    if (text.trim() === '') this.#effect({ type: 'bell' });
    else this.#effect({ type: 'complete', reqId: this.#completion.ask(), text, cursor });
    return true;
  }
  #clear(): string | boolean {
    if (!this.#isEditing) return false;
    const erased = this.#renderer.erase();
    this.#startCol = 0;
    this.#effect({ type: 'clearScreen' });
    return `${erased}\x1b[H\x1b[2J${this.#draw()}`;
  }

  // ---- paste

  #paste(raw: string): boolean {
    const { text, lines, hadControls, isAsked } = pasted(raw);
    if (this.#mode === 'key' || this.#mode === 'dialog') return false;
    if (this.#mode === 'secure') return this.#type(text.split('\n')[0] ?? '');
    if (isAsked) this.#effect({ type: 'askPaste', text, lines, hadControls });
    else this.#insert(text);
    return true;
  }
  #insert(text: string): void {
    this.#completion.leave();
    const [from, to] = this.#buffer.selection;
    if (!this.#buffer.replace(from, to, this.#ask === null ? text : text.replaceAll('\n', ' ')))
      this.#effect({ type: 'bell' });
  }
  #pasteAs(how: 'block' | 'edit' | 'lines' | 'cancel', raw: string): boolean {
    const { text } = cleanText(raw);
    if (how === 'cancel' || this.#mode === 'key' || this.#mode === 'dialog' || this.#mode === 'secure') return true;
    if (how === 'lines' && this.#ask === null) {
      const [first = '', ...rest] = text.split('\n').filter((line) => line.trim() !== '');
      this.#insert(first);
      const isEditing = this.#isEditing;
      if (!this.#queue.paste(isEditing ? rest : [this.#buffer.text, ...rest])) {
        this.#insert(rest.map((line) => `\n${line}`).join(''));
        this.#effect({ type: 'bell' });
      } else if (isEditing) this.#accept(true);
      else this.#buffer.reset();
      return true;
    }
    this.#insert(text);
    return how === 'block' && this.#ask === null ? this.#accept(true) : true;
  }
}

/** A line editor that draws nothing until the first prompt. */
export const createEditor = (options: EditorOptions): Editor => new LineEditor(options);
