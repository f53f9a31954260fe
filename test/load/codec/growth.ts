/** What grows with what: the time of ten times the size over the time of the size. */
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
