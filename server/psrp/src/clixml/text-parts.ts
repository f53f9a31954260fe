/** Pieces that are joined at a time. */
const JOIN_AT = 4096;

/**
 * Puts a long text together from small pieces. Pieces are joined in blocks: one string of millions of pieces, or one array
 * of them, would hold many times the text's own size.
 */
export class TextParts {
  #done = '';
  #parts: string[] = [];

  add(part: string): void {
    this.#parts.push(part);
    if (this.#parts.length < JOIN_AT) return;
    this.#done += this.#parts.join('');
    this.#parts = [];
  }
  /** The whole text. */
  join(): string {
    return this.#done === '' ? this.#parts.join('') : this.#done + this.#parts.join('');
  }
}
