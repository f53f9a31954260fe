/** pwsh's own remoting client, as the yardstick: one process that opens and uses sessions on request and times itself. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { findPwsh } from '../lab/sshd.ts';
import type { ShellHost } from './channel.ts';
import { deadline, sleep } from './stats.ts';

/** Reads a word a line: `open` a session and run one command, time both; `call` two commands in it; `close` it. */
const SCRIPT = `
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$to = @{
  HostName = $env:BENCH_HOST; Port = [int]$env:BENCH_PORT; UserName = $env:BENCH_USER; KeyFilePath = $env:BENCH_KEY
  Options = @{ StrictHostKeyChecking = 'no'; UserKnownHostsFile = '/dev/null'; LogLevel = 'ERROR' }
}
$session = $null
while ($null -ne ($word = [Console]::In.ReadLine())) {
  $watch = [Diagnostics.Stopwatch]::StartNew()
  switch ($word) {
    'open' { $session = New-PSSession @to; Invoke-Command -Session $session { $null } }
    'call' { Invoke-Command -Session $session { $null }; Invoke-Command -Session $session { $null } }
    'close' { Remove-PSSession $session }
  }
  [Console]::Out.WriteLine($watch.Elapsed.TotalMilliseconds.ToString([cultureinfo]::InvariantCulture))
}
`;
const START_MS = 60_000;

export interface PwshClient {
  /** New-PSSession and one command, milliseconds. */
  open(): Promise<number>;
  /** Two `Invoke-Command -Session` of an empty command, milliseconds. */
  call(): Promise<number>;
  close(): Promise<number>;
  stop(): Promise<void>;
}

/** @throws Error when there is no pwsh */
export function startPwshClient(shell: ShellHost, directory: string): PwshClient {
  const pwsh = findPwsh();
  if (pwsh === null) throw new Error('no pwsh on PATH and none named by PWSH');
  const key = path.join(directory, 'pwsh-client-key');
  const script = path.join(directory, 'pwsh-client.ps1');
  writeFileSync(key, shell.privateKey, { mode: 0o600 });
  writeFileSync(script, SCRIPT);
  const child = spawn(pwsh, ['-NoLogo', '-NoProfile', '-NonInteractive', '-File', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      ...process.env,
      POWERSHELL_TELEMETRY_OPTOUT: '1',
      BENCH_HOST: shell.host,
      BENCH_PORT: String(shell.port),
      BENCH_USER: shell.user,
      BENCH_KEY: key,
    },
  });
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout });
  const ask = async (word: string): Promise<number> => {
    const answer = once(lines, 'line') as Promise<[string]>;
    child.stdin.write(`${word}\n`);
    const ended = exited.then(() => {
      throw new Error('pwsh ended');
    });
    const [line] = await deadline(Promise.race([answer, ended]), START_MS, `pwsh: ${word}`);
    const ms = Number(line);
    if (!Number.isFinite(ms)) throw new Error(`pwsh: ${line}`);
    return ms;
  };
  return {
    open: () => ask('open'),
    call: () => ask('call'),
    close: () => ask('close'),
    async stop() {
      child.stdin.end();
      await Promise.race([exited, sleep(3000)]);
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await exited;
    },
  };
}
