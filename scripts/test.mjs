// `npm test`: everything that CI runs. Installs what is missing, checks, then tests against real sshd, pwsh and Chromium.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { requireNode } from './node-version.mjs';

requireNode();
const { ensureBuild, ensurePackages, root } = await import('./prepare.mjs');

/** Debian packages that the tests meet, and a file that shows that they are there. */
const DEBIAN = [
  ['openssh-server', ['/usr/sbin/sshd']],
  ['openssh-client', ['/usr/bin/ssh-keygen']],
  ['openssl', ['/usr/bin/openssl']],
  ['chromium', ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']],
  ['nginx-light', ['/usr/sbin/nginx']],
  ['krb5-kdc', ['/usr/sbin/krb5kdc']],
  ['krb5-admin-server', ['/usr/sbin/kadmin.local']],
  ['krb5-user', ['/usr/bin/kinit']],
  ['python3-gssapi', ['/usr/lib/python3/dist-packages/gssapi']],
  ['gss-ntlmssp', ['/etc/gss/mech.d/mech.ntlmssp.conf']],
  ['apache2', ['/usr/sbin/apache2']],
  ['libapache2-mod-auth-gssapi', ['/usr/lib/apache2/modules/mod_auth_gssapi.so']],
];

function installDebianPackages() {
  const missing = DEBIAN.filter(([, files]) => !files.some((file) => existsSync(file))).map(([name]) => name);
  if (missing.length === 0) return;
  const line = `apt-get update && apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) {
    console.error(`The tests need ${missing.join(', ')}. As root on Debian: ${line}`);
    process.exit(1);
  }
  console.log(`Installing ${missing.join(', ')} ...`);
  // Debian starts what it installs unless this says no; the tests bring their own configurations and ports.
  const policy = '/usr/sbin/policy-rc.d';
  const isOurs = !existsSync(policy);
  if (isOurs) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  const { status } = spawnSync('sh', ['-c', line], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (isOurs) rmSync(policy, { force: true });
  if (status !== 0) process.exit(1);
}

const total = { passed: 0, failed: 0, skipped: [], failures: [] };

/** Runs a command. @param isQuiet beside another step: what it printed comes in one piece at its end */
async function step(name, command, args, { env = {}, isQuiet = false } = {}) {
  const started = Date.now();
  const printed = [];
  const child = spawn(command, args, {
    cwd: root,
    stdio: isQuiet ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    env: { ...process.env, ...env },
  });
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => printed.push(data));
  const status = await new Promise((resolve) => child.on('close', resolve).on('error', () => resolve(1)));
  process.stdout.write(Buffer.concat(printed));
  console.log(`--- ${name}: ${status === 0 ? 'ok' : 'FAILED'} (${((Date.now() - started) / 1000).toFixed(0)} s)`);
  return status === 0;
}

function count(name, ok) {
  if (ok) total.passed += 1;
  else {
    total.failed += 1;
    total.failures.push(name);
  }
}

/** Checks one after the other, beside another lane. */
async function lane(names) {
  for (const name of names)
    count(name, await step(`check ${name}`, process.execPath, ['scripts/check.mjs', name], { isQuiet: true }));
}

async function vitestStep(project, { isQuiet = false } = {}) {
  const file = path.join(root, '.cache', `report-${project}.json`);
  rmSync(file, { force: true });
  const ok = await step(
    project,
    'npx',
    ['vitest', 'run', '--project', project, '--reporter=dot', '--reporter=./scripts/reporter.mjs'],
    { env: { TEST_REPORT_FILE: file }, isQuiet },
  );
  if (!existsSync(file)) {
    total.failed += 1;
    total.failures.push(`${project}: the run left no report`);
    return;
  }
  const report = JSON.parse(readFileSync(file, 'utf8'));
  total.passed += report.passed;
  total.failed += report.failed + (ok || report.failed > 0 ? 0 : 1);
  total.skipped.push(...report.skipped);
  total.failures.push(...report.failures);
}

installDebianPackages();
ensurePackages();
mkdirSync(path.join(root, '.cache'), { recursive: true });
const started = Date.now();
// Two cores: the linter takes as long as all the other checks and the build, and goes on beside the first tests.
const linted = lane(['lint']);
await lane(['format', 'imports', 'types']);
ensureBuild();
await vitestStep('unit');
const browser = async () => {
  await vitestStep('e2e', { isQuiet: true });
  const args = ['run', '-s', 'fuzz', '--', '--seconds', '20', '--seed', '1'];
  count('fuzz', await step('fuzz', 'npm', args, { isQuiet: true }));
};
// Both wait for machines and pages most of the time.
await Promise.all([vitestStep('integration'), browser(), linted]);

if (total.skipped.length > 0) console.log('\nSkipped:');
for (const { name, reason } of total.skipped) console.log(`  ${name}: ${reason}`);
if (total.failures.length > 0) console.log('\nFailed:');
for (const failure of total.failures) console.log(`  ${failure}`);
console.log(`\nTime: ${((Date.now() - started) / 1000).toFixed(0)} s`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped.length} skipped`);
process.exit(total.failed === 0 ? 0 : 1);
