/** Shapes longer than this get a lookup table; below it a walk over the names is quicker. */
const TABLE_FROM = 8;

/**
 * The names of a property set, in order, shared by all objects that have the same ones: ten thousand processes hold one
 * shape. A shape is a node of a tree; its path from the root is the list of names.
 */
export class Shape {
  /** How the last name stands on the wire, escaped. */
  readonly wireName: string;
  readonly name: string;
  readonly parent: Shape | null;
  readonly size: number;
  /** The child that was asked for last: nearly always asked for next. */
  #recent: Shape | null = null;
  #children: Map<string, Shape> | null = null;
  #names: readonly string[] | null = null;
  #table: Map<string, number> | null = null;

  constructor(parent: Shape | null, name: string, wireName: string) {
    this.parent = parent;
    this.name = name;
    this.wireName = wireName;
    this.size = parent === null ? 0 : parent.size + 1;
  }
  get recent(): Shape | null {
    return this.#recent;
  }
  /** The shape with one more name. `made` is called when it is new, so that an owner can count shapes. */
  with(wireName: string, decode: (wireName: string) => string, made: () => void): Shape {
    const recent = this.#recent;
    if (recent !== null && recent.wireName === wireName) return recent;
    const known = this.#children?.get(wireName);
    if (known !== undefined) {
      this.#recent = known;
      return known;
    }
    const own = detached(wireName);
    const child = new Shape(this, decode(own), own);
    made();
    // Most names have one successor only: the table is made for the second.
    if (recent !== null) {
      this.#children ??= new Map([[recent.wireName, recent]]);
      this.#children.set(own, child);
    }
    this.#recent = child;
    return child;
  }
  get names(): readonly string[] {
    if (this.#names !== null) return this.#names;
    const names = this.size === 0 ? [] : [this.name];
    for (let node = this.parent; node !== null && node.size > 0; node = node.parent) names.push(node.name);
    this.#names = names.reverse();
    return this.#names;
  }
  /** Index of a name in any case, the first one on a clash; -1 when absent. */
  indexOf(name: string): number {
    const names = this.names;
    if (names.length <= TABLE_FROM) {
      const exact = names.indexOf(name);
      if (exact === 0) return 0;
      const lower = name.toLowerCase();
      return names.findIndex((each) => each.length === name.length && each.toLowerCase() === lower);
    }
    if (this.#table === null) {
      this.#table = new Map();
      for (const [index, each] of names.entries()) {
        const key = each.toLowerCase();
        if (!this.#table.has(key)) this.#table.set(key, index);
      }
    }
    return this.#table.get(name.toLowerCase()) ?? -1;
  }
}

/** A copy that does not keep the string alive from which `text` was cut. */
export const detached = (text: string): string => ` ${text}`.slice(1);

const ownName = (name: string): string => name;
const notCounted = (): void => undefined;

/** An ordered property set: MS or Props. Names are compared without case; order and duplicates are kept. */
export class PropertySet<V> {
  #shape: Shape;
  readonly values: V[];

  constructor(shape: Shape = new Shape(null, '', ''), values: V[] = []) {
    this.#shape = shape;
    this.values = values;
  }
  /** A set of these names and values. */
  static of<V>(entries: Iterable<readonly [string, V]>): PropertySet<V> {
    const set = new PropertySet<V>();
    for (const [name, value] of entries) set.add(name, value);
    return set;
  }
  get names(): readonly string[] {
    return this.#shape.names;
  }
  get size(): number {
    return this.values.length;
  }
  /** undefined when there is no such property; null is a Nil. */
  get(name: string): V | undefined {
    const index = this.#shape.indexOf(name);
    return index < 0 ? undefined : this.values[index];
  }
  /** Puts a property behind the others. */
  add(name: string, value: V): this {
    this.#shape = this.#shape.with(name, ownName, notCounted);
    this.values.push(value);
    return this;
  }
  /** Names and values in order. */
  *entries(): IterableIterator<[string, V]> {
    const names = this.names;
    for (let i = 0; i < names.length; i++) {
      const name = names[i];
      const value = this.values[i];
      if (name !== undefined && value !== undefined) yield [name, value];
    }
  }
}
