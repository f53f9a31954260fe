/** Starts `credssp-acceptor.py`: an HTTP server that takes CredSSP and tells which passwords it was given. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { LabCertificate } from '../certificate.ts';

export interface CredSspAcceptor {
  readonly port: number;
  /** Domain, user and password of each delegation since this was asked last. */
  given(): Promise<readonly (readonly string[])[]>;
  readonly refusals: string[];
  stop(): Promise<void>;
}

/**
 * @param users lines of gss-ntlmssp: `DOMAIN:user:password`
 * @param options as the script has them
 */
export async function startCredSspAcceptor(
  certificate: LabCertificate,
  users: readonly string[],
  options: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<CredSspAcceptor> {
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-credssp-'));
  const file = path.join(directory, 'users');
  writeFileSync(file, users.map((line) => `${line}\n`).join(''), { mode: 0o600 });
  const script = path.join(import.meta.dirname, 'credssp-acceptor.py');
  const child = spawn(
    '/usr/bin/python3',
    [script, '--cert', certificate.certFile, '--key', certificate.keyFile, ...options],
    { stdio: ['pipe', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] ?? '', NTLM_USER_FILE: file, ...env } },
  );
  const exited = once(child, 'close');
  const refusals: string[] = [];
  createInterface(child.stderr).on('line', (line) => refusals.push(line));
  const lines = createInterface(child.stdout);
  const first = await Promise.race([
    once(lines, 'line'),
    exited.then(() => {
      throw new Error(`the acceptor did not start: ${refusals.join('\n')}`);
    }),
  ]);
  const port = Number(first[0]);
  return {
    port,
    given: async () => (await (await fetch(`http://127.0.0.1:${port}/`)).json()) as string[][],
    refusals,
    async stop() {
      child.stdin.end();
      await exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
