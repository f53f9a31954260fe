/** Keystroke echo: one byte through each contender in turn, so that every block carries its own baselines. */
import {
  atMost,
  contenderNamed,
  DIRECT,
  FLOOR,
  OURS,
  pairedRatios,
  PEER,
  round,
  type Bench,
  type Contender,
} from '../bench.ts';
import { openShell, type Shell } from '../channel.ts';
import { startLoader } from '../loader.ts';
import { deadline, median, percentile, rotate, sleep } from '../stats.ts';

/** Not counted: the first keys meet cold code. */
const WARM_UP = 20;
const GAP_MS = 3;

async function stroke(shell: Shell): Promise<number> {
  const startedAt = performance.now();
  const echoed = new Promise<void>((resolve) => {
    shell.onData(() => {
      resolve();
    });
  });
  shell.write('x');
  await deadline(echoed, 15_000, 'echo of a key');
  return (performance.now() - startedAt) * 1000;
}

/** @returns microseconds of each key, per contender */
async function block(
  bench: Bench,
  contenders: readonly Contender[],
  beside?: () => Promise<void>,
): Promise<number[][]> {
  const shells: Shell[] = [];
  try {
    for (const { adapter, server } of contenders)
      shells.push(await openShell(adapter, server.state, bench.shell, 'exec cat'));
    await beside?.();
    const times = shells.map((): number[] => []);
    for (let key = 0; key < bench.sizes.keys + WARM_UP; key += 1)
      for (const at of rotate([...shells.keys()], key)) {
        const shell = shells[at];
        if (shell === undefined) continue;
        const us = await stroke(shell);
        if (key >= WARM_UP) times[at]?.push(us);
        await sleep(GAP_MS);
      }
    return times;
  } finally {
    for (const shell of shells) shell.close();
  }
}

/** Quiet machine: the median key of ours against the floor and the peer. */
export async function measureEcho(bench: Bench): Promise<void> {
  const p50 = new Map<string, number[]>();
  for (let at = 0; at < bench.sizes.rounds; at += 1) {
    const order = rotate(bench.contenders, at);
    const times = await block(bench, order);
    order.forEach(({ adapter }, index) => {
      const us = times[index] ?? [];
      p50.set(adapter.name, [...(p50.get(adapter.name) ?? []), percentile(us, 0.5)]);
      bench.emit({
        measure: 'echo',
        round: at,
        target: adapter.name,
        p50us: round(percentile(us, 0.5), 1),
        p99us: round(percentile(us, 0.99), 1),
      });
    });
  }
  for (const [name, values] of p50)
    if (name !== OURS)
      bench.row({ measure: 'echo', what: `p50 ${name}`, value: us(median(values)), ratio: null, target: '', ok: null });
  const ours = p50.get(OURS);
  if (ours === undefined) return;
  for (const [name, limit] of [
    [FLOOR, 1.15],
    [PEER, 0.8],
  ] as const) {
    const other = p50.get(name);
    if (other === undefined) continue;
    const ratio = median(pairedRatios(ours, other));
    const what = `p50 ours / ${name}`;
    bench.row({
      measure: 'echo',
      what,
      value: us(median(ours)),
      ratio,
      target: `<= ${limit}`,
      ok: atMost(ratio, limit),
    });
  }
}

const us = (value: number): string => `${value.toFixed(0)} us`;

/** One flooding session through the gateway, read at full speed by another process, beside the typing one. */
export async function measureFlood(bench: Bench): Promise<void> {
  const direct = contenderNamed(bench, DIRECT);
  if (direct === undefined) return;
  const gateways = bench.contenders.filter(({ server }) => server.pid !== null);
  const ratios = new Map<string, { p99: number[]; ratio: number[] }>();
  for (let at = 0; at < bench.sizes.rounds; at += 1)
    for (const gateway of rotate(gateways, at)) {
      const loader = startLoader();
      try {
        const [through = [], straight = []] = await block(bench, [gateway, direct], async () => {
          const { adapter, server } = gateway;
          const order = { adapter: adapter.name, state: server.state, shell: bench.shell };
          const { errors, alive } = await loader.open({ ...order, count: 1, concurrency: 1, work: 'flood' });
          if (alive !== 1) throw new Error(`no flood: ${JSON.stringify(errors)}`);
          await sleep(300);
        });
        const p99 = percentile(through, 0.99);
        const ratio = p99 / percentile(straight, 0.99);
        const entry = ratios.get(gateway.adapter.name) ?? { p99: [], ratio: [] };
        entry.p99.push(p99);
        entry.ratio.push(ratio);
        ratios.set(gateway.adapter.name, entry);
        bench.emit({
          measure: 'flood',
          round: at,
          target: gateway.adapter.name,
          p50us: round(percentile(through, 0.5), 1),
          p99us: round(p99, 1),
          directP50us: round(percentile(straight, 0.5), 1),
          directP99us: round(percentile(straight, 0.99), 1),
        });
      } finally {
        await loader.stop();
      }
      await sleep(400);
    }
  for (const [name, { p99, ratio }] of ratios) {
    const value = median(ratio);
    const isOurs = name === OURS;
    bench.row({
      measure: 'flood',
      what: `p99 ${name} / direct`,
      value: us(median(p99)),
      ratio: value,
      target: isOurs ? '<= 3' : '',
      ok: isOurs ? atMost(value, 3) : null,
    });
  }
}
