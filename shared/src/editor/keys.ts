import type { KeyEvent } from './types.ts';

/** What a key may do in line mode. */
export type Command =
  | 'AcceptLine'
  | 'SendAsIs'
  | 'AddLine'
  | 'RevertLine'
  | 'CopyOrCancelLine'
  | 'Copy'
  | 'Cut'
  | 'SelectAll'
  | 'BackwardChar'
  | 'ForwardChar'
  | 'BackwardWord'
  | 'NextWord'
  | 'BeginningOfLine'
  | 'EndOfLine'
  | 'BeginningOfInput'
  | 'EndOfInput'
  | 'BackwardDeleteChar'
  | 'DeleteChar'
  | 'BackwardKillWord'
  | 'KillWord'
  | 'BackwardDeleteInput'
  | 'ForwardDeleteInput'
  | 'Undo'
  | 'Redo'
  | 'PreviousHistory'
  | 'NextHistory'
  | 'HistorySearchBackward'
  | 'HistorySearchForward'
  | 'TabCompleteNext'
  | 'TabCompletePrevious'
  | 'ClearScreen';

/** Whether a key types its own character. */
export const isPrintable = ({ key, ctrl, alt, meta }: KeyEvent): boolean =>
  key.length === 1 && ctrl !== true && alt !== true && meta !== true;

/** Keys that are nothing by themselves. */
export const INERT_KEYS: ReadonlySet<string> = new Set([
  'Shift',
  'Control',
  'Alt',
  'AltGraph',
  'Meta',
  'CapsLock',
  'NumLock',
  'Dead',
  'Process',
  'Unidentified',
]);

/** Windows mode, line-editor.md section 2. `Shift+` before a movement selects. */
export const KEYS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['Enter', 'AcceptLine'],
  ['Alt+Enter', 'SendAsIs'],
  ['Shift+Enter', 'AddLine'],
  ['Escape', 'RevertLine'],
  ['Ctrl+c', 'CopyOrCancelLine'],
  ['Ctrl+Shift+c', 'Copy'],
  ['Meta+c', 'Copy'],
  ['Ctrl+x', 'Cut'],
  ['Meta+x', 'Cut'],
  ['Ctrl+a', 'SelectAll'],
  ['Meta+a', 'SelectAll'],
  ['ArrowLeft', 'BackwardChar'],
  ['ArrowRight', 'ForwardChar'],
  ['Ctrl+ArrowLeft', 'BackwardWord'],
  ['Ctrl+ArrowRight', 'NextWord'],
  ['Alt+ArrowLeft', 'BackwardWord'],
  ['Alt+ArrowRight', 'NextWord'],
  ['Home', 'BeginningOfLine'],
  ['End', 'EndOfLine'],
  ['Meta+ArrowLeft', 'BeginningOfLine'],
  ['Meta+ArrowRight', 'EndOfLine'],
  ['Alt+Home', 'BeginningOfInput'],
  ['Alt+End', 'EndOfInput'],
  ['Backspace', 'BackwardDeleteChar'],
  ['Shift+Backspace', 'BackwardDeleteChar'],
  ['Ctrl+h', 'BackwardDeleteChar'],
  ['Delete', 'DeleteChar'],
  ['Ctrl+Backspace', 'BackwardKillWord'],
  ['Alt+Backspace', 'BackwardKillWord'],
  ['Ctrl+w', 'BackwardKillWord'],
  ['Ctrl+Delete', 'KillWord'],
  ['Alt+d', 'KillWord'],
  ['Ctrl+Home', 'BackwardDeleteInput'],
  ['Meta+Backspace', 'BackwardDeleteInput'],
  ['Ctrl+End', 'ForwardDeleteInput'],
  ['Ctrl+z', 'Undo'],
  ['Meta+z', 'Undo'],
  ['Ctrl+y', 'Redo'],
  ['Meta+Shift+z', 'Redo'],
  ['ArrowUp', 'PreviousHistory'],
  ['ArrowDown', 'NextHistory'],
  ['F8', 'HistorySearchBackward'],
  ['Ctrl+ArrowUp', 'HistorySearchBackward'],
  ['Shift+F8', 'HistorySearchForward'],
  ['Ctrl+ArrowDown', 'HistorySearchForward'],
  ['Tab', 'TabCompleteNext'],
  ['Shift+Tab', 'TabCompletePrevious'],
  ['Ctrl+l', 'ClearScreen'],
]);

/** Movements that select with Shift held. */
const SELECTING: ReadonlySet<Command> = new Set<Command>([
  'BackwardChar',
  'ForwardChar',
  'BackwardWord',
  'NextWord',
  'BeginningOfLine',
  'EndOfLine',
  'BeginningOfInput',
  'EndOfInput',
]);

/** `Ctrl+Shift+c`: letters in lower case, modifiers in this order. */
export function chordOf(event: KeyEvent): string {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const held = [event.ctrl && 'Ctrl', event.alt && 'Alt', event.meta && 'Meta', event.shift && 'Shift'];
  return [...held.filter((name) => typeof name === 'string'), key].join('+');
}

/** The command of a key, and whether it selects. */
export function commandOf(event: KeyEvent): { readonly command: Command; readonly isSelecting: boolean } | null {
  const direct = KEYS.get(chordOf(event));
  if (direct !== undefined) return { command: direct, isSelecting: false };
  if (event.shift !== true) return null;
  if (event.ctrl === true && event.key === 'Home') return { command: 'BeginningOfInput', isSelecting: true };
  if (event.ctrl === true && event.key === 'End') return { command: 'EndOfInput', isSelecting: true };
  const moved = KEYS.get(chordOf({ ...event, shift: false }));
  return moved !== undefined && SELECTING.has(moved) ? { command: moved, isSelecting: true } : null;
}

const NAMED: Readonly<Record<string, readonly [code: number, character: number]>> = {
  Enter: [13, 13],
  Escape: [27, 27],
  Tab: [9, 9],
  Backspace: [8, 8],
  Delete: [46, 0],
  Insert: [45, 0],
  ' ': [32, 32],
  ArrowLeft: [37, 0],
  ArrowUp: [38, 0],
  ArrowRight: [39, 0],
  ArrowDown: [40, 0],
  Home: [36, 0],
  End: [35, 0],
  PageUp: [33, 0],
  PageDown: [34, 0],
};
/** Flags of .NET's ControlKeyStates: psrp.md section 8.1. */
const LEFT_ALT = 0x2;
const LEFT_CTRL = 0x8;
const SHIFT = 0x10;
const ENHANCED = 0x100;

/** The KeyInfo of a key for ReadKey; null for a modifier alone. */
export function keyInfo(
  event: KeyEvent,
): { virtualKeyCode: number; character: number; controlKeyState: number } | null {
  const state =
    (event.alt === true ? LEFT_ALT : 0) | (event.ctrl === true ? LEFT_CTRL : 0) | (event.shift === true ? SHIFT : 0);
  const named = NAMED[event.key];
  if (named !== undefined) {
    const isEnhanced = named[0] >= 33 && named[0] <= 46;
    return { virtualKeyCode: named[0], character: named[1], controlKeyState: state | (isEnhanced ? ENHANCED : 0) };
  }
  const number = /^F(\d{1,2})$/.exec(event.key)?.[1];
  if (number !== undefined) return { virtualKeyCode: 111 + Number(number), character: 0, controlKeyState: state };
  if (event.key.length !== 1) return null;
  const upper = event.key.toUpperCase().charCodeAt(0);
  const code = (upper >= 65 && upper <= 90) || (upper >= 48 && upper <= 57) ? upper : 0;
  const character = event.ctrl === true && upper >= 65 && upper <= 90 ? upper - 64 : event.key.charCodeAt(0);
  return { virtualKeyCode: code, character, controlKeyState: state };
}
