/** A real ssh-agent on a socket of its own. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { LabKey } from './keys.ts';

export interface LabAgent {
  readonly socket: string;
  /** @param certificate line of its `-cert.pub`, held beside the key @param options of ssh-add, for example `-t 1` */
  add(key: LabKey, certificate?: string, options?: readonly string[]): void;
  removeAll(): void;
  stop(): Promise<void>;
}

/** Starts it. Keys are given to it without their passphrase. */
export async function startAgent(): Promise<LabAgent> {
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-agent-'));
  const socket = path.join(directory, 'agent.sock');
  const child = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] });
  await once(child.stdout, 'data'); // It prints its environment once it listens.
  const add = (args: readonly string[]): void => {
    execFileSync('ssh-add', args, { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: 'pipe' });
  };
  let count = 0;
  return {
    socket,
    add(key, certificate, options = []) {
      const file = path.join(directory, `key${String((count += 1))}`);
      writeFileSync(file, key.privateKey, { mode: 0o600 });
      writeFileSync(`${file}.pub`, `${key.publicLine}\n`);
      if (certificate !== undefined) writeFileSync(`${file}-cert.pub`, `${certificate}\n`);
      add(['-q', ...options, file]);
    },
    removeAll: () => add(['-q', '-D']),
    async stop() {
      const exited = once(child, 'exit');
      if (child.exitCode === null && child.kill('SIGTERM')) await exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
