import type { Buffer } from './buffer.ts';
import type { Command } from './keys.ts';

/** Where a movement leads; null when the command is none. */
export function movementOf(command: Command, buffer: Buffer): number | null {
  switch (command) {
    case 'BackwardChar':
      return buffer.left();
    case 'ForwardChar':
      return buffer.right();
    case 'BackwardWord':
      return buffer.wordLeft();
    case 'NextWord':
      return buffer.wordRight();
    case 'BeginningOfLine':
      return buffer.home();
    case 'EndOfLine':
      return buffer.end();
    case 'BeginningOfInput':
      return 0;
    case 'EndOfInput':
      return buffer.text.length;
    default:
      return null;
  }
}

/** Carries out a command that only changes the text. @returns false when the command is none */
export function editWith(command: Command, buffer: Buffer): boolean {
  const edit = EDITS[command];
  edit?.(buffer);
  return edit !== undefined;
}

const EDITS: Partial<Record<Command, (buffer: Buffer) => void>> = {
  BackwardDeleteChar: (buffer) => buffer.deleteTo(buffer.left()),
  DeleteChar: (buffer) => buffer.deleteTo(buffer.right()),
  BackwardKillWord: (buffer) => buffer.deleteTo(buffer.wordLeft()),
  KillWord: (buffer) => buffer.deleteTo(buffer.wordRight()),
  BackwardDeleteInput: (buffer) => buffer.deleteTo(0),
  ForwardDeleteInput: (buffer) => buffer.deleteTo(buffer.text.length),
  Undo: (buffer) => buffer.undo(),
  Redo: (buffer) => buffer.redo(),
  SelectAll: (buffer) => {
    buffer.move(0, false);
    buffer.move(buffer.text.length, true);
  },
};
