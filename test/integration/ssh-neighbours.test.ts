/** A hostile or busy target costs its neighbours nothing that a person would notice. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../server/src/clock.ts';
import { Secret } from '../../server/src/secret.ts';
import type { ByteChannel, Connection } from '../../server/src/transports/contract.ts';
import { createSshConnector } from '../../server/src/transports/ssh/connector.ts';
import { Collector } from '../lab/collector.ts';
import { connectLab, LabPort, labRequest, TIMEOUTS } from '../lab/ssh-target.ts';
import { startSshd, type LabSshd } from '../lab/sshd.ts';

const SIZE = { cols: 80, rows: 24, term: 'xterm-256color' };
const ECHOES = 150;
/** What slows the echo by itself slows it in each of these; what else the machine has to do comes and goes. */
const ROUNDS = 6;
let lab: LabSshd;
let child: ChildProcess;
let port: number;
let neighbour: { channel: ByteChannel; seen: Collector; connection: Connection };
const hostile: Connection[] = [];

beforeAll(async () => {
  lab = await startSshd({ subsystem: null, subsystems: { echo: '/bin/cat' } });
  const program = path.join(import.meta.dirname, '../lab/hostile-child.ts');
  const started = spawn(process.execPath, ['--import', 'tsx', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  child = started;
  const [line] = (await once(createInterface(started.stdout), 'line')) as [string];
  port = Number(line);
  const connection = await connectLab(lab);
  const seen = new Collector();
  neighbour = { connection, seen, channel: await connection.openSubsystem('echo', seen) };
});
afterEach(() => Promise.all(hostile.splice(0).map((connection) => connection.close())));
afterAll(async () => {
  await neighbour.connection.close();
  const ended = once(child, 'exit');
  child.stdin?.end();
  await ended;
  await lab.stop();
});

async function open(user: string): Promise<Collector> {
  const connection = await createSshConnector({ clock: systemClock }).connect(
    labRequest({ host: '127.0.0.1', port }, { kind: 'password', user, password: new Secret('x') }, TIMEOUTS),
    new LabPort(),
    new AbortController().signal,
  );
  hostile.push(connection);
  const seen = new Collector();
  const take = seen.data.bind(seen);
  // Counted, not kept: it never ends.
  seen.data = (bytes) => take(bytes.subarray(0, 1));
  await connection.openPty(SIZE, seen);
  return seen;
}
/** Milliseconds from a key to its echo, sorted. */
async function echoes(): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < ECHOES; i++) {
    const { seen, channel } = neighbour;
    const before = seen.bytes;
    const start = performance.now();
    channel.write(Buffer.from('x'));
    await seen.until(() => seen.bytes > before);
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b);
}
const at = (sorted: readonly number[], part: number): number => sorted[Math.floor(sorted.length * part)] ?? NaN;

it.each(['flood', 'tiny', 'stderr', 'ignored'])(
  'three targets that send without end (%s) leave a neighbour its echo',
  async (user) => {
    await echoes();
    const alone = await echoes();
    const flooders = await Promise.all([open(user), open(user), open(user)]);
    if (user !== 'ignored') await Promise.all(flooders.map((seen) => seen.until(() => seen.bytes > 10)));
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    // The machine is shared by the target's own process and its sshd, so the bound has an absolute part.
    const isGood = (times: readonly number[]): boolean =>
      at(times, 0.5) < 5 * at(alone, 0.5) + 60 && at(times, 0.9) < 5 * at(alone, 0.9) + 200;
    let beside = await echoes();
    for (let round = 1; round < ROUNDS && !isGood(beside); round += 1) beside = await echoes();
    delay.disable();
    const row = [alone, beside].map((times) => `p50 ${at(times, 0.5).toFixed(2)} p99 ${at(times, 0.99).toFixed(2)} ms`);
    console.log(
      `echo beside ${user}: alone ${String(row[0])}, beside ${String(row[1])}, loop ${(delay.max / 1e6).toFixed(0)} ms`,
    );
    expect(isGood(beside), row.join(', ')).toBe(true);
  },
);
