/** Starts `credssp-acceptor.py`: CredSSP as a server of its own, or for the lab's WinRM service. It tells which passwords it was given. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { LabCertificate } from '../certificate.ts';
import type { LabAcceptor } from './acceptors.ts';
import { startContextChild } from './context-child.ts';

const SCRIPT = path.join(import.meta.dirname, 'credssp-acceptor.py');
/** Plain text in a TLS record. */
const RECORD = 16_384;

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
  const place = placeOf(users, env);
  const child = spawn(
    '/usr/bin/python3',
    [SCRIPT, '--cert', certificate.certFile, '--key', certificate.keyFile, ...options],
    { stdio: ['pipe', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] ?? '', ...place.env } },
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
      place.remove();
    },
  };
}

/** Whom it knows, in a file of its own. */
function placeOf(users: readonly string[], more: Readonly<Record<string, string>>) {
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-credssp-'));
  const file = path.join(directory, 'users');
  writeFileSync(file, users.map((line) => `${line}\n`).join(''), { mode: 0o600 });
  return { env: { NTLM_USER_FILE: file, ...more }, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

export interface CredSspContexts extends Pick<CredSspAcceptor, 'given' | 'stop'> {
  readonly acceptor: LabAcceptor;
}

/** The same for whole sessions, behind `LabWsMan`. */
export async function startCredSspContexts(
  certificate: LabCertificate,
  users: readonly string[],
  options: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<CredSspContexts> {
  const place = placeOf(users, env);
  const child = await startContextChild({
    args: [SCRIPT, '--cert', certificate.certFile, '--key', certificate.keyFile, '--lines', ...options],
    env: place.env,
    challenges: ['Negotiate', 'CredSSP'],
    protocolOf: () => 'application/HTTP-CredSSP-session-encrypted',
    maxPart: RECORD,
  });
  return {
    acceptor: child.acceptor,
    given: async () => (await child.ask({ op: 'given' })).given ?? [],
    async stop() {
      await child.stop();
      place.remove();
    },
  };
}
