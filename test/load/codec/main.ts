/**
 * `npm run bench:codec`: our codec beside the hand-made loop, `saxes` and JSON, interleaved in one run. The ratios within
 * the run are the result. BENCH_PSRPCORE names a checkout of psrpcore; then Python reads the same documents in turn.
 */
import { execFileSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { SaxesParser } from 'saxes';
import {
  CliXmlReader,
  encodeMessage,
  encodePacket,
  fragmentsOf,
  OutOfProcClient,
  OutOfProcServer,
  RUNSPACE_HOST,
  writeCliXml,
} from '@sallyport/psrp';
import type { ClientEvent } from '@sallyport/psrp';
import { GROWTH_FLAGS, GROWTHS } from './growth.ts';
import { readByHand } from './handmade.ts';
import { INPUTS } from './inputs.ts';
import { Psrpcore } from './psrpcore.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
});
const rounds = Math.max(1, Number(options.rounds));
const scale = options.quick ? 0.1 : 1;
let sink = 0;

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
/** CPU time: on a busy machine the clock on the wall tells about the others. */
const ms = (job: () => void): number => {
  const before = process.cpuUsage();
  job();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
};

/** Does one thing; a job in another process gives back its own time. */
type Job = () => unknown;
async function timeOf(job: Job): Promise<number> {
  let told: unknown;
  const own = ms(() => {
    told = job();
  });
  return told instanceof Promise ? Number(await told) : own;
}

/** Each job once a round, in rotated order; a first round warms up. @returns the median of each in ms */
async function interleaved(jobs: Readonly<Record<string, Job>>): Promise<Map<string, number>> {
  const names = Object.keys(jobs);
  const times = new Map<string, number[]>(names.map((name) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round + 1) % names.length] ?? '';
      const job = jobs[name];
      if (job === undefined) continue;
      const time = await timeOf(job);
      if (round >= 0) times.get(name)?.push(time);
    }
  }
  return new Map([...times].map(([name, list]) => [name, median(list)]));
}

function saxesEvents(document: string): void {
  const parser = new SaxesParser({ position: false });
  parser.on('opentag', (tag) => (sink += tag.name.length));
  parser.on('text', (text) => (sink += text.length));
  parser.write(document).close();
}

const PIPELINE = '10213243-5465-7687-98a9-bacbdcedfe0f';
const POOL = '00112233-4455-6677-8899-aabbccddeeff';

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

const header = { destination: 1, messageType: 0x00041004, poolId: POOL, pipelineId: PIPELINE };
/** Lines of a server that sends these documents as output. */
function linesOf(documents: readonly string[]): Uint8Array[] {
  return documents.flatMap((document, index) => {
    const message = encodeMessage(header, new TextEncoder().encode(document));
    return [...fragmentsOf(BigInt(index + 1), message)].map((data) =>
      encodePacket({ element: 'Data', priority: 'default', pipelineId: PIPELINE, data }),
    );
  });
}

interface Row {
  readonly what: string;
  readonly ours: number;
  readonly other: number;
  readonly atLeast: number;
}
const rows: Row[] = [];
const percent = (value: number): string => value.toFixed(2);

async function measure(name: string, documents: readonly string[], psrpcore: Psrpcore | null): Promise<void> {
  const bytes = documents.reduce((sum, each) => sum + each.length, 0);
  const values = documents.map((each) => new CliXmlReader().read(each));
  const plain = documents.map((each) => readByHand(each));
  const jsons = plain.map((each) =>
    JSON.stringify(each, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
  );
  const jsonValues = jsons.map((each) => JSON.parse(each) as unknown);
  const base64 = documents.map((each) => Buffer.from(each).toString('base64'));
  const lines = linesOf(documents);
  await psrpcore?.load(name, documents);
  const times = await interleaved({
    'ours: read': () => {
      const reader = new CliXmlReader();
      for (const each of documents) sink += typeof reader.read(each) === 'string' ? 1 : 0;
    },
    'hand-made: read': () => {
      for (const each of documents) sink += typeof readByHand(each) === 'string' ? 1 : 0;
    },
    'saxes: events': () => {
      for (const each of documents) saxesEvents(each);
    },
    'JSON.parse': () => {
      for (const each of jsons) sink += typeof JSON.parse(each) === 'string' ? 1 : 0;
    },
    'ours: write': () => {
      for (const each of values) sink += writeCliXml(each).length;
    },
    'JSON.stringify': () => {
      for (const each of jsonValues) sink += JSON.stringify(each).length;
    },
    'ours: lines to objects': () => {
      const client = runningClient();
      let events = 0;
      for (const line of lines)
        events += client.receive(line).filter((event: ClientEvent) => event.type === 'output').length;
      if (events !== documents.length) throw new Error(`${events} of ${documents.length} objects arrived`);
    },
    'base64 + UTF-8 + hand-made': () => {
      for (const each of base64)
        sink += typeof readByHand(Buffer.from(each, 'base64').toString('utf8')) === 'string' ? 1 : 0;
    },
    ...(psrpcore === null ? {} : { 'psrpcore: read (Python)': () => psrpcore.run(name) }),
  });
  const of = (job: string): number => times.get(job) ?? NaN;
  console.log(`\n${name}: ${documents.length} documents, ${(bytes / 1e6).toFixed(1)} MB`);
  for (const [job, time] of times) {
    console.log(
      `  ${job.padEnd(28)}${time.toFixed(1).padStart(9)} ms  ${(bytes / time / 1e3).toFixed(1).padStart(8)} MB/s`,
    );
  }
  rows.push({ what: `${name}: read / hand-made`, ours: of('ours: read'), other: of('hand-made: read'), atLeast: 0.5 });
  if (name !== 'string5MB')
    rows.push({
      what: `${name}: write / JSON.stringify`,
      ours: of('ours: write'),
      other: of('JSON.stringify'),
      atLeast: 0.15,
    });
  rows.push({
    what: `${name}: lines / base64 + UTF-8 + hand-made`,
    ours: of('ours: lines to objects'),
    other: of('base64 + UTF-8 + hand-made'),
    atLeast: 0.5,
  });
  const wanted = { custom10x10k: 15, string5MB: 2, process60x10k: 40 }[name] ?? 1;
  if (psrpcore !== null)
    rows.push({
      what: `${name}: read / psrpcore`,
      ours: of('ours: read'),
      other: of('psrpcore: read (Python)'),
      atLeast: wanted,
    });
}

function growths(): void {
  const pairs = 4 * rounds + 1;
  const script = path.join(import.meta.dirname, 'growth.ts');
  const flags = [...GROWTH_FLAGS, '--import', 'tsx'];
  console.log(`\ngrowth: time of 10 x the size over time of the size, ${pairs} pairs (target <= 11)`);
  for (const { name } of GROWTHS) {
    const told = execFileSync(process.execPath, [...flags, script, name, pairs.toString()], { encoding: 'utf8' });
    const [median, low, high] = JSON.parse(told) as [number, number, number];
    const spread = `(quartiles ${low.toFixed(1)} to ${high.toFixed(1)})`;
    console.log(`  ${name.padEnd(44)}${median.toFixed(2).padStart(6)}  ${median <= 11 ? 'ok' : 'MISSED'}  ${spread}`);
  }
}

const MEMORY = [
  'objects',
  'small values',
  'one text',
  'one text with escapes',
  'one text of references',
  'one text beyond Latin',
];

function measureMemory(): void {
  const script = path.join(import.meta.dirname, 'memory.ts');
  const run = (...args: readonly string[]): Readonly<Record<string, number>> =>
    JSON.parse(execFileSync(process.execPath, ['--import', 'tsx', script, ...args], { encoding: 'utf8' })) as Record<
      string,
      number
    >;
  console.log('\nmemory: peak while an object of 32 MiB is decoded, over its bytes (target <= 6)');
  for (const name of MEMORY) {
    const { ratio = NaN } = run(name);
    console.log(`  ${name.padEnd(44)}${ratio.toFixed(2).padStart(6)}  ${ratio <= 6 ? 'ok' : 'MISSED'}`);
  }
  const { peak = NaN, bytes = 0, whole = 0 } = run('stream', options.quick ? '0.2' : '2');
  const mib = peak / 1048576;
  console.log(
    `  ${(bytes / 1e9).toFixed(1)} GB of output streamed: ${mib.toFixed(1)} MiB over the start (< 64)  ${mib < 64 ? 'ok' : 'MISSED'}; the whole process ${(whole / 1048576).toFixed(0)} MiB`,
  );
}

console.log(
  `codec bench: ${rounds} rounds, CPU time, ${cpus()[0]?.model ?? ''}, Node ${process.version}, load ${loadavg()[0]?.toFixed(1) ?? ''}`,
);
const psrpcore = Psrpcore.start();
for (const { name, make } of INPUTS) {
  if (options.only === undefined || options.only === name) await measure(name, make(scale), psrpcore);
}
psrpcore?.end();
if (options.only === undefined || options.only === 'growth') growths();
if (options.only === undefined || options.only === 'memory') measureMemory();
if (rows.length > 0) console.log('\nspeed over the other (target)');
for (const { what, ours, other, atLeast } of rows) {
  const ratio = other / ours;
  console.log(`  ${what.padEnd(56)}x ${percent(ratio)}  (>= ${atLeast})  ${ratio >= atLeast ? 'ok' : 'MISSED'}`);
}
if (sink < 0) console.log(sink);
