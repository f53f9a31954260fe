// `npm run pack:psrp`: makes dist/psrp, the folder that is published as @sallyport/psrp: JavaScript modules and their
// types, no sources, no dependencies. Then `npm pack ./dist/psrp`, or `npm publish ./dist/psrp`.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './prepare.mjs';

const { values } = parseArgs({ options: { out: { type: 'string', default: path.join(root, 'dist/psrp') } } });
const out = path.resolve(values.out);
const source = path.join(root, 'server/psrp');

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const compiler = path.join(root, 'node_modules/typescript/bin/tsc');
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
  keywords: ['powershell', 'psrp', 'clixml', 'remoting', 'ms-psrp'],
};
writeFileSync(path.join(out, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
copyFileSync(path.join(source, 'README.md'), path.join(out, 'README.md'));
copyFileSync(path.join(root, 'LICENSE'), path.join(out, 'LICENSE'));
console.log(`${name} ${version} is in ${path.relative(process.cwd(), out) || '.'}`);
