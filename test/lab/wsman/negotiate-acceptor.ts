/** Starts `negotiate-acceptor.py`: an HTTP server that signs in through the system's GSSAPI and gives bodies back sealed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { LabCertificate } from '../certificate.ts';

/** Debian's own: the packages are installed for it, and not for another in the path. */
const PYTHON = '/usr/bin/python3';
const NEEDED: Readonly<Record<string, string>> = {
  'gss-ntlmssp': '/etc/gss/mech.d/mech.ntlmssp.conf',
  'python3-gssapi': '/usr/lib/python3/dist-packages/gssapi/__init__.py',
};

/** Debian packages that are missing here; empty when the acceptor can run. */
export const missingForAcceptor = (): string[] =>
  Object.keys(NEEDED).filter((name) => !existsSync(NEEDED[name] ?? '') || !existsSync(PYTHON));

export interface AcceptorOptions {
  /** Lines of gss-ntlmssp: `DOMAIN:user:password`. */
  readonly users: readonly string[];
  readonly tls?: LabCertificate;
  /** With TLS: the SHA-256 (hex) of the certificate that clients must be bound to. */
  readonly binding?: string;
}
export interface NegotiateAcceptor {
  readonly port: number;
  /** Why it refused, one line each. */
  readonly refusals: string[];
  stop(): Promise<void>;
}

export async function startNegotiateAcceptor({ users, tls, binding }: AcceptorOptions): Promise<NegotiateAcceptor> {
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-ntlm-'));
  const file = path.join(directory, 'users');
  writeFileSync(file, users.map((line) => `${line}\n`).join(''), { mode: 0o600 });
  const args = tls === undefined ? [] : ['--tls', tls.certFile, tls.keyFile];
  if (binding !== undefined) args.push('--binding', binding);
  const child = spawn(PYTHON, [path.join(import.meta.dirname, 'negotiate-acceptor.py'), ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', NTLM_USER_FILE: file },
  });
  const exited = once(child, 'close');
  const refusals: string[] = [];
  createInterface(child.stderr).on('line', (line) => refusals.push(line));
  const first = await Promise.race([
    once(createInterface(child.stdout), 'line'),
    exited.then(() => {
      throw new Error(`the acceptor did not start: ${refusals.join('\n')}`);
    }),
  ]);
  return {
    port: Number(first[0]),
    refusals,
    async stop() {
      child.stdin.end();
      await exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
