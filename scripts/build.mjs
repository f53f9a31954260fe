// Builds dist/server (one bundle of ours; most packages stay in node_modules) and dist/web (the page, pre-compressed).
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { root } from './prepare.mjs';

const version = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).version;

/** Packages of hundreds of modules, which were a sixth of a start and 6 MB of memory: bundled, as far as they are used. */
const MANY_MODULES = /^(kysely|zod)(\/|$)/;

/** Our own workspaces are bundled from source; everything but the above is loaded from node_modules. */
const ours = {
  name: 'workspaces',
  setup(esbuild) {
    esbuild.onResolve({ filter: /^@sallyport\/(psrp|wsman)$/ }, ({ path: name }) => ({
      path: path.join(root, 'server', name.slice('@sallyport/'.length), 'src/index.ts'),
    }));
    esbuild.onResolve({ filter: /^@sallyport\/shared\// }, ({ path: name }) => ({
      path: path.join(root, 'shared/src', `${name.slice('@sallyport/shared/'.length)}.ts`),
    }));
    esbuild.onResolve({ filter: /^[^.]/ }, ({ path: name, kind }) =>
      kind === 'entry-point' || path.isAbsolute(name) || MANY_MODULES.test(name) ? undefined : { external: true },
    );
  },
};

const workers = readdirSync(path.join(root, 'server/src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.worker.ts'))
  .map((file) => path.join(root, 'server/src', file));

rmSync(path.join(root, 'dist'), { recursive: true, force: true });
await build({
  entryPoints: Object.fromEntries([
    ['main', path.join(root, 'server/src/main.ts')],
    ...workers.map((file) => [path.basename(file, '.ts'), file]),
  ]),
  outdir: path.join(root, 'dist/server'),
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  sourcemap: true,
  plugins: [ours],
  define: { 'globalThis.SALLYPORT_VERSION': JSON.stringify(version) },
  logLevel: 'warning',
});

// Vite belongs to the page's workspace, so it is run from there.
const vite = spawnSync('npx', ['--no-install', 'vite', 'build', '--logLevel', 'warn'], {
  cwd: path.join(root, 'web'),
  stdio: 'inherit',
});
if (vite.status !== 0) process.exit(1);

/** Served as they are by @fastify/static; smaller than what a server would make on the fly. */
const page = path.join(root, 'dist/web');
for (const file of readdirSync(page, { recursive: true, encoding: 'utf8' })) {
  if (!/\.(js|css|html|svg|json)$/.test(file)) continue;
  const bytes = readFileSync(path.join(page, file));
  if (bytes.length < 512) continue;
  // How often deflate makes new tables is worth some hundred bytes, one way or the other.
  const zipped = [7, 8].map((memLevel) => gzipSync(bytes, { level: 9, memLevel }));
  writeFileSync(path.join(page, `${file}.gz`), zipped[0].length < zipped[1].length ? zipped[0] : zipped[1]);
  writeFileSync(
    path.join(page, `${file}.br`),
    brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
  );
}
if (!existsSync(path.join(page, 'index.html'))) throw new Error('the page was not built');
console.log(
  `built ${version} (page ${createHash('sha256')
    .update(readFileSync(path.join(page, 'index.html')))
    .digest('hex')
    .slice(0, 12)})`,
);
