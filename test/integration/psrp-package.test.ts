import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { createContext, Script } from 'node:vm';
import { build, transform } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findPwsh } from '../lab/sshd.ts';
import { basicAcceptor } from '../lab/wsman/acceptors.ts';
import { LabWsMan } from '../lab/wsman/server.ts';

const root = path.join(import.meta.dirname, '../..');
const CODECS = ['psrp', 'wsman'] as const;
type Codec = (typeof CODECS)[number];
const readmeOf = (codec: Codec): string => readFileSync(path.join(root, 'server', codec, 'README.md'), 'utf8');
const exampleOf = (codec: Codec): string => /```ts\n(.*?)```/s.exec(readmeOf(codec))?.[1] ?? '';
const run = (command: string, args: readonly string[], cwd: string): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', timeout: 100_000 });

/** What a page does with the whole bundle, and what it tells. */
const IN_A_PAGE: Record<Codec, { readonly script: string; readonly told: unknown }> = {
  psrp: {
    script: `JSON.stringify([codec.readCliXml('<I64>7</I64>'), codec.writeCliXml('a')].map(String))`,
    told: ['7', '<S>a</S>'],
  },
  wsman: {
    script: `
      const requests = new codec.Requests({
        url: codec.endpointUrl({ host: 'h', isTls: true }), resourceUri: codec.resourceUri(), sessionId: '00112233-4455-6677-8899-aabbccddeeff',
        newId: () => '00112233-4455-6677-8899-aabbccddee00', maxEnvelopeBytes: 153600, operationTimeoutMs: 20000, locale: 'de-DE', dataLocale: 'fr-FR',
      });
      const prepared = requests.prepare(codec.OPERATIONS.receive, { commandId: null }, { selectors: codec.Requests.shell('00112233-4455-6677-8899-aabbccddee01') });
      const { header } = codec.readRequest(prepared.bytes);
      const ids = { relatesTo: header.messageId, messageId: 'uuid:00112233-4455-6677-8899-AABBCCDDEE02' };
      const bytes = Uint8Array.of(1, 2, 3);
      const streams = [{ name: 'stdout', commandId: null, bytes }];
      const answer = new TextEncoder().encode(codec.writeAnswer(codec.OPERATIONS.receive, ids, { streams, commandState: null }));
      const read = requests.read(prepared, answer);
      JSON.stringify([header.locale, header.dataLocale, read.streams.map((stream) => [...stream.bytes]), codec.md4(new Uint8Array()).length]);`,
    told: ['de-DE', 'fr-FR', [[1, 2, 3]], 16],
  },
};

/** A stranger's folder, outside of this repository, with the packed packages and nothing else installed. */
let stranger = '';
const files: Record<Codec, string[]> = { psrp: [], wsman: [] };
const placeOf = (codec: Codec): string => path.join(stranger, 'node_modules/@sallyport', codec);

function install(codec: Codec): void {
  const out = path.join(stranger, 'made');
  run(process.execPath, [path.join(root, 'scripts/pack-codec.mjs'), codec, '--out', out], root);
  const told = run('npm', ['pack', out, '--json', '--ignore-scripts'], stranger);
  const [pack] = JSON.parse(told) as { filename: string; files: { path: string }[] }[];
  files[codec] = (pack?.files ?? []).map((file) => file.path);
  mkdirSync(placeOf(codec), { recursive: true });
  run('tar', ['xzf', pack?.filename ?? '', '-C', placeOf(codec), '--strip-components=1'], stranger);
  rmSync(out, { recursive: true });
}

beforeAll(() => {
  stranger = mkdtempSync(path.join(tmpdir(), 'codec-package-'));
  for (const codec of CODECS) install(codec);
  writeFileSync(path.join(stranger, 'package.json'), '{ "type": "module" }');
});

afterAll(() => {
  rmSync(stranger, { recursive: true, force: true });
});

describe.each(CODECS)('the packed codec %s', (codec) => {
  it('holds modules, their types, README, licence, and nothing else', () => {
    const held = files[codec];
    for (const file of ['lib/index.js', 'lib/index.d.ts', 'README.md', 'LICENSE', 'package.json'])
      expect(held).toContain(file);
    expect(held.filter((file) => !/^(lib\/.*\.(js|d\.ts)|README\.md|package\.json|LICENSE)$/.test(file))).toEqual([]);
    expect(held.filter((file) => file.includes('.test.'))).toEqual([]);
    expect(held.filter((file) => file.endsWith('.js')).length).toBe(
      held.filter((file) => file.endsWith('.d.ts')).length,
    );
  });

  it('is ES modules, has no dependencies and no side effects', () => {
    const manifest = JSON.parse(readFileSync(path.join(placeOf(codec), 'package.json'), 'utf8')) as object;
    expect(manifest).toMatchObject({ name: `@sallyport/${codec}`, type: 'module', sideEffects: false });
    expect(Object.keys(manifest).filter((key) => /ependencies$|scripts/.test(key))).toEqual([]);
    expect(readmeOf(codec)).toContain('ES modules');
  });

  it('is bundled for a page out of its own files alone, and runs where nothing of Node is', async () => {
    const bundleOf = (contents: string) =>
      build({
        ...{ stdin: { contents, resolveDir: stranger }, bundle: true, platform: 'browser', format: 'iife' },
        ...{ globalName: 'codec', write: false, metafile: true, absWorkingDir: stranger, logLevel: 'silent' },
      });
    const whole = await bundleOf(`export * from '@sallyport/${codec}';`);
    const others = Object.keys(whole.metafile.inputs).filter(
      (file) => !file.startsWith(`node_modules/@sallyport/${codec}/`),
    );
    expect(others).toEqual(['<stdin>']);
    const page = createContext({ TextEncoder, TextDecoder });
    new Script(`${whole.outputFiles[0]?.text ?? ''}; globalThis.codec = codec;`).runInContext(page);
    expect(JSON.parse(String(new Script(IN_A_PAGE[codec].script).runInContext(page)))).toEqual(IN_A_PAGE[codec].told);
    // Nothing is kept of what is not used.
    const nothing = await bundleOf(`import '@sallyport/${codec}';`);
    expect(nothing.outputFiles[0]?.text.length).toBeLessThan(100);
  });

  it('has an API reference that says what its docstrings say; if not: npm run docs:psrp docs:wsman', () => {
    const out = path.join(stranger, 'docs', codec);
    const typedoc = path.join(root, 'node_modules/typedoc/bin/typedoc');
    run(process.execPath, [typedoc, '--options', `server/${codec}/typedoc.json`, '--out', out], root);
    const generated = readFileSync(path.join(out, 'README.md'), 'utf8');
    expect(generated === readFileSync(path.join(root, `docs/api/${codec}/README.md`), 'utf8')).toBe(true);
  });
});

describe('both packed codecs', () => {
  it('are imported by plain Node', () => {
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

  it('have types that a strict compiler takes as they are', () => {
    writeFileSync(
      path.join(stranger, 'use.ts'),
      `import { MESSAGES, OutOfProcServer, PsObject, readCliXml } from '@sallyport/psrp';
import type { ClientEvent, HostCall, PsValue } from '@sallyport/psrp';
import { OPERATIONS, Requests } from '@sallyport/wsman';
import type { CreateRequest, CreateResponse, Operation, WsManFaultError } from '@sallyport/wsman';
const value: PsValue = readCliXml('<Nil />');
export const name: string = value instanceof PsObject ? value.typeName : '';
export const type: number = MESSAGES.PIPELINE_OUTPUT.type;
export const server = new OutOfProcServer({ protocolVersion: '2.4' });
export const told = (event: ClientEvent): HostCall | null => (event.type === 'hostCall' ? event.call : null);
export const create: Operation<CreateRequest, CreateResponse> = OPERATIONS.create;
export const bytes = (requests: Requests): Uint8Array => requests.prepare(OPERATIONS.deleteShell, null).bytes;
export const refusal = (fault: WsManFaultError): string => fault.explanation.code;
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

  it.for([
    ['psrp', 30, ['output: 14', 'output: 28', 'output: 42', 'error: oh', 'ended: Completed']],
    ['wsman', 60, ['output: 14', 'output: 28', 'output: 42', 'ended: Completed']],
  ] as const)('run the example of the README of %s as it is printed', async ([codec, lines, printed], context) => {
    const example = exampleOf(codec);
    expect(example.trim().split('\n').length).toBeLessThanOrEqual(lines);
    const pwsh = findPwsh();
    if (pwsh === null) {
      context.skip('no pwsh');
      return;
    }
    const { code } = await transform(example, { loader: 'ts', format: 'esm', target: 'node20' });
    const file = path.join(stranger, `${codec}.mjs`);
    writeFileSync(file, code);
    const command = [pwsh, '-s', '-NoLogo', '-NoProfile'] as const;
    const lab = await LabWsMan.start({ acceptor: basicAcceptor('ann', 'secret'), tls: null, command });
    try {
      const service = { WINRM_URL: `http://127.0.0.1:${String(lab.port)}/wsman`, WINRM_SIGN_IN: 'ann:secret' };
      const env = { ...process.env, ...service, PWSH: pwsh, POWERSHELL_TELEMETRY_OPTOUT: '1' };
      const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: stranger, env, timeout: 100_000 });
      expect(stdout.trim().split('\n')).toEqual(printed);
      expect(lab.shells.size).toBe(0);
    } finally {
      await lab.stop();
    }
  });
});
