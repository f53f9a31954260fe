/** PowerShell consoles behind the lab's sshd, opened the way the product opens them. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import { type Clock, systemClock } from '../../server/src/clock.ts';
import { poolOverBytes } from '../../server/src/terminals/powershell/byte-pool.ts';
import { openPowerShellTerminal } from '../../server/src/terminals/powershell/terminal.ts';
import type { ByteChannel, ChannelEvents } from '../../server/src/transports/contract.ts';
import { LabConsole } from './console.ts';
import { StandIn } from './powershell-stand-in.ts';
import { connectLab } from './ssh-target.ts';
import { findProgram, findPwsh, type LabSshd } from './sshd.ts';

export interface RealPowerShell {
  readonly program: string;
  /** For example `7.6.5`. */
  readonly version: string;
  /** Name of its subsystem in the lab. */
  readonly subsystem: string;
}

/** Told without starting the engine: each file of tests asks, and `$PSVersionTable` takes four times as long. */
const versionOf = (program: string): string =>
  execFileSync(program, ['--version'], { encoding: 'utf8' })
    .trim()
    .replace(/^PowerShell /, '');

/** `PWSH` or the one on PATH, and an older `pwsh-7.5` beside it; none when there is no pwsh. */
export function realPowerShells(): readonly RealPowerShell[] {
  const main = findPwsh();
  if (main === null) return [];
  const old = findProgram('pwsh-7.5');
  return [main, ...(old === null || old === main ? [] : [old])].map((program, i) => ({
    program,
    version: versionOf(program),
    subsystem: i === 0 ? 'powershell' : 'powershell75',
  }));
}

/** Opens a console over SSH and waits for its first prompt, unless told not to. */
export async function openLabConsole(
  lab: LabSshd,
  subsystem: string,
  options: { readonly clock?: Clock; readonly console?: LabConsole; readonly isPromptAwaited?: boolean } = {},
): Promise<LabConsole> {
  const console = options.console ?? new LabConsole();
  const connection = await connectLab(lab);
  console.terminal = await openPowerShellTerminal({
    openPool: poolOverBytes((events) => connection.openSubsystem(subsystem, events)),
    closeConnection: () => connection.close(),
    lend: console.lend,
    targetName: 'web01',
    cols: 80,
    rows: 24,
    events: console,
    clock: options.clock ?? systemClock,
    signal: new AbortController().signal,
  });
  if (options.isPromptAwaited !== false) await console.until(() => console.lineId === 1);
  return console;
}

/** The stand-in as one file that any user may run. */
export interface BuiltStandIn {
  /** For a Subsystem line. */
  readonly command: string;
  /** The same, to be started. */
  readonly argv: readonly [string, ...string[]];
  remove(): void;
}

/** Built for this test run; whoever builds it removes it. */
export async function buildStandIn(): Promise<BuiltStandIn> {
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-stand-in-'));
  chmodSync(directory, 0o755);
  const outfile = path.join(directory, 'stand-in.mjs');
  const entry = path.join(import.meta.dirname, 'powershell-stand-in.ts');
  await build({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format: 'esm', target: 'node20' });
  return {
    command: `${process.execPath} ${outfile}`,
    argv: [process.execPath, outfile],
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** A channel to a stand-in in this process; each side hears the other in a later turn. */
export function standInChannel(events: ChannelEvents, setUp: (standIn: StandIn) => void): ByteChannel {
  let isOpen = true;
  const close = (exitCode: number | null): void => {
    if (!isOpen) return;
    isOpen = false;
    events.closed({ exitCode, signal: null, error: null });
  };
  const standIn = new StandIn(
    (bytes) => {
      const own = bytes.slice();
      queueMicrotask(() => {
        if (isOpen) events.data(own);
      });
    },
    (status) => queueMicrotask(() => close(status)),
  );
  setUp(standIn);
  return {
    write(bytes) {
      queueMicrotask(() => standIn.receive(bytes));
      return true;
    },
    pause: () => undefined,
    resume: () => undefined,
    close() {
      close(null);
      return Promise.resolve();
    },
  };
}

/** A console at a stand-in in this process. @param setUp teaches it what it should do; `events` are those of its channel */
export async function openStandInConsole(
  setUp: (standIn: StandIn, events: ChannelEvents) => void,
): Promise<LabConsole> {
  const console = new LabConsole();
  console.terminal = await openPowerShellTerminal({
    openPool: poolOverBytes((events) => Promise.resolve(standInChannel(events, (standIn) => setUp(standIn, events)))),
    closeConnection: () => Promise.resolve(),
    lend: console.lend,
    targetName: 'web01',
    cols: 80,
    rows: 24,
    events: console,
    clock: systemClock,
    signal: new AbortController().signal,
  });
  await console.until(() => console.lineId === 1);
  return console;
}
