import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { transform } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findPwsh } from '../lab/sshd.ts';

const root = path.join(import.meta.dirname, '../..');
const readme = readFileSync(path.join(root, 'server/psrp/README.md'), 'utf8');
const example = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? '';
const run = (command: string, args: readonly string[], cwd: string): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', timeout: 100_000 });

/** A stranger's folder, outside of this repository, with the packed package and nothing else installed. */
let stranger = '';
let files: string[] = [];

beforeAll(() => {
  stranger = mkdtempSync(path.join(tmpdir(), 'psrp-package-'));
  const out = path.join(stranger, 'made');
  run(process.execPath, [path.join(root, 'scripts/pack-psrp.mjs'), '--out', out], root);
  const told = run('npm', ['pack', out, '--json', '--ignore-scripts'], stranger);
  const [pack] = JSON.parse(told) as { filename: string; files: { path: string }[] }[];
  files = (pack?.files ?? []).map((file) => file.path);
  const place = path.join(stranger, 'node_modules/@sallyport/psrp');
  mkdirSync(place, { recursive: true });
  run('tar', ['xzf', pack?.filename ?? '', '-C', place, '--strip-components=1'], stranger);
  rmSync(out, { recursive: true });
  writeFileSync(path.join(stranger, 'package.json'), '{ "type": "module" }');
});

afterAll(() => {
  rmSync(stranger, { recursive: true, force: true });
});

describe('the packed codec', () => {
  it('holds modules, their types, README, licence, and nothing else', () => {
    for (const file of ['lib/index.js', 'lib/index.d.ts', 'README.md', 'LICENSE', 'package.json'])
      expect(files).toContain(file);
    expect(files.filter((file) => !/^(lib\/.*\.(js|d\.ts)|README\.md|package\.json|LICENSE)$/.test(file))).toEqual([]);
    expect(files.filter((file) => file.includes('.test.'))).toEqual([]);
    expect(files.filter((file) => file.endsWith('.js')).length).toBe(
      files.filter((file) => file.endsWith('.d.ts')).length,
    );
  });

  it('is ES modules, has no dependencies and no side effects', () => {
    const place = path.join(stranger, 'node_modules/@sallyport/psrp/package.json');
    const manifest = JSON.parse(readFileSync(place, 'utf8')) as Record<string, unknown>;
    expect(manifest).toMatchObject({ name: '@sallyport/psrp', type: 'module', sideEffects: false });
    expect(Object.keys(manifest).filter((key) => /ependencies$|scripts/.test(key))).toEqual([]);
    expect(readme).toContain('ES modules');
  });

  it('is imported by plain Node', () => {
    const file = path.join(stranger, 'use.mjs');
    writeFileSync(
      file,
      `import { OutOfProcClient, RUNSPACE_HOST, readCliXml, writeCliXml } from '@sallyport/psrp';
const text = '<Obj RefId="0"><MS><S N="a">b_x000A_c</S><I64 N="n">9007199254740993</I64></MS></Obj>';
const value = readCliXml(text);
const client = new OutOfProcClient({ poolId: '00112233-4455-6677-8899-aabbccddeeff', newId: () => '' });
client.open({ hostInfo: RUNSPACE_HOST });
console.log(JSON.stringify([value.get('A'), String(value.get('n')), writeCliXml(value) === text, client.takeOutgoing().length > 500]));`,
    );
    expect(JSON.parse(run(process.execPath, [file], stranger))).toEqual(['b\nc', '9007199254740993', true, true]);
  });

  it('has types that a strict compiler takes as they are', () => {
    writeFileSync(
      path.join(stranger, 'use.ts'),
      `import { MESSAGES, OutOfProcServer, PsObject, readCliXml } from '@sallyport/psrp';
import type { ClientEvent, HostCall, PsValue } from '@sallyport/psrp';
const value: PsValue = readCliXml('<Nil />');
export const name: string = value instanceof PsObject ? value.typeName : '';
export const type: number = MESSAGES.PIPELINE_OUTPUT.type;
export const server = new OutOfProcServer({ protocolVersion: '2.4' });
export const told = (event: ClientEvent): HostCall | null => (event.type === 'hostCall' ? event.call : null);
// @ts-expect-error A version that nobody speaks.
export const wrong = new OutOfProcServer({ protocolVersion: '9.9' });
`,
    );
    const compilerOptions = {
      noEmit: true,
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      module: 'nodenext',
      target: 'es2023',
      lib: ['es2023'],
      types: [],
    };
    writeFileSync(path.join(stranger, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.ts'] }));
    const compiler = path.join(root, 'node_modules/typescript/bin/tsc');
    const { stdout } = spawnSync(process.execPath, [compiler], { cwd: stranger, encoding: 'utf8', timeout: 100_000 });
    expect(stdout).toBe('');
  });

  it('runs the example of its README as it is printed', async (context) => {
    expect(example.trim().split('\n').length).toBeLessThanOrEqual(30);
    const pwsh = findPwsh();
    if (pwsh === null) {
      context.skip('no pwsh');
      return;
    }
    const { code } = await transform(example, { loader: 'ts', format: 'esm', target: 'node20' });
    writeFileSync(path.join(stranger, 'example.mjs'), code);
    const env = { ...process.env, PWSH: pwsh, POWERSHELL_TELEMETRY_OPTOUT: '1' };
    const printed = execFileSync(process.execPath, ['example.mjs'], { cwd: stranger, env, timeout: 100_000 });
    expect(printed.toString().trim().split('\n')).toEqual([
      'output: 14',
      'output: 28',
      'output: 42',
      'error: oh',
      'ended: Completed',
    ]);
  });
});

describe('the API reference', () => {
  it('is what the docstrings of the package say; if not: npm run docs:psrp', () => {
    const out = path.join(stranger, 'docs');
    const typedoc = path.join(root, 'node_modules/typedoc/bin/typedoc');
    run(process.execPath, [typedoc, '--options', 'server/psrp/typedoc.json', '--out', out], root);
    const generated = readFileSync(path.join(out, 'README.md'), 'utf8');
    expect(generated === readFileSync(path.join(root, 'docs/api/psrp/README.md'), 'utf8')).toBe(true);
  });
});
