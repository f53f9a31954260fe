import type { PsValue } from './object.ts';

/** Values in one block: small enough that the garbage collector moves it like any other object. */
const BLOCK = 4096;

/**
 * Values of the sets and lists that are open while a document is read, one after the other. Each is cut out in its exact
 * length at its end, so that an object with two properties holds an array of two. Blocks, because one array that grows to
 * many thousands is moved from one large piece of fresh memory to the next.
 */
export class ValueStack {
  #block: PsValue[] = [];
  #inBlock = 0;
  readonly #full: PsValue[][] = [];

  /** How many values there are: what `popFrom` takes. */
  get height(): number {
    return this.#full.length * BLOCK + this.#inBlock;
  }

  push(value: PsValue): void {
    if (this.#inBlock === BLOCK) {
      this.#full.push(this.#block);
      this.#block = [];
      this.#inBlock = 0;
    }
    this.#block[this.#inBlock++] = value;
  }

  /** Takes away and gives what was pushed since the stack was this high. */
  popFrom(start: number): PsValue[] {
    const from = start - this.#full.length * BLOCK;
    if (from >= 0) {
      const values = this.#block.slice(from, this.#inBlock);
      this.#inBlock = from;
      return values;
    }
    const index = Math.floor(start / BLOCK);
    const [first = [], ...others] = this.#full.splice(index);
    const values = first.slice(start - index * BLOCK).concat(...others, this.#block.slice(0, this.#inBlock));
    this.#block = first;
    this.#inBlock = start - index * BLOCK;
    return values;
  }

  /** Forgets everything: what was read belongs to the caller alone. */
  clear(): void {
    this.#full.length = 0;
    this.#inBlock = 0;
    if (this.#block.length > 256) this.#block = [];
    else this.#block.fill(null);
  }
}
