import { WsManProtocolError } from '../errors.ts';
import { joinBytes } from './bytes.ts';
import { MAX_TOKEN_BYTES } from './token-reader.ts';

/** Tags of X.690 that tokens here are made of. */
export const TAG = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  enumerated: 0x0a,
  sequence: 0x30,
  application: 0x60,
} as const;
/** `[n]`, explicit. */
export const contextTag = (number: number): number => 0xa0 | number;

/** Tag, length, content. X.690 10.1 Length forms: the shortest. */
export function der(tag: number, ...content: readonly Uint8Array[]): Uint8Array {
  const length = content.reduce((sum, part) => sum + part.length, 0);
  const bytes: number[] = [];
  for (let left = length; left > 0; left = Math.floor(left / 256)) bytes.unshift(left & 255);
  const head = length < 128 ? [tag, length] : [tag, 0x80 | bytes.length, ...bytes];
  return joinBytes(Uint8Array.from(head), ...content);
}

/** Reads one value after the other; goes into another only when told, so depth is the caller's. */
export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #section: string;
  /** Where these bytes stand in the token. */
  readonly #base: number;
  #at = 0;

  constructor(bytes: Uint8Array, section: string, base = 0) {
    if (bytes.length > MAX_TOKEN_BYTES) {
      throw new WsManProtocolError('wsman_too_large', `a token of ${bytes.length} bytes`, { section });
    }
    this.#bytes = bytes;
    this.#section = section;
    this.#base = base;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Refuses what stands here. @throws WsManProtocolError */
  fail(message: string): never {
    throw new WsManProtocolError('wsman_malformed', message, {
      section: this.#section,
      offset: this.#base + this.#at,
    });
  }

  /** Whether the next value has this tag. */
  isNext(tag: number): boolean {
    return this.#bytes[this.#at] === tag;
  }

  /** Content of the next value. */
  take(tag: number): Uint8Array {
    const from = this.#enter(tag);
    return this.#bytes.subarray(from, this.#at);
  }

  /** The next value with its head. */
  takeWhole(tag: number): Uint8Array {
    const from = this.#at;
    this.#enter(tag);
    return this.#bytes.subarray(from, this.#at);
  }

  /** Into the next value. */
  inside(tag: number): DerReader {
    const from = this.#enter(tag);
    return new DerReader(this.#bytes.subarray(from, this.#at), this.#section, this.#base + from);
  }

  /** Content of `[number] tag`, null when it is not next. */
  optional(number: number, tag: number): Uint8Array | null {
    if (!this.isNext(contextTag(number))) return null;
    const field = this.inside(contextTag(number));
    const content = field.take(tag);
    field.end();
    return content;
  }

  /** Nothing may follow. @throws WsManProtocolError */
  end(): void {
    if (!this.isAtEnd) this.fail('bytes after the end of a value');
  }

  /** Goes past the next value. @returns where its content begins */
  #enter(tag: number): number {
    if (this.#bytes[this.#at] !== tag) this.fail(`no value 0x${tag.toString(16)} where one is due`);
    const first = this.#bytes[this.#at + 1] ?? this.fail('a value without a length');
    let from = this.#at + 2;
    let length = first;
    if (first >= 0x80) {
      const count = first & 0x7f;
      if (count === 0 || count > 4) this.fail('a length of a form that is not DER');
      length = 0;
      for (let i = 0; i < count; i++) length = length * 256 + (this.#bytes[from + i] ?? 0);
      from += count;
    }
    if (from + length > this.#bytes.length) this.fail('a value that ends too early');
    this.#at = from + length;
    return from;
  }
}
