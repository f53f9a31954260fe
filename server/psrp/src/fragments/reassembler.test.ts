import { describe, expect, it } from 'vitest';
import { encodeFragment, fragmentsAs, fragmentsOf, PsrpError, Reassembler } from '../index.ts';
import type { PsrpLimits } from '../index.ts';

const codeOf = (fragments: Iterable<Uint8Array>, limits: Partial<PsrpLimits>): string => {
  const stream = new Reassembler(limits);
  try {
    let objects = 0;
    for (const fragment of fragments) objects += stream.receive(fragment).length;
    return `${objects}`;
  } catch (error) {
    return error instanceof PsrpError ? error.code : String(error);
  }
};

describe('the size of an object', () => {
  it.each([1, 2, 5])('counts its %i fragments with their headers, up to the limit', (count) => {
    const message = new Uint8Array(100);
    const fragments = [...fragmentsOf(1n, message, 21 + 100 / count)];
    expect(fragments).toHaveLength(count);
    const bytes = 100 + 21 * count;
    expect(codeOf(fragments, { maxObjectBytes: bytes })).toBe('1');
    expect(codeOf(fragments, { maxObjectBytes: bytes - 1 })).toBe('psrp_object_too_large');
    // The next object starts at nothing again.
    expect(codeOf([...fragments, ...fragments], { maxObjectBytes: bytes })).toBe('2');
  });

  it('counts fragments without content too', () => {
    const empty = [
      encodeFragment(1n, 0n, 1, new Uint8Array()),
      encodeFragment(1n, 1n, 0, new Uint8Array()),
      encodeFragment(1n, 2n, 2, new Uint8Array()),
    ];
    expect(codeOf(empty, { maxObjectBytes: 63 })).toBe('1');
    expect(codeOf(empty, { maxObjectBytes: 62 })).toBe('psrp_object_too_large');
  });
});

describe('a stream of a pool that was joined', () => {
  const fragments = [...fragmentsOf(7n, new Uint8Array(100), 61)];
  const next = [...fragmentsOf(8n, new Uint8Array(10), 61)];

  it('begins at the next start; what is left of an object is passed over', () => {
    const stream = new Reassembler({}, true);
    expect(stream.receive(fragments[1] ?? new Uint8Array())).toEqual([]);
    expect(stream.receive(fragments[2] ?? new Uint8Array())).toEqual([]);
    expect(stream.isIncomplete).toBe(false);
    expect(stream.receive(next[0] ?? new Uint8Array())).toHaveLength(1);
    // From then on there is no mercy.
    expect(() => stream.receive(fragments[1] ?? new Uint8Array())).toThrow(/without start/);
    expect(() => new Reassembler().receive(fragments[1] ?? new Uint8Array())).toThrow(/without start/);
  });

  it('says what is unfinished', () => {
    const stream = new Reassembler();
    stream.receive(fragments[0] ?? new Uint8Array());
    expect([stream.isIncomplete, stream.hasPartialFragment]).toEqual([true, false]);
    stream.end();
    stream.receive((fragments[1] ?? new Uint8Array()).subarray(0, 30));
    expect(stream.hasPartialFragment).toBe(true);
    expect(() => {
      stream.end();
    }).toThrow(/ends inside a fragment/);
  });
});

describe('a cut', () => {
  it('must be that of the message', () => {
    expect(() => [...fragmentsAs(1n, new Uint8Array(10), [4, 5])]).toThrow(/a cut of 9 bytes for 10/);
    expect([...fragmentsAs(1n, new Uint8Array(10), [4, 6])].map((each) => each.length)).toEqual([25, 27]);
  });
});
