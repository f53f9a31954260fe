/** Many idle sessions, opened by another process: memory of the gateway for each. */
import { atMost, contenderNamed, FLOOR, OURS, round, type Bench } from '../bench.ts';
import { startLoader } from '../loader.ts';
import { residentMiB } from '../processes.ts';
import { median, sleep } from '../stats.ts';

interface Scale {
  readonly kibEach: number;
  readonly openMs: number;
  readonly alive: number;
}

async function fill(bench: Bench, name: string): Promise<Scale> {
  const { adapter, server } = await bench.startFresh(name);
  const loader = startLoader();
  try {
    const pid = server.pid ?? -1;
    const order = { adapter: adapter.name, state: server.state, shell: bench.shell, work: 'idle' } as const;
    // The first session loads code that all share.
    await loader.open({ ...order, count: 1, concurrency: 1 });
    await sleep(1000);
    const before = residentMiB(pid);
    const count = bench.sizes.sessions - 1;
    const loaded = await loader.open({ ...order, count, concurrency: 8 });
    await sleep(2000);
    const kibEach = ((residentMiB(pid) - before) * 1024) / (loaded.alive - 1);
    const result = { kibEach, openMs: median(loaded.openMs), alive: loaded.alive };
    bench.emit({ measure: 'scale', target: name, ...result, kibEach: round(kibEach, 0), errors: loaded.errors });
    return result;
  } finally {
    await loader.stop();
    await server.stop();
  }
}

export async function measureScale(bench: Bench): Promise<void> {
  const floor = await fill(bench, FLOOR);
  const value = (scale: Scale): string => `${scale.kibEach.toFixed(0)} KiB each, ${scale.alive} alive`;
  bench.row({ measure: 'scale', what: `memory ${FLOOR}`, value: value(floor), ratio: null, target: '', ok: null });
  if (contenderNamed(bench, OURS) === undefined) return;
  const ours = await fill(bench, OURS);
  const ratio = ours.kibEach / floor.kibEach;
  const isWhole = ours.alive === bench.sizes.sessions;
  bench.row({
    measure: 'scale',
    what: 'memory ours / floor',
    value: value(ours),
    ratio,
    target: `<= 2, ${bench.sizes.sessions} alive`,
    ok: atMost(ratio, 2) && isWhole,
  });
}
