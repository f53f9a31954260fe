/** Crafted streams of fragments for the reassembler. */
import { encodeFragment } from '@sallyport/psrp';

/** Bytes of one stream, and what the reassembler must make of them. */
export interface StreamCase {
  readonly kind: 'stream';
  readonly id: string;
  readonly probes: string;
  readonly bytes: Uint8Array;
  /** Object id and length of each message that must be told. */
  readonly objects: readonly (readonly [bigint, number])[];
  readonly code: string | null;
  /** Bytes of whole fragments before the fault. */
  readonly offset: number | null;
}
const ones = (length: number): Uint8Array => new Uint8Array(length).fill(0x78);
const joined = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));
/** A fragment whose header may lie about its blob. */
function fragment(objectId: bigint, fragmentId: bigint, flags: number, blob: number, claimed = blob): Uint8Array {
  const out = encodeFragment(objectId, fragmentId, flags, ones(blob));
  new DataView(out.buffer).setUint32(17, claimed);
  return out;
}

const stream = (
  id: string,
  probes: string,
  bytes: Uint8Array,
  objects: readonly (readonly [bigint, number])[],
  fault: readonly [code: string, offset: number] | null = null,
): StreamCase => ({ kind: 'stream', id, probes, bytes, objects, code: fault?.[0] ?? null, offset: fault?.[1] ?? null });

function headerCases(): StreamCase[] {
  const ids: readonly (readonly [bigint, boolean])[] = [
    [0n, false],
    [1n, true],
    [255n, true],
    [1n << 32n, true],
    [(1n << 53n) + 1n, true],
    [(1n << 63n) - 1n, true],
    [1n << 63n, false],
    [(1n << 64n) - 1n, false],
  ];
  const lengths: readonly (readonly [number, boolean])[] = [
    [1024 * 1024 + 1, false],
    [0x7fffffff, false],
    [0x80000000, false],
    [0xffffffff, false],
    [0xffffffeb, false],
  ];
  return [
    ...ids.map(([id, isGood]) =>
      stream(
        `object-id-${id.toString(16)}`,
        `object id ${id.toString()}`,
        fragment(id, 0n, 3, 4),
        isGood ? [[id, 4]] : [],
        isGood ? null : ['psrp_bad_length', 0],
      ),
    ),
    ...[1n, 2n, 1n << 31n, 1n << 32n, 1n << 63n, (1n << 64n) - 1n].map((number) =>
      stream(
        `start-number-${number.toString(16)}`,
        `a start with fragment number ${number.toString()}`,
        fragment(1n, number, 3, 4),
        [],
        ['psrp_fragment_sequence', 0],
      ),
    ),
    ...Array.from({ length: 16 }, (_, high) => high << 4).flatMap((high) =>
      // Bits beyond start and end have no meaning; a start and end alone make a message whatever they are.
      [
        stream(
          `flags-${(high | 3).toString(16)}`,
          `unknown flag bits 0x${high.toString(16)} beside start and end`,
          fragment(7n, 0n, high | 3, 2),
          [[7n, 2]],
        ),
      ],
    ),
    ...[0, 4, 8, 0xfc].map((flags) =>
      stream(
        `no-start-${flags.toString(16)}`,
        `flags 0x${flags.toString(16)}: neither start nor end, and nothing begun`,
        fragment(1n, 0n, flags, 2),
        [],
        ['psrp_fragment_sequence', 0],
      ),
    ),
    stream('end-alone', 'an end without start', fragment(1n, 0n, 2, 2), [], ['psrp_fragment_sequence', 0]),
    ...lengths.map(([length]) =>
      stream(
        `length-${length.toString(16)}`,
        `a blob said to have ${length} bytes is refused before it comes`,
        fragment(1n, 0n, 3, 0, length),
        [],
        ['psrp_bad_length', 0],
      ),
    ),
    stream('length-limit', 'a blob of exactly 1 MiB', fragment(1n, 0n, 3, 1024 * 1024), [[1n, 1024 * 1024]]),
    stream('length-0', 'an empty message', fragment(1n, 0n, 3, 0), [[1n, 0]]),
    ...Array.from({ length: 20 }, (_, i) => i + 1).map((cut) =>
      stream(
        `cut-header-${cut}`,
        `the stream ends ${cut} bytes into a header`,
        fragment(1n, 0n, 3, 4).subarray(0, cut),
        [],
        ['psrp_fragment_truncated', 0],
      ),
    ),
    ...[21, 22, 24].map((cut) =>
      stream(
        `cut-blob-${cut - 21}`,
        `the stream ends ${cut - 21} bytes into a blob of 4`,
        fragment(1n, 0n, 3, 4).subarray(0, cut),
        [],
        ['psrp_fragment_truncated', 0],
      ),
    ),
    stream(
      'cut-second',
      'the stream ends inside the header of the second fragment',
      joined(fragment(1n, 0n, 1, 4), fragment(1n, 1n, 2, 4).subarray(0, 9)),
      [],
      ['psrp_fragment_truncated', 25],
    ),
    stream(
      'cut-after',
      'a whole message, then a piece of a header',
      joined(fragment(1n, 0n, 3, 4), ones(3)),
      [[1n, 4]],
      ['psrp_fragment_truncated', 25],
    ),
  ];
}

/** Two fragments in a row, in every combination of what the second may be. */
function orderCases(): StreamCase[] {
  const kinds = [
    [1, 'start'],
    [0, 'middle'],
    [2, 'end'],
    [3, 'start and end'],
  ] as const;
  const rows: StreamCase[] = [];
  for (const [flags, kind] of kinds) {
    for (const sameObject of [true, false]) {
      for (const number of [0n, 1n, 2n, 1n << 40n]) {
        const bytes = joined(fragment(9n, 0n, 1, 5), fragment(sameObject ? 9n : 10n, number, flags, 6));
        const isStart = (flags & 1) !== 0;
        const fault = isStart
          ? 'psrp_fragment_sequence'
          : !sameObject
            ? 'psrp_object_mismatch'
            : number === 1n
              ? null
              : 'psrp_fragment_sequence';
        const objects = fault === null && flags === 2 ? ([[9n, 11]] as const) : [];
        const id = `order-begun-${kind.replaceAll(' ', '-')}-${sameObject ? 'same' : 'other'}-${number.toString()}`;
        rows.push(
          stream(
            id,
            `after a start: ${kind} of ${sameObject ? 'the same' : 'another'} object, number ${number.toString()}`,
            bytes,
            objects,
            fault === null ? null : [fault, 26],
          ),
        );
      }
    }
  }
  for (const [flags, kind] of kinds) {
    for (const sameObject of [true, false]) {
      for (const number of [0n, 1n]) {
        const bytes = joined(fragment(9n, 0n, 3, 5), fragment(sameObject ? 9n : 10n, number, flags, 6));
        // An object id that comes again is not judged: Microsoft's counters leave gaps, and a reconnect goes back.
        const isGood = (flags & 1) !== 0 && number === 0n;
        const objects: (readonly [bigint, number])[] = [[9n, 5]];
        if (isGood && flags === 3) objects.push([sameObject ? 9n : 10n, 6]);
        const id = `order-whole-${kind.replaceAll(' ', '-')}-${sameObject ? 'same' : 'other'}-${number.toString()}`;
        rows.push(
          stream(
            id,
            `after a whole message: ${kind} of ${sameObject ? 'the same' : 'another'} object, number ${number.toString()}`,
            bytes,
            objects,
            isGood ? null : ['psrp_fragment_sequence', 26],
          ),
        );
      }
    }
  }
  return rows;
}

function lengthyCases(): StreamCase[] {
  const run = (count: number, blob: number, endAt: number): Uint8Array =>
    joined(
      ...Array.from({ length: count }, (_, i) =>
        fragment(3n, BigInt(i), (i === 0 ? 1 : 0) | (i === endAt ? 2 : 0), blob),
      ),
    );
  return [
    stream('many-empty', 'two hundred fragments without bytes, then the end', run(200, 0, 199), [[3n, 0]]),
    stream('many-one', 'five hundred fragments of one byte', run(500, 1, 499), [[3n, 500]]),
    stream('many-messages', 'a hundred messages in one read', joined(...Array.from({ length: 100 }, (_, i) => fragment(BigInt(i + 1), 0n, 3, 1))), Array.from({ length: 100 }, (_, i) => [BigInt(i + 1), 1] as const)),
    stream('gaps', 'object ids with gaps, and falling', joined(fragment(100n, 0n, 3, 1), fragment(7n, 0n, 3, 2)), [[100n, 1], [7n, 2]]),
    stream('good-then-bad', 'messages before a fault are told', joined(fragment(1n, 0n, 3, 1), fragment(2n, 0n, 3, 2), fragment(0n, 0n, 3, 1)), [[1n, 1], [2n, 2]], ['psrp_bad_length', 45]),
    stream('unfinished', 'an object without end is held, not told', fragment(1n, 0n, 1, 10), []),
  ]; // prettier-ignore
}

/** All streams, in the order of the file. */
export const streamCases = (): readonly StreamCase[] => [...headerCases(), ...orderCases(), ...lengthyCases()];
