/** An attribute that declares no namespace. */
export interface XmlAttribute {
  /** Empty for none: the default namespace does not reach attributes. */
  readonly namespace: string;
  readonly name: string;
  readonly value: string;
}

/** An element as it was read; names are compared by namespace, prefixes are gone. */
export class XmlElement {
  readonly namespace: string;
  readonly name: string;
  readonly attributes: readonly XmlAttribute[];
  readonly children: XmlElement[] = [];
  /** The character data directly inside, joined. */
  text = '';

  constructor(namespace: string, name: string, attributes: readonly XmlAttribute[]) {
    this.namespace = namespace;
    this.name = name;
    this.attributes = attributes;
  }

  /** Whether this is the element of that name. */
  is(namespace: string, name: string): boolean {
    return this.name === name && this.namespace === namespace;
  }
  /** Value of an attribute; null when absent. */
  attribute(name: string, namespace = ''): string | null {
    for (const each of this.attributes) if (each.name === name && each.namespace === namespace) return each.value;
    return null;
  }
  /** The first child of that name; null when there is none. */
  first(namespace: string, name: string): XmlElement | null {
    for (const child of this.children) if (child.is(namespace, name)) return child;
    return null;
  }
  /** All children of that name, in order. */
  all(namespace: string, name: string): XmlElement[] {
    return this.children.filter((child) => child.is(namespace, name));
  }
  /** Text of the first child of that name, without the white space around it; null when there is none. */
  textOf(namespace: string, name: string): string | null {
    return this.first(namespace, name)?.text.trim() ?? null;
  }
}
