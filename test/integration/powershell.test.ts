import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../server/src/clock.ts';
import { openPowerShellTerminal } from '../../server/src/terminals/powershell/terminal.ts';
import type {
  Answer,
  CommandEnd,
  NewQuestion,
  Terminal,
  TerminalEnd,
  TerminalEvents,
} from '../../server/src/terminals/contract.ts';
import type { ByteChannel, ChannelEvents } from '../../server/src/transports/contract.ts';
import { findPwsh } from '../lab/sshd.ts';

const pwsh = findPwsh();

/** A process of its own in the place of the SSH subsystem. */
function processChannel(program: string, args: readonly string[], events: ChannelEvents): ByteChannel {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'] });
  const gone = once(child, 'close');
  child.stdin.on('error', () => undefined);
  child.stdin.on('drain', () => events.drain());
  child.stdout.on('data', (bytes: Buffer) => events.data(new Uint8Array(bytes)));
  child.on('close', (exitCode, signal) => events.closed({ exitCode, signal, error: null }));
  return {
    write: (bytes) => child.stdin.write(bytes),
    pause: () => child.stdout.pause(),
    resume: () => child.stdout.resume(),
    close: async () => {
      child.kill('SIGKILL');
      child.stdout.resume();
      await gone;
    },
  };
}

/** Keeps what a terminal tells, and lets a test wait for it. */
class Console implements TerminalEvents {
  text = '';
  bytes = 0;
  lineId = 0;
  promptText = '';
  remoteText = '';
  clears = 0;
  titles: string[] = [];
  incompletes: string[] = [];
  refusals: string[] = [];
  started: string[] = [];
  ends: CommandEnd[] = [];
  questions: NewQuestion[] = [];
  answers: Answer[] = [];
  end: TerminalEnd | null = null;
  #waits: { isTrue: () => boolean; resolve: () => void }[] = [];

  until(isTrue: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waits.push({ isTrue, resolve });
      this.#changed();
    });
  }
  #changed(): void {
    this.#waits = this.#waits.filter(({ isTrue, resolve }) => {
      if (!isTrue()) return true;
      resolve();
      return false;
    });
  }
  output(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    this.text += Buffer.from(bytes).toString();
    this.#changed();
  }
  echo(_lineId: number, bytes: Uint8Array): void {
    this.text += `<echo>${Buffer.from(bytes).toString()}`;
  }
  prompt(lineId: number, text: string): void {
    this.lineId = lineId;
    this.promptText = text;
    this.#changed();
  }
  refused(_lineId: number, code: string): void {
    this.refusals.push(code);
  }
  incomplete(_lineId: number, text: string): void {
    this.incompletes.push(text);
    this.#changed();
  }
  commandStarting({ text }: { text: string }) {
    this.started.push(text);
    return Promise.resolve({ ended: (end: CommandEnd) => void this.ends.push(end), stopping: () => undefined });
  }
  ask(question: NewQuestion): Promise<Answer> {
    this.questions.push(question);
    const answer = this.answers.shift();
    this.#changed();
    return answer === undefined ? new Promise(() => undefined) : Promise.resolve(answer);
  }
  progress(): void {
    // Not looked at here.
  }
  title(text: string): void {
    this.titles.push(text);
  }
  clear(): void {
    this.clears += 1;
  }
  notice(): void {
    // Not looked at here.
  }
  remote(text: string): void {
    this.remoteText = text;
  }
  ended(end: TerminalEnd): void {
    this.end = end;
    this.#changed();
  }
}

describe.skipIf(pwsh === null)('PowerShell terminal (skipped: no pwsh on this machine)', () => {
  let events: Console;
  let terminal: Terminal;

  const open = (program: string, args: readonly string[]): Promise<Terminal> =>
    openPowerShellTerminal({
      openChannel: (channelEvents) => Promise.resolve(processChannel(program, args, channelEvents)),
      closeConnection: () => Promise.resolve(),
      targetName: 'web01',
      cols: 80,
      rows: 24,
      events,
      clock: systemClock,
      signal: new AbortController().signal,
    });

  beforeEach(async () => {
    events = new Console();
    terminal = await open(pwsh ?? '', ['-s', '-NoLogo', '-NoProfile']);
    await events.until(() => events.lineId === 1);
  });
  afterEach(() => terminal.close('closed_by_user', 3000));

  /** Runs a line; what it showed after its echo. */
  async function run(line: string): Promise<string> {
    const { lineId } = events;
    const from = events.text.length;
    terminal.submit(lineId, line);
    await events.until(() => events.lineId > lineId);
    return events.text.slice(from).replace(/^<echo>[^\n]*\n/, '');
  }

  it('shows the prompt, output, colours and each error once', async () => {
    expect(events.promptText).toMatch(/^\[web01\]: PS .*> ?$/);
    expect(events.remoteText).toMatch(/^PowerShell 7\./);
    expect(await run('1+1')).toBe('2\r\n');
    expect(events.text).toContain(`<echo>${events.promptText}\x1b[0m1+1\r\n`);
    const error = await run('Get-Item /no/such/thing');
    expect(error.match(/Cannot find path/g)).toHaveLength(1);
    expect(error).toContain('\x1b[31m');
    expect(await run('Write-Host -ForegroundColor Green grass')).toBe('\x1b[92mgrass\x1b[0m\r\n');
    expect(await run('Write-Warning careful')).toBe('\x1b[33mWARNING: careful\x1b[0m\r\n');
    expect(await run('throw "oops"')).toBe('\x1b[31moops\x1b[0m\r\n');
    expect(events.ends.map(({ state, errorCount }) => [state, errorCount])).toEqual([
      ['completed', 0],
      ['completed', 1],
      ['completed', 0],
      ['completed', 0],
      ['failed', 1],
    ]);
    terminal.submit(events.lineId + 7, '1');
    expect(events.refusals).toEqual(['bad_state']);
  });

  it('answers Read-Host, choices and secrets', async () => {
    events.answers = [{ kind: 'text', text: 'Ann' }];
    expect(await run('"hello " + (Read-Host name)')).toBe('name: Ann\r\nhello Ann\r\n');
    events.answers = [{ kind: 'text', text: 'canary-7' }];
    const secret = await run('(Read-Host -AsSecureString pin | ConvertFrom-SecureString -AsPlainText).Length');
    expect(secret).toBe('pin: ********\r\n8\r\n');
    events.answers = [{ kind: 'credential', user: 'bob', password: 'canary-9' }];
    expect(await run('(Get-Credential).GetNetworkCredential().Password.Length')).toBe('8\r\n');
    events.answers = [{ kind: 'choice', indexes: [1] }];
    expect(await run('$Host.UI.PromptForChoice("", "Sure?", ("&Yes", "&No"), 0)')).toBe('Sure?\r\nNo\r\n1\r\n');
    expect(events.questions.map(({ kind, from }) => [kind, from])).toEqual([
      ['line', 'target'],
      ['line', 'target'],
      ['credential', 'target'],
      ['choice', 'target'],
    ]);
    expect(events.text).not.toContain('canary');
    await run('$Host.UI.RawUI.WindowTitle = "deploy"');
    expect(events.titles).toEqual(['deploy']);
  });

  it('stops what runs, also while it asks, and refuses a second line', async () => {
    const first = events.lineId;
    terminal.submit(first, 'Write-Host begun; Start-Sleep 600');
    await events.until(() => events.text.includes('begun\r\n'));
    terminal.submit(first, '1');
    expect(events.refusals).toEqual(['session_busy']);
    terminal.stop();
    await events.until(() => events.lineId > first);
    expect(events.text).toContain('^C\r\n');
    const second = events.lineId;
    terminal.submit(second, 'Read-Host name');
    await events.until(() => events.questions.length === 1);
    terminal.stop();
    await events.until(() => events.lineId > second);
    expect(events.ends.map(({ state }) => state)).toEqual(['stopped', 'stopped']);
    expect(await run('"alive"')).toBe('alive\r\n');
  });

  it('gives an incomplete line back, clears, completes and follows the width', async () => {
    await run('if ($true) {');
    await events.until(() => events.incompletes.length === 1);
    expect(events.incompletes).toEqual(['if ($true) {']);
    await run('cls');
    expect(events.clears).toBe(1);
    const completion = await terminal.complete('Get-ChildIt', 11, new AbortController().signal);
    expect(completion).toMatchObject({ index: 0, length: 11 });
    expect(completion.matches[0]).toMatchObject({ text: 'Get-ChildItem', kind: 'Command' });
    terminal.resize(150, 40);
    expect(await run('$Host.UI.RawUI.BufferSize.Width')).toBe('150\r\n');
    const table = await run('[pscustomobject]@{ a = "x" * 120; b = 1 } | Format-Table');
    expect(table).toContain('x'.repeat(120));
  });

  it('shows 5 MB whole and in order, paused in between', async () => {
    const { lineId } = events;
    terminal.submit(lineId, '$line = "0123456789" * 100; 1..5000 | ForEach-Object { "$_ $line" }');
    await events.until(() => events.bytes > 500_000);
    terminal.pause();
    terminal.resume();
    await events.until(() => events.lineId > lineId);
    const rows = events.text.replaceAll('\r\n', '').split('0123456789'.repeat(100));
    expect(rows.slice(1, -1)).toEqual(Array.from({ length: 4999 }, (_, i) => `${String(i + 2)} `));
    expect(events.ends[0]?.outputBytes).toBeGreaterThan(5_000_000);
  });

  it.each([
    ['exit', 0],
    ['exit 3', 3],
    ['Exit-PSSession', 0],
  ])('ends with %s', async (line, exitCode) => {
    terminal.submit(events.lineId, line);
    await events.until(() => events.end !== null);
    expect(events.end).toEqual({ reason: 'exited', exitCode, detail: '' });
    expect(events.ends[0]?.state).toBe('completed');
  });

  it('ends as lost when the target goes away', async () => {
    terminal.submit(events.lineId, 'Stop-Process -Id $PID -Force');
    await events.until(() => events.end !== null);
    expect(events.end?.reason).toBe('target_lost');
    expect(events.ends[0]?.state).toBe('lost');
  });

  it('names what is wrong with a subsystem that does not open', async () => {
    await expect(open('/bin/sh', ['-c', 'exit 127'])).rejects.toMatchObject({ code: 'powershell_missing' });
    await expect(open('/bin/sh', ['-c', 'echo no such thing; exit 1'])).rejects.toMatchObject({
      code: 'powershell_open_failed',
      peerText: 'no such thing',
    });
  });
});
