const NOTHING = new Uint8Array(0);

/**
 * Bytes that wait for their rest. Small pieces are copied into one growing array, so that a peer that sends byte by byte
 * costs no object per byte.
 */
export class HeldBytes {
  #bytes = NOTHING;
  length = 0;

  add(piece: Uint8Array): void {
    const wanted = this.length + piece.length;
    if (wanted > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(256, this.#bytes.length * 2, wanted));
      grown.set(this.#bytes.subarray(0, this.length));
      this.#bytes = grown;
    }
    this.#bytes.set(piece, this.length);
    this.length = wanted;
  }
  /** A view; valid until the next `add`. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }
  /** Hands everything out and starts anew. */
  take(): Uint8Array {
    const all = this.view();
    this.#bytes = NOTHING;
    this.length = 0;
    return all;
  }
}
