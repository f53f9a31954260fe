/**
 * A deliberately small CLIXML reader: one pass with indexOf, typed values, no checks. It is the practical limit for XML in
 * plain JavaScript, taken as a yardstick; nothing else may use it.
 */
const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function hex4(text: string, from: number): number {
  let value = 0;
  for (let k = from; k < from + 4; k++) {
    const c = text.charCodeAt(k);
    const d = c >= 48 && c <= 57 ? c - 48 : (c | 32) >= 97 && (c | 32) <= 102 ? (c | 32) - 87 : -1;
    if (d < 0) return -1;
    value = value * 16 + d;
  }
  return value;
}

/** Entities and `_xHHHH_` in one pass; a string without either is given back as it is. */
function decoded(text: string): string {
  if (!text.includes('_') && !text.includes('&')) return text;
  let out = '';
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    let end = i;
    let put: string | undefined;
    if (c === 95 && (text.charCodeAt(i + 1) | 32) === 120 && text.charCodeAt(i + 6) === 95) {
      const code = hex4(text, i + 2);
      if (code >= 0) {
        put = String.fromCharCode(code);
        end = i + 6;
      }
    } else if (c === 38) {
      end = text.indexOf(';', i);
      const name = text.slice(i + 1, end);
      put = name.startsWith('#')
        ? String.fromCodePoint(name[1] === 'x' ? parseInt(name.slice(2), 16) : Number(name.slice(1)))
        : ENTITIES[name];
    }
    if (put !== undefined) {
      out += text.slice(from, i) + put;
      i = end;
      from = end + 1;
    }
  }
  return from === 0 ? text : out + text.slice(from);
}

type Raw = Record<string, unknown>;
type Element = readonly [name: string | undefined, value: unknown, kind?: string];

function attribute(tag: string, name: string): string | undefined {
  const i = tag.indexOf(`${name}="`);
  if (i < 0) return undefined;
  const from = i + name.length + 2;
  return tag.slice(from, tag.indexOf('"', from));
}

class HandMade {
  readonly #x: string;
  #p = 0;
  readonly #refs = new Map<string, unknown>();

  constructor(x: string) {
    this.#x = x;
    this.#p = x.indexOf('<');
  }

  element(): Element {
    const x = this.#x;
    const end = x.indexOf('>', this.#p);
    const empty = x.charCodeAt(end - 1) === 47;
    const tag = x.slice(this.#p + 1, empty ? end - 1 : end);
    const space = tag.indexOf(' ');
    const type = space < 0 ? tag : tag.slice(0, space);
    const name = space < 0 ? undefined : attribute(tag, 'N');
    this.#p = end + 1;
    if (type === 'Nil' || (empty && type !== 'Ref')) {
      if (!empty) this.#p = x.indexOf('>', this.#p) + 1;
      return [name, type === 'S' ? '' : null];
    }
    if (type === 'Ref') return [name, this.#refs.get(attribute(tag, 'RefId') ?? '')];
    return this.#container(type, name, tag) ?? [name, this.#scalar(type)];
  }

  #container(type: string, name: string | undefined, tag: string): Element | null {
    switch (type) {
      case 'Obj': {
        const object: Raw = {};
        const id = attribute(tag, 'RefId');
        if (id !== undefined) this.#refs.set(id, object);
        this.#children((n, value, kind) => {
          if (kind === 'MS' || kind === 'Props') Object.assign(object, value);
          else if (kind === 'TN' || kind === 'TNRef') object['$types'] = value;
          else object['$value'] = value;
        });
        return [name, object];
      }
      case 'MS':
      case 'Props':
      case 'En': {
        const object: Raw = {};
        this.#children((n, value) => (object[n ?? ''] = value));
        return [name, object, type];
      }
      case 'LST':
      case 'IE':
      case 'QUE':
      case 'STK':
      case 'TN':
      case 'DCT': {
        const items: unknown[] = [];
        this.#children((n, value) => items.push(value));
        return [name, items, type];
      }
      default:
        return null;
    }
  }

  #scalar(type: string): unknown {
    const x = this.#x;
    const close = x.indexOf('<', this.#p);
    const raw = x.slice(this.#p, close);
    this.#p = x.indexOf('>', close) + 1;
    switch (type) {
      case 'I32':
      case 'Db':
      case 'By':
      case 'U32':
      case 'I16':
      case 'U16':
      case 'Sg':
        return Number(raw);
      case 'I64':
      case 'U64':
        return raw.length < 16 ? Number(raw) : BigInt(raw);
      case 'B':
        return raw === 'true';
      case 'S':
      case 'ToString':
      case 'T':
        return decoded(raw);
      default:
        return raw;
    }
  }

  #children(each: (name: string | undefined, value: unknown, kind?: string) => void): void {
    const x = this.#x;
    for (;;) {
      this.#p = x.indexOf('<', this.#p);
      if (x.charCodeAt(this.#p + 1) === 47) {
        this.#p = x.indexOf('>', this.#p) + 1;
        return;
      }
      const [name, value, kind] = this.element();
      each(name, value, kind);
    }
  }
}

/** The value of a document. */
export const readByHand = (xml: string): unknown => new HandMade(xml).element()[1];
