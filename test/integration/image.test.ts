/** What the image would do, where no image can be built: its own commands and environment, read off the Dockerfile, as a user who is not root on a tree that cannot be written. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findProgram, freePort, isRoot } from '../lab/sshd.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');
const DOCKERFILE = read('docker/gateway/Dockerfile').replaceAll('\\\n', ' ');
/** The last stage: what the image is. */
const STAGE = DOCKERFILE.slice(DOCKERFILE.lastIndexOf('\nFROM '));
const command = (name: string): string[] => JSON.parse(new RegExp(`${name} (\\[.*\\])`).exec(STAGE)?.[1] ?? '[]') as string[]; // prettier-ignore
const ENVIRONMENT = Object.fromEntries(
  [...STAGE.matchAll(/^ENV (.*)$/gm)].flatMap(([, line = '']) => line.split(' ').map((pair) => pair.split('=') as [string, string])), // prettier-ignore
);
const copied = [...STAGE.matchAll(/^COPY --from=build \/src\/(\S+)/gm)].map(([, from = '']) => from);

/** The packages that `npm prune --omit=dev` leaves for the server: everything below its dependencies. */
function productionPackages(): Set<string> {
  const found = new Set<string>();
  const visit = (manifest: string): void => {
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(readFileSync(manifest, 'utf8')) as Record<string, Record<string, string>>; // prettier-ignore
    for (const name of [...Object.keys(dependencies), ...Object.keys(optionalDependencies)]) {
      const file = path.join(ROOT, 'node_modules', name, 'package.json');
      if (found.has(name) || name.startsWith('@sallyport/') || !existsSync(file)) continue;
      found.add(name);
      visit(file);
    }
  };
  visit(path.join(ROOT, 'server', 'package.json'));
  return found;
}

let base: string;
let tree: string;
let data: string;
let port: number;
const asNobody = isRoot ? [findProgram('setpriv') ?? 'setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups', '--no-new-privs'] : []; // prettier-ignore
const environment = (): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  ...ENVIRONMENT,
  // The two that this machine cannot give: the directory of the volume, and a port that is surely free.
  SALLYPORT_DATA: data,
  SALLYPORT_LISTEN: `127.0.0.1:${String(port)}`,
});
function start(words: readonly string[]): ChildProcess {
  const [program = '', ...args] = [...asNobody, ...words];
  return spawn(program, args, { cwd: tree, env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
}
const run = (words: readonly string[]) => {
  const [program = '', ...args] = [...asNobody, ...words];
  return spawnSync(program, args, { cwd: tree, env: environment(), encoding: 'utf8', timeout: 60_000 });
};

beforeAll(async () => {
  base = mkdtempSync(path.join(tmpdir(), 'sallyport-image-'));
  chmodSync(base, 0o755);
  tree = path.join(base, 'opt');
  data = path.join(base, 'data');
  port = await freePort('127.0.0.1');
  mkdirSync(path.join(tree, 'node_modules'), { recursive: true });
  mkdirSync(data, { mode: 0o700 });
  for (const name of productionPackages())
    cpSync(path.join(ROOT, 'node_modules', name), path.join(tree, 'node_modules', name), { recursive: true });
  for (const name of ['package.json', 'dist', 'server/package.json'])
    cpSync(path.join(ROOT, name), path.join(tree, name), { recursive: true });
  execFileSync('chmod', ['-R', 'a-w,a+rX', tree]);
  if (isRoot) execFileSync('chown', ['nobody', data]);
}, 120_000);
afterAll(() => {
  execFileSync('chmod', ['-R', 'u+w', base]);
  rmSync(base, { recursive: true, force: true });
}, 120_000); // Thousands of files, as many as were copied.

describe('the image', () => {
  test('is the production stage only, for a user who is not root, with a health check', () => {
    expect(copied).toEqual(['package.json', 'node_modules', 'shared', 'server', 'dist']);
    expect(/^USER (\S+)$/m.exec(STAGE)?.[1]).toBe('node');
    expect(DOCKERFILE).toContain('npm prune --omit=dev');
    expect(ENVIRONMENT).toEqual({ NODE_ENV: 'production', SALLYPORT_DATA: '/var/lib/sallyport' });
    expect(STAGE).toMatch(/^VOLUME \/var\/lib\/sallyport$/m);
    expect(command('ENTRYPOINT')).toEqual(['node', 'dist/server/main.js']);
    expect(command('\\n\\s*CMD')).not.toEqual([]);
  });

  test('serves, is healthy, writes to its volume only, and stops when told to', async () => {
    const healthcheck = command('HEALTHCHECK.*CMD');
    expect(run(healthcheck).status, 'before the start').toBe(1);
    const entry = [...command('ENTRYPOINT'), ...command('\\nCMD')];
    const gateway = start(entry);
    let log = '';
    const listening = new Promise<void>((resolve) => {
      for (const stream of [gateway.stdout, gateway.stderr])
        stream?.setEncoding('utf8').on('data', (text: string) => {
          log += text;
          if (log.includes('Sallyport listens at')) resolve();
        });
    });
    const exited = once(gateway, 'exit') as Promise<[number | null]>;
    const failed = exited.then(([code]) => Promise.reject(new Error(`it ended with ${String(code)}: ${log}`)));
    failed.catch(() => undefined); // When it ends as it should, nobody waits for this any more.
    try {
      await Promise.race([listening, failed]);
      const status = readFileSync(`/proc/${String(gateway.pid)}/status`, 'utf8');
      expect(/^Uid:\s+(\d+)/m.exec(status)?.[1]).not.toBe('0');
      expect(run(healthcheck)).toMatchObject({ status: 0, stderr: '' });
      const page = await fetch(`http://127.0.0.1:${String(port)}/`);
      expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
      if (isRoot) expect(run(['touch', path.join(tree, 'x')]).status, 'the tree cannot be written').not.toBe(0);
      expect(readdirSync(data)).toEqual(expect.arrayContaining(['keys', 'sallyport.db']));
    } finally {
      gateway.kill('SIGTERM');
    }
    expect((await exited)[0]).toBe(0);
    expect(run(healthcheck).status, 'after the end').toBe(1);
  });

  test('was not built, and the README says so', () => {
    expect(read('README.md')).toMatch(/No image could be built/);
  });
});

describe('docker-compose.yml', () => {
  const COMPOSE = read('docker-compose.yml');
  /** Lines of a service, without comments. */
  const service = (name: string): string =>
    (new RegExp(`\\n  ${name}:\\n((?:    .*\\n)+)`).exec(COMPOSE)?.[1] ?? '').replace(/^\s*#.*\n/gm, '');

  test('publishes on 127.0.0.1 only', () => {
    const published = [...COMPOSE.matchAll(/ports: \[(.*)\]/g)].flatMap(([, list = '']) => list.split(','));
    expect(published.length).toBeGreaterThan(0);
    for (const entry of published) expect(entry.trim()).toMatch(/^'127\.0\.0\.1:\d+:\d+'$/);
    expect(COMPOSE.match(/^\s*ports:/gm)).toHaveLength(published.length);
    expect(service('gateway')).toMatch(/SALLYPORT_LISTEN: 127\.0\.0\.1:8022/);
  });

  test('gives the gateway nothing that it does not need', () => {
    const gateway = service('gateway');
    for (const line of [
      'read_only: true',
      'cap_drop: [ALL]',
      "security_opt: ['no-new-privileges:true']",
      'tmpfs: [/tmp]',
    ])
      // prettier-ignore
      expect(gateway).toContain(line);
    expect(gateway).not.toMatch(/privileged: true|docker\.sock|user: root/);
    expect(gateway).toContain('dockerfile: docker/gateway/Dockerfile');
    for (const name of ['ssh-pwsh', 'ssh-linux']) {
      expect(service(name)).toContain(`build: docker/targets/${name}`);
      expect(existsSync(path.join(ROOT, 'docker/targets', name, 'Dockerfile'))).toBe(true);
    }
  });

  test('has a TLS example that the gateway takes', () => {
    const example = [...COMPOSE.matchAll(/# (SALLYPORT_\w+): (\S+)/g)].map(([, name, value]) => [name, value]);
    expect(Object.fromEntries(example)).toEqual({
      SALLYPORT_PUBLIC_URL: 'https://gateway.example:8443',
      SALLYPORT_LISTEN: '0.0.0.0:8443',
      SALLYPORT_TLS_CERT_FILE: '/tls/cert.pem',
      SALLYPORT_TLS_KEY_FILE: '/tls/key.pem',
    });
  });
});
