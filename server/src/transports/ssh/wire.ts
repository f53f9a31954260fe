/** Data types of the SSH wire, RFC 4251 section 5 "Data Type Representations Used in the SSH Protocols". */

export const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
export const uint64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
};
/** Length and bytes; text is UTF-8. */
export const sshString = (data: string | Uint8Array): Buffer => {
  const bytes = Buffer.from(data);
  return Buffer.concat([uint32(bytes.length), bytes]);
};

/** Reads one message from its start. Everything it gives is inside the bytes it was given. */
export class WireReader {
  readonly #bytes: Buffer;
  readonly #cut: () => Error;
  #at = 0;
  /** @param cut the error for bytes that end too early */
  constructor(bytes: Uint8Array, cut: () => Error) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#cut = cut;
  }
  get isDone(): boolean {
    return this.#at === this.#bytes.length;
  }
  get offset(): number {
    return this.#at;
  }
  #take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw this.#cut();
    return this.#bytes.subarray(this.#at, (this.#at += length));
  }
  uint8(): number {
    return this.#take(1).readUInt8();
  }
  uint32(): number {
    return this.#take(4).readUInt32BE();
  }
  uint64(): bigint {
    return this.#take(8).readBigUInt64BE();
  }
  string(): Buffer {
    return this.#take(this.uint32());
  }
  text(): string {
    return this.string().toString('utf8');
  }
}
