/** Back-pressure: numbered lines without end, a client that stops reading its socket, then reads on. */
import { HIGH_WATER_BYTES, MAX_UNACKED_BYTES } from '@sallyport/shared/wire/credit';
import { contenderNamed, OURS, round, type Bench } from '../bench.ts';
import { openShell } from '../channel.ts';
import { residentMiB } from '../processes.ts';
import { deadline, sleep } from '../stats.ts';

const LIMIT_MIB = 24;

/** Stands alone in a line before the numbers; what the shell's line editor prints comes before it. */
const START = '@@';

/** Reads `1\n2\n3\n…` in any pieces and finds the first number that is not the next. */
export class CountingReader {
  #rest = '';
  #next = 1;
  #isStarted = false;
  /** What stood in place of the expected number; null while all is well. */
  problem: string | null = null;

  read(bytes: Buffer): void {
    if (this.problem !== null) return;
    const lines = (this.#rest + bytes.toString('latin1')).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (!this.#isStarted) {
        this.#isStarted = line === START;
        continue;
      }
      if (line !== String(this.#next)) {
        this.problem = `${this.#next} expected, got ${JSON.stringify(line.slice(0, 40))}`;
        return;
      }
      this.#next += 1;
    }
  }

  get lines(): number {
    return this.#next - 1;
  }
}

export async function measureSlowReader(bench: Bench): Promise<void> {
  for (const { adapter, server } of bench.contenders) {
    if (server.pid === null) continue;
    const fresh = await bench.startFresh(adapter.name);
    const pid = fresh.server.pid ?? -1;
    try {
      const shell = await openShell(adapter, fresh.server.state, bench.shell);
      await sleep(500);
      const before = residentMiB(pid);
      const reader = new CountingReader();
      let bytes = 0;
      shell.onData((data) => {
        bytes += data.length;
        reader.read(data);
      });
      shell.write(`printf '\\n${START}\\n'; exec seq 1 2000000000\r`);
      shell.pause();
      let grewMiB = 0;
      for (let second = 0; second < bench.sizes.slowSeconds; second += 1) {
        await sleep(1000);
        grewMiB = Math.max(grewMiB, residentMiB(pid) - before);
      }
      const held = bytes;
      shell.resume();
      await deadline(
        until(() => bytes > held + 20_000_000 || shell.isClosed || reader.problem !== null),
        30_000,
        'resume',
      );
      const isOurs = adapter.name === OURS;
      const state = shell.isClosed ? 'closed' : (reader.problem ?? 'nothing lost');
      bench.emit({
        measure: 'slow-reader',
        target: adapter.name,
        grewMiB: round(grewMiB, 1),
        state,
        lines: reader.lines,
      });
      bench.row({
        measure: 'slow reader',
        what: `growth ${adapter.name}`,
        value: `${grewMiB.toFixed(1)} MiB, ${state}`,
        ratio: null,
        target: isOurs ? `<= ${LIMIT_MIB} MiB, alive` : '',
        ok: isOurs ? grewMiB <= LIMIT_MIB && state === 'nothing lost' : null,
      });
      shell.close();
    } finally {
      await fresh.server.stop();
    }
  }
}

/** What the gateway sends to a page that reads and acknowledges nothing; then it acknowledges, and all must come. */
export async function measureCredit(bench: Bench): Promise<void> {
  const contender = contenderNamed(bench, OURS);
  if (contender === undefined) return;
  const shell = await openShell(contender.adapter, contender.server.state, bench.shell);
  const reader = new CountingReader();
  let bytes = 0;
  shell.holdAcks?.(true);
  shell.onData((data) => {
    bytes += data.length;
    reader.read(data);
  });
  try {
    shell.write(`printf '\\n${START}\\n'; exec seq 1 2000000000\r`);
    await deadline(
      until(() => bytes >= HIGH_WATER_BYTES || shell.isClosed),
      30_000,
      'credit used up',
    );
    await sleep(2000); // For whatever may come beyond.
    const unacked = bytes;
    shell.holdAcks?.(false);
    await deadline(
      until(() => bytes > unacked + 20_000_000 || shell.isClosed || reader.problem !== null),
      60_000,
      'going on after the acknowledgement',
    );
    const state = shell.isClosed ? 'closed' : (reader.problem ?? 'nothing lost');
    bench.emit({ measure: 'credit', target: OURS, unackedKiB: round(unacked / 1024, 1), state, lines: reader.lines });
    bench.row({
      measure: 'credit',
      what: 'unacknowledged ours',
      value: `${(unacked / 1024).toFixed(0)} KiB, ${state}`,
      ratio: null,
      target: '<= 1024 KiB',
      ok: unacked <= MAX_UNACKED_BYTES && state === 'nothing lost',
    });
  } finally {
    shell.close();
  }
}

async function until(check: () => boolean): Promise<void> {
  while (!check()) await sleep(20);
}
