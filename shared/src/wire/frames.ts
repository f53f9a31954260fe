/**
 * Binary frames of `sallyport.v1`: one kind byte, then the payload. docs/wire.md section 3.
 *
 * | kind | direction | payload |
 * | 0 output | gateway -> page | terminal bytes; they advance the stream offset |
 * | 1 echo | gateway -> page | u32 LE line id, then the bytes of an accepted line's echo; the bytes (not the id) advance the offset |
 * | 2 input | page -> gateway | PTY input bytes |
 */
export const FrameKind = { output: 0, echo: 1, input: 2 } as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

export type ServerFrame =
  | { readonly kind: 'output'; readonly bytes: Uint8Array }
  | { readonly kind: 'echo'; readonly lineId: number; readonly bytes: Uint8Array };

/** @returns the frame, or null when it is none that a gateway sends. The bytes are a view, not a copy. */
export function parseServerFrame(data: Uint8Array): ServerFrame | null {
  if (data[0] === FrameKind.output) return { kind: 'output', bytes: data.subarray(1) };
  if (data[0] === FrameKind.echo && data.length >= 5) {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    return { kind: 'echo', lineId: view.getUint32(1, true), bytes: data.subarray(5) };
  }
  return null;
}

/** One PTY input frame. */
export function encodeInput(bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(bytes.length + 1);
  frame[0] = FrameKind.input;
  frame.set(bytes, 1);
  return frame;
}

/** One output frame: 1 (kind) + bytes. */
export function encodeOutput(bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(bytes.length + 1);
  frame[0] = FrameKind.output;
  frame.set(bytes, 1);
  return frame;
}

/** One echo frame: 1 (kind) + 4 (line id, u32 LE) + bytes. */
export function encodeEcho(lineId: number, bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(bytes.length + 5);
  frame[0] = FrameKind.echo;
  new DataView(frame.buffer).setUint32(1, lineId, true);
  frame.set(bytes, 5);
  return frame;
}
