/** The console against the lab's stand-in behind the real sshd: what must work on a machine without pwsh too. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { LabConsole } from '../lab/console.ts';
import { type BuiltStandIn, buildStandIn, openLabConsole } from '../lab/powershell.ts';
import { startSshd, type LabSshd } from '../lab/sshd.ts';

let lab: LabSshd;
let standIn: BuiltStandIn;
let person: LabConsole;

beforeAll(async () => {
  standIn = await buildStandIn();
  lab = await startSshd({ subsystem: standIn.command });
});
afterAll(async () => {
  await lab.stop();
  standIn.remove();
});

describe('PowerShell console at the stand-in', () => {
  beforeEach(async () => {
    person = await openLabConsole(lab, 'powershell');
  });
  afterEach(() => person.terminal?.close('closed_by_user', 3000));
  const run = (line: string): Promise<string> => person.run(line);

  it('may be closed before its first prompt: nothing is asked of a target that says good-bye', async () => {
    const hasty = await openLabConsole(lab, 'powershell', { isPromptAwaited: false });
    await hasty.terminal?.close('closed_by_user', 3000);
    expect(hasty.end?.reason).toBe('closed_by_user');
    expect(hasty.lineId).toBe(0);
  });

  it('shows prompt, output, colours, each error once', async () => {
    expect(person.promptText).toBe('[web01]: PS /home/alice> ');
    expect(person.remoteText).toBe('PowerShell 7.4.0');
    expect(await run('1+1')).toBe('2\r\n');
    expect(await run('Write-Host -ForegroundColor Green grass')).toBe('\x1b[92mgrass\x1b[0m\r\n');
    expect(await run('Write-Warning careful')).toBe('\x1b[33mWARNING: careful\x1b[0m\r\n');
    expect((await run('Get-Item /no')).match(/Cannot find path/g)).toHaveLength(1);
    expect(await run('throw "oops"')).toBe('\x1b[31moops\x1b[0m\r\n');
    expect(person.ends.map(({ state, errorCount }) => [state, errorCount])).toEqual([
      ['completed', 0],
      ['completed', 0],
      ['completed', 0],
      ['completed', 1],
      ['failed', 1],
    ]);
  });

  it('sends no line that would enter another machine from here, and says what to do', async () => {
    const { length } = person.started;
    for (const line of ['Enter-PSSession -ComputerName web02', 'etsn web02'])
      expect(await run(line)).toMatch(/open that machine through the gateway.*Invoke-Command .*\$using:vault:NAME/is);
    expect(person.started).toHaveLength(length);
  });

  it('asks and answers, secrets stay out of sight', async () => {
    person.answers = [{ kind: 'text', text: 'Ann' }];
    expect(await run('Read-Host name')).toBe('name: Ann\r\nAnn\r\n');
    person.answers = [{ kind: 'text', text: 'canary-7' }];
    expect(await run('(Read-Host -AsSecureString pin).Length')).toBe('pin: ********\r\n8\r\n');
    person.answers = [{ kind: 'credential', user: 'bob', password: 'canary-99' }];
    expect(await run('Get-Credential')).toBe('bob 9\r\n');
    person.answers = [{ kind: 'cancel' }];
    expect(await run('Get-Credential')).toBe('none\r\n');
    person.answers = [{ kind: 'choice', indexes: [1] }];
    expect(await run('Remove-Item x -Confirm')).toBe('Confirm\r\nSure?\r\nNo\r\nchoice 1\r\n');
    person.answers = [{ kind: 'key', virtualKeyCode: 65, character: 97, controlKeyState: 0 }];
    expect(await run('$Host.UI.RawUI.ReadKey()')).toBe('akey 65\r\n');
    expect(JSON.stringify([person.text, person.started, person.questions])).not.toContain('canary');
  });

  it('shows progress, stops, takes an incomplete line back, completes', async () => {
    const { lineId } = person;
    person.submit('Write-Progress copying');
    await person.until(() => person.progressSeen.length > 0);
    expect(person.progressSeen[0]).toMatchObject([{ activity: 'copying', percent: 50 }]);
    person.submit('1+1');
    expect(person.refusals).toEqual(['session_busy']);
    person.terminal?.stop();
    await person.until(() => person.lineId > lineId);
    expect(person.text).toContain('^C\r\n');
    expect(person.ends[0]?.state).toBe('stopped');
    await run('if ($true) {');
    await person.until(() => person.incompletes.length > 0);
    const found = await person.terminal?.complete('Get-ChildIt', 11, new AbortController().signal);
    expect(found?.matches[0]).toMatchObject({ text: 'Get-ChildItem', kind: 'Command' });
    expect((await run('1..3000')).split('\r\n')).toHaveLength(3001);
  });

  it.each([
    ['exit', 0],
    ['exit 3', 3],
  ])('ends with %s', async (line, exitCode) => {
    person.submit(line);
    await person.until(() => person.end !== null);
    expect(person.end).toEqual({ reason: 'exited', exitCode, detail: '' });
  });

  it('closes while something runs', async () => {
    person.submit('Start-Sleep 600');
    await person.until(() => person.started.length === 1);
    // As long as it takes: who is cut off at a deadline is not known to be stopped.
    await person.terminal?.close('terminated', 60_000);
    expect(person.end?.reason).toBe('terminated');
    expect(person.ends[0]?.state).toBe('stopped');
  });
});
