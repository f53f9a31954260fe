import type { Buffer } from './buffer.ts';
import type { EditorEvent, Match } from './types.ts';

/** Longest text that a completion may insert. */
const MAX_INSERT = 4096;

/** Tab: one question at a time; the matches are cycled through in place. line-editor.md section 5. */
export class Completion {
  pathSeparator: '/' | '\\' = '/';
  #reqId = 0;
  #isWaiting = false;
  #matches: readonly Match[] = [];
  #selected = 0;
  #from = 0;
  #to = 0;

  get isWaiting(): boolean {
    return this.#isWaiting;
  }
  /** @returns the number of a new question */
  ask(): number {
    this.#isWaiting = true;
    this.#reqId += 1;
    return this.#reqId;
  }
  /** Gives the question up. @returns its number */
  cancel(): number | null {
    if (!this.#isWaiting) return null;
    this.#isWaiting = false;
    return this.#reqId;
  }
  leave(): void {
    this.#matches = [];
  }

  /** Takes an answer and inserts the first match. @returns false when there is nothing to insert */
  answer(event: Extract<EditorEvent, { type: 'completion' }>, buffer: Buffer): boolean {
    if (!this.#isWaiting || event.reqId !== this.#reqId) return true;
    this.#isWaiting = false;
    const { index, length } = event;
    if (index < 0 || length < 0 || index + length > buffer.text.length) return false;
    // Inserted, never run; what could act on the terminal or hide is not inserted either.
    const matches = event.matches.filter(
      ({ text }) => text.length <= MAX_INSERT && !/[\x00-\x08\x0b-\x1f\x7f-\x9f]/.test(text),
    );
    if (matches.length === 0) return false;
    this.#matches = matches;
    this.#selected = 0;
    this.#from = index;
    this.#to = index + length;
    this.#insert(buffer);
    if (matches.length === 1) this.leave();
    return true;
  }

  /** The next or previous match. @returns false when nothing is being cycled */
  cycle(step: 1 | -1, buffer: Buffer): boolean {
    if (this.#matches.length === 0) return false;
    this.#selected = (this.#selected + step + this.#matches.length) % this.#matches.length;
    this.#insert(buffer);
    return true;
  }

  #insert(buffer: Buffer): void {
    const match = this.#matches[this.#selected];
    if (match === undefined) return;
    const { text, back } =
      match.kind === 'ProviderContainer' ? this.#container(match.text) : { text: match.text, back: 0 };
    if (!buffer.replace(this.#from, this.#to, text)) return;
    this.#to = this.#from + text.length;
    buffer.move(this.#to - back, false);
  }
  /** A folder gets its separator, inside a closing quote, so that the next Tab goes on in it. */
  #container(text: string): { text: string; back: number } {
    const quote = /['"]$/.exec(text)?.[0] ?? '';
    const path = text.slice(0, text.length - quote.length);
    if (/[\\/]$/.test(path)) return { text, back: quote.length };
    return { text: path + this.pathSeparator + quote, back: quote.length };
  }
}
