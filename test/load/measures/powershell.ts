/** PowerShell through our gateway beside pwsh's own client, over the same sshd, turn by turn. */
import { atMost, contenderNamed, OURS, pairedRatios, round, type Bench } from '../bench.ts';
import { openPowerShell } from '../adapters/ours.ts';
import { startPwshClient, type PwshClient } from '../pwsh-client.ts';
import { median, percentile, sleep } from '../stats.ts';

/** Not counted: the first commands meet cold code at both ends. */
const WARM_UP = 5;
/** Both sides run it: `Invoke-Command -Session $s { $null }` there, the line here. */
const NOTHING = '$null';

export async function measurePowerShell(bench: Bench): Promise<void> {
  const contender = contenderNamed(bench, OURS);
  if (contender === undefined) return;
  const pwsh = startPwshClient(bench.shell, bench.directory);
  try {
    await opens(bench, contender.server.state, pwsh);
    await commands(bench, contender.server.state, pwsh);
  } finally {
    await pwsh.stop();
  }
}

/** From the request (signed in, host key known) to the first prompt, beside New-PSSession and one command. */
async function opens(bench: Bench, state: unknown, pwsh: PwshClient): Promise<void> {
  const ours: number[] = [];
  const theirs: number[] = [];
  const openOurs = async (): Promise<number> => {
    const startedAt = performance.now();
    const page = await openPowerShell(state);
    await page.untilMessage('prompt', 1, 60_000);
    const ms = performance.now() - startedAt;
    page.send({ type: 'close' });
    await page.untilClosed();
    return ms;
  };
  const openTheirs = async (): Promise<number> => {
    const ms = await pwsh.open();
    await pwsh.close();
    return ms;
  };
  for (let at = 0; at <= bench.sizes.opens; at += 1) {
    const isOursFirst = at % 2 === 0;
    const first = isOursFirst ? await openOurs() : await openTheirs();
    await sleep(100);
    const second = isOursFirst ? await openTheirs() : await openOurs();
    await sleep(100);
    if (at === 0) continue; // Cold code.
    ours.push(isOursFirst ? first : second);
    theirs.push(isOursFirst ? second : first);
    bench.emit({
      measure: 'powershell-open',
      round: at,
      oursMs: round(ours.at(-1) ?? 0, 1),
      pwshMs: round(theirs.at(-1) ?? 0, 1),
    });
  }
  const ratio = median(pairedRatios(ours, theirs));
  bench.row({
    measure: 'powershell',
    what: 'first prompt ours / pwsh',
    value: `${median(ours).toFixed(0)} ms, pwsh ${median(theirs).toFixed(0)} ms`,
    ratio,
    target: '<= 1.3',
    ok: atMost(ratio, 1.3),
  });
}

/** Prompt to prompt (the line and the prompt: two pipelines), beside two `Invoke-Command -Session`. */
async function commands(bench: Bench, state: unknown, pwsh: PwshClient): Promise<void> {
  const page = await openPowerShell(state);
  await page.untilMessage('prompt', 1, 60_000);
  await pwsh.open();
  const ours: number[] = [];
  const theirs: number[] = [];
  const runOurs = async (): Promise<number> => {
    const startedAt = performance.now();
    await page.run(NOTHING);
    return performance.now() - startedAt;
  };
  for (let at = 0; at < bench.sizes.psCommands + WARM_UP; at += 1) {
    const isOursFirst = at % 2 === 0;
    const first = isOursFirst ? await runOurs() : await pwsh.call();
    await sleep(20);
    const second = isOursFirst ? await pwsh.call() : await runOurs();
    await sleep(20);
    if (at < WARM_UP) continue;
    ours.push(isOursFirst ? first : second);
    theirs.push(isOursFirst ? second : first);
  }
  page.send({ type: 'close' });
  await page.untilClosed();
  await pwsh.close();
  const ratio = median(ours) / median(theirs);
  bench.emit({
    measure: 'powershell-command',
    oursP50ms: round(median(ours)),
    oursP90ms: round(percentile(ours, 0.9)),
    pwshP50ms: round(median(theirs)),
    pwshP90ms: round(percentile(theirs, 0.9)),
    pairedMedian: round(median(pairedRatios(ours, theirs))),
  });
  bench.row({
    measure: 'powershell',
    what: 'prompt to prompt ours / pwsh',
    value: `${median(ours).toFixed(1)} ms, pwsh ${median(theirs).toFixed(1)} ms`,
    ratio,
    target: '<= 1.2',
    ok: atMost(ratio, 1.2),
  });
}
