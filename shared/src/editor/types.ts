/**
 * The editor's only door: events in, bytes for the screen and effects out. line-editor.md, top. The page turns DOM events
 * into these, writes `vt` and carries the effects out; nothing here knows a clock, a socket or a screen.
 */

/** What the target asks; the shape of `shared/wire/questions.ts`, of which this package only needs these parts. */
export type HostQuestion =
  | { readonly id: number; readonly kind: 'line'; readonly prompt: string; readonly secure: boolean }
  | {
      readonly id: number;
      readonly kind: 'prompt';
      readonly caption: string;
      readonly message: string;
      readonly fields: readonly HostField[];
    }
  | {
      readonly id: number;
      readonly kind: 'choice';
      readonly caption: string;
      readonly message: string;
      readonly choices: readonly { readonly label: string; readonly hotKey: string | null; readonly help: string }[];
      readonly defaults: readonly number[];
      readonly multiple: boolean;
    }
  | { readonly id: number; readonly kind: 'key' }
  /** Asked in a dialog of the page; the editor only stands aside. */
  | { readonly id: number; readonly kind: 'credential' | 'hostKey' | 'secret' | 'keyboard' };

export interface HostField {
  readonly name: string;
  readonly label: string;
  readonly help: string;
  readonly kind: 'text' | 'secure' | 'credential' | 'boolean' | 'list';
  readonly mandatory: boolean;
  readonly defaultText: string | null;
}

export type FieldValue = null | string | boolean | string[];
/** A subset of `shared/wire/questions.ts` Answer. */
export type HostAnswer =
  | { kind: 'text'; text: string }
  | { kind: 'fields'; values: FieldValue[] }
  | { kind: 'choice'; indexes: number[] }
  | { kind: 'key'; virtualKeyCode: number; character: number; controlKeyState: number }
  | { kind: 'cancel' };

export interface Match {
  readonly text: string;
  readonly list: string;
  readonly kind: string;
  readonly toolTip: string;
}

export interface KeyEvent {
  readonly type: 'key';
  /** `KeyboardEvent.key`. */
  readonly key: string;
  readonly ctrl?: boolean;
  readonly alt?: boolean;
  readonly shift?: boolean;
  readonly meta?: boolean;
}

export type EditorEvent =
  | KeyEvent
  /** Text that was typed, or came from a composition, already whole. */
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'paste'; readonly text: string }
  /** The person's answer to `askPaste`. */
  | { readonly type: 'pasteAs'; readonly how: 'block' | 'edit' | 'lines' | 'cancel'; readonly text: string }
  /** `before`: take the drawing off the screen. `after`: the terminal has the new size, draw again. */
  | { readonly type: 'resize'; readonly phase: 'before' }
  | { readonly type: 'resize'; readonly phase: 'after'; readonly cols: number; readonly rows: number }
  /** Stream bytes are about to be written / were written; `column` is the terminal's cursor after them. */
  | { readonly type: 'output'; readonly phase: 'before' }
  | { readonly type: 'output'; readonly phase: 'after'; readonly column: number }
  | { readonly type: 'prompt'; readonly lineId: number; readonly text: string }
  /** The echo of a line is about to be written: take the drawing off. */
  | { readonly type: 'echo'; readonly lineId: number }
  | { readonly type: 'refused'; readonly lineId: number; readonly message: string }
  | { readonly type: 'incomplete'; readonly lineId: number; readonly text: string }
  | {
      readonly type: 'completion';
      readonly reqId: number;
      readonly index: number;
      readonly length: number;
      readonly matches: readonly Match[];
    }
  /** The line that ran has failed: what was pasted to run after it is not run. */
  | { readonly type: 'failed' }
  /** `column`: where the terminal's cursor stands; the question is drawn from there. */
  | { readonly type: 'hostCall'; readonly question: HostQuestion; readonly column: number }
  | { readonly type: 'hostCallEnded'; readonly id: number }
  /** Earlier lines, oldest first, from the person's own ledger. */
  | { readonly type: 'history'; readonly lines: readonly string[] }
  | { readonly type: 'settings'; readonly pathSeparator: '/' | '\\' }
  /** The screen was cleared by somebody else: the drawing is gone and the cursor is at the top left. */
  | { readonly type: 'cleared' };

export type Effect =
  | { readonly type: 'submit'; readonly lineId: number; readonly text: string; readonly keepOutOfHistory: boolean }
  | { readonly type: 'cancelled'; readonly lineId: number }
  | { readonly type: 'stop' }
  | { readonly type: 'answer'; readonly id: number; readonly answer: HostAnswer }
  | { readonly type: 'complete'; readonly reqId: number; readonly text: string; readonly cursor: number }
  | { readonly type: 'cancel'; readonly reqId: number }
  | { readonly type: 'copy'; readonly text: string }
  | { readonly type: 'askPaste'; readonly text: string; readonly lines: number; readonly hadControls: boolean }
  | { readonly type: 'announce'; readonly text: string; readonly polite: boolean }
  | { readonly type: 'bell' }
  | { readonly type: 'draft'; readonly text: string; readonly cursor: number }
  | { readonly type: 'clearScreen' };

/**
 * line: edits a line. block: the target wants more lines. sent: accepted, no echo yet. busy: a command runs, keys build
 * the next draft. answer, secure, choice, key: the target asks. dialog: the page asks.
 */
export type Mode = 'line' | 'block' | 'sent' | 'busy' | 'answer' | 'secure' | 'choice' | 'key' | 'dialog';

export interface Result {
  /** For `terminal.write`; empty when nothing changes. */
  readonly vt: string;
  readonly effects: readonly Effect[];
  /** False when the event was a key that is nobody's here: the page leaves it to the browser. */
  readonly isHandled: boolean;
}

/** For the page's widgets: the row under the terminal, the send button. */
export interface Snapshot {
  readonly mode: Mode;
  /** Empty in secure mode. */
  readonly text: string;
  readonly cursor: number;
  readonly queued: readonly string[];
  readonly verdict: 'I' | 'W' | 'E' | 'C';
}

/** Cells of a code point, as the terminal counts them: xterm's `IUnicodeVersionProvider`. */
export interface WidthProvider {
  wcwidth(codepoint: number): 0 | 1 | 2;
  charProperties(codepoint: number, preceding: number): number;
}

export interface EditorOptions {
  readonly cols: number;
  readonly rows: number;
  /** The provider that is active in the terminal; ours when it is left out. */
  readonly widths?: WidthProvider;
}
