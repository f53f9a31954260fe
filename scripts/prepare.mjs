// What must be there before a command runs: installed packages and a build that is newer than its sources.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, writeFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const STAMP = path.join(root, 'dist', '.built');
const SOURCES = [
  'shared/src',
  'server/src',
  'server/psrp/src',
  'server/wsman/src',
  'web/src',
  'web/index.html',
  'scripts/build.mjs',
  'package-lock.json',
];

const timeOf = (file) => (existsSync(file) ? statSync(file).mtimeMs : 0);

/** Newest change below a path, test files left out. */
function newest(place) {
  if (!existsSync(place)) return 0;
  const stat = statSync(place);
  if (!stat.isDirectory()) return stat.mtimeMs;
  let latest = 0;
  for (const entry of readdirSync(place, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name.endsWith('.test.ts')) continue;
    latest = Math.max(latest, statSync(path.join(entry.parentPath ?? entry.path, entry.name)).mtimeMs);
  }
  return latest;
}

function run(what, command, args, quiet) {
  if (!quiet) console.error(`${what} ...`);
  const started = Date.now();
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  if (status !== 0) {
    console.error(`${what} failed:\n${stdout}${stderr}`);
    process.exit(1);
  }
  if (!quiet) console.error(`${what}: ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

/** Installs the locked packages when they are missing or older than the lock file. No install scripts run (.npmrc). */
export function ensurePackages({ quiet = false } = {}) {
  const installed = path.join(root, 'node_modules', '.package-lock.json');
  if (timeOf(installed) > 0 && timeOf(installed) >= timeOf(path.join(root, 'package-lock.json')) - 1000) return;
  run('Installing packages', 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], quiet);
}

/** Builds server and page when a source is newer than the last build. */
export function ensureBuild({ quiet = false } = {}) {
  const built = timeOf(STAMP);
  if (built > 0 && SOURCES.every((place) => newest(path.join(root, place)) <= built)) return;
  const started = new Date();
  run('Building', process.execPath, [path.join(root, 'scripts/build.mjs')], quiet);
  mkdirSync(path.dirname(STAMP), { recursive: true });
  writeFileSync(STAMP, `${started.toISOString()}\n`);
}
