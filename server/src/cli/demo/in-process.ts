/**
 * The demo target of a machine without sshd: an ssh2 server on loopback that gives the gateway's own user a shell, to
 * whoever holds the one key that was made for this run. A pseudo terminal comes from util-linux `script`; without it the
 * shell runs on pipes and says so.
 */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { timingSafeEqual } from 'node:crypto';
import { userInfo } from 'node:os';
import ssh2 from 'ssh2';
import type { SshKeyPair } from './ed25519.ts';
import { utf8Locale } from './locale.ts';

interface Keys {
  readonly host: SshKeyPair;
  readonly client: SshKeyPair;
}

const hasScript = (): boolean => spawnSync('script', ['--version'], { stdio: 'ignore' }).status === 0;

/** A login shell on a pseudo terminal whose device path is told on fd 3, so that the size can be changed from outside. */
function spawnShell(size: { cols: number; rows: number }): {
  child: ChildProcessWithoutNullStreams;
  resize: (cols: number, rows: number) => void;
} {
  const shell = userInfo().shell ?? '/bin/sh';
  const env = { ...process.env, LC_ALL: '', LANG: utf8Locale(process.env), TERM: 'xterm-256color', SHELL: shell };
  if (!hasScript()) {
    const child = spawn(shell, ['-i'], { env, stdio: ['pipe', 'pipe', 'pipe'] });
    child.stdout.unshift('This machine has no "script" program: the shell runs without a terminal.\r\n');
    return { child, resize: () => {} };
  }
  const command = `tty >&3; exec 3>&-; stty rows ${size.rows} cols ${size.cols}; exec "$SHELL" -l`;
  const child = spawn('script', ['-qfec', command, '/dev/null'], { env, stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
  let device = '';
  child.stdio[3]?.on('data', (data: Buffer) => (device += data.toString('latin1')));
  const resize = (cols: number, rows: number) => {
    const path = device.trim();
    if (/^\/dev\/pts\/\d+$/.test(path))
      spawn('stty', ['-F', path, 'rows', String(rows), 'cols', String(cols)], { stdio: 'ignore' }).on(
        'error',
        () => {},
      );
  };
  return { child, resize };
}

function join(child: ChildProcessWithoutNullStreams, channel: ssh2.ServerChannel): void {
  channel.pipe(child.stdin);
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  child.stdin.on('error', () => {}); // The shell ended while somebody typed; its exit is reported below.
  child.on('error', () => channel.close());
  child.on('close', (code, signal) => {
    if (signal === null) channel.exit(code ?? 1);
    channel.end();
    channel.close();
  });
  channel.on('close', () => child.kill('SIGHUP'));
}

function onSession(session: ssh2.Session, pwsh: string | null): void {
  const size = { cols: 80, rows: 24 };
  let resize: (cols: number, rows: number) => void = () => {};
  session.on('pty', (accept, _reject, info) => {
    size.cols = info.cols;
    size.rows = info.rows;
    accept();
  });
  session.on('window-change', (accept, _reject, info) => {
    resize(info.cols, info.rows);
    (accept as (() => void) | undefined)?.();
  });
  session.on('shell', (accept) => {
    const shell = spawnShell(size);
    resize = shell.resize;
    join(shell.child, accept());
  });
  session.on('subsystem', (accept, reject, info) => {
    if (info.name !== 'powershell' || pwsh === null) {
      reject();
      return;
    }
    join(spawn(pwsh, ['-sshs', '-NoLogo', '-NoProfile'], { stdio: ['pipe', 'pipe', 'pipe'] }), accept());
  });
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b);

export async function startInProcess(
  keys: Keys,
  user: string,
  pwsh: string | null,
): Promise<{ port: number; stop: () => Promise<void> }> {
  const allowed = ssh2.utils.parseKey(keys.client.public);
  if (allowed instanceof Error) throw allowed;
  const clients = new Set<ssh2.Connection>();
  const server = new ssh2.Server({ hostKeys: [keys.host.private] }, (client) => {
    clients.add(client);
    client.on('close', () => clients.delete(client));
    client.on('error', () => {}); // A client that went away; its shell gets SIGHUP through the channel's close.
    client.on('authentication', (context) => {
      if (
        context.method !== 'publickey' ||
        context.username !== user ||
        !sameBytes(context.key.data, allowed.getPublicSSH())
      ) {
        context.reject(['publickey']);
        return;
      }
      const { blob, signature } = context;
      if (signature !== undefined && (blob === undefined || !allowed.verify(blob, signature, context.hashAlgo)))
        context.reject(['publickey']);
      else context.accept();
    });
    client.on('session', (accept) => onSession(accept(), pwsh));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address: unknown = server.address();
  if (typeof address !== 'object' || address === null || !('port' in address)) throw new Error('no port was given');
  return {
    port: Number(address.port),
    async stop() {
      for (const client of clients) client.end();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
