import { systemClock } from '../../server/src/clock.ts';
import { openPtyTerminal } from '../../server/src/terminals/pty.ts';
import { terminalContract } from '../contracts/terminal.ts';
import { LabConsole } from '../lab/console.ts';
import { openLabConsole, realPowerShells } from '../lab/powershell.ts';
import { connectLab } from '../lab/ssh-target.ts';
import { startSshd } from '../lab/sshd.ts';
import { openWsManConsole, startLabWsMan } from '../lab/wsman/console.ts';
import type { Terminal } from '../../server/src/terminals/contract.ts';

terminalContract('pty', async () => {
  const lab = await startSshd({ subsystem: null });
  return {
    async open() {
      const console = new LabConsole();
      const connection = await connectLab(lab);
      const terminal = await openPtyTerminal({ connection, cols: 80, rows: 24, events: console, clock: systemClock });
      terminal.input(Buffer.from('stty -echo; PS1=; echo rea""dy\n'));
      await console.until(() => console.text.includes('ready\r\n'));
      return { terminal, console };
    },
    run: (terminal, _console, command) => terminal.input(Buffer.from(`${command}\n`)),
    commands: {
      sum: (a, b) => `echo $((${String(a)} + ${String(b)}))`,
      size: 'stty size | while read r c; do echo SIZE $c $r; done',
      count: (n) => `seq ${String(n)}; echo END`,
      far: 20_000,
      // The sleeper says GO itself: a Ctrl+C while the shell starts a child may reach neither of the two.
      sleep: "sh -c 'echo GO; exec sleep 60'",
      flood: 'yes',
      exit: (code) => `exit ${String(code)}`,
    },
    stop: () => lab.stop(),
  };
});

/** A line is taken only at a prompt that no line was given to. */
function runAtPrompt(terminal: Terminal, console: LabConsole, command: string): void {
  const last = given.get(console) ?? 0;
  given.set(console, last + 1);
  void console.until(() => console.lineId > last).then(() => terminal.submit(console.lineId, command));
}
const COMMANDS = {
  sum: (a: number, b: number) => `${String(a)} + ${String(b)}`,
  size: "$s = $Host.UI.RawUI.WindowSize; 'SIZE {0} {1}' -f $s.Width, $s.Height",
  count: (n: number) => `1..${String(n)}; 'END'`,
  far: 6000,
  sleep: "'GO'; Start-Sleep 60",
  flood: "while ($true) { 'flood' * 100 }",
  exit: (code: number) => `exit ${String(code)}`,
};
/** How many lines each console was given. */
const given = new WeakMap<LabConsole, number>();
const [shell] = realPowerShells();
if (shell === undefined) console.log('terminal contract: powershell is skipped, there is no pwsh');
else {
  terminalContract(`powershell ${shell.version}`, async () => {
    const lab = await startSshd({ subsystem: `${shell.program} -sshs -NoLogo -NoProfile` });
    return {
      async open() {
        const console = await openLabConsole(lab, 'powershell');
        if (console.terminal === null) throw new Error('no terminal');
        return { terminal: console.terminal, console };
      },
      run: runAtPrompt,
      commands: COMMANDS,
      stop: () => lab.stop(),
    };
  });
  terminalContract(`powershell ${shell.version} over WinRM`, async () => {
    const lab = await startLabWsMan({ command: [shell.program, '-s', '-NoLogo', '-NoProfile'] });
    return {
      async open() {
        const console = await openWsManConsole(lab);
        if (console.terminal === null) throw new Error('no terminal');
        return { terminal: console.terminal, console };
      },
      run: runAtPrompt,
      commands: COMMANDS,
      stop: () => lab.stop(),
    };
  });
}
