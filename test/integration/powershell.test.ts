import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../contracts/fake-clock.ts';
import { type LabLink, startLink } from '../lab/link.ts';
import { openLabConsole, realPowerShells } from '../lab/powershell.ts';
import type { LabConsole } from '../lab/console.ts';
import { startSshd, type LabSshd } from '../lab/sshd.ts';
import { openWsManConsole, startLabWsMan } from '../lab/wsman/console.ts';
import type { LabWsMan } from '../lab/wsman/server.ts';

const shells = realPowerShells();
/** Every PowerShell over SSH, and one over WinRM: what differs there is the way, not the shell. */
const ways = [
  ...shells.map((each) => ({ ...each, way: 'SSH' })),
  ...shells.slice(0, 1).map((each) => ({ ...each, way: 'WinRM' })),
];
/** One row so that a machine without pwsh reports its tests as skipped, with the reason. */
const rows = ways.length > 0 ? ways : [{ version: 'none', subsystem: '', program: '', way: 'SSH' }];
console.log(`PowerShell under test: ${shells.map(({ version }) => version).join(', ') || 'none'}`);

let lab: LabSshd;
let winrm: LabWsMan;
beforeAll(async () => {
  const subsystems = Object.fromEntries(shells.map((each) => [each.subsystem, `${each.program} -sshs -NoLogo`]));
  lab = await startSshd({ subsystem: null, subsystems });
  winrm = await startLabWsMan({ command: [shells[0]?.program ?? '', '-s', '-NoLogo'] });
});
afterAll(async () => {
  await lab.stop();
  await winrm.stop();
});

describe.each(rows)('PowerShell $version over $way', ({ subsystem, way }) => {
  /** @param link in place of the direct way; the clock is then that of the way too */
  const open = ({ clock, link, ...more }: { clock?: FakeClock; link?: LabLink; console?: LabConsole } = {}) => {
    const timed = clock === undefined ? {} : { clock };
    if (way === 'SSH') return openLabConsole({ ...lab, ...link }, subsystem, { ...more, ...timed });
    const patient = clock === undefined || link !== undefined ? timed : { terminalClock: clock };
    return openWsManConsole(link ?? winrm, { ...more, ...patient });
  };
  let person: LabConsole;
  /** What starts takes longest: one console for many tests, until one of them ends it, fails, or leaves it changed. */
  let isFresh = false;
  const change = (): void => void (isFresh = false);
  const leave = async (): Promise<void> => {
    isFresh = false;
    if (subsystem !== '') await person.terminal?.close('closed_by_user', 5000);
  };
  beforeEach(async (context) => {
    if (subsystem === '') context.skip('no pwsh');
    if (isFresh) person.forget();
    else person = await open();
    isFresh = true;
  });
  afterEach(async ({ task }) => {
    if (!isFresh || person.end !== null || task.result?.state === 'fail') await leave();
  });
  afterAll(async () => {
    if (isFresh) await leave();
  });
  const run = (line: string): Promise<string> => person.run(line);
  const kinds = (): string[] => person.questions.map(({ kind }) => kind);

  it('shows the prompt, every stream once, colours, and counts errors', async () => {
    expect(person.promptText).toMatch(/^\[web01\]: PS \/.*> $/);
    expect(person.remoteText).toMatch(/^PowerShell 7\./);
    expect(await run('1+1')).toBe('2\r\n');
    expect(person.text).toContain(`<echo>${person.promptText}\x1b[0m1+1\r\n`);
    expect(
      await run(
        '1; Write-Error bad; Write-Warning w; Write-Verbose v -Verbose; Write-Debug d -Debug; Write-Information i -InformationAction Continue; Write-Host h',
      ),
    ).toBe(
      '1\r\n\x1b[31mWrite-Error: bad\x1b[0m\r\n\x1b[33mWARNING: w\x1b[0m\r\n\x1b[33mVERBOSE: v\x1b[0m\r\n\x1b[33mDEBUG: d\x1b[0m\r\ni\r\nh\r\n',
    );
    expect(await run('Write-Host -ForegroundColor Green -BackgroundColor DarkBlue grass')).toBe(
      '\x1b[92;44mgrass\x1b[0m\r\n',
    );
    const missing = await run('Get-Item /no/such/thing');
    expect(missing.match(/Cannot find path/g)).toHaveLength(1);
    expect(await run('throw "oops"')).toBe('\x1b[31moops\x1b[0m\r\n');
    await run('1/0; nosuchcommand; Get-Item /no; "x"');
    expect(await run('}')).toContain("Unexpected token '}'");
    expect(person.ends.map(({ state, errorCount }) => [state, errorCount])).toEqual([
      ['completed', 0],
      ['completed', 1],
      ['completed', 0],
      ['completed', 1],
      ['failed', 1],
      ['completed', 3],
      ['failed', 1],
    ]);
  });

  it('keeps line ends, emoji and combining marks, takes away what could act on the terminal', async () => {
    expect(await run('"x`ry`nz`r`nw`te"')).toBe('x\ry\r\nz\r\nw\te\r\n');
    expect(await run(`"\`e]0;title\`a\`e[2J\`e[31mred" + [char]0x9b + '5n' + "\u{1f600} e\u0301"`)).toBe(
      '\x1b[31mred\u{1f600} e\u0301\r\n\x1b[0m',
    );
    expect(await run('Write-Host -NoNewline partial')).toBe('partial\r\n');
    expect(await run("/bin/echo native; /bin/sh -c 'printf partial; exit 3'; $LASTEXITCODE")).toBe(
      'native\r\npartial\r\n3\r\n',
    );
    expect(await run("/bin/sh -c 'echo err >&2'")).toBe('err\r\n');
    expect(await run("'a','b' | cat")).toBe('a\r\nb\r\n');
    expect(await run('cat')).toBe('');
    expect(person.notices).toEqual([]);
    expect(await run('/bin/sh -c \'printf "caf\\351 1\\n"\'')).toBe('caf\ufffd 1\r\n');
    await run('/bin/sh -c \'printf "caf\\351 2\\n"\'');
    expect(person.notices.map((notice) => notice.split(':')[0])).toEqual(['text_lost']);
  });

  it('answers what a script reads', async () => {
    person.answers = [{ kind: 'text', text: 'Ann \u{1f600}' }];
    expect(await run('"hello " + (Read-Host name)')).toBe('name: Ann \u{1f600}\r\nhello Ann \u{1f600}\r\n');
    person.answers = [{ kind: 'text', text: 'bare' }];
    expect(await run('Read-Host')).toBe('bare\r\nbare\r\n');
    person.answers = [{ kind: 'text', text: '' }];
    expect(await run('pause')).toBe('Press Enter to continue...: \r\n');
    const choices = "[System.Management.Automation.Host.ChoiceDescription[]]('&Yes','&No')";
    person.answers = [{ kind: 'choice', indexes: [1] }];
    expect(await run(`$Host.UI.PromptForChoice("", "Sure?", ${choices}, 0)`)).toBe('Sure?\r\nNo\r\n1\r\n');
    person.answers = [{ kind: 'choice', indexes: [] }];
    expect(await run(`$Host.UI.PromptForChoice("Pick", "any", ${choices}, [int[]](0, 1))`)).toBe(
      'Pick\r\nany\r\nYes, No\r\n0\r\n1\r\n',
    );
    person.answers = [{ kind: 'choice', indexes: [2] }];
    expect(await run('New-Item /tmp/never -Confirm; Test-Path /tmp/never')).toMatch(/\r\nNo\r\nFalse\r\n$/);
    expect(kinds()).toEqual(['line', 'line', 'line', 'choice', 'choice', 'choice']);
    expect(person.questions.every(({ from }) => from === 'target')).toBe(true);
  });

  it('asks for mandatory parameters of every type', async () => {
    await run(
      'function f { param([Parameter(Mandatory)][string]$Name, [Parameter(Mandatory)][int[]]$Ids, [Parameter(Mandatory)][securestring]$Pw, [Parameter(Mandatory)][pscredential]$Cred, [Parameter(Mandatory)][switch]$Sw) "$Name|$Ids|$($Pw | ConvertFrom-SecureString -AsPlainText | % Length)|$($Cred.UserName)|$($Cred.GetNetworkCredential().Password.Length)|$Sw" }',
    );
    const credential = { user: 'u', password: 'canary-two' };
    person.answers = [{ kind: 'fields', values: ['x', ['1', '2'], 'canary-1', credential, true] }];
    expect(await run('f')).toBe(
      'cmdlet f at command pipeline position 1\r\nSupply values for the following parameters:\r\n' +
        'Name: x\r\nIds: 1, 2\r\nPw: ********\r\nCred: ********\r\nSw: true\r\nx|1 2|8|u|10|True\r\n',
    );
    expect(kinds()).toEqual(['prompt']);
  });

  it('hands secrets over without ever showing them', async () => {
    person.answers = [{ kind: 'text', text: 'canary-7' }];
    expect(await run('$s = Read-Host -AsSecureString pin; ($s | ConvertFrom-SecureString -AsPlainText).Length')).toBe(
      'pin: ********\r\n8\r\n',
    );
    person.answers = [{ kind: 'text', text: 'canary-77' }];
    expect(await run('(Read-Host -MaskInput).Length')).toBe('********\r\n9\r\n');
    person.answers = [{ kind: 'credential', user: 'bob', password: 'canary-99\u{1f600}' }];
    expect(await run('$c = Get-Credential; $c.UserName; $c.GetNetworkCredential().Password.Length')).toBe(
      'bob\r\n11\r\n',
    );
    person.answers = [{ kind: 'cancel' }];
    expect(await run('$null -eq (Get-Credential -UserName eve -Message hello)')).toBe('True\r\n');
    expect(person.questions.map((each) => ('secure' in each ? each.secure : each.kind))).toEqual([
      true,
      true,
      'credential',
      'credential',
    ]);
    expect(JSON.stringify([person.text, person.started, person.ends, person.questions])).not.toContain('canary');
  });

  it('gives a command what it may have of the vault, and sends no line that asks for more', async () => {
    person.vault.set('adm', ['CORP\\adm', 'canary-vault-1']).set('web in', ['web', 'canary-vault-2']);
    const hash = (secret: string): string => createHash('sha256').update(secret, 'utf8').digest('hex').toUpperCase();
    const hashed =
      '[Convert]::ToHexString([Security.Cryptography.SHA256]::HashData([Text.Encoding]::UTF8.GetBytes($c.GetNetworkCredential().Password)))';
    expect(await run(`$c = $using:vault:Adm; $c.UserName; $c.GetType().Name; ${hashed}`)).toBe(
      `CORP\\adm\r\nPSCredential\r\n${hash('canary-vault-1')}\r\n`,
    );
    const both = 'function f([pscredential]$Credential) { $script:c = $Credential; $c.UserName }; ';
    expect(await run(`${both}f -Credential $using:vault:ADM; 1..2 | ForEach-Object { f \${using:vault:web in} }`)).toBe(
      'CORP\\adm\r\nweb\r\nweb\r\n',
    );
    expect(await run(hashed)).toBe(`${hash('canary-vault-2')}\r\n`);
    const pipelines = person.started.map(({ pipelineId }) => pipelineId);
    expect(person.lent.map(({ pipelineId }) => pipelineId)).toEqual(pipelines.slice(0, 2));
    // Without `$using:` of its own a line has nothing of it.
    expect(await run('f $using:c')).toContain('Using variable cannot be retrieved');
    expect(await run(`'$using:vault:none' # $using:vault:none`)).toBe('$using:vault:none\r\n');
    expect(await run('(Get-History -Count 9).CommandLine -match "using:vault:adm" | Measure-Object | % Count')).toBe(
      '2\r\n',
    );
    const { length } = person.started;
    for (const line of ['$using:vault:none', '$using:vault:adm.Password', '"a"; $using:vault:adm[0]']) {
      const { refusals } = person;
      const count = refusals.length;
      person.submit(line);
      await person.until(() => refusals.length > count);
    }
    expect(person.refusals).toEqual(['using_unknown', 'using_form', 'using_form']);
    expect(person.started).toHaveLength(length);
    expect(await run('"goes on"')).toBe('goes on\r\n');
    expect(person.text).not.toContain('canary-vault');
  });

  it('answers the raw user interface, or refuses in words', async () => {
    const key = { kind: 'key', virtualKeyCode: 65, character: 97, controlKeyState: 0 } as const;
    person.answers = [key, key];
    expect(await run('$k = $Host.UI.RawUI.ReadKey(); "$($k.Character)$($k.VirtualKeyCode) $($k.KeyDown)"')).toBe(
      'aa65 True\r\n',
    );
    expect(await run('$Host.UI.RawUI.ReadKey("NoEcho,IncludeKeyUp").KeyDown')).toBe('False\r\n');
    expect(await run('$r = $Host.UI.RawUI; "$($r.BufferSize) $($r.WindowSize) $($r.CursorPosition)"')).toBe(
      '80,24 80,24 0,0\r\n',
    );
    change();
    await run('$Host.UI.RawUI.WindowTitle = "deploy`e[31m"');
    expect(person.titles).toEqual(['deploy[31m']);
    const corner = '[System.Management.Automation.Host.Rectangle]::new(0,0,1,1)';
    expect(await run(`$Host.UI.RawUI.GetBufferContents(${corner})`)).toContain('not implemented');
    expect(await run('$Host.EnterNestedPrompt()')).toContain('not implemented');
    expect(await run('$Host.UI.RawUI.FlushInputBuffer(); $Host.UI.RawUI.CursorSize = 50; "on"')).toBe('on\r\n');
    await run(
      '$Host.UI.RawUI.SetBufferContents([System.Management.Automation.Host.Rectangle]::new(-1,-1,-1,-1), [System.Management.Automation.Host.BufferCell]::new(" ", 7, 0, 0))',
    );
    expect(person.clears).toBe(1);
    person.answers = [{ ...key, virtualKeyCode: 81, character: 113 }];
    expect(await run('1..60 | Out-Host -Paging; "end"')).toMatch(/Q quit\r\n/);
  });

  it('draws progress from one of its two sources and clears it', async () => {
    person.submit('Write-Progress A -Status S -PercentComplete 50; Write-Progress B -Id 2 -ParentId 0; Read-Host x');
    // It is drawn at most ten times a second: a slow target's first activity is seen without the second.
    await person.until(() => person.progressSeen.at(-1)?.length === 2 && person.questions.length === 1);
    expect(person.progressSeen.at(-1)).toMatchObject([
      { id: '0:0', parentId: null, activity: 'A', status: 'S', percent: 50 },
      { id: '0:2', parentId: '0:0', activity: 'B', percent: null },
    ]);
    const { lineId } = person;
    person.terminal?.stop();
    await person.until(() => person.lineId > lineId);
    expect(person.progressSeen.at(-1)).toEqual([]);
  });

  it('stops what runs, also while it asks, and refuses a second line', async () => {
    const first = person.lineId;
    person.submit('try { Write-Host begun; Start-Sleep 600 } finally { Write-Host tidied }');
    await person.until(() => person.text.includes('begun\r\n'));
    person.submit('1');
    expect(person.refusals).toEqual(['session_busy']);
    person.terminal?.stop();
    person.terminal?.stop();
    await person.until(() => person.lineId > first);
    expect(person.text).toMatch(/begun\r\n\^C\r\n(?:tidied\r\n)?$/);
    const second = person.lineId;
    person.submit('Read-Host name');
    await person.until(() => person.questions.length === 1);
    person.terminal?.stop();
    await person.until(() => person.lineId > second);
    const third = person.lineId;
    person.submit('while ($true) { }');
    await person.until(() => person.started.length === 3);
    person.terminal?.stop();
    await person.until(() => person.lineId > third);
    expect(person.ends.map(({ state }) => state)).toEqual(['stopped', 'stopped', 'stopped']);
    expect(await run('"alive"')).toBe('alive\r\n');
    const fourth = person.lineId;
    person.submit('stale');
    person.terminal?.submit(1, 'stale');
    expect(person.refusals).toEqual(['session_busy', 'session_busy']);
    await person.until(() => person.lineId > fourth);
  });

  it('stops a line in the moment that it starts', async () => {
    for (let i = 0; i < 4; i++) {
      const { lineId } = person;
      person.submit('while ($true) { }');
      await person.until(() => person.started.length === 2 * i + 1);
      person.terminal?.stop();
      await person.until(() => person.lineId > lineId);
      expect(person.promptText).toMatch(/PS \/.*> $/);
      expect(await run('"alive"')).toBe('alive\r\n');
    }
  });

  it('says after 5 s that it is still stopping', async () => {
    const clock = new FakeClock();
    const slow = await open({ clock });
    const { lineId } = slow;
    slow.submit('try { Write-Host begun; Start-Sleep 600 } finally { while (!(Test-Path "$HOME/go")) { } }');
    await slow.until(() => slow.text.includes('begun\r\n'));
    slow.terminal?.stop();
    clock.advance(5000);
    expect(slow.notices).toEqual([expect.stringMatching(/^stopping: /)]);
    clock.advance(60_000);
    expect(slow.notices).toHaveLength(2);
    expect(slow.lineId).toBe(lineId);
    await run('$null = New-Item "$HOME/go"');
    await slow.until(() => slow.lineId > lineId);
    await run('Remove-Item "$HOME/go"');
    expect(slow.ends[0]?.state).toBe('stopped');
    await slow.terminal?.close('closed_by_user', 5000);
  });

  it('gives an incomplete line back, clears, completes and follows the width', async () => {
    for (const [i, line] of ['if ($true) {', '"abc', '1 +', "@'", 'foreach ($x in'].entries()) {
      expect(await run(line)).toBe('');
      await person.until(() => person.incompletes.length > i);
      expect(person.incompletes.at(-1)).toBe(line);
    }
    expect(await run('if ($true) {\n"in"\n}')).toContain('in\r\n');
    await run('cls');
    expect(person.clears).toBe(1);
    const { signal } = new AbortController();
    const completion = await person.terminal?.complete('Get-ChildIt', 11, signal);
    expect(completion).toMatchObject({ index: 0, length: 11 });
    expect(completion?.matches[0]).toMatchObject({ text: 'Get-ChildItem', kind: 'Command' });
    await run('$null = New-Item -Force -ItemType Directory "$HOME/a dir"');
    const file = await person.terminal?.complete('cd ~/a', 6, signal);
    expect(file?.matches.map(({ text }) => text).join()).toMatch(/^'.*a dir'$/);
    change();
    person.terminal?.resize(150, 40);
    expect(await run('$Host.UI.RawUI.BufferSize.Width')).toBe('150\r\n');
    expect(await run('[pscustomobject]@{ a = "x" * 120; b = 1 } | Format-Table')).toContain('x'.repeat(120));
    const history = await run('(Get-History).CommandLine');
    expect(history).toContain('$Host.UI.RawUI.BufferSize.Width\r\n');
    expect(history).not.toMatch(/TabExpansion2|^prompt/m);
  });

  it('shows what a prompt function writes, and a plain prompt when it fails', async () => {
    change();
    await run('function prompt { Write-Host "first" -NoNewline; "P-$(1 + 1)> " }');
    expect(person.promptText).toBe('[web01]: P-2> ');
    expect(person.text).toMatch(/first\r\n$/);
    await run('function prompt { throw "no" }');
    expect(person.promptText).toBe('[web01]: PS>');
    await run('function prompt { }');
    expect(person.promptText).toBe('[web01]: PS>');
    expect(await run('function prompt { "back> " }; "ok"')).toBe('ok\r\n');
    expect(person.promptText).toBe('[web01]: back> ');
  });

  it('does not wait for ever for a prompt', async () => {
    const clock = new FakeClock();
    const slow = await open({ clock });
    slow.submit('function prompt { Write-Host asked; Start-Sleep 600 }');
    await slow.until(() => slow.text.includes('asked\r\n'));
    clock.advance(5000);
    await slow.until(() => slow.lineId === 2);
    expect(slow.promptText).toBe('[web01]: PS>');
    expect(await slow.run('function prompt { "back> " }; "ok"')).toBe('ok\r\n');
    expect(slow.promptText).toBe('[web01]: back> ');
    await slow.terminal?.close('closed_by_user', 5000);
  });

  it('shows 5 MB whole and in order, paused in between', async () => {
    const { lineId } = person;
    person.submit('$line = "0123456789" * 100; 1..5000 | ForEach-Object { "$_ $line" }');
    await person.until(() => person.bytes > 500_000);
    person.terminal?.pause();
    person.terminal?.resume();
    await person.until(() => person.lineId > lineId);
    const found = person.text.replaceAll('\r\n', '').split('0123456789'.repeat(100));
    expect(found.slice(1, -1)).toEqual(Array.from({ length: 4999 }, (_, i) => `${String(i + 2)} `));
    expect(person.ends[0]?.outputBytes).toBeGreaterThan(5_000_000);
  });

  it.each([
    ['exit', 0],
    ['exit 3', 3],
    ['Exit-PSSession', 0],
    ['"bye"; exit 4; "never"', 4],
  ])('ends with %s', async (line, exitCode) => {
    person.submit(line);
    await person.until(() => person.end !== null);
    expect(person.end).toEqual({ reason: 'exited', exitCode, detail: '' });
    expect(person.ends[0]?.state).toBe('completed');
    expect(person.text).not.toContain('never\r\n');
  });

  it('closes cleanly while a command runs', async () => {
    person.submit('Write-Host begun; Start-Sleep 600');
    await person.until(() => person.text.includes('begun\r\n'));
    // As long as it takes: who is cut off at a deadline is not known to be stopped.
    await person.terminal?.close('terminated', 60_000);
    expect(person.end).toEqual({ reason: 'terminated', exitCode: null, detail: '' });
    expect(person.ends[0]?.state).toBe('stopped');
  });

  it('ends when PowerShell is gone behind a link that lives', async () => {
    person.submit('Stop-Process -Id $PID -Force');
    await person.until(() => person.end !== null);
    expect(person.end?.reason).toBe('target_shell_gone');
    expect(person.ends.map(({ state }) => state)).toEqual(['lost']);
  });

  it('ends when the link breaks: left with what runs where that was promised, lost elsewhere', async () => {
    const clock = new FakeClock();
    const link = await startLink(way === 'SSH' ? lab.port : winrm.port);
    const far = await open({ link, clock });
    far.submit('Write-Host begun; Start-Sleep 600');
    await far.until(() => far.text.includes('begun\r\n'));
    const promised = far.left?.pipelineId;
    await link.cut();
    // As long as it is tried again.
    while (far.end === null) {
      clock.advance(16_000);
      await new Promise(setImmediate);
    }
    const isKept = promised !== undefined && promised === far.started[0]?.pipelineId;
    expect([far.end.reason, ...far.ends.map(({ state }) => state)]).toEqual(
      isKept ? ['session_left'] : ['target_lost', 'lost'],
    );
    expect(far.text).toMatch(/begun\r\n$/);
  });
});

describe('a subsystem that does not open', () => {
  it.each([
    ['missing', '/no/such/pwsh -sshs', { code: 'powershell_missing' }],
    ['silent', '/bin/false', { code: 'powershell_missing' }],
    ['talks', '/bin/echo no such thing', { code: 'powershell_open_failed', peerText: 'no such thing' }],
  ])('%s', async (name, command, expected) => {
    const other = await startSshd({ subsystem: null, subsystems: { [name]: command } });
    try {
      await expect(openLabConsole(other, name)).rejects.toMatchObject(expected);
      await expect(openLabConsole(other, 'powershell')).rejects.toMatchObject({ code: 'subsystem_refused' });
    } finally {
      await other.stop();
    }
  });
});
