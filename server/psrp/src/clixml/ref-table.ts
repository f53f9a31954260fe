import type { Attributes } from './scanner.ts';

const isId = (text: string): boolean => /^[0-9]{1,10}$/.test(text);

/**
 * What the RefIds of one document stand for. Senders count from 0, so that nearly every id is the next one of an array;
 * other ids go into a map. An id given twice stands for the newest. [MS-PSRP] 2.2.5.2.1 Referencing Earlier Objects.
 */
export class RefTable<T> {
  #counted: T[] = [];
  #others: Map<string, T> | null = null;

  /** Forgets everything. */
  clear(): void {
    if (this.#counted.length > 0) this.#counted = [];
    this.#others = null;
  }

  /** False when the element has a RefId that is none. An element without one is not kept. */
  add(attributes: Attributes, value: T): boolean {
    const { refNumber, refId } = attributes;
    if (refNumber >= 0) {
      if (refNumber < this.#counted.length) this.#counted[refNumber] = value;
      else if (refNumber === this.#counted.length) this.#counted.push(value);
      else (this.#others ??= new Map()).set(refNumber.toString(), value);
      return true;
    }
    if (refId === null) return true;
    if (!isId(refId)) return false;
    (this.#others ??= new Map()).set(refId, value);
    return true;
  }

  find(attributes: Attributes): T | undefined {
    const { refNumber, refId } = attributes;
    if (refNumber >= 0) return this.#counted[refNumber] ?? this.#others?.get(refNumber.toString());
    return refId === null ? undefined : this.#others?.get(refId);
  }
}
