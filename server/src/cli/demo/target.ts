/**
 * The demo's target: this very machine, over SSH on a free loopback port, with a throw-away host key and a key that only
 * the gateway has. An `sshd` of the machine when there is one, else an ssh2 server in this process.
 */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { type SshKeyPair, ed25519KeyPair } from './ed25519.ts';
import { startInProcess } from './in-process.ts';
import { utf8Locale } from './locale.ts';

export interface DemoTarget {
  readonly kind: 'sshd' | 'in-process';
  readonly port: number;
  /** User at the target: whoever runs the gateway. */
  readonly user: string;
  /** OpenSSH private key for the vault. */
  readonly privateKey: string;
  /** Public host key blob, base64, and its type: pinned before the first connection. */
  readonly hostKey: string;
  readonly hostKeyType: string;
  /** Where pwsh was found; null when it was not. */
  readonly pwsh: string | null;
  stop(): Promise<void>;
}

const isExecutable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** The first executable of that name on PATH or in the places where systems keep daemons. */
export function findProgram(name: string, env: NodeJS.ProcessEnv): string | null {
  const places = [
    ...(env['PATH'] ?? '').split(path.delimiter),
    '/usr/sbin',
    '/usr/local/sbin',
    '/sbin',
    '/usr/local/bin',
    '/opt/microsoft/powershell/7',
  ];
  return (
    places
      .filter((place) => path.isAbsolute(place))
      .map((place) => path.join(place, name))
      .find(isExecutable) ?? null
  );
}

export const findPwsh = (env: NodeJS.ProcessEnv): string | null => {
  const named = env['PWSH'];
  return named !== undefined && path.isAbsolute(named) && isExecutable(named) ? named : findProgram('pwsh', env);
};

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

const configOf = (directory: string, port: number, user: string, pwsh: string | null, locale: string): string =>
  [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${directory}/host_key`,
    `AuthorizedKeysFile ${directory}/authorized_keys`,
    `AllowUsers ${user}`,
    'PidFile none',
    'UsePAM no',
    'UseDNS no',
    'StrictModes no', // The files are in a temporary directory whose parents others may write to.
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin prohibit-password',
    'DisableForwarding yes',
    'PrintMotd no',
    'PrintLastLog no',
    'LogLevel ERROR',
    `SetEnv LANG=${locale}`,
    ...(pwsh === null ? [] : [`Subsystem powershell ${pwsh} -sshs -NoLogo -NoProfile`]),
  ].join('\n') + '\n';

interface Keys {
  readonly host: SshKeyPair;
  readonly client: SshKeyPair;
}

async function startSshd(
  sshd: string,
  keys: Keys,
  user: string,
  pwsh: string | null,
): Promise<{ port: number; stop: () => Promise<void> } | null> {
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-demo-'));
  const port = await freePort();
  writeFileSync(path.join(directory, 'host_key'), keys.host.private, { mode: 0o600 });
  writeFileSync(path.join(directory, 'authorized_keys'), `${keys.client.public}\n`, { mode: 0o600 });
  writeFileSync(path.join(directory, 'sshd_config'), configOf(directory, port, user, pwsh, utf8Locale(process.env)));
  // As root sshd wants its privilege separation directory; as anybody else it does without.
  if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const remove = () => rmSync(directory, { recursive: true, force: true });
  if (spawnSync(sshd, ['-t', '-f', path.join(directory, 'sshd_config')]).status !== 0) {
    remove();
    return null;
  }
  const child = spawn(sshd, ['-D', '-e', '-f', path.join(directory, 'sshd_config')], { stdio: 'ignore' });
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const stop = async () => {
    child.kill('SIGTERM');
    await exited;
    remove();
  };
  for (let tries = 0; tries < 100; tries++) {
    if (await answers(port)) return { port, stop };
    if (child.exitCode !== null) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await stop();
  return null;
}

/** Starts the target. It lives as long as the gateway and takes its keys with it. */
export async function startDemoTarget(
  env: NodeJS.ProcessEnv,
  { sshd = findProgram('sshd', env) }: { sshd?: string | null } = {},
): Promise<DemoTarget> {
  const keys: Keys = { host: ed25519KeyPair(), client: ed25519KeyPair() };
  const user = userInfo().username;
  const pwsh = findPwsh(env);
  const [hostKeyType = '', hostKey = ''] = keys.host.public.split(' ');
  const facts = { user, privateKey: keys.client.private, hostKey, hostKeyType, pwsh };
  const running = sshd === null ? null : await startSshd(sshd, keys, user, pwsh);
  if (running !== null) return { kind: 'sshd', ...facts, ...running };
  return { kind: 'in-process', ...facts, ...(await startInProcess(keys, user, pwsh)) };
}
