import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OutputWindow } from './output-window.ts';

/** Byte `at` of the stream. */
const byteAt = (at: number): number => (at * 31 + (at >> 8)) & 0xff;
const stream = (from: number, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => byteAt(from + index));

function readAll(window: OutputWindow, from: number): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let at = from; at < window.end;) {
    const { bytes } = window.read(at, 60_000);
    pieces.push(Uint8Array.from(bytes));
    at += bytes.length;
  }
  return Buffer.concat(pieces);
}

describe('the output window', () => {
  it('gives back what was pushed, whatever the pieces, from its start to its end', () => {
    const pieces = fc.array(fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 200_000 })), {
      maxLength: 25,
    });
    fc.assert(
      fc.property(pieces, (sizes) => {
        const window = new OutputWindow();
        for (const size of sizes) window.push(stream(window.end, size), null);
        const held = window.end - window.start;
        expect(held).toBeGreaterThanOrEqual(Math.min(window.end, 1024 * 1024));
        expect(Buffer.compare(readAll(window, window.start), stream(window.start, held))).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it('finds the start of a line near its end', () => {
    const window = new OutputWindow();
    window.push(Buffer.from('x'.repeat(10_000)), null);
    window.push(Buffer.from('one\ntwo\n'), null);
    window.push(Buffer.from('y'.repeat(9000)), null);
    expect(window.tailStart(9002)).toBe(10_008);
    expect(window.tailStart(9006)).toBe(10_004);
    expect(window.tailStart(500)).toBe(window.end - 500);
    expect(window.tailStart(1e9)).toBe(0);
    window.push(Buffer.from('z'.repeat(1_090_000)), null); // The lines stand across the edge of the ring now, or are gone.
    window.push(Buffer.from('three\nfour'), null);
    expect(window.tailStart(20)).toBe(window.end - 4);
  });

  it('keeps what came before while its first block grows, and echoes at their place', () => {
    const window = new OutputWindow();
    for (let n = 0; n < 70; n += 1) window.push(stream(window.end, 1000), n === 3 ? 9 : null);
    expect(Buffer.compare(readAll(window, 0), stream(0, 70_000))).toBe(0);
    expect(window.read(3000, 60_000)).toMatchObject({ lineId: 9, bytes: { length: 1000 } });
  });
});
