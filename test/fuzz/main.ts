/**
 * `npm run fuzz`: mutated inputs for every parser that reads what somebody else sent. Guards: a named refusal or nothing,
 * CPU, memory, prototypes, and what must hold for good inputs (round trips, any cut gives the same).
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { MAX_INPUT_BYTES } from './mutate.ts';
import { PARSERS } from './parsers/index.ts';
import type { Job, Report } from './worker.ts';

const USAGE = `npm run fuzz -- [--seconds N] [--parser NAME[:SHARE][,...]] [--seed N] [--inputs N] [--at N]
  --seconds  for all parsers together (default 60)
  --parser   NAME or NAME:SHARE, several with commas (default: all, with equal shares of the time):
             ${PARSERS.map(({ name }) => name).join(', ')}
  --seed     a run is repeated with its seed (default: from the clock)
  --inputs   at most this many inputs for each parser
  --at       only the input of this number: repeats a finding`;
/** An input that takes this much CPU time counts as a hang: on a busy machine the clock on the wall tells about others. */
const HANG_CPU_MS = 10_000;
/** And so does one that waits for ever. */
const HANG_WALL_MS = 600_000;
const CORPUS = path.join(import.meta.dirname, 'corpus');

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    parser: { type: 'string' },
    seed: { type: 'string' },
    inputs: { type: 'string' },
    at: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

function number(name: string, text: string | undefined, absent: number): number {
  if (text === undefined) return absent;
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  console.error(`--${name} ${text} is no number\n\n${USAGE}`);
  return process.exit(2);
}

/** A thread does not get the loader of the main one by itself. */
const START = `import('tsx/esm/api').then(({ register }) => {
  register();
  return import(${JSON.stringify(new URL('./worker.ts', import.meta.url).href)});
});`;

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** Runs parsers until all are through or one hangs; a hang is a finding with the input that hangs. */
function runThread(job: Job, told: (report: Report) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(START, { eval: true, workerData: job });
    const beat = new Int32Array(job.shared, 0, 2);
    let waiting = job.parsers;
    let first = 0;
    let last = -1;
    let since = { cpu: cpuMs(), wall: Date.now() };
    const watch = setInterval(() => {
      const now = Atomics.load(beat, 0);
      if (now !== last) {
        last = now;
        since = { cpu: cpuMs(), wall: Date.now() };
      } else if (now > 0 && (cpuMs() - since.cpu > HANG_CPU_MS || Date.now() - since.wall > HANG_WALL_MS)) {
        clearInterval(watch);
        void worker.terminate();
        const input = new Uint8Array(job.shared, 8).slice(0, Atomics.load(beat, 1));
        const inputs = now - first;
        const finding = { at: job.from + inputs - 1, what: `a hang: no end after ${HANG_CPU_MS} ms of CPU`, input };
        const parser = waiting[0]?.name ?? '';
        told({ parser, inputs, outcomes: {}, slowestMs: HANG_CPU_MS, slowestAt: finding.at, grownBytes: 0, finding });
        resolve();
      }
    }, 500);
    worker.on('message', (report: Report) => {
      waiting = waiting.slice(1);
      first = Atomics.load(beat, 0);
      told(report);
    });
    worker.on('error', (error) => {
      clearInterval(watch);
      reject(error);
    });
    worker.on('exit', () => {
      clearInterval(watch);
      resolve();
    });
  });
}

const asked = (options.parser ?? PARSERS.map(({ name }) => name).join())
  .split(',')
  .map((each): Job['parsers'][number] => {
    const [name = '', share] = each.split(':');
    return { name, share: number('parser', share, 1) };
  });
const unknown = asked.find(({ name }) => PARSERS.every((parser) => parser.name !== name))?.name;
if (options.help || unknown !== undefined) {
  console.log(unknown === undefined ? USAGE : `there is no parser ${unknown}\n\n${USAGE}`);
  process.exit(unknown === undefined ? 0 : 2);
}
const seed = number('seed', options.seed, Date.now() % 0xffff_ffff);
const at = options.at === undefined ? null : number('at', options.at, 0);
const until = Date.now() + number('seconds', options.seconds, 60) * 1000;
const inputs = at === null ? number('inputs', options.inputs, Number.MAX_SAFE_INTEGER) : 1;
console.log(`fuzz: seed ${seed}`);
let findings = 0;
let total = 0;

function tell(report: Report): void {
  const { parser, finding } = report;
  total += report.inputs;
  const outcomes = Object.entries(report.outcomes).map(([code, count]) => `${code} ${count}`);
  const kept = (report.grownBytes / 1048576).toFixed(1);
  console.log(
    `${parser.padEnd(16)}${String(report.inputs).padStart(9)} inputs, slowest ${report.slowestMs.toFixed(1)} ms (input ${report.slowestAt}), kept ${kept} MiB; ${outcomes.join(', ')}`,
  );
  if (finding === null) return;
  findings++;
  const file = path.join(CORPUS, parser, `found-${seed}-${finding.at}.bin`);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, finding.input);
  const saved = path.relative(process.cwd(), file);
  console.error(`FOUND by ${parser}, --seed ${seed} --at ${finding.at}, input in ${saved}:\n${finding.what}`);
}

for (let left: Job['parsers'] = asked; left.length > 0;) {
  const shared = new SharedArrayBuffer(8 + MAX_INPUT_BYTES);
  const before = left.length;
  await runThread({ parsers: left, seed, until, inputs, from: at ?? 0, shared }, ({ parser, ...rest }) => {
    left = left.filter(({ name }) => name !== parser);
    tell({ parser, ...rest });
  });
  if (left.length === before) throw new Error('the thread told nothing');
}
console.log(`fuzz: ${total} inputs, ${findings} findings`);
process.exit(findings === 0 ? 0 : 1);
