/**
 * A secret that cannot be printed: every serialiser (String, JSON, inspect, template) gives `[secret]`.
 * security.md section 3 Secrets. `reveal` is called only where the secret is handed over.
 */
export class Secret {
  readonly #bytes: Uint8Array;
  constructor(value: string | Uint8Array) {
    this.#bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
  }
  /** The secret as text. */
  reveal(): string {
    return new TextDecoder().decode(this.#bytes);
  }
  /** The secret's own bytes, not a copy. */
  revealBytes(): Uint8Array {
    return this.#bytes;
  }
  /** Overwrites the bytes. Text handed out before stays with whoever took it. */
  wipe(): void {
    this.#bytes.fill(0);
  }
  toString(): string {
    return '[secret]';
  }
  toJSON(): string {
    return '[secret]';
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[secret]';
  }
}
