/** psrpcore in a Python process of its own, which reads the same documents when it is told to. */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** BENCH_PSRPCORE names a checkout. */
export class Psrpcore {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'psrpcore-'));
  readonly #answers: AsyncIterator<string, undefined>;

  /** null when no checkout is named. */
  static start(): Psrpcore | null {
    const checkout = process.env['BENCH_PSRPCORE'];
    return checkout === undefined || checkout === '' ? null : new Psrpcore(checkout);
  }

  private constructor(checkout: string) {
    const script = path.join(import.meta.dirname, 'psrpcore_codec.py');
    const env = { ...process.env, PYTHONPATH: path.join(checkout, 'src') };
    this.#child = spawn('python3', [script], { stdio: ['pipe', 'pipe', 'inherit'], env });
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async #ask(job: Readonly<Record<string, string>>): Promise<Readonly<Record<string, number>>> {
    this.#child.stdin.write(`${JSON.stringify(job)}\n`);
    const answer = await this.#answers.next();
    if (answer.value === undefined) throw new Error('psrpcore ended');
    return JSON.parse(answer.value) as Record<string, number>;
  }

  async load(name: string, documents: readonly string[]): Promise<void> {
    const file = path.join(this.#folder, `${name}.xml`);
    writeFileSync(file, documents.join('\n'));
    const { documents: count } = await this.#ask({ load: name, file });
    if (count !== documents.length) throw new Error(`psrpcore has ${count} of ${documents.length} documents`);
  }

  /** CPU time of reading all documents of a name. */
  async run(name: string): Promise<number> {
    return (await this.#ask({ run: name }))['ms'] ?? NaN;
  }

  end(): void {
    this.#child.stdin.end();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
