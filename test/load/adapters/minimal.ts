/** The practical floor, `minimal:fair+batch+rec`: minimal-gateway.ts as its own plain Node process. */
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import type { Adapter, Server, StartOptions } from '../channel.ts';
import { startProcess } from '../processes.ts';
import { freePort, newSocket, rawChannel, waitForPort } from './web-socket.ts';

const here = import.meta.dirname;
/** Inside the project, so that its packages are found; compiled, so that no loader is measured with it. */
const PROGRAM = path.join(here, '../../../.cache/load/minimal-gateway.mjs');

interface MinimalState {
  readonly port: number;
}

async function start(options: StartOptions): Promise<Server> {
  await build({
    entryPoints: [path.join(here, '../minimal-gateway.ts')],
    outfile: PROGRAM,
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    logLevel: 'warning',
  });
  const port = await freePort();
  const recordings = path.join(options.directory, 'minimal');
  mkdirSync(recordings, { recursive: true });
  const { pid, stop } = await startProcess(process.execPath, [PROGRAM, String(port), recordings], {
    log: path.join(options.directory, 'minimal.log'),
    env: { BENCH_SHELL: JSON.stringify(options.shell) },
  });
  await waitForPort(port);
  return { pid, state: { port }, stop };
}

export const minimal: Adapter = {
  name: 'minimal:fair+batch+rec',
  start,
  open: async (state) => {
    const { port } = state as MinimalState; // What `start` returned, maybe through JSON.
    const socket = newSocket(`ws://127.0.0.1:${port}/`);
    await once(socket, 'open');
    return rawChannel(socket);
  },
};
