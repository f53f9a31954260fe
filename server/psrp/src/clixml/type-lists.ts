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

const END = '</TN>';

/** Remembers lists of type names: objects of one kind share one array. */
export class TypeLists {
  /** By their text on the wire; the oldest first. */
  readonly #lists = new Map<string, TypeList>();
  /** The list that was found last is nearly always found next. */
  #recent: TypeList | null = null;

  /** The list that stands in `source` at `at`; null when it is new. */
  find(source: string, at: number): TypeList | null {
    if (this.#recent !== null && source.startsWith(this.#recent.wire, at)) return this.#recent;
    if (this.#lists.size === 0) return null;
    const window = source.slice(at, at + MAX_WIRE_CHARS);
    const end = window.indexOf(END);
    const known = end < 0 ? undefined : this.#lists.get(window.slice(0, end + END.length));
    if (known === undefined) return null;
    this.#recent = known;
    return known;
  }

  /** Keeps a list for later messages. */
  add(wire: string, names: readonly string[]): void {
    if (wire.length > MAX_WIRE_CHARS || !wire.endsWith(END)) return;
    if (this.#lists.size >= MAX_LISTS) {
      for (const oldest of this.#lists.keys()) {
        this.#lists.delete(oldest);
        break;
      }
    }
    // A slice would keep the whole message alive.
    const list = { wire: detached(wire), names };
    this.#recent = list;
    this.#lists.set(list.wire, list);
  }
}
