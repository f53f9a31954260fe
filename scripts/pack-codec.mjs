// `npm run pack:psrp`, `npm run pack:wsman`: makes dist/psrp or dist/wsman, the folder that is published as
// @sallyport/psrp or @sallyport/wsman: JavaScript modules and their types, no sources, no dependencies.
// Then `npm pack ./dist/psrp`, or `npm publish ./dist/psrp`.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './prepare.mjs';

const KEYWORDS = {
  psrp: ['powershell', 'psrp', 'clixml', 'remoting', 'ms-psrp'],
  wsman: ['powershell', 'wsman', 'winrm', 'remoting', 'ms-wsmv', 'ntlm', 'credssp'],
};
const { values, positionals } = parseArgs({ options: { out: { type: 'string' } }, allowPositionals: true });
const codec = positionals[0] ?? '';
if (!Object.hasOwn(KEYWORDS, codec)) {
  console.error(`pack-codec.mjs ${Object.keys(KEYWORDS).join('|')} [--out DIR]`);
  process.exit(1);
}
const out = path.resolve(values.out ?? path.join(root, 'dist', codec));
const source = path.join(root, 'server', codec);

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const compiler = path.join(root, 'node_modules/typescript-native/bin/tsc');
const project = path.join(source, 'tsconfig.package.json');
const args = [compiler, '-p', project, '--outDir', path.join(out, 'lib')];
const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
if (status !== 0) process.exit(1);

// The compiler writes the new endings into modules, not into their types.
for (const file of readdirSync(path.join(out, 'lib'), { recursive: true, encoding: 'utf8' })) {
  if (!file.endsWith('.d.ts')) continue;
  const place = path.join(out, 'lib', file);
  const text = readFileSync(place, 'utf8').replaceAll(/((?:from |import\()(['"])\.[^'"]*)\.ts\2/g, '$1.js$2');
  writeFileSync(place, text);
}

const { name, version, description, license } = JSON.parse(readFileSync(path.join(source, 'package.json'), 'utf8'));
const manifest = {
  name,
  version,
  description,
  license,
  type: 'module',
  sideEffects: false,
  exports: { '.': { types: './lib/index.d.ts', default: './lib/index.js' } },
  types: './lib/index.d.ts',
  files: ['lib'],
  engines: { node: '>=20' },
  keywords: KEYWORDS[codec],
};
writeFileSync(path.join(out, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
copyFileSync(path.join(source, 'README.md'), path.join(out, 'README.md'));
copyFileSync(path.join(root, 'LICENSE'), path.join(out, 'LICENSE'));
console.log(`${name} ${version} is in ${path.relative(process.cwd(), out) || '.'}`);
