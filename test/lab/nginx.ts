/** Starts nginx on a free loopback port with a server block out of the documentation, in a directory of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findProgram, isRoot } from './sshd.ts';

export interface LabNginx {
  stop(): Promise<void>;
}
export const findNginx = (): string | null => findProgram('nginx', ['/usr/sbin', '/usr/local/sbin']);

function configuration(directory: string, blocks: string): string {
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const places = kinds.map((kind) => `  ${kind}_temp_path ${directory}/tmp/${kind};`);
  return [
    ...(isRoot ? ['user nobody nogroup;'] : []),
    ...['worker_processes 1;', 'daemon off;', `pid ${directory}/nginx.pid;`, 'error_log stderr notice;'],
    ...['events { worker_connections 128; }', 'http {', '  access_log off;', ...places, blocks, '}', ''],
  ].join('\n');
}

/** @param blocks what stands in `http { }`. @throws Error with what nginx said when it does not start */
export async function startNginx(blocks: string): Promise<LabNginx> {
  const program = findNginx();
  if (program === null) throw new Error('no nginx: apt-get install nginx-light');
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-nginx-'));
  chmodSync(directory, 0o755);
  mkdirSync(path.join(directory, 'tmp'), { mode: 0o777 });
  chmodSync(path.join(directory, 'tmp'), 0o777);
  const file = path.join(directory, 'nginx.conf');
  writeFileSync(file, configuration(directory, blocks));
  const child = spawn(program, ['-p', directory, '-c', file, '-e', 'stderr'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  const exited = once(child, 'close');
  // It says so once its sockets listen; who connects before the worker runs waits in their queue.
  const listening = new Promise<void>((resolve) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text;
      if (log.includes('start worker processes')) resolve();
    });
  });
  await Promise.race([
    listening,
    exited.then(() => {
      throw new Error(`nginx did not start:\n${log}`);
    }),
  ]);
  return {
    async stop() {
      child.kill('SIGQUIT');
      const timer = globalThis.setTimeout(() => child.kill('SIGTERM'), 2000);
      await exited;
      clearTimeout(timer);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
