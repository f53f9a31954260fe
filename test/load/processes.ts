/** Starts, measures and ends processes of the harness: CPU and memory of a tree from /proc (Linux), ends by pid only. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { sleep } from './stats.ts';

/** sysconf(_SC_CLK_TCK) of every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

interface Stat {
  readonly parent: number;
  readonly ticks: number;
}

function readStat(pid: number): Stat | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    // Fields 14 to 17 of proc(5): utime, stime, and those of children that were waited for.
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return { parent: Number(fields[1]), ticks };
  } catch {
    return null; // It ended between the listing and this.
  }
}

/** The process and all below it. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = readStat(Number(entry));
    if (stat !== null) children.set(stat.parent, [...(children.get(stat.parent) ?? []), Number(entry)]);
  }
  const found = [root];
  for (const pid of found) found.push(...(children.get(pid) ?? []));
  return found;
}

/** CPU seconds of the tree, those of ended children included. */
export const cpuSeconds = (root: number): number =>
  processTree(root).reduce((sum, pid) => sum + (readStat(pid)?.ticks ?? 0), 0) / TICKS_PER_SECOND;

/** Resident memory of the tree in MiB; pages shared between its processes count in each. */
export function residentMiB(root: number): number {
  let kib = 0;
  for (const pid of processTree(root)) {
    try {
      kib += Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);
    } catch {
      // It ended between the listing and this.
    }
  }
  return kib / 1024;
}

export interface RunningProcess {
  readonly pid: number;
  /** Ends it and all below it, gently for 2 s, then hard. Idempotent. */
  readonly stop: () => Promise<void>;
}

/** @param log its stdout and stderr go to the end of this file */
export async function startProcess(
  command: string,
  args: readonly string[],
  options: { readonly log: string; readonly env?: Readonly<Record<string, string>>; readonly cwd?: string },
): Promise<RunningProcess> {
  const log = openSync(options.log, 'a', 0o600);
  const child = spawn(command, args, {
    stdio: ['ignore', log, log],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  closeSync(log);
  await once(child, 'spawn');
  const { pid } = child;
  if (pid === undefined) throw new Error(`${path.basename(command)} has no pid`);
  const exited = once(child, 'exit');
  return {
    pid,
    async stop() {
      const pids = processTree(pid);
      child.kill('SIGTERM');
      await Promise.race([exited, sleep(2000)]);
      for (const each of pids.slice(1)) endHard(each);
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await exited;
    },
  };
}

function endHard(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
