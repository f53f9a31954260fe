/**
 * What grows with what: the time of ten times the size over the time of the size. Small and large are measured in turn,
 * each with a heap that was just collected, and each keeps all that it reads until its measure is over. The result is the
 * median of the ratios of neighbours: what else runs on the machine slows both.
 *
 * `node GROWTH_FLAGS --import tsx growth.ts NAME PAIRS` prints one JSON line.
 */
import { CliXmlReader, encodeMessage, fragmentsOf, Reassembler, writeCliXml } from '@sallyport/psrp';
import type { PsValue } from '@sallyport/psrp';
import { GROWING } from './inputs.ts';

/** One kind: `make` gives a job that does it once and gives back what the caller would keep. */
export interface Growth {
  readonly name: string;
  readonly size: number;
  readonly make: (size: number) => () => unknown;
}

const reading =
  (make: (size: number) => string) =>
  (size: number): (() => PsValue) => {
    const document = make(size);
    return () => new CliXmlReader().read(document);
  };

const header = {
  destination: 1,
  messageType: 0x00041004,
  poolId: '00112233-4455-6677-8899-aabbccddeeff',
  pipelineId: '10213243-5465-7687-98a9-bacbdcedfe0f',
};
/** One message in fragments of 100 bytes. */
function fragments(count: number): Uint8Array {
  const body = new Uint8Array(count * 79).fill(0x61);
  return new Uint8Array(Buffer.concat([...fragmentsOf(1n, encodeMessage(header, body), 100)]));
}

/** Chains of objects, each in the one before. */
const chains = (depth: number): string =>
  `<Obj RefId="0"><LST>${`${'<Obj><MS><Obj N="a">'.repeat(depth / 2)}${'</Obj></MS></Obj>'.repeat(depth / 2)}`.repeat(200)}</LST></Obj>`;
const memberSets = (depth: number): string =>
  `<Obj RefId="0"><LST>${`<Obj><MS>${'<MS N="a">'.repeat(depth)}${'</MS>'.repeat(depth)}</MS></Obj>`.repeat(200)}</LST></Obj>`;

/** Everything that a peer can make larger. */
export const GROWTHS: readonly Growth[] = [
  ...GROWING.map(({ name, size, make }) => ({ name, size, make: reading(make) })),
  { name: 'objects within objects (to 40 of 50)', size: 4, make: reading(chains) },
  { name: 'elements within elements (to 240 of 256)', size: 24, make: reading(memberSets) },
  {
    name: 'fragments of a message',
    size: 2000,
    make: (size) => {
      const bytes = fragments(size);
      return () => new Reassembler().receive(bytes);
    },
  },
  {
    name: 'fragments of a message, read byte by byte',
    size: 200,
    make: (size) => {
      const bytes = fragments(size);
      return () => {
        const stream = new Reassembler();
        let done = 0;
        for (let i = 0; i < bytes.length; i++) done += stream.receive(bytes.subarray(i, i + 1)).length;
        return done;
      };
    },
  },
  {
    name: 'objects written',
    size: 4000,
    make: (size) => {
      const value = new CliXmlReader().read(GROWING[0]?.make(size) ?? '<Nil />');
      return () => writeCliXml(value).length;
    },
  },
];

/**
 * No thread sweeps the heap or compiles while something is measured: its time counts as that of the process, and was up
 * to four times the codec's own. The young generation has one size, in which a measure ends without a collection.
 */
export const GROWTH_FLAGS = [
  '--expose-gc',
  '--single-threaded',
  '--min-semi-space-size=256',
  '--max-semi-space-size=256',
] as const;

/** CPU time in ms of doing a job this many times. */
function cpuMs(job: () => unknown, count: number): number {
  const kept: unknown[] = [];
  globalThis.gc?.();
  const before = process.cpuUsage();
  for (let i = 0; i < count; i++) kept.push(job());
  const { user, system } = process.cpuUsage(before);
  return kept.length === count ? (user + system) / 1000 : NaN;
}

/** A measure shorter than this tells about the clock. */
const LEAST_MS = 30;

/** The ratio of one kind, 10 when time grows as the size does: median and quartiles of the pairs. */
function measureGrowth({ size, make }: Growth, pairs: number): readonly [number, number, number] {
  const small = make(size);
  const large = make(size * 10);
  cpuMs(small, 30);
  cpuMs(large, 3);
  const count = Math.max(1, Math.ceil(LEAST_MS / cpuMs(large, 1)));
  const ratios: number[] = [];
  for (let i = 0; i < pairs; i++) {
    const first = i % 2 === 0 ? cpuMs(small, 10 * count) : 0;
    const ten = cpuMs(large, count);
    const one = i % 2 === 0 ? first : cpuMs(small, 10 * count);
    ratios.push((10 * ten) / one);
  }
  ratios.sort((a, b) => a - b);
  const at = (part: number): number => ratios[Math.floor(ratios.length * part)] ?? NaN;
  return [at(0.5), at(0.25), at(0.75)];
}

const [name, pairs = ''] = process.argv.slice(2);
const growth = GROWTHS.find((each) => each.name === name);
if (growth !== undefined && process.argv[1] === import.meta.filename) {
  if (globalThis.gc === undefined) throw new Error('--expose-gc is missing');
  console.log(JSON.stringify(measureGrowth(growth, Number(pairs))));
}
