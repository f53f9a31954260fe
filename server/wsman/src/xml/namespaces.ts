import type { WsManErrorCode } from '../errors.ts';

/** The namespace that `xml:` always means. */
export const XML_NAMESPACE = 'http://www.w3.org/XML/1998/namespace';
const XMLNS_NAMESPACE = 'http://www.w3.org/2000/xmlns/';

/** A name with its namespace; `''` is none. */
export interface ExpandedName {
  readonly namespace: string;
  readonly name: string;
}

/**
 * The declarations in force at one place of a document, innermost last. Their number is bounded, so that a look-up is.
 * Namespaces in XML 1.0.
 */
export class Namespaces {
  readonly #prefixes: string[] = [];
  readonly #names: string[] = [];
  readonly #max: number;
  readonly #fail: (code: WsManErrorCode, message: string) => never;

  constructor(max: number, fail: (code: WsManErrorCode, message: string) => never) {
    this.#max = max;
    this.#fail = fail;
  }

  /** To be given to `reset` at the end of the element. */
  mark(): number {
    return this.#prefixes.length;
  }
  reset(mark: number): void {
    this.#prefixes.length = mark;
    this.#names.length = mark;
  }

  /** Takes `xmlns` and `xmlns:p`. @returns false for any other attribute */
  declare(qName: string, namespace: string): boolean {
    if (qName === 'xmlns') {
      this.#push('', namespace);
      return true;
    }
    if (!qName.startsWith('xmlns:')) return false;
    const prefix = qName.slice(6);
    const isReserved = prefix === 'xmlns' || namespace === XMLNS_NAMESPACE;
    const isXml = prefix === 'xml' || namespace === XML_NAMESPACE;
    if (namespace === '' || isReserved || (isXml && (prefix !== 'xml' || namespace !== XML_NAMESPACE))) {
      this.#fail('wsman_malformed', 'a bad namespace declaration');
    }
    this.#push(prefix, namespace);
    return true;
  }

  #push(prefix: string, namespace: string): void {
    if (this.#prefixes.length >= this.#max) this.#fail('wsman_too_large', 'too many namespace declarations');
    this.#prefixes.push(prefix);
    this.#names.push(namespace);
  }

  ofElement(qName: string): ExpandedName {
    const colon = qName.indexOf(':');
    if (colon >= 0) return this.#prefixed(qName, colon);
    return { namespace: this.#find('') ?? '', name: qName };
  }
  ofAttribute(qName: string): ExpandedName {
    const colon = qName.indexOf(':');
    return colon < 0 ? { namespace: '', name: qName } : this.#prefixed(qName, colon);
  }

  #prefixed(qName: string, colon: number): ExpandedName {
    const prefix = qName.slice(0, colon);
    const namespace = this.#find(prefix);
    if (namespace === null) this.#fail('wsman_malformed', 'a prefix that was not declared');
    return { namespace, name: qName.slice(colon + 1) };
  }

  #find(prefix: string): string | null {
    for (let i = this.#prefixes.length - 1; i >= 0; i--)
      if (this.#prefixes[i] === prefix) return this.#names[i] ?? null;
    return prefix === 'xml' ? XML_NAMESPACE : null;
  }
}
