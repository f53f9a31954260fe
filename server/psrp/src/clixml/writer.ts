import { PsrpEncodeError } from '../errors.ts';
import { encodeText } from './escape.ts';
import { PsDictionary, PsList, PsMemberSet, PsObject, WriteMarks } from './object.ts';
import type { PsValue } from './object.ts';
import { scalarToWire } from './primitives.ts';
import type { PropertySet } from './properties.ts';
import { PsProgress } from './scalars.ts';
import type { PsScalar } from './scalars.ts';
import { TextParts } from './text-parts.ts';

/** Objects within objects that any receiver reads. */
const MAX_DEPTH = 50;

/**
 * Writes one document in the form of Microsoft senders: no white space, `N` before `RefId`, ids counted from 0 in order
 * of appearance, type lists written once. [MS-PSRP] 2.2.5 Data Serialization.
 */
class Writer {
  readonly #out = new TextParts();
  #depth = 0;
  readonly #objects = new WriteMarks();
  readonly #typeLists = new Map<readonly string[], number>();
  readonly #typeTexts = new Map<string, number>();

  write(value: PsValue): string {
    this.#value(value, '');
    return this.#out.join();
  }

  /** @param name the whole attribute with its leading space, or nothing */
  #value(value: PsValue, name: string): void {
    if (value === null) this.#out.add(`<Nil${name} />`);
    else if (value instanceof PsMemberSet) this.#memberSet(value, name);
    else if (value instanceof PsObject) this.#object(value, name);
    else if (value instanceof PsProgress) this.#progress(value, name);
    else this.#scalar(value, name);
  }

  #scalar(value: Exclude<PsScalar, null | PsProgress>, name: string): void {
    const { tag, text } = scalarToWire(value);
    this.#out.add(text === null ? `<${tag}${name} />` : `<${tag}${name}>${text}</${tag}>`);
  }

  #object(object: PsObject, name: string): void {
    const known = this.#objects.find(object);
    if (known >= 0) {
      this.#out.add(`<Ref${name} RefId="${known}" />`);
      return;
    }
    if (++this.#depth > MAX_DEPTH) throw new PsrpEncodeError(`objects nested deeper than ${MAX_DEPTH}`);
    this.#out.add(`<Obj${name} RefId="${this.#objects.add(object)}">`);
    this.#typeNames(object.wireTypeNames);
    if (object.text !== null) {
      this.#out.add(object.text === '' ? '<ToString />' : `<ToString>${encodeText(object.text)}</ToString>`);
    }
    this.#base(object);
    if (object.adapted !== null) this.#properties('Props', '', object.adapted);
    if (object.extended !== null) this.#properties('MS', '', object.extended);
    this.#out.add('</Obj>');
    this.#depth--;
  }

  #typeNames(names: readonly string[] | null): void {
    if (names === null) return;
    let id = this.#typeLists.get(names);
    if (id === undefined) {
      const text = names.map((each) => `<T>${encodeText(each)}</T>`).join('');
      id = this.#typeTexts.get(text);
      if (id === undefined) {
        id = this.#typeTexts.size;
        this.#typeTexts.set(text, id);
        this.#typeLists.set(names, id);
        this.#out.add(`<TN RefId="${id}">${text}</TN>`);
        return;
      }
      this.#typeLists.set(names, id);
    }
    this.#out.add(`<TNRef RefId="${id}" />`);
  }

  #base(object: PsObject): void {
    const { base } = object;
    if (base === undefined) return;
    if (base instanceof PsList) this.#list(base);
    else if (base instanceof PsDictionary) this.#dictionary(base);
    else this.#value(base, '');
  }

  #list(list: PsList): void {
    if (list.items.length === 0) {
      this.#out.add(`<${list.tag} />`);
      return;
    }
    this.#out.add(`<${list.tag}>`);
    for (const item of list.items) this.#value(item, '');
    this.#out.add(`</${list.tag}>`);
  }

  #dictionary(dictionary: PsDictionary): void {
    if (dictionary.keys.length === 0) {
      this.#out.add('<DCT />');
      return;
    }
    this.#out.add('<DCT>');
    for (const [key, value] of dictionary.entries()) {
      this.#out.add('<En>');
      this.#value(key, ' N="Key"');
      this.#value(value, ' N="Value"');
      this.#out.add('</En>');
    }
    this.#out.add('</DCT>');
  }

  #memberSet(set: PsMemberSet, name: string): void {
    if (++this.#depth > MAX_DEPTH) throw new PsrpEncodeError(`objects nested deeper than ${MAX_DEPTH}`);
    if (set.extended === null) this.#out.add(`<MS${name} />`);
    else this.#properties('MS', name, set.extended);
    this.#depth--;
  }

  #properties(tag: 'MS' | 'Props', name: string, set: PropertySet<PsValue>): void {
    if (set.size === 0) {
      this.#out.add(`<${tag}${name} />`);
      return;
    }
    this.#out.add(`<${tag}${name}>`);
    const { names, values } = set;
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (value !== undefined) this.#value(value, ` N="${encodeText(names[i] ?? '', true)}"`);
    }
    this.#out.add(`</${tag}>`);
  }

  #progress(value: PsProgress, name: string): void {
    const f = value.fields;
    const operation = f.currentOperation === null ? '<Nil />' : `<S>${encodeText(f.currentOperation)}</S>`;
    this.#out.add(
      `<PR${name}><AV>${encodeText(f.activity)}</AV><AI>${f.activityId}</AI>${operation}<PI>${f.parentActivityId}</PI>`,
    );
    this.#out.add(`<PC>${f.percentComplete}</PC><T>${encodeText(f.type)}</T><SR>${f.secondsRemaining}</SR>`);
    this.#out.add(`<SD>${encodeText(f.statusDescription)}</SD></PR>`);
  }
}

/** One value as a CLIXML document. @throws PsrpEncodeError when it is nested too deep or has no form on the wire */
export const writeCliXml = (value: PsValue): string => new Writer().write(value);
