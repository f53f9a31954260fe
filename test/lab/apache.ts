/** Starts Apache httpd on free loopback ports with a configuration of the test's own, in a directory of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findProgram, freePort, isRoot } from './sshd.ts';

const MODULES = '/usr/lib/apache2/modules';
/** What every configuration here needs; the rest is named by the test. */
const BASE = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'alias'];

export interface ApacheOptions {
  /** Modules beside the basic ones, without `mod_`: `auth_gssapi`, `ssl` ... */
  readonly modules: readonly string[];
  /** The rest of the configuration. @param port free ports, one per listener */
  readonly lines: (ports: readonly number[], directory: string) => readonly string[];
  /** How many listeners; 1 when absent. */
  readonly listeners?: number;
}
export interface LabApache {
  readonly ports: readonly number[];
  log(): string;
  stop(): Promise<void>;
}

export const findApache = (): string | null => findProgram('apache2', ['/usr/sbin']);

/** What is missing for these modules; null when nothing is. */
export function missingForApache(modules: readonly string[]): string | null {
  if (findApache() === null) return 'apache2 (Debian: apache2)';
  const absent = modules.filter((name) => !existsSync(path.join(MODULES, `mod_${name}.so`)));
  return absent.length === 0 ? null : `Apache's ${absent.map((name) => `mod_${name}`).join(', ')}`;
}

/** @throws Error with what it logged when it does not start */
export async function startApache({ modules, lines, listeners = 1 }: ApacheOptions): Promise<LabApache> {
  const program = findApache();
  if (program === null) throw new Error('no Apache: apt-get install apache2');
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-apache-'));
  chmodSync(directory, 0o755);
  const ports: number[] = [];
  while (ports.length < listeners) ports.push(await freePort('127.0.0.1'));
  const file = path.join(directory, 'httpd.conf');
  const loaded = [...BASE, ...modules].map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`);
  writeFileSync(
    file,
    [
      `ServerRoot ${directory}`,
      ...[
        'ServerName localhost',
        'ServerLimit 1',
        'ThreadsPerChild 25',
        'MaxRequestWorkers 25',
        'StartServers 1',
        'MinSpareThreads 1',
      ],
      ...[`PidFile ${directory}/pid`, `DefaultRuntimeDir ${directory}`, `Mutex file:${directory}`],
      ...[
        'ErrorLog "|$/bin/cat 1>&3"',
        'LogLevel info',
        'KeepAlive On',
        'KeepAliveTimeout 30',
        `DocumentRoot ${directory}`,
      ],
      ...ports.map((port) => `Listen 127.0.0.1:${port}`),
      ...loaded,
      // As root it gives its rights away, which is what it would do in earnest.
      ...(isRoot ? ['User nobody', 'Group nogroup'] : []),
      ...lines(ports, directory),
      '',
    ].join('\n'),
  );
  const child = spawn(program, ['-DFOREGROUND', '-f', file], {
    env: { LC_ALL: 'C', GSS_MECH_CONFIG: '/dev/null', KRB5RCACHENAME: 'none:' },
    // Its log goes to descriptor 3: standard error it takes for itself, and a pipe of ours it cannot open by name.
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const exited = once(child, 'exit');
  // It says so once its sockets listen.
  const listening = new Promise<void>((resolve) => {
    for (const stream of [child.stderr, child.stdio[3]])
      stream?.on('data', (text: Buffer) => {
        said = (said + text.toString()).slice(-65_536);
        if (said.includes('resuming normal operations')) resolve();
      });
  });
  await Promise.race([
    listening,
    exited.then(() => {
      throw new Error(`Apache did not start:\n${said}`);
    }),
  ]);
  return {
    ports,
    log: () => said,
    async stop() {
      child.kill('SIGTERM');
      await exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
