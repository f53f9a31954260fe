/**
 * `npm run bench`: our gateway beside a bare ssh2 client (`direct`), the practical floor and, when BENCH_WEBSSH2 names a
 * checkout, WebSSH2, interleaved in one run over one sshd. Absolute numbers belong to one machine and one moment; the
 * ratios within the run are the result. docs/performance.md.
 */
import { appendFileSync, chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { findPwsh, startSshd, type LabSshd } from '../lab/sshd.ts';
import { adapterNamed, allAdapters } from './adapters/index.ts';
import { FULL, PEER, QUICK, type Bench, type Contender, type Row } from './bench.ts';
import { verdictOf } from './verdict.ts';
import type { ShellHost } from './channel.ts';
import { measureBulk } from './measures/bulk.ts';
import { measureEcho, measureFlood } from './measures/echo.ts';
import { measureFirstShell } from './measures/first-shell.ts';
import { measureHops } from './measures/hops.ts';
import { measurePowerShell } from './measures/powershell.ts';
import { measureScale } from './measures/scale.ts';
import { measureCredit, measureSlowReader } from './measures/slow-reader.ts';
import { measureWinRm, measureWinRmIdle } from './measures/winrm.ts';
import { deadline, errorMessage } from './stats.ts';

const MEASURES: Readonly<Record<string, (bench: Bench) => Promise<void>>> = {
  echo: measureEcho,
  flood: measureFlood,
  bulk: measureBulk,
  'slow-reader': measureSlowReader,
  credit: measureCredit,
  scale: measureScale,
  'first-shell': measureFirstShell,
  powershell: measurePowerShell,
  hops: measureHops,
  winrm: measureWinRm,
  'winrm-idle': measureWinRmIdle,
};
/** Left out where there is no pwsh. */
const NEED_PWSH: ReadonlySet<string> = new Set(['powershell', 'winrm']);
/** Sessions of one person are limited to 20: this many people share 300. */
const USERS = 20;

const USAGE = `npm run bench -- [--quick] [--only NAME[,NAME]] [--targets NAME[,NAME]] [--rounds N] [--out FILE] [--limit SECONDS]
  --quick    smaller: a first look, not a result
  --only     ${Object.keys(MEASURES).join(', ')}
  --targets  ${allAdapters()
    .map(({ name }) => name)
    .join(', ')} (direct and the floor are always there)
  --out      appends one JSON object per result to FILE
  --limit    ends the run after that long (default 1500)
  BENCH_WEBSSH2 names a built WebSSH2 checkout to compare with.`;

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    targets: { type: 'string' },
    rounds: { type: 'string' },
    out: { type: 'string' },
    limit: { type: 'string', default: '1500' },
    help: { type: 'boolean', default: false },
  },
});

function printTable(rows: readonly Row[]): void {
  const verdict = { true: 'ok', false: 'MISSED', null: '' };
  const cells = rows.map((row) => [
    row.measure,
    row.what,
    row.value,
    row.ratio === null ? '' : `x ${row.ratio.toFixed(2)}`,
    row.target,
    verdict[String(row.ok) as keyof typeof verdict],
  ]);
  const table = [['measure', 'what', 'value', 'ratio', 'target', ''], ...cells];
  const widths = table[0]?.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0))) ?? [];
  for (const line of table)
    console.log(
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}

const toShellHost = (lab: LabSshd): ShellHost => ({
  host: lab.host,
  port: lab.port,
  user: lab.user,
  privateKey: lab.keys.ed25519.privateKey,
  hostKey: { type: lab.hostKeys[0]?.type ?? '', key: lab.hostKeys[0]?.key ?? '' },
});

async function run(): Promise<number> {
  const wanted = options.targets?.split(',');
  const adapters = allAdapters().filter(({ name }, at) => at < 2 || wanted === undefined || wanted.includes(name));
  const hasPwsh = findPwsh() !== null;
  const measures = options.only?.split(',') ?? Object.keys(MEASURES).filter((name) => hasPwsh || !NEED_PWSH.has(name));
  for (const name of measures) if (!(name in MEASURES)) throw new Error(`no measure ${name}\n${USAGE}`);
  const base = options.quick ? QUICK : FULL;
  const sizes = options.rounds === undefined ? base : { ...base, rounds: Number(options.rounds) };
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-bench-'));
  chmodSync(directory, 0o755); // The lab's user reads the payload there.
  const lab = await startSshd({ methods: ['publickey'] });
  const shell = toShellHost(lab);
  const rows: Row[] = [];
  const contenders: Contender[] = [];
  const fresh = new Set<Contender>();
  const bench: Bench = {
    sizes,
    shell,
    directory,
    contenders,
    async startFresh(name) {
      const adapter = adapterNamed(name);
      const server = await adapter.start({ shell, directory, users: USERS });
      const contender: Contender = {
        adapter,
        server: {
          ...server,
          async stop() {
            fresh.delete(contender);
            await server.stop();
          },
        },
      };
      fresh.add(contender);
      return contender;
    },
    emit(result) {
      const line = JSON.stringify({ at: new Date().toISOString(), load1: loadavg()[0], ...result });
      if (options.out !== undefined) appendFileSync(options.out, `${line}\n`);
      console.error(line);
    },
    row: (row) => rows.push(row),
  };
  try {
    const work = async (): Promise<void> => {
      for (const adapter of adapters)
        contenders.push({ adapter, server: await adapter.start({ shell, directory, users: USERS }) });
      for (const name of measures) await measureOne(bench, name);
    };
    await deadline(work(), Number(options.limit) * 1000, 'the whole run');
  } finally {
    for (const { server } of [...fresh, ...contenders]) await server.stop();
    await lab.stop();
    rmSync(directory, { recursive: true, force: true });
  }
  console.log(
    `\n${new Date().toISOString()}, Node ${process.version}, ${cpus().length} cores (${cpus()[0]?.model ?? ''})\n`,
  );
  printTable(rows);
  const verdict = verdictOf(
    rows,
    measures,
    adapters.some(({ name }) => name === PEER),
  );
  console.log(`\n${verdict.text}`);
  return verdict.isGreen ? 0 : 1;
}

async function measureOne(bench: Bench, name: string): Promise<void> {
  console.error(`--- ${name}`);
  try {
    await MEASURES[name]?.(bench);
  } catch (error) {
    bench.row({ measure: name, what: 'failed', value: errorMessage(error), ratio: null, target: '', ok: false });
  }
}

if (options.help) console.log(USAGE);
else process.exit(await run());
