/** PowerShell consoles behind the lab's sshd, opened the way the product opens them. */
import { execFileSync } from 'node:child_process';
import { type Clock, systemClock } from '../../server/src/clock.ts';
import { openPowerShellTerminal } from '../../server/src/terminals/powershell/terminal.ts';
import { LabConsole } from './console.ts';
import { connectLab } from './ssh-target.ts';
import { findProgram, findPwsh, type LabSshd } from './sshd.ts';

export interface RealPowerShell {
  readonly program: string;
  /** For example `7.6.5`. */
  readonly version: string;
  /** Name of its subsystem in the lab. */
  readonly subsystem: string;
}

const versionOf = (program: string): string =>
  execFileSync(program, ['-NoProfile', '-NoLogo', '-Command', '$PSVersionTable.PSVersion.ToString()'], {
    encoding: 'utf8',
  }).trim();

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

/** Opens a console over SSH and waits for its first prompt. */
export async function openLabConsole(
  lab: LabSshd,
  subsystem: string,
  options: { readonly clock?: Clock } = {},
): Promise<LabConsole> {
  const console = new LabConsole();
  const connection = await connectLab(lab);
  console.terminal = await openPowerShellTerminal({
    openChannel: (events) => connection.openSubsystem(subsystem, events),
    closeConnection: () => connection.close(),
    targetName: 'web01',
    cols: 80,
    rows: 24,
    events: console,
    clock: options.clock ?? systemClock,
    signal: new AbortController().signal,
  });
  await console.until(() => console.lineId === 1);
  return console;
}
