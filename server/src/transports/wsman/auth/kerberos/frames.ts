/** Frames on a stream: `4 head length + 4 body length`, little-endian, then the head as JSON and the body as it is. */

/** Tokens are below 64 KiB, sealed bodies below 2 MiB: more than this is no frame of ours. */
export const MAX_FRAME_BYTES = 8 * 1024 * 1024;
const PREFIX_BYTES = 8;

export interface FrameSink {
  write(bytes: Uint8Array): unknown;
  cork(): void;
  uncork(): void;
}

/** The pieces of the body go one behind the other; they must not change until they are written. */
export function writeFrame(sink: FrameSink, head: object, ...body: readonly Uint8Array[]): void {
  const text = new TextEncoder().encode(JSON.stringify(head));
  const start = new Uint8Array(PREFIX_BYTES + text.length);
  const view = new DataView(start.buffer);
  view.setUint32(0, text.length, true);
  view.setUint32(
    4,
    body.reduce((sum, piece) => sum + piece.length, 0),
    true,
  );
  start.set(text, PREFIX_BYTES);
  sink.cork();
  sink.write(start);
  for (const piece of body) if (piece.length > 0) sink.write(piece);
  sink.uncork();
}

/**
 * Puts frames together. What was read is wiped behind it, because frames carry passwords and plain text; the body handed
 * over is the receiver's own and lies alone in its memory.
 */
export class FrameReader {
  readonly #onFrame: (head: unknown, body: Uint8Array) => void;
  #prefix = new Uint8Array(PREFIX_BYTES);
  #head: Uint8Array | null = null;
  #body: Uint8Array | null = null;
  #filled = 0;

  constructor(onFrame: (head: unknown, body: Uint8Array) => void) {
    this.#onFrame = onFrame;
  }

  /** @throws Error when this is no frame; nothing more may be pushed then */
  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) {
      const part = this.#body ?? this.#head ?? this.#prefix;
      const count = Math.min(part.length - this.#filled, chunk.length - at);
      part.set(chunk.subarray(at, at + count), this.#filled);
      this.#filled += count;
      at += count;
      if (this.#filled === part.length) this.#next();
    }
    chunk.fill(0);
  }

  #next(): void {
    this.#filled = 0;
    if (this.#head === null) {
      const view = new DataView(this.#prefix.buffer);
      const [head, body] = [view.getUint32(0, true), view.getUint32(4, true)];
      if (head === 0 || head + body > MAX_FRAME_BYTES) throw new Error('no frame');
      this.#head = new Uint8Array(head);
      return;
    }
    if (this.#body === null) {
      this.#body = new Uint8Array(new DataView(this.#prefix.buffer).getUint32(4, true));
      if (this.#body.length > 0) return;
    }
    const [head, body] = [this.#head, this.#body];
    this.#head = null;
    this.#body = null;
    this.#onFrame(JSON.parse(new TextDecoder().decode(head)), body);
  }
}
