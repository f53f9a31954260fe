import { WsManProtocolError } from '../errors.ts';

/** Longest token that is read. A challenge has some hundred bytes; more does not fit in an HTTP head anyway. */
export const MAX_TOKEN_BYTES = 64 * 1024;

/** Reads by offset, checks every offset, and names section and place in its refusals. */
export class TokenReader {
  readonly bytes: Uint8Array;
  readonly #section: string;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, section: string) {
    this.bytes = bytes;
    this.#section = section;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (bytes.length > MAX_TOKEN_BYTES) {
      throw new WsManProtocolError('wsman_too_large', `a token of ${bytes.length} bytes`, { section });
    }
  }

  fail(message: string, offset: number): never {
    throw new WsManProtocolError('wsman_malformed', message, { section: this.#section, offset });
  }

  take(at: number, length: number): Uint8Array {
    if (at + length > this.bytes.length) this.fail('a token that ends too early', Math.min(at, this.bytes.length));
    return this.bytes.subarray(at, at + length);
  }

  uint16(at: number): number {
    this.take(at, 2);
    return this.#view.getUint16(at, true);
  }

  uint32(at: number): number {
    this.take(at, 4);
    return this.#view.getUint32(at, true);
  }

  /** Payload of a field: length (2), room (2), offset (4). MS-NLMP 2.2.1. An empty one may point anywhere. */
  field(at: number): Uint8Array {
    const length = this.uint16(at);
    const offset = this.uint32(at + 4);
    return length === 0 ? new Uint8Array() : this.take(offset, length);
  }
}
