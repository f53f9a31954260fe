import { detached } from './properties.ts';

/** Lists kept between messages. */
const MAX_LISTS = 64;
/** A longer text is not worth a comparison each time. */
const MAX_WIRE_CHARS = 1000;

/** One list with its text on the wire, from behind `<TN …>` up to and with `</TN>`. */
export interface TypeList {
  readonly wire: string;
  readonly names: readonly string[];
}

/** Remembers lists of type names: objects of one kind share one array. */
export class TypeLists {
  #lists: TypeList[] = [];
  /** The list that was found last is nearly always found next. */
  #recent: TypeList | null = null;

  /** The list that stands in `source` at `at`; null when it is new. */
  find(source: string, at: number): TypeList | null {
    if (this.#recent !== null && source.startsWith(this.#recent.wire, at)) return this.#recent;
    this.#recent = this.#lists.find((list) => source.startsWith(list.wire, at)) ?? null;
    return this.#recent;
  }

  add(wire: string, names: readonly string[]): void {
    if (wire.length > MAX_WIRE_CHARS) return;
    if (this.#lists.length >= MAX_LISTS) this.#lists = this.#lists.slice(MAX_LISTS / 2);
    // A slice would keep the whole message alive.
    this.#recent = { wire: detached(wire), names };
    this.#lists.push(this.#recent);
  }
}
