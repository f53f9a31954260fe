/** Bulk output: a file through `cat` in a raw PTY. CPU is that of the gateway's process tree. */
import { chmodSync, closeSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { atMost, DIRECT, FLOOR, OURS, pairedRatios, round, type Bench, type Contender } from '../bench.ts';
import { openShell } from '../channel.ts';
import { cpuSeconds } from '../processes.ts';
import { deadline, median, rotate, sleep } from '../stats.ts';

const LINE = 77;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Lines of base64-like text, readable by the lab's user. */
function makePayload(directory: string, bytes: number): string {
  const file = path.join(directory, 'payload.txt');
  const block = Buffer.alloc(1_000_000);
  for (let at = 0; at < block.length; at += 1)
    block[at] = at % LINE === LINE - 1 ? 10 : ALPHABET.charCodeAt((at * 7 + ((at * at) >> 5)) & 63);
  const descriptor = openSync(file, 'w');
  for (let left = bytes; left > 0; left -= block.length) writeSync(descriptor, block, 0, Math.min(left, block.length));
  closeSync(descriptor);
  chmodSync(file, 0o644);
  return file;
}

interface Bulk {
  readonly mbPerSecond: number;
  /** Null for `direct`. */
  readonly cpuPer100Mb: number | null;
}

async function transfer(bench: Bench, { adapter, server }: Contender, file: string): Promise<Bulk> {
  const bytes = bench.sizes.bulkBytes;
  const shell = await openShell(adapter, server.state, bench.shell);
  try {
    await sleep(200);
    let got = 0;
    const done = new Promise<void>((resolve) => {
      shell.onData((data) => {
        got += data.length;
        if (got >= bytes) resolve();
      });
    });
    const cpu = server.pid === null ? 0 : cpuSeconds(server.pid);
    const startedAt = performance.now();
    shell.write(`cat ${file}\r`);
    await deadline(done, 60_000, `${adapter.name}: bulk`);
    const seconds = (performance.now() - startedAt) / 1000;
    return {
      mbPerSecond: bytes / 1e6 / seconds,
      cpuPer100Mb: server.pid === null ? null : ((cpuSeconds(server.pid) - cpu) * 1e8) / bytes,
    };
  } finally {
    shell.close();
    await sleep(400);
  }
}

export async function measureBulk(bench: Bench): Promise<void> {
  const file = makePayload(bench.directory, bench.sizes.bulkBytes);
  const speed = new Map<string, number[]>();
  const cpu = new Map<string, number[]>();
  for (let at = 0; at < bench.sizes.rounds; at += 1)
    for (const contender of rotate(bench.contenders, at)) {
      const { name } = contender.adapter;
      const bulk = await transfer(bench, contender, file);
      speed.set(name, [...(speed.get(name) ?? []), bulk.mbPerSecond]);
      if (bulk.cpuPer100Mb !== null) cpu.set(name, [...(cpu.get(name) ?? []), bulk.cpuPer100Mb]);
      bench.emit({
        measure: 'bulk',
        round: at,
        target: name,
        mbPerSecond: round(bulk.mbPerSecond, 1),
        cpuSecondsPer100Mb: bulk.cpuPer100Mb === null ? null : round(bulk.cpuPer100Mb, 3),
      });
    }
  report(bench, speed, cpu);
}

function report(bench: Bench, speed: ReadonlyMap<string, number[]>, cpu: ReadonlyMap<string, number[]>): void {
  const straight = speed.get(DIRECT) ?? [];
  for (const [name, values] of speed) {
    if (name === DIRECT) continue;
    const ratio = median(pairedRatios(values, straight));
    const isOurs = name === OURS;
    bench.row({
      measure: 'bulk',
      what: `speed ${name} / direct`,
      value: `${median(values).toFixed(1)} MB/s`,
      ratio,
      target: isOurs ? '>= 0.95' : '',
      ok: isOurs ? ratio >= 0.95 : null,
    });
  }
  const floor = cpu.get(FLOOR) ?? [];
  for (const [name, values] of cpu) {
    const ratio = median(pairedRatios(values, floor));
    const isOurs = name === OURS;
    bench.row({
      measure: 'bulk',
      what: `CPU ${name} / floor`,
      value: `${median(values).toFixed(2)} s/100 MB`,
      ratio,
      target: isOurs ? '<= 1.3' : '',
      ok: isOurs ? atMost(ratio, 1.3) : null,
    });
  }
}
