/**
 * PowerShell through the gateway beside pwsh's own client, over one sshd, in one interleaved run:
 * `node --import tsx test/load/pwsh-compare.ts [rounds] [commands]`. Prints a table; exit code 1 when a bound is missed.
 *
 * - open: connection asked for to first prompt; pwsh: New-PSSession and one Invoke-Command.
 * - command: an empty line to the next prompt (two pipelines); pwsh: two Invoke-Command -Session.
 */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { ConsolePage, openBody } from '../lab/console-page.ts';
import { PROGRAM, startGateway } from '../lab/gateway.ts';
import { acceptHostKey, addLabTarget } from '../lab/journeys.ts';
import { openLabConsole, realPowerShells } from '../lab/powershell.ts';
import { type LabSshd, startSshd } from '../lab/sshd.ts';

/** An open session of one subject. */
interface Opened {
  /** An empty command, prompt to prompt. */
  command(): Promise<unknown>;
  close(): Promise<unknown>;
}
interface Subject {
  readonly name: string;
  open(): Promise<Opened>;
  stop(): Promise<void>;
}
type Times = Record<'open' | 'command', number[]>;

const OPEN_BOUND = 1.3;
const COMMAND_BOUND = 1.2;

/** Reads words on standard input, answers each with a line when it is done. */
const CLIENT = `
param($Port, $User, $Key)
$options = @{ StrictHostKeyChecking = 'no'; UserKnownHostsFile = '/dev/null'; LogLevel = 'ERROR' }
while ($null -ne ($word = [Console]::In.ReadLine())) {
  switch ($word) {
    'open' {
      $session = New-PSSession -HostName 127.0.0.1 -Port $Port -UserName $User -KeyFilePath $Key -Options $options
      $null = Invoke-Command -Session $session { prompt }
    }
    'command' {
      $null = Invoke-Command -Session $session { }
      $null = Invoke-Command -Session $session { prompt }
    }
    'close' { Remove-PSSession $session }
  }
  [Console]::Out.WriteLine('done')
}
`;

function pwshClient(program: string, lab: LabSshd): Subject {
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-compare-'));
  const key = path.join(directory, 'key');
  writeFileSync(key, lab.keys.ed25519.privateKey);
  chmodSync(key, 0o600);
  const script = path.join(directory, 'client.ps1');
  writeFileSync(script, CLIENT);
  const args = ['-NoLogo', '-NoProfile', '-File', script, String(lab.port), lab.user, key];
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, POWERSHELL_TELEMETRY_OPTOUT: '1', POWERSHELL_UPDATECHECK: 'Off' },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const say = async (word: string): Promise<void> => {
    child.stdin.write(`${word}\n`);
    const line = (await lines.next()) as IteratorResult<string, undefined>;
    if (line.value !== 'done') throw new Error(`pwsh said ${String(line.value)}`);
  };
  return {
    name: 'pwsh client',
    async open() {
      await say('open');
      return { command: () => say('command'), close: () => say('close') };
    },
    stop: () => {
      child.stdin.end();
      rmSync(directory, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}

const ourTerminal = (lab: LabSshd): Subject => ({
  name: 'our terminal',
  async open() {
    const person = await openLabConsole(lab, 'powershell');
    return {
      command: () => person.run('$null'),
      close: () => person.terminal?.close('closed_by_user', 5000) ?? Promise.resolve(),
    };
  },
  stop: () => Promise.resolve(),
});

async function ourGateway(lab: LabSshd): Promise<Subject> {
  const gateway = await startGateway();
  const ann = await gateway.setUp();
  const target = await addLabTarget(ann, lab);
  const body = openBody(target.id, 'powershell');
  const first = await ConsolePage.open(ann, body);
  await acceptHostKey(first);
  await first.untilMessage('prompt', 1, 60_000);
  first.submit('exit');
  await first.untilMessage('ended');
  return {
    name: 'our gateway',
    async open() {
      const page = await ConsolePage.open(ann, body);
      await page.untilMessage('prompt', 1, 60_000);
      return {
        command: () => page.run('$null', 60_000),
        async close() {
          page.submit('exit');
          await page.untilMessage('ended');
        },
      };
    },
    stop: () => gateway.stop(),
  };
}

const percentile = (times: readonly number[], part: number): number =>
  times.toSorted((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * part))] ?? NaN;

async function timed<T>(times: number[], act: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await act();
  times.push(performance.now() - start);
  return result;
}

async function round(subject: Subject, times: Times, commands: number): Promise<void> {
  const opened = await timed(times.open, () => subject.open());
  // The first ones warm the target's caches.
  for (let i = 0; i < 3; i++) await opened.command();
  for (let i = 0; i < commands; i++) await timed(times.command, () => opened.command());
  await opened.close();
}

async function main(): Promise<number> {
  const rounds = Number(process.argv[2] ?? 10);
  const commands = Number(process.argv[3] ?? 50);
  const [shell] = realPowerShells();
  if (shell === undefined) {
    console.log('no pwsh: nothing to compare with');
    return 0;
  }
  const lab = await startSshd({ subsystem: `${shell.program} -sshs -NoLogo` });
  const subjects = [pwshClient(shell.program, lab), ourTerminal(lab)];
  if (existsSync(PROGRAM)) subjects.push(await ourGateway(lab));
  const results = new Map<Subject, Times>(subjects.map((each) => [each, { open: [], command: [] }]));
  // The first round is for the caches of the machine.
  for (let i = 0; i <= rounds; i++)
    for (const subject of subjects) {
      const times = i === 0 ? { open: [], command: [] } : results.get(subject);
      if (times !== undefined) await round(subject, times, i === 0 ? 5 : commands);
    }
  for (const subject of subjects) await subject.stop();
  await lab.stop();

  const base = results.get(subjects[0] as Subject) as Times;
  const missed: string[] = [];
  console.log(`PowerShell ${shell.version}, ${String(rounds)} rounds of ${String(commands)} commands, milliseconds`);
  console.log('| | open p50 | p90 | ratio | command p50 | p90 | ratio |\n| --- | --- | --- | --- | --- | --- | --- |');
  for (const [subject, times] of results) {
    const cells = (['open', 'command'] as const).flatMap((what) => {
      const ratio = percentile(times[what], 0.5) / percentile(base[what], 0.5);
      if (ratio > (what === 'open' ? OPEN_BOUND : COMMAND_BOUND)) missed.push(`${subject.name} ${what}`);
      return [percentile(times[what], 0.5).toFixed(1), percentile(times[what], 0.9).toFixed(1), ratio.toFixed(2)];
    });
    console.log(`| ${subject.name} | ${cells.join(' | ')} |`);
  }
  console.log(
    `bounds: open <= ${String(OPEN_BOUND)}, command <= ${String(COMMAND_BOUND)}: ${missed.length === 0 ? 'kept' : `MISSED by ${missed.join(', ')}`}`,
  );
  return missed.length === 0 ? 0 : 1;
}

process.exit(await main());
