// `npm run demo`, `npm run -s sallyport -- COMMAND`: installs and builds what is missing, then runs the program.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { requireNode } from './node-version.mjs';

requireNode();
const { ensureBuild, ensurePackages, root } = await import('./prepare.mjs');
const args = process.argv.slice(2);
const quiet = args[0] !== 'demo';
ensurePackages({ quiet });
ensureBuild({ quiet });

const child = spawn(process.execPath, ['--enable-source-maps', path.join(root, 'dist/server/main.js'), ...args], {
  stdio: 'inherit',
});
// The terminal sends Ctrl+C to the whole group: the program ends its sessions itself, and we wait for it.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 1));
