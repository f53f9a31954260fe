import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameReader, MAX_FRAME_BYTES, writeFrame } from './frames.ts';

type Frame = readonly [unknown, number[]];
const written = (frames: readonly (readonly [object, Uint8Array])[]): Uint8Array => {
  const pieces: Uint8Array[] = [];
  const nothing = (): void => undefined;
  const sink = { write: (bytes: Uint8Array) => pieces.push(bytes.slice()), cork: nothing, uncork: nothing };
  for (const [head, body] of frames) writeFrame(sink, head, body.subarray(0, 3), body.subarray(3));
  return new Uint8Array(Buffer.concat(pieces));
};

describe('frames to the Kerberos process', () => {
  it('come out as they went in, however they are cut, and what was read is wiped', () => {
    const frame = fc.tuple(fc.record({ op: fc.string() }), fc.uint8Array({ maxLength: 40 }));
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 5 }), fc.array(fc.integer({ min: 1, max: 50 })), (frames, cuts) => {
        const got: Frame[] = [];
        const reader = new FrameReader((head, body) => got.push([head, [...body]]));
        let rest = written(frames);
        for (const cut of [...cuts, Infinity]) {
          const piece = rest.slice(0, cut);
          rest = rest.slice(piece.length);
          reader.push(piece);
          expect(piece.every((byte) => byte === 0)).toBe(true);
        }
        expect(got).toEqual(frames.map(([head, body]) => [head, [...body]]));
      }),
    );
  });

  it('refuses what is no frame', () => {
    const reader = (): FrameReader => new FrameReader(() => undefined);
    expect(() => reader().push(new Uint8Array(8))).toThrow('no frame');
    expect(() => reader().push(new Uint8Array(Uint32Array.of(1, MAX_FRAME_BYTES).buffer))).toThrow('no frame');
    expect(() => reader().push(new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0, 0x7b]))).toThrow();
  });
});
