/**
 * The stream cipher of NTLM's sealing. By hand because OpenSSL 3 has it no more by default. It is weak; what makes
 * sealed messages trustworthy is their signature and, over HTTPS, TLS.
 */
export class Rc4 {
  readonly #state = new Uint8Array(256);
  #i = 0;
  #j = 0;

  /** @param key 1 to 256 bytes; not kept */
  constructor(key: Uint8Array) {
    const state = this.#state;
    for (let i = 0; i < 256; i++) state[i] = i;
    let j = 0;
    for (let i = 0; i < 256; i++) {
      const value = state[i] ?? 0;
      j = (j + value + (key[i % key.length] ?? 0)) & 255;
      state[i] = state[j] ?? 0;
      state[j] = value;
    }
  }

  /** Goes on where the last call ended. @returns as many bytes as came in */
  update(input: Uint8Array): Uint8Array {
    const output = new Uint8Array(input.length);
    const state = this.#state;
    let i = this.#i;
    let j = this.#j;
    for (let at = 0; at < input.length; at++) {
      i = (i + 1) & 255;
      const x = state[i] ?? 0;
      j = (j + x) & 255;
      const y = state[j] ?? 0;
      state[i] = y;
      state[j] = x;
      output[at] = (input[at] ?? 0) ^ (state[(x + y) & 255] ?? 0);
    }
    this.#i = i;
    this.#j = j;
    return output;
  }

  /** Forgets the state. */
  wipe(): void {
    this.#state.fill(0);
  }
}
