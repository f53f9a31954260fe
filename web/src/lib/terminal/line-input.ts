import { toKeyEvent, type EditorEvent } from './line-editor.ts';

/** What stands in the element, so that soft keyboards have something to delete. */
export const SENTINEL = '\u2009';

/** What typing needs of the terminal. */
export interface LineInputPorts {
  edit(event: EditorEvent): boolean;
  paste(text: string): void;
  /** Copies what is selected in the grid. @returns false when nothing is */
  copySelection(): boolean;
  scroll(pages: number, lines: number): void;
  goToCommand(step: 1 | -1): void;
  typed(): void;
}

/** Chords of the page, which the editor must not see. design.md section 5. */
const isPageChord = (event: KeyboardEvent): boolean =>
  (event.altKey && event.shiftKey && /^(Key|Digit)/.test(event.code)) ||
  (event.ctrlKey && !event.shiftKey && !event.altKey && (event.key === 'k' || event.key === 'o')) ||
  event.key === 'F6' ||
  event.key === 'F1';
const isPasteChord = (event: KeyboardEvent): boolean =>
  ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'v') || (event.shiftKey && event.key === 'Insert');
/** AltGr types; and so does Ctrl+Alt with a printable key on Windows. */
const isAltGr = (event: KeyboardEvent): boolean =>
  event.getModifierState('AltGraph') || (event.ctrlKey && event.altKey && event.key.length === 1);
const isComposing = (event: KeyboardEvent): boolean =>
  event.isComposing ||
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- 229 is the only sign of an input method in some browsers
  (event.keyCode === 229 && !event.ctrlKey) ||
  ['Dead', 'Process', 'Unidentified'].includes(event.key);

/**
 * Turns the events of the editor's own `<textarea>` into editor events: chords and single keys from `keydown`, all
 * else from `beforeinput`, so that input methods, dead keys and soft keyboards type each character once.
 * line-editor.md section 8.
 */
export class LineInput {
  readonly #ports: LineInputPorts;

  constructor(ports: LineInputPorts) {
    this.#ports = ports;
  }

  keydown(event: KeyboardEvent): void {
    if (isComposing(event) || isPageChord(event) || isPasteChord(event)) return;
    if (isAltGr(event)) return;
    this.#ports.typed();
    if (this.#grid(event) || this.#ports.edit(toKeyEvent(event))) event.preventDefault();
  }

  beforeinput(event: InputEvent): void {
    if (event.inputType === 'insertCompositionText') return;
    event.preventDefault();
    this.#ports.typed();
    switch (event.inputType) {
      case 'insertText':
      case 'insertReplacementText': {
        const text = event.data ?? event.dataTransfer?.getData('text/plain') ?? '';
        if (text !== '') this.#ports.edit({ type: 'text', text });
        return;
      }
      case 'insertLineBreak':
      case 'insertParagraph':
        this.#key('Enter');
        return;
      case 'deleteContentBackward':
        this.#key('Backspace');
        return;
      case 'deleteContentForward':
        this.#key('Delete');
        return;
      case 'deleteWordBackward':
        this.#key('Backspace', true);
        return;
      case 'deleteWordForward':
        this.#key('Delete', true);
        return;
      case 'historyUndo':
        this.#key('z', true);
        return;
      case 'historyRedo':
        this.#key('y', true);
        return;
      case 'insertFromDrop':
        this.#ports.paste(event.dataTransfer?.getData('text/plain') ?? '');
        return;
      default:
        return; // insertFromPaste: the `paste` event has brought it already.
    }
  }

  /** The text of a finished composition, once. */
  compositionend(event: CompositionEvent): void {
    this.#ports.typed();
    if (event.data !== '') this.#ports.edit({ type: 'text', text: event.data });
  }

  paste(event: ClipboardEvent): void {
    event.preventDefault();
    this.#ports.typed();
    this.#ports.paste(event.clipboardData?.getData('text/plain') ?? '');
  }

  #key(key: string, ctrl = false): void {
    this.#ports.edit({ type: 'key', key, ctrl });
  }

  /** Keys of the grid itself: copy of a selection, scrolling, commands. */
  #grid(event: KeyboardEvent): boolean {
    const { key, ctrlKey, shiftKey, altKey, metaKey } = event;
    if ((ctrlKey || metaKey) && !altKey && key.toLowerCase() === 'c') return this.#ports.copySelection();
    if (altKey && (key === 'ArrowUp' || key === 'ArrowDown')) {
      this.#ports.goToCommand(key === 'ArrowUp' ? -1 : 1);
      return true;
    }
    const way = key === 'PageUp' ? -1 : key === 'PageDown' ? 1 : 0;
    if (way !== 0 && !altKey) {
      if (ctrlKey) this.#ports.scroll(0, way);
      else this.#ports.scroll(way, 0);
      return true;
    }
    if (ctrlKey && shiftKey && (key === 'ArrowUp' || key === 'ArrowDown')) {
      this.#ports.scroll(0, key === 'ArrowUp' ? -1 : 1);
      return true;
    }
    return false;
  }
}
