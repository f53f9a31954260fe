import { createEditor } from '@sallyport/shared/editor/editor';
import type { EditorEvent, Effect, KeyEvent, Mode, Snapshot } from '@sallyport/shared/editor/types';
import type { Question } from '@sallyport/shared/wire/questions';

export type { EditorEvent, Effect, KeyEvent, Mode, Snapshot };

/** The editor's door (line-editor.md, top), as the terminal uses it. The one place that knows how it is made. */
export type LineEditor = ReturnType<typeof createEditor>;

/** A new editor for a screen of this size; it counts cells by the table that the screen uses too. */
export const openEditor = (cols: number, rows: number): LineEditor => createEditor({ cols, rows });

/** Questions that are answered on the terminal's own line. The others have a dialog, and the editor stands aside. */
export const isAskedOnTheLine = (question: Question): boolean => question.kind === 'line' || question.kind === 'key';

/** What the editor is told of a question; `column` is where the terminal's cursor stands. */
export function hostCall(question: Question, column: number): EditorEvent {
  const { id } = question;
  if (question.kind === 'line')
    return {
      type: 'hostCall',
      question: { id, kind: 'line', prompt: question.prompt, secure: question.secure },
      column,
    };
  if (question.kind === 'key') return { type: 'hostCall', question: { id, kind: 'key' }, column };
  return { type: 'hostCall', question: { id, kind: 'credential' }, column };
}

/** A keydown as the editor wants it. */
export const toKeyEvent = (event: KeyboardEvent): KeyEvent => ({
  type: 'key',
  // On layouts without Latin letters a chord goes by the place of the key.
  key:
    event.ctrlKey && /^Key[A-Z]$/.test(event.code) && event.key.length === 1 && event.key > '~'
      ? event.code.slice(3).toLowerCase()
      : event.key,
  ctrl: event.ctrlKey,
  alt: event.altKey,
  shift: event.shiftKey,
  meta: event.metaKey,
});
