/**
 * Starts a real OpenSSH server on a free loopback port with its own configuration, keys and (as root) its own user, and
 * stops it with everything it started. `const lab = await startSshd(); lab.port; lab.keys.ed25519; await lab.stop()`.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomInt } from 'node:crypto';
import {
  accessSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { openKeyRing, type HostKeyType, type KeyRing, type LabKeys } from './keys.ts';

export interface SshdOptions {
  /** Address to listen at; `127.0.0.1` when absent. */
  readonly listen?: '127.0.0.1' | '::1';
  /** Listens here instead of at a free port (to come back where another server was). */
  readonly port?: number;
  /** Command of `Subsystem powershell`; absent = the real pwsh when there is one, null = no such line. */
  readonly subsystem?: string | null;
  /** More subsystems: name and command. */
  readonly subsystems?: Readonly<Record<string, string>>;
  readonly forceCommand?: string;
  /** Text shown before sign-in. */
  readonly banner?: string;
  readonly hostKeys?: readonly HostKeyType[];
  /** Which of the ring's two sets of host keys; 1 makes the same server look changed. */
  readonly hostKeySet?: 0 | 1;
  /** Default: publickey, and as root also password and keyboard-interactive. */
  readonly methods?: readonly ('publickey' | 'password' | 'keyboard-interactive')[];
  /** For example `publickey,password`: all of them in this order. */
  readonly authenticationMethods?: string;
  /** Further lines of sshd_config; they win over those of the lab. */
  readonly lines?: readonly string[];
}

export interface LabHostKey {
  readonly type: string;
  /** Base64 of the public key blob. */
  readonly key: string;
  /** `SHA256:` and base64 without padding. */
  readonly fingerprint: string;
}

export interface LabSshd {
  readonly host: '127.0.0.1' | '::1';
  readonly port: number;
  readonly user: string;
  /** Null when not root: then only keys work. */
  readonly password: string | null;
  /** All of these may sign in as `user`. */
  readonly keys: LabKeys;
  readonly hostKeys: readonly LabHostKey[];
  /** What sshd logged, newest last. */
  log(): string;
  /** Resolves when sshd has logged it; rejects after a minute with the log. */
  logged(part: RegExp): Promise<void>;
  /** Ends the listener and every session at once, without a good-bye, as a crash would. */
  kill(): Promise<void>;
  /** `kill`, and removes all files. Idempotent. */
  stop(): Promise<void>;
}

const LAB_USER = 'sallyport-lab';
export const isRoot = process.getuid?.() === 0;

/** The first of `PATH` that may be run; null when there is none. */
export function findProgram(name: string, extra: readonly string[] = []): string | null {
  for (const directory of [...(process.env['PATH'] ?? '').split(':'), ...extra]) {
    const file = path.join(directory, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not there: look on.
    }
  }
  return null;
}

/** A real PowerShell: `PWSH`, or the one on PATH; null when there is none, or `PWSH=none` says so. */
export const findPwsh = (): string | null =>
  process.env['PWSH'] === 'none' ? null : (process.env['PWSH'] ?? findProgram('pwsh'));
export const findSshd = (): string | null => findProgram('sshd', ['/usr/sbin', '/usr/local/sbin', '/usr/bin']);

const MAKE_USER = `
id -u "$1" > /dev/null 2>&1 || useradd -m -s /bin/bash "$1"
chpasswd
cd "/home/$1"
for file in .hushlogin .bashrc .profile .bash_logout; do : > "$file"; done
`;
let madeUser: { user: string; password: string | null } | null = null;
/** The unprivileged user behind the lab's server: as root a user of its own with an empty profile, else ourselves. */
function labUser(ring: KeyRing): { user: string; password: string | null } {
  if (!isRoot) return { user: userInfo().username, password: null };
  madeUser ??= makeUser(ring);
  return madeUser;
}
function makeUser(ring: KeyRing): { user: string; password: string | null } {
  // One at a time: another test process would see the user before its home is there, and get the profile of the system.
  const lock = path.join(tmpdir(), `${LAB_USER}.lock`);
  execFileSync('flock', [lock, 'sh', '-ec', MAKE_USER, 'sh', LAB_USER], {
    input: `${LAB_USER}:${ring.password}\n`,
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  return { user: LAB_USER, password: ring.password };
}

/**
 * A port that nobody listens at. It is none of those that the system gives to connections and to port 0 (from 32768), so
 * nobody gets it before it is used.
 */
export async function freePort(host: string): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    // Processes side by side take from others, so that what one has found is not found by another meanwhile.
    const port = 11_000 + randomInt(1312) * 16 + (process.pid % 16);
    const probe = createServer().listen(port, host);
    const isFree = await once(probe, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    probe.close();
    await once(probe, 'close');
    return port;
  }
  throw new Error('no port is free');
}

function configuration(options: SshdOptions, ring: KeyRing, directory: string, user: string, port: number): string {
  const methods = options.methods ?? ['publickey', 'password', 'keyboard-interactive'];
  const yes = (value: boolean): string => (value ? 'yes' : 'no');
  const isPam = isRoot && methods.includes('keyboard-interactive');
  const pwsh = findPwsh();
  const subsystem =
    options.subsystem === undefined ? (pwsh === null ? null : `${pwsh} -sshs -NoLogo -NoProfile`) : options.subsystem;
  const all = { ...(subsystem === null ? {} : { powershell: subsystem }), ...options.subsystems };
  if (options.banner !== undefined) writeFileSync(path.join(directory, 'banner'), options.banner);
  return [
    ...(options.lines ?? []),
    `Port ${String(port)}`,
    `ListenAddress ${options.listen ?? '127.0.0.1'}`,
    ...(options.hostKeys ?? ['ed25519']).map((type) => `HostKey ${ring.hostKeyFile(type, options.hostKeySet ?? 0)}`),
    'PidFile none',
    'StrictModes no',
    'UseDNS no',
    'PrintMotd no',
    'PrintLastLog no',
    'LogLevel VERBOSE',
    `UsePAM ${yes(isPam)}`,
    `PubkeyAuthentication ${yes(methods.includes('publickey'))}`,
    `PasswordAuthentication ${yes(isRoot && methods.includes('password'))}`,
    `KbdInteractiveAuthentication ${yes(isPam)}`,
    ...(options.authenticationMethods === undefined ? [] : [`AuthenticationMethods ${options.authenticationMethods}`]),
    `AuthorizedKeysFile ${path.join(directory, 'authorized_keys')}`,
    `AllowUsers ${user}`,
    'MaxStartups 4000',
    'MaxSessions 1000',
    'MaxAuthTries 20',
    'SetEnv LANG=C.UTF-8 POWERSHELL_TELEMETRY_OPTOUT=1 POWERSHELL_UPDATECHECK=Off',
    ...(options.forceCommand === undefined ? [] : [`ForceCommand ${options.forceCommand}`]),
    ...(options.banner === undefined ? [] : [`Banner ${path.join(directory, 'banner')}`]),
    ...Object.entries(all).map(([name, command]) => `Subsystem ${name} ${command}`),
    '',
  ].join('\n');
}

/** Every process below `pid`, through /proc. */
function descendants(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // It ended meanwhile.
    }
  }
  const found = [pid];
  for (const parent of found) for (const [child, of] of parents) if (of === parent) found.push(child);
  return found.slice(1);
}

/** What sessions of the server at `port` left behind: a program that ignores a hang-up has no parent any more. */
function orphans(port: number): number[] {
  const mark = new RegExp(`(?:^|\\0)SSH_CONNECTION=\\S+ \\d+ \\S+ ${String(port)}\\0`);
  return readdirSync('/proc').flatMap((entry) => {
    try {
      return /^\d+$/.test(entry) && mark.test(readFileSync(`/proc/${entry}/environ`, 'latin1')) ? [Number(entry)] : [];
    } catch {
      return []; // It ended meanwhile, or is somebody else's.
    }
  });
}

function killAll(child: ChildProcess, port: number): void {
  if (child.pid === undefined) return;
  for (const pid of [child.pid, ...descendants(child.pid), ...orphans(port)]) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone already.
    }
  }
}

function readHostKey(file: string): LabHostKey {
  const [type = '', key = ''] = readFileSync(`${file}.pub`, 'utf8').split(' ');
  const hash = createHash('sha256').update(Buffer.from(key, 'base64')).digest('base64');
  return { type, key, fingerprint: `SHA256:${hash.replace(/=+$/, '')}` };
}

const LOG_BYTES = 64 * 1024;

interface Launched {
  readonly child: ChildProcess;
  readonly log: () => string;
  readonly logged: (part: RegExp) => Promise<void>;
}
async function launch(program: string, config: string): Promise<Launched> {
  const child = spawn(program, ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  const exited = once(child, 'exit');
  const listening = new Promise<void>((resolve) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-LOG_BYTES);
      if (log.includes('Server listening on')) resolve();
    });
  });
  await Promise.race([
    listening,
    exited.then(() => {
      throw new Error(`sshd did not start:\n${log}`);
    }),
  ]);
  const { stderr } = child;
  const logged = (part: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer);
        stderr.off('data', look);
      };
      const look = (): void => {
        if (!part.test(log)) return;
        finish();
        resolve();
      };
      const timer = setTimeout(() => {
        finish();
        reject(new Error(`sshd did not log ${String(part)}:\n${log}`));
      }, 60_000);
      stderr.on('data', look);
      look();
    });
  return { child, log: () => log, logged };
}

/** Starts sshd. @throws when there is no sshd, or it does not start (its log is in the message) */
export async function startSshd(options: SshdOptions = {}): Promise<LabSshd> {
  const program = findSshd();
  if (program === null) throw new Error('no sshd: apt-get install openssh-server');
  if (isRoot) mkdirSync('/run/sshd', { recursive: true });
  const ring = openKeyRing();
  const { user, password } = labUser(ring);
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-sshd-'));
  execFileSync('chmod', ['755', directory]);
  const authorized = Object.values(ring.keys).map((key) => key.publicLine);
  writeFileSync(path.join(directory, 'authorized_keys'), `${authorized.join('\n')}\n`, { mode: 0o644 });
  const host = options.listen ?? '127.0.0.1';
  const config = path.join(directory, 'sshd_config');
  const start = async (port: number): Promise<Launched & { readonly port: number }> => {
    writeFileSync(config, configuration(options, ring, directory, user, port));
    return { ...(await launch(program, config)), port };
  };
  // Somebody else may have taken the port in between.
  const again = (error: unknown) => {
    if (options.port !== undefined || !/Address already in use/.test(String(error))) throw error;
    return freePort(host).then(start);
  };
  const { child, log, logged, port } = await start(options.port ?? (await freePort(host))).catch(again);
  const exited = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : Promise.resolve();
  const kill = async (): Promise<void> => {
    killAll(child, port);
    await exited;
  };
  return {
    host,
    port,
    user,
    password,
    keys: ring.keys,
    hostKeys: (options.hostKeys ?? ['ed25519']).map((type) =>
      readHostKey(ring.hostKeyFile(type, options.hostKeySet ?? 0)),
    ),
    log,
    logged,
    kill,
    async stop() {
      await kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
