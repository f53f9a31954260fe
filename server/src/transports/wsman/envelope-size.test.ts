import { describe, expect, it } from 'vitest';
import { EnvelopeSize } from './envelope-size.ts';

describe('the size of envelopes', () => {
  it('is what every target takes, and more for polls of a current one', () => {
    const size = new EnvelopeSize(null);
    expect([size.bytes, size.currentBytes]).toEqual([153_600, 512_000]);
  });
  it('goes down step by step where it is refused, to the least there is', () => {
    const size = new EnvelopeSize(null);
    expect([size.lower(153_600), size.bytes, size.currentBytes]).toEqual([true, 65_536, 65_536]);
    // Two were under way; the second has only to be made again.
    expect([size.lower(153_600), size.bytes]).toEqual([true, 65_536]);
    expect([size.lower(65_536), size.bytes]).toEqual([true, 32_768]);
    expect([size.lower(32_768), size.bytes]).toEqual([false, 32_768]);
  });
  it('is that of the settings, and then nothing else', () => {
    const size = new EnvelopeSize(1024);
    expect([size.bytes, size.currentBytes, size.lower(1_048_576)]).toEqual([1_048_576, 1_048_576, false]);
  });
});
