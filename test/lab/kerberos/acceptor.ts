/** The HTTP server of acceptor.py: a WinRM-like target that is made of python3-gssapi. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

/** Debian's own interpreter: packages of the system are for that one. */
const PYTHON = '/usr/bin/python3';

export interface AcceptorOptions {
  readonly keytab: string;
  /** The only type of encryption that it takes. */
  readonly encryption?: string;
  /** PEM files. */
  readonly cert?: string;
  readonly key?: string;
  /** Application data of the channel bindings that it demands, in hex. */
  readonly binding?: string;
}
/** One line of its log. */
export interface AcceptorEvent {
  readonly event: 'signed in' | 'sign-in refused' | 'opened' | 'refused';
  readonly name?: string;
  readonly delegated?: boolean;
  readonly flags?: number;
  readonly bytes?: number;
  readonly header?: number;
  readonly text?: string;
}
export interface LabAcceptor {
  readonly port: number;
  /** What happened so far, oldest first. */
  readonly events: readonly AcceptorEvent[];
  stop(): Promise<void>;
}

/** What is missing for an acceptor; null when nothing is. */
export function missingForAcceptor(): string | null {
  const { status } = spawnSync(PYTHON, ['-c', 'import gssapi.raw'], { stdio: 'ignore' });
  return status === 0 ? null : 'the module gssapi of python3 (Debian: python3-gssapi)';
}

/** @throws Error with what it said when it does not start */
export async function startAcceptor(options: AcceptorOptions): Promise<LabAcceptor> {
  const { encryption, ...rest } = options;
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-acceptor-'));
  const configuration = path.join(directory, 'krb5.conf');
  const lines = encryption === undefined ? [] : [`permitted_enctypes = ${encryption}`];
  writeFileSync(configuration, ['[libdefaults]', ...lines, ''].join('\n'));
  const child = spawn(PYTHON, [path.join(import.meta.dirname, 'acceptor.py'), JSON.stringify(rest)], {
    // Mechanisms of other packages (gss-ntlmssp) stay out. Replay caches are not for a lab that runs many at once.
    env: { LC_ALL: 'C', GSS_MECH_CONFIG: '/dev/null', KRB5RCACHENAME: 'none:', KRB5_CONFIG: configuration },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4096)));
  const exited = once(child, 'exit');
  const events: AcceptorEvent[] = [];
  const port = await new Promise<number>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('listening ')) resolve(Number(line.slice(10)));
      else events.push(JSON.parse(line) as AcceptorEvent);
    });
    void exited.then(() => reject(new Error(`the acceptor did not start:\n${said}`)));
  });
  return {
    port,
    events,
    async stop() {
      child.kill('SIGKILL');
      await exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
