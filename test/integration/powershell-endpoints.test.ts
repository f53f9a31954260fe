/** Endpoints that are no full PowerShell, from configuration files that the real one takes; and a debugger that stops. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LabConsole } from '../lab/console.ts';
import { openLabConsole, realPowerShells } from '../lab/powershell.ts';
import { startSshd, type LabSshd } from '../lab/sshd.ts';

const shells = realPowerShells();
const rows = shells.length > 0 ? shells : [{ version: 'none', subsystem: '', program: '' }];
const KINDS = {
  jea: "-SessionType RestrictedRemoteServer -VisibleCmdlets Get-Date, @{ Name = 'Get-ChildItem'; Parameters = @{ Name = 'Path' }, @{ Name = 'Name' } }",
  bare: '-SessionType Empty -LanguageMode NoLanguage -VisibleCmdlets Get-Date',
  constrained: '-SessionType Default -LanguageMode ConstrainedLanguage',
} as const;

let lab: LabSshd;
let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'sallyport-endpoints-'));
  const file = (kind: string): string => path.join(directory, `${kind}.pssc`);
  const [first] = shells;
  if (first !== undefined) {
    const script = Object.entries(KINDS).map(
      ([kind, how]) => `New-PSSessionConfigurationFile -Path '${file(kind)}' ${how}`,
    );
    execFileSync(first.program, ['-NoProfile', '-NoLogo', '-Command', script.join('; ')]);
    chmodSync(directory, 0o755);
    for (const kind of Object.keys(KINDS)) chmodSync(file(kind), 0o644);
  }
  const subsystems = shells.flatMap(({ subsystem, program }) => [
    [subsystem, `${program} -sshs -NoLogo`],
    ...Object.keys(KINDS).map((kind) => [
      `${subsystem}-${kind}`,
      `${program} -sshs -NoLogo -ConfigurationFile ${file(kind)}`,
    ]),
  ]);
  lab = await startSshd({ subsystem: null, subsystems: Object.fromEntries(subsystems) as Record<string, string> });
});
afterAll(async () => {
  await lab.stop();
  rmSync(directory, { recursive: true, force: true });
});

describe.each(rows)('endpoints of PowerShell $version', ({ subsystem }) => {
  beforeEach((context) => {
    if (subsystem === '') context.skip('no pwsh');
  });

  it('JEA takes simple commands, completes them, refuses script, and lets go', async () => {
    const person = await openLabConsole(lab, `${subsystem}-jea`);
    expect(person.promptText).toBe('[web01]: PS>');
    expect(await person.run('Get-Date -Format yyyy')).toMatch(/^20\d\d\r\n$/);
    expect(await person.run("Get-Date -Format 'yyyy'; Get-Date -Format:yyyy")).toMatch(/^20\d\d\r\n20\d\d\r\n$/);
    expect(await person.run('Get-Command | Measure-Object')).toContain('Count');
    expect(await person.run('Get-Item /')).toMatch(/^\x1b\[31m.*Get-Item.*not recognized/);
    expect(await person.run('1 + 1')).toContain('allows only simple commands');
    expect(await person.run('Get-Date $(1)')).toContain('allows only simple commands');
    expect(person.started.map(({ text }) => text)).not.toContain('1 + 1');
    const found = await person.terminal?.complete('Get-Chi', 7, new AbortController().signal);
    expect(found?.matches.map(({ text }) => text)).toEqual(['Get-ChildItem']);
    person.submit('exit');
    await person.until(() => person.end !== null);
    expect(person.end).toMatchObject({ reason: 'exited', exitCode: 0 });
  });

  it('an endpoint without Out-Default is refused by name', async () => {
    const person = new LabConsole();
    await openLabConsole(lab, `${subsystem}-bare`, { console: person }).catch(() => undefined);
    await person.until(() => person.end !== null);
    expect(person.end?.reason).toBe('endpoint_not_interactive');
    expect(person.lineId).toBe(0);
  });

  it('constrained language is a console like any other', async () => {
    const person = await openLabConsole(lab, `${subsystem}-constrained`);
    expect(await person.run('1 + 1; $ExecutionContext.SessionState.LanguageMode')).toBe('2\r\nConstrainedLanguage\r\n');
    expect(await person.run('[Console]::Beep()')).toContain('\x1b[31m');
    await person.terminal?.close('closed_by_user', 3000);
  });

  it('nothing hangs in the debugger', async () => {
    const person = await openLabConsole(lab, subsystem);
    expect(await person.run('Wait-Debugger; "after"')).toBe('after\r\n');
    expect(await person.run('Set-PSBreakpoint -Variable q -Mode Write; $q = 1; "after"')).toMatch(/after\r\n$/);
    expect(person.notices).toEqual([]);
    await person.run('[runspace]::DefaultRunspace.Debugger.SetDebugMode("LocalScript, RemoteScript")');
    expect(await person.run('Wait-Debugger; "after"')).toBe('after\r\n');
    expect(person.notices).toEqual([expect.stringMatching(/^debugger: /)]);
    expect(await person.run('"alive"')).toBe('alive\r\n');
    await person.terminal?.close('closed_by_user', 3000);
  });
});
