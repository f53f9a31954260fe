/**
 * PowerShell through our gateway over WinRM beside the same over SSH, turn by turn: one pwsh behind sshd, one behind the
 * lab's WinRM service. And sessions over WinRM that do nothing.
 */
import { findPwsh } from '../../lab/sshd.ts';
import type { ConsolePage } from '../../lab/console-page.ts';
import { LAB_USER } from '../../lab/wsman/console.ts';
import { addWinRmTarget, openPowerShell } from '../adapters/ours.ts';
import { atMost, contenderNamed, OURS, pairedRatios, round, WINRM_ROWS, type Bench } from '../bench.ts';
import { cpuSeconds, residentMiB } from '../processes.ts';
import { median, sleep } from '../stats.ts';
import { type Asked, roundTrips, startWinRmLab, WINRM_SETTINGS, type WinRmLab } from '../winrm-lab.ts';

/** Not counted: cold code at both ends, and V8 takes its time with it. */
const WARM_UP = 150;
const NOTHING = '$null';
/** Round trips that a command may cost more than over SSH. */
const MORE_TRIPS = 3;
/** What a command waits for over SSH: an acknowledgement and a result for the line, and for the prompt. */
const SSH_TRIPS = 4;
const OUTPUT_BYTES = 5_000_000;
const OUTPUTS = [
  { what: WINRM_ROWS.commands.lines, script: "foreach ($i in 1..50000) { 'x' * 98 }" },
  { what: WINRM_ROWS.commands.text, script: "'x' * 4999998" },
] as const;
const PROMPT_MS = 60_000;

interface Pair {
  readonly lab: WinRmLab;
  readonly winrm: ConsolePage;
  readonly ssh: ConsolePage;
}

export async function measureWinRm(bench: Bench): Promise<void> {
  const contender = contenderNamed(bench, OURS);
  const pwsh = findPwsh();
  if (contender === undefined || pwsh === null) return;
  const { state } = contender.server;
  const lab = await startWinRmLab([pwsh, '-s', '-NoLogo', '-NoProfile']);
  try {
    const targetId = await addWinRmTarget(state, lab.port, WINRM_SETTINGS, LAB_USER);
    const winrm = await openPowerShell(state, targetId);
    const ssh = await openPowerShell(state);
    for (const page of [winrm, ssh]) await page.untilMessage('prompt', 1, PROMPT_MS);
    await commands(bench, { lab, winrm, ssh });
    for (const output of OUTPUTS) await outputs(bench, { lab, winrm, ssh }, output);
    for (const page of [winrm, ssh]) {
      page.send({ type: 'close' });
      await page.untilClosed();
    }
  } finally {
    await lab.stop();
  }
}

async function timed(page: ConsolePage, line: string): Promise<number> {
  const startedAt = performance.now();
  await page.run(line, PROMPT_MS);
  return performance.now() - startedAt;
}

/** Runs both, the one that begins changes from turn to turn. */
async function both(pair: Pair, line: string, at: number): Promise<{ readonly winrm: number; readonly ssh: number }> {
  const isWinRmFirst = at % 2 === 0;
  const first = await timed(isWinRmFirst ? pair.winrm : pair.ssh, line);
  await sleep(20);
  const second = await timed(isWinRmFirst ? pair.ssh : pair.winrm, line);
  await sleep(20);
  return isWinRmFirst ? { winrm: first, ssh: second } : { winrm: second, ssh: first };
}

/** Requests whose answer the person waits for; the Signal that closes a pipeline is not waited for. */
const waited = ({ requests }: Asked): number =>
  (requests['Command'] ?? 0) + (requests['Send'] ?? 0) + (requests['Receive'] ?? 0);

async function commands(bench: Bench, pair: Pair): Promise<void> {
  const trip = await roundTrips(pair.lab);
  const winrm: number[] = [];
  const ssh: number[] = [];
  const trips: number[] = [];
  for (let at = 0; at < bench.sizes.psCommands + WARM_UP; at += 1) {
    if (at === WARM_UP) await pair.lab.asked();
    const times = await both(pair, NOTHING, at);
    const tripMs = await trip.once();
    if (at < WARM_UP) continue;
    winrm.push(times.winrm);
    ssh.push(times.ssh);
    trips.push(tripMs);
  }
  trip.close();
  const counted = waited(await pair.lab.asked()) / bench.sizes.psCommands;
  const tripMs = median(trips);
  const more = median(winrm.map((ms, at) => ms - (ssh[at] ?? 0))) / tripMs;
  const ms = { winrm: round(median(winrm)), ssh: round(median(ssh)), trip: round(tripMs) };
  bench.emit({ measure: 'winrm-command', ...ms, moreTrips: round(more), waitedFor: round(counted) });
  bench.row({
    measure: 'winrm',
    what: WINRM_ROWS.commands.time,
    value: `${String(ms.winrm)} ms, SSH ${String(ms.ssh)} ms: ${more.toFixed(1)} HTTP round trips of ${String(ms.trip)} ms`,
    ratio: null,
    target: `<= ${String(MORE_TRIPS)} round trips`,
    ok: atMost(more, MORE_TRIPS),
  });
  bench.row({
    measure: 'winrm',
    what: WINRM_ROWS.commands.count,
    value: `${counted.toFixed(2)}, SSH ${String(SSH_TRIPS)}`,
    ratio: null,
    target: `<= ${String(SSH_TRIPS + MORE_TRIPS)}`,
    ok: atMost(counted, SSH_TRIPS + MORE_TRIPS),
  });
}

/** From the line to the next prompt. */
async function outputs(
  bench: Bench,
  pair: Pair,
  { what, script }: { readonly what: string; readonly script: string },
): Promise<void> {
  const winrm: number[] = [];
  const ssh: number[] = [];
  await both(pair, script, 0);
  await pair.lab.asked();
  for (let at = 0; at < Math.max(3, bench.sizes.rounds); at += 1) {
    const before = { winrm: pair.winrm.bytes, ssh: pair.ssh.bytes };
    const times = await both(pair, script, at);
    for (const page of ['winrm', 'ssh'] as const) {
      const { close } = pair[page];
      if (close !== null) throw new Error(`${what}: the page over ${page} was closed: ${close.reason}`);
      if (pair[page].bytes - before[page] < OUTPUT_BYTES) throw new Error(`${what}: output is missing over ${page}`);
    }
    winrm.push(times.winrm);
    ssh.push(times.ssh);
    const { requests } = await pair.lab.asked();
    bench.emit({ measure: 'winrm-output', what, round: at, winrmMs: round(times.winrm, 0), sshMs: round(times.ssh, 0), requests }); // prettier-ignore
  }
  const ratio = median(pairedRatios(ssh, winrm));
  bench.row({
    measure: 'winrm',
    what,
    value: `${median(winrm).toFixed(0)} ms, SSH ${median(ssh).toFixed(0)} ms`,
    ratio,
    target: '>= 0.5',
    ok: ratio >= 0.5,
  });
}

/** Memory and processor time of the gateway while sessions wait for a person. The stand-in is behind them: it is idle too. */
export async function measureWinRmIdle(bench: Bench): Promise<void> {
  if (contenderNamed(bench, OURS) === undefined) return;
  const { server } = await bench.startFresh(OURS);
  const lab = await startWinRmLab(null);
  const pages: ConsolePage[] = [];
  try {
    const targetId = await addWinRmTarget(server.state, lab.port, WINRM_SETTINGS, LAB_USER);
    const open = async (): Promise<void> => {
      const page = await openPowerShell(server.state, targetId);
      pages.push(page);
      await page.untilMessage('prompt', 1, PROMPT_MS);
      // The first line and what is found out about the endpoint belong to a session that is in use.
      await page.run('1+1', PROMPT_MS);
    };
    await idle(bench, server.pid ?? -1, lab, pages, open);
  } finally {
    for (const page of pages) page.send({ type: 'close' });
    for (const page of pages) await page.untilClosed(PROMPT_MS);
    await lab.stop();
    await server.stop();
  }
}

/** How often memory is looked at. */
const LOOK_MS = 5000;

/** @returns the least memory in the second half of `seconds`, MiB: what is needed, without what waits to be collected */
async function leastAtRest(pid: number, seconds: number): Promise<number> {
  await sleep((seconds * 1000) / 2);
  let least = residentMiB(pid);
  for (let ms = 0; ms < (seconds * 1000) / 2; ms += LOOK_MS) {
    await sleep(LOOK_MS);
    least = Math.min(least, residentMiB(pid));
  }
  return least;
}

/**
 * Processor time of so many idle sessions, then memory of as many more: the first ones pay for what all share (code that
 * is optimised once, the spaces of the heap).
 */
async function idle(
  bench: Bench,
  pid: number,
  lab: WinRmLab,
  pages: readonly ConsolePage[],
  open: () => Promise<void>,
): Promise<void> {
  const { idleSessions, idleSeconds } = bench.sizes;
  const openAll = async (): Promise<void> => {
    let left = idleSessions;
    const work = async (): Promise<void> => {
      while (left-- > 0) await open();
    };
    await Promise.all(Array.from({ length: 4 }, work));
    await sleep(2000);
    await lab.asked();
  };
  await openAll();
  const cpuBefore = cpuSeconds(pid);
  const startedAt = performance.now();
  const before = await leastAtRest(pid, idleSeconds);
  const cpu = (cpuSeconds(pid) - cpuBefore) / ((performance.now() - startedAt) / 1000);
  await openAll();
  const kibEach = (((await leastAtRest(pid, idleSeconds)) - before) * 1024) / idleSessions;
  const alive = pages.filter(({ close }) => close === null).length;
  const { requests, openConnections } = await lab.asked();
  const connections = openConnections / pages.length;
  bench.emit({ measure: 'winrm-idle', kibEach: round(kibEach, 0), cpu: round(cpu, 4), alive, connections, requests });
  const isWhole = alive === 2 * idleSessions;
  const shared = { measure: 'winrm idle', ratio: null };
  bench.row({
    ...shared,
    what: WINRM_ROWS.idle.memory,
    value: `${kibEach.toFixed(0)} KiB, ${String(alive)} alive, ${connections.toFixed(1)} connections each`,
    target: `<= 150 KiB, ${String(2 * idleSessions)} alive`,
    ok: atMost(kibEach, 150) && isWhole,
  });
  bench.row({
    ...shared,
    what: WINRM_ROWS.idle.cpu,
    value: `${(cpu * 100).toFixed(2)} % of a core`,
    target: '<= 2 %',
    ok: atMost(cpu, 0.02) && isWhole,
  });
}
