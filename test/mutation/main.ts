/**
 * `npm run mutate:codec`: changes one length check or state of the codec at a time, in a copy of it, and runs its tests.
 * A change that no test notices is a finding. `-- --only N,M` runs some of them.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

/** One change: a place that occurs once in its file, and what stands there instead. */
interface Mutation {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}
const length = (file: string, from: string, to: string): Mutation => ({ file, from, to });

const MUTATIONS: readonly Mutation[] = [
  length('fragments/header.ts', 'bytes.length < MESSAGE_HEADER_BYTES', 'bytes.length <= MESSAGE_HEADER_BYTES'),
  length('fragments/header.ts', 'bytes.length < MESSAGE_HEADER_BYTES', 'bytes.length < MESSAGE_HEADER_BYTES - 1'),
  length('fragments/reassembler.ts', 'blobLength > this.#limits', 'blobLength >= this.#limits'),
  length('fragments/reassembler.ts', 'this.#size > this.#limits', 'this.#size >= this.#limits'),
  length('fragments/reassembler.ts', 'objectId === 0n || ', ''),
  length('fragments/reassembler.ts', 'objectId > 0x7fff_ffff_ffff_ffffn', 'objectId > 0xffff_ffff_ffff_ffffn'),
  length('fragments/reassembler.ts', '+= FRAGMENT_HEADER_BYTES + blob.length', '+= blob.length'),
  length('outofproc/packets.ts', 'line.length > this.#maxBytes', 'line.length >= this.#maxBytes'),
  length('outofproc/packets.ts', 'piece.length > this.#maxBytes + 1', 'piece.length > this.#maxBytes + 100000'),
  length('outofproc/packets.ts', 'tagEnd > MAX_TAG_BYTES', 'tagEnd > 2 * MAX_TAG_BYTES'),
  length('outofproc/client.ts', '++this.#noiseLines > this', '++this.#noiseLines >= this'),
  length('outofproc/server.ts', 'this.#slots.size >= this.#limits', 'this.#slots.size > this.#limits'),
  length('pool/client-pool.ts', 'this.#pipelines.size >= this.#limits', 'this.#pipelines.size > this.#limits'),
  length('pool/server-pipelines.ts', 'this.#pipelines.size < this', 'this.#pipelines.size <= this'),
  length('pool/server-pipelines.ts', 'pipeline.receivedBytes <= this', 'pipeline.receivedBytes < this'),
  length('pool/server-pool.ts', '>= 2 * (this.#limits.maxPipelines + 1)', '>= 9 * (this.#limits.maxPipelines + 1)'),
  length('pool/server-runspaces.ts', 'this.#waiting.size >= MAX_WAITING', 'this.#waiting.size > MAX_WAITING'),
  length(
    'pool/session-key.ts',
    'blob.length !== SESSION_HEAD.length + MODULUS_BYTES',
    'blob.length < SESSION_HEAD.length + MODULUS_BYTES',
  ),
  length('pool/session-key.ts', '|| blob.length !== PUBLIC_HEAD.length + 4 + MODULUS_BYTES', ''),
  length('pool/session-key.ts', 'key.modulus.length !== MODULUS_BYTES', 'key.modulus.length > MODULUS_BYTES'),
  length('pool/session-key.ts', 'block.length === MODULUS_BYTES &&', ''),
  length('pool/client-session-key.ts', 'key.length !== 32', 'key.length > 32'),
  length('clixml/reader.ts', '++this.#elements > this', '++this.#elements >= this'),
  length('clixml/reader.ts', '++this.#refs > this', '++this.#refs >= this'),
  length('clixml/reader.ts', '++this.#objectDepth > this', '++this.#objectDepth >= this'),
  length('clixml/reader.ts', '++this.#depth > this', '++this.#depth >= this'),
  length('clixml/scanner.ts', 'seen.length >= 16', 'seen.length >= 17'),
  length('clixml/scanner.ts', 'open.length > maxDepth', 'open.length > maxDepth + 1'),
  length('clixml/scanner.ts', 'i - start > 9', 'i - start > 12'),
  length(
    'clixml/writer.ts',
    '++this.#depth > MAX_DEPTH) throw new PsrpEncodeError(`objects nested deeper than ${MAX_DEPTH}`);\n    this.#out.add(`<Obj',
    '++this.#depth > MAX_DEPTH + 1) throw new PsrpEncodeError(`objects nested deeper than ${MAX_DEPTH}`);\n    this.#out.add(`<Obj',
  ),
  length('clixml/object.ts', 'mark < this.#first', 'mark <= this.#first'),
  length('clixml/primitives.ts', 'value > MAX_DECIMAL || ', ''),
  length('base64.ts', '% 4 === 0 && tail.isExact', '% 4 === 0'),
  length(
    'pool/states.ts',
    "Opening: { opened: 'Opened', close: 'Closing'",
    "Opening: { opened: 'Closing', close: 'Closing'",
  ),
  length(
    'pool/states.ts',
    "Closing: { closed: 'Closed', broken",
    "Closing: { opened: 'Opened', closed: 'Closed', broken",
  ),
  length(
    'pool/states.ts',
    "Stopping: { stopped: 'Stopped', completed: 'Completed', failed: 'Failed' },\n  Disconnected",
    "Stopping: { stopped: 'Stopped', completed: 'Completed' },\n  Disconnected",
  ),
  length('pool/states.ts', "refused: 'Broken'", "refused: 'Closed'"),
  length('pool/states.ts', "NotStarted: { start: 'Running', stop: 'Stopping' }", "NotStarted: { start: 'Running' }"),
];

const root = path.join(import.meta.dirname, '../..');
const copy = path.join(root, '.cache/mutation');
const source = path.join(copy, 'server/psrp/src');

function prepare(): void {
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(path.join(copy, 'node_modules/@sallyport'), { recursive: true });
  for (const folder of ['server/psrp', 'test/corpus', 'test/lab'])
    cpSync(path.join(root, folder), path.join(copy, folder), { recursive: true });
  cpSync(path.join(root, 'tsconfig.base.json'), path.join(copy, 'tsconfig.base.json'));
  symlinkSync(path.join(copy, 'server/psrp'), path.join(copy, 'node_modules/@sallyport/psrp'));
  const config = `export default { test: { include: ['server/psrp/src/**/*.test.ts'], testTimeout: 60000, bail: 1 } };\n`;
  writeFileSync(path.join(copy, 'vitest.config.mjs'), config);
}

/** Name of the first test that fails; null when none does. */
function failingTest(): string | null {
  const vitest = path.join(root, 'node_modules/vitest/vitest.mjs');
  const args = [vitest, 'run', '--root', copy, '--reporter=json', '--outputFile', path.join(copy, 'report.json')];
  rmSync(path.join(copy, 'report.json'), { force: true });
  const { status } = spawnSync(process.execPath, args, { cwd: copy, encoding: 'utf8' });
  if (status === 0) return null;
  const report = JSON.parse(readFileSync(path.join(copy, 'report.json'), 'utf8')) as {
    testResults: { name: string; message: string; assertionResults: { status: string; fullName: string }[] }[];
  };
  for (const { name, message, assertionResults } of report.testResults) {
    const failed = assertionResults.find((each) => each.status === 'failed');
    const file = path.relative(source, name);
    if (failed !== undefined) return `${file}: ${failed.fullName}`;
    if (message !== '') return `${file}: ${message.split('\n')[0] ?? ''}`;
  }
  return 'a test that did not run';
}

const { values } = parseArgs({ options: { only: { type: 'string' } } });
const only = values.only?.split(',').map(Number);
prepare();
const before = failingTest();
if (before !== null) throw new Error(`without a change already: ${before}`);
let missed = 0;
for (const [index, { file, from, to }] of MUTATIONS.entries()) {
  if (only !== undefined && !only.includes(index + 1)) continue;
  const place = path.join(source, file);
  const text = readFileSync(place, 'utf8');
  if (text.split(from).length !== 2) throw new Error(`${file} does not hold this once: ${from}`);
  writeFileSync(
    place,
    text.replace(from, () => to),
  );
  const noticed = failingTest();
  writeFileSync(place, text);
  if (noticed === null) missed++;
  console.log(
    `${index + 1}. ${file}: \`${from.split('\n')[0] ?? ''}\` -> \`${to.split('\n')[0] ?? ''}\`\n   ${noticed ?? 'NOT NOTICED'}`,
  );
}
rmSync(copy, { recursive: true, force: true });
console.log(`${missed} not noticed`);
process.exit(missed === 0 ? 0 : 1);
