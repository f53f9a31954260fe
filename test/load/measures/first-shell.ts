/** From the request for a shell (signed in, host key known) until the shell answered; one after the other, in turn. */
import { atMost, DIRECT, OURS, pairedRatios, round, type Bench } from '../bench.ts';
import { openShell } from '../channel.ts';
import { median, rotate, sleep } from '../stats.ts';

export async function measureFirstShell(bench: Bench): Promise<void> {
  const times = new Map<string, number[]>();
  for (let at = 0; at < bench.sizes.opens; at += 1)
    for (const { adapter, server } of rotate(bench.contenders, at)) {
      const shell = await openShell(adapter, server.state, bench.shell);
      shell.close();
      times.set(adapter.name, [...(times.get(adapter.name) ?? []), shell.openMs]);
      bench.emit({ measure: 'first-shell', round: at, target: adapter.name, ms: round(shell.openMs, 1) });
      await sleep(150);
    }
  const straight = times.get(DIRECT) ?? [];
  for (const [name, values] of times) {
    const ratio = median(pairedRatios(values, straight));
    const isOurs = name === OURS;
    bench.row({
      measure: 'first shell',
      what: name === DIRECT ? name : `first shell ${name} / direct`,
      value: `${median(values).toFixed(0)} ms`,
      ratio: name === DIRECT ? null : ratio,
      target: isOurs ? '<= 3' : '',
      ok: isOurs ? atMost(ratio, 3) : null,
    });
  }
}
