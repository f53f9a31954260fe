/**
 * What decoding holds at its peak, each case in a process of its own: `node --import tsx memory.ts CASE` prints one JSON
 * line. The input is made piece by piece while it is read, so that the peak is the codec's.
 */
import { memoryUsage, resourceUsage } from 'node:process';
import {
  bag,
  encodeMessage,
  encodePacket,
  fragmentsOf,
  OutOfProcClient,
  OutOfProcServer,
  RUNSPACE_HOST,
  writeCliXml,
} from '@sallyport/psrp';
import type { PsValue } from '@sallyport/psrp';

const PIPELINE = '10213243-5465-7687-98a9-bacbdcedfe0f';
const POOL = '00112233-4455-6677-8899-aabbccddeeff';
const MIB = 1024 * 1024;
/** Blob of a fragment, as every sender over SSH cuts. */
const BLOB_BYTES = 32768 - 21;
const encoder = new TextEncoder();

/** A client whose pipeline runs, without a network between. */
function runningClient(): OutOfProcClient {
  const client = new OutOfProcClient({ poolId: POOL, newId: () => PIPELINE });
  const server = new OutOfProcServer();
  client.open({ hostInfo: RUNSPACE_HOST });
  server.receive(client.takeOutgoing());
  server.pool.opened(null);
  for (const line of server.takeOutgoing()) client.receive(line);
  client.createPipeline({ commands: [{ command: 'x' }] });
  client.takeOutgoing();
  return client;
}

/** One body of about `bytes`, in pieces. */
interface Body {
  readonly head: string;
  readonly tail: string;
  unit(index: number): string;
}
const BODIES: Readonly<Record<string, Body>> = {
  // 500,000 elements are allowed; an object here has three.
  objects: {
    head: '<Obj RefId="0"><LST>',
    tail: '</LST></Obj>',
    unit: (i) => `<Obj RefId="${i + 1}"><MS><S N="Name">process number ${i}, ${'x'.repeat(170)}</S></MS></Obj>`,
  },
  'small values': {
    head: '<Obj RefId="0"><LST>',
    tail: '</LST></Obj>',
    unit: (i) => `<S>value ${i}, a text of some length that goes on for a while, ${i}</S>`,
  },
  'one text': { head: '<S>', tail: '</S>', unit: () => 'The quick brown fox jumps over the lazy dog. ' },
  'one text with escapes': { head: '<S>', tail: '</S>', unit: () => 'a line of text_x000D__x000A_' },
  'one text of references': { head: '<S>', tail: '</S>', unit: () => 'a &amp; b &lt; c &gt; ' },
  'one text beyond Latin': { head: '<S>', tail: '</S>', unit: () => 'Текст на русском языке. ' },
};

/** Fragment bytes of one message whose body comes piece by piece. */
function* fragmentsOfBody(body: Body, bytes: number): Generator<Uint8Array> {
  const header = { destination: 1, messageType: 0x00041004, poolId: POOL, pipelineId: PIPELINE };
  let held = Buffer.from(encodeMessage(header, new Uint8Array()));
  let fragmentId = 0n;
  const cut = function* (isLast: boolean): Generator<Uint8Array> {
    while (held.length > BLOB_BYTES || (isLast && held.length > 0)) {
      const blob = held.subarray(0, BLOB_BYTES);
      held = held.subarray(blob.length);
      const out = new Uint8Array(21 + blob.length);
      const view = new DataView(out.buffer);
      view.setBigUint64(0, 9n);
      view.setBigUint64(8, fragmentId);
      out[16] = (fragmentId === 0n ? 1 : 0) | (isLast && held.length === 0 ? 2 : 0);
      view.setUint32(17, blob.length);
      out.set(blob, 21);
      fragmentId++;
      yield out;
    }
  };
  let made = 0;
  const add = (text: string): void => {
    const piece = encoder.encode(text);
    made += piece.length;
    held = Buffer.concat([held, piece]);
  };
  add(body.head);
  for (let i = 0; made < bytes - 1000; i++) {
    const batch: string[] = [];
    for (let size = 0; size < BLOB_BYTES && made + size < bytes - 1000; i++) {
      const unit = body.unit(i);
      size += unit.length * (unit.charCodeAt(0) > 0x7f ? 2 : 1);
      batch.push(unit);
    }
    add(batch.join(''));
    yield* cut(false);
  }
  add(body.tail);
  yield* cut(true);
}

const peakBytes = (): number => resourceUsage().maxRSS * 1024;

/** Decodes one object of `mib` MiB from lines to value. */
function decodeOne(name: string, mib: number): void {
  const body = BODIES[name];
  if (body === undefined) throw new Error(`no case ${name}`);
  const client = runningClient();
  // Warm: the code is compiled, the heap has its usual size.
  for (const data of fragmentsOfBody(body, 100_000)) feed(client, data);
  const before = peakBytes();
  let bytes = 0;
  let value: PsValue | undefined;
  for (const data of fragmentsOfBody(body, mib * MIB)) {
    bytes += data.length;
    value = feed(client, data) ?? value;
  }
  if (value === undefined) throw new Error('no object came');
  tell({ case: name, bytes, peak: peakBytes() - before, ratio: (peakBytes() - before) / bytes });
}

function feed(client: OutOfProcClient, data: Uint8Array): PsValue | undefined {
  let value: PsValue | undefined;
  const line = encodePacket({ element: 'Data', priority: 'default', pipelineId: PIPELINE, data });
  for (const event of client.receive(line)) {
    if (event.type === 'failed') throw event.error;
    if (event.type === 'output') ({ value } = event);
  }
  return value;
}

/** Two gigabytes of output, object after object, each one dropped by its reader. */
function stream(gigabytes: number): void {
  const client = runningClient();
  const header = { destination: 1, messageType: 0x00041004, poolId: POOL, pipelineId: PIPELINE };
  const value = bag({ Id: 1, Name: 'x'.repeat(8000), Path: 'C:\\Windows\\System32', Size: 12n });
  const message = encodeMessage(header, encoder.encode(writeCliXml(value)));
  const lines = Buffer.concat(
    Array.from({ length: 8 }, (_, i) => [...fragmentsOf(BigInt(i + 1), message)])
      .flat()
      .map((data) => encodePacket({ element: 'Data', priority: 'default', pipelineId: PIPELINE, data })),
  );
  let bytes = 0;
  let objects = 0;
  const run = (until: number): void => {
    while (bytes < until) {
      for (const event of client.receive(lines)) {
        if (event.type === 'failed') throw event.error;
        if (event.type === 'output') objects++;
      }
      bytes += lines.length;
    }
  };
  run(16 * MIB);
  const before = memoryUsage().rss;
  run(gigabytes * 1e9);
  tell({ case: 'stream', bytes, objects, before, peak: peakBytes() - before, whole: peakBytes() });
}

const tell = (row: Readonly<Record<string, number | string>>): void => {
  console.log(JSON.stringify(row));
};

const [name = '', size = ''] = process.argv.slice(2);
if (name === 'stream') stream(Number(size === '' ? 2 : size));
else decodeOne(name, Number(size === '' ? 31.5 : size));
