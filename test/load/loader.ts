/** A child process that holds flooding or many idle sessions, so that the measuring process stays quiet. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { adapterNamed } from './adapters/index.ts';
import { openShell, type Shell, type ShellHost } from './channel.ts';
import { deadline, errorMessage, sleep } from './stats.ts';

interface Order {
  readonly adapter: string;
  readonly state: unknown;
  readonly shell: ShellHost;
  readonly count: number;
  readonly concurrency: number;
  /** `flood` runs an endless `yes` that is read at full speed; `idle` runs `cat`. */
  readonly work: 'flood' | 'idle';
}
export interface Loaded {
  readonly alive: number;
  readonly openMs: readonly number[];
  /** Message of each kind of failure, with how often. */
  readonly errors: Readonly<Record<string, number>>;
}

export interface Loader {
  readonly pid: number;
  open(order: Order): Promise<Loaded>;
  readonly stop: () => Promise<void>;
}

const FLOOD = 'exec yes abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz\r';

export function startLoader(): Loader {
  const child = fork(import.meta.filename, ['child'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const exited = once(child, 'exit');
  return {
    pid: child.pid ?? -1,
    async open(order) {
      const answer = once(child, 'message') as Promise<[Loaded]>;
      child.send(order);
      const ended = exited.then(() => {
        throw new Error('the loader ended');
      });
      return (await deadline(Promise.race([answer, ended]), 180_000, 'loader'))[0];
    },
    async stop() {
      child.send('close');
      await Promise.race([exited, sleep(3000)]);
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await exited;
    },
  };
}

async function obey(order: Order, sessions: Shell[]): Promise<Loaded> {
  const adapter = adapterNamed(order.adapter);
  const openMs: number[] = [];
  const errors: Record<string, number> = {};
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < order.count) {
      next += 1;
      try {
        const then = order.work === 'idle' ? 'exec cat' : '';
        const session = await openShell(adapter, order.state, order.shell, then, 60_000);
        sessions.push(session);
        openMs.push(session.openMs);
        if (order.work === 'flood') session.write(FLOOD);
      } catch (error) {
        const message = errorMessage(error).slice(0, 120);
        errors[message] = (errors[message] ?? 0) + 1;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(order.concurrency, order.count) }, work));
  return { alive: sessions.filter((session) => !session.isClosed).length, openMs, errors };
}

/** A gateway that keeps sessions of lost pages must hear that these are over. */
async function closeAll(sessions: readonly Shell[]): Promise<void> {
  for (const session of sessions) session.close();
  while (sessions.some((session) => !session.isClosed)) await sleep(20);
  process.exit(0);
}

if (process.argv[2] === 'child' && process.send !== undefined) {
  const sessions: Shell[] = [];
  process.on('message', (order: Order | 'close') => {
    if (order === 'close') void closeAll(sessions);
    else void obey(order, sessions).then((loaded) => process.send?.(loaded));
  });
}
