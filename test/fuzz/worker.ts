/** Runs one parser in a thread of its own, so that the main thread sees a hang and still has the input. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import { MAX_INPUT_BYTES, mutate } from './mutate.ts';
import type { Material } from './mutate.ts';
import type { FuzzParser } from './parser.ts';
import { PARSERS } from './parsers/index.ts';
import { Random } from './random.ts';

/** What a thread is asked to do. */
export interface Job {
  /** One after the other; the time is shared out. */
  readonly parsers: readonly { readonly name: string; readonly share: number }[];
  readonly seed: number;
  /** Each parser ends after its share of the time, but not before `LEAST_INPUTS`, or after this many inputs. */
  readonly until: number;
  readonly inputs: number;
  /** First input's number: `--at` repeats one. */
  readonly from: number;
  /** 4 bytes beat, 4 bytes length, then the input at hand. */
  readonly shared: SharedArrayBuffer;
}

/** What it tells. */
export interface Report {
  readonly parser: string;
  readonly inputs: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly slowestMs: number;
  readonly slowestAt: number;
  readonly grownBytes: number;
  readonly finding: { readonly at: number; readonly what: string; readonly input: Uint8Array } | null;
}

/** A loaded machine may need all the time for the start. */
const LEAST_INPUTS = 200;
/** 250 ms of CPU for an input of up to 1 MiB. */
const MAX_CPU_MS = 250;
const MAX_GROWTH_BYTES = 64 * 1024 * 1024;
const CHECK_MEMORY_EVERY = 4096;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const heldBytes = (): number => {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};
const prototypes = [Object.prototype, Array.prototype, Function.prototype, Uint8Array.prototype] as const;
const keysOfPrototypes = (): string => prototypes.map((each) => Reflect.ownKeys(each).length).join();

/** Inputs of `corpus/NAME/`. */
function savedInputs(name: string): Uint8Array[] {
  const folder = new URL(`./corpus/${name}/`, import.meta.url);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((file) => new Uint8Array(readFileSync(new URL(file, folder))));
}

class Runner {
  readonly #job: Job;
  readonly #parser: FuzzParser;
  readonly #material: Material;
  readonly #saved: readonly Uint8Array[];
  readonly #beat: Int32Array;
  readonly #input: Uint8Array;
  readonly #outcomes = new Map<string, number>();
  readonly #keys = keysOfPrototypes();
  #startBytes = 0;
  #slowest = { ms: 0, at: 0 };
  #grown = 0;
  readonly #until: number;

  constructor(job: Job, parser: FuzzParser, until: number) {
    this.#job = job;
    this.#until = until;
    this.#parser = parser;
    const { seeds, tokens } = parser.material();
    // What was found once comes first, in every run.
    this.#saved = savedInputs(parser.name);
    this.#material = { seeds: [...this.#saved, ...seeds], tokens };
    this.#beat = new Int32Array(job.shared, 0, 2);
    this.#input = new Uint8Array(job.shared, 8);
  }

  async run(): Promise<Report> {
    const { from, inputs } = this.#job;
    let at = from;
    for (; at < from + inputs && (at < from + LEAST_INPUTS || Date.now() < this.#until); at++) {
      const input = this.#make(at);
      const what = await this.#one(at, input);
      if (what !== null) return this.#report(at + 1 - from, { at, what, input: input.slice() });
    }
    return this.#report(at - from, null);
  }

  #make(at: number): Uint8Array {
    const random = new Random(this.#job.seed, this.#parser.name, at);
    const input = this.#saved[at] ?? this.#parser.generate?.(random) ?? mutate(this.#material, random);
    const bytes = input.subarray(0, MAX_INPUT_BYTES);
    this.#input.set(bytes);
    Atomics.store(this.#beat, 1, bytes.length);
    Atomics.add(this.#beat, 0, 1);
    return bytes;
  }

  async #one(at: number, input: Uint8Array): Promise<string | null> {
    const started = performance.now();
    try {
      const outcome = await this.#run(at, input);
      this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
    } catch (error) {
      return await this.#whatIsThrown(at, input, error);
    }
    const ms = performance.now() - started;
    if (ms > this.#slowest.ms) this.#slowest = { ms, at };
    if (ms > MAX_CPU_MS) {
      const cpuMs = await this.#cpuMs(at, input);
      if (cpuMs > MAX_CPU_MS) return `${Math.round(cpuMs)} ms for ${input.length} bytes`;
    }
    if (keysOfPrototypes() !== this.#keys) return 'a prototype was changed';
    return this.#memory(at);
  }

  #run(at: number, input: Uint8Array): string | Promise<string> {
    return this.#parser.run(input, new Random('run', this.#job.seed, at));
  }

  /** Once more, with its stack: millions of refusals need none. */
  async #whatIsThrown(at: number, input: Uint8Array, first: unknown): Promise<string> {
    Error.stackTraceLimit = 30;
    try {
      await this.#run(at, input);
      return `${String(first)} (not thrown a second time)`;
    } catch (error) {
      return error instanceof Error ? `${error.name}: ${error.stack ?? error.message}` : String(error);
    } finally {
      Error.stackTraceLimit = 0;
    }
  }

  /** CPU time of once more: a busy machine makes anything slow on the wall, and the first time is never the quickest. */
  async #cpuMs(at: number, input: Uint8Array): Promise<number> {
    const before = process.cpuUsage();
    await this.#run(at, input);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  }

  #memory(at: number): string | null {
    const count = at - this.#job.from;
    if (count % CHECK_MEMORY_EVERY !== CHECK_MEMORY_EVERY - 1) return null;
    if (this.#startBytes > 0 && heldBytes() - this.#startBytes < MAX_GROWTH_BYTES) return null;
    collect();
    const held = heldBytes();
    // What a parser keeps for good, such as names of properties, is made in the first inputs.
    if (this.#startBytes === 0) this.#startBytes = held;
    this.#grown = Math.max(this.#grown, held - this.#startBytes);
    return held - this.#startBytes > MAX_GROWTH_BYTES ? `${held - this.#startBytes} bytes are kept` : null;
  }

  #report(inputs: number, finding: Report['finding']): Report {
    const outcomes = Object.fromEntries([...this.#outcomes].sort(([a], [b]) => (a < b ? -1 : 1)));
    return {
      parser: this.#parser.name,
      inputs,
      outcomes,
      slowestMs: this.#slowest.ms,
      slowestAt: this.#slowest.at,
      grownBytes: this.#grown,
      finding,
    };
  }
}

const job = workerData as Job;
Error.stackTraceLimit = 0;
for (const [index, { name, share }] of job.parsers.entries()) {
  const parser = PARSERS.find((each) => each.name === name);
  if (parser === undefined) throw new Error(`no parser ${name}`);
  const left = job.parsers.slice(index).reduce((sum, each) => sum + each.share, 0);
  const until = Date.now() + ((job.until - Date.now()) * share) / left;
  parentPort?.postMessage(await new Runner(job, parser, until).run());
}
