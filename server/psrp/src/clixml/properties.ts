/** Shapes longer than this get a lookup table; below it a walk over the names is quicker. */
const TABLE_FROM = 8;

interface Lookup {
  readonly names: readonly string[];
  /** Names in lower case, made at the first search when there are many. */
  table: ReadonlyMap<string, number> | null;
}

/**
 * The names of a property set, in order, shared by all objects that have the same ones: ten thousand processes hold one
 * shape. A shape is a node of a tree; its path from the root is the list of names.
 */
export class Shape {
  /** How the last name stands on the wire, escaped. */
  readonly wireName: string;
  readonly name: string;
  readonly parent: Shape | null;
  /** The child that was asked for last: nearly always asked for next. */
  #recent: Shape | null = null;
  #children: Map<string, Shape> | null = null;
  /** Made when somebody asks for a name; most shapes are only passed through. */
  #lookup: Lookup | null = null;

  constructor(parent: Shape | null, name: string, wireName: string) {
    this.parent = parent;
    this.name = name;
    this.wireName = wireName;
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
    return this.#find().names;
  }
  /** Index of a name in any case, the first one on a clash; -1 when absent. */
  indexOf(name: string): number {
    const lookup = this.#find();
    const { names } = lookup;
    if (names.length > TABLE_FROM) return (lookup.table ??= tableOf(names)).get(name.toLowerCase()) ?? -1;
    const exact = names.indexOf(name);
    if (exact === 0) return 0;
    const lower = name.toLowerCase();
    return names.findIndex((each) => each.length === name.length && each.toLowerCase() === lower);
  }

  #find(): Lookup {
    if (this.#lookup !== null) return this.#lookup;
    // The root has no name.
    const names = this.parent === null ? [] : [this.name];
    for (let node = this.parent; node?.parent; node = node.parent) names.push(node.name);
    return (this.#lookup = { names: names.reverse(), table: null });
  }
}

function tableOf(names: readonly string[]): Map<string, number> {
  const table = new Map<string, number>();
  for (const [index, each] of names.entries()) {
    const key = each.toLowerCase();
    if (!table.has(key)) table.set(key, index);
  }
  return table;
}

/** Shorter cuts are copies already (V8, the engine of Node and Chromium). */
const CUT_FROM = 13;
/** A copy that does not keep the string alive from which `text` was cut. */
export const detached = (text: string): string => (text.length < CUT_FROM ? text : ` ${text}`.slice(1));

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
