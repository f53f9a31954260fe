/** `sallyport invoke` from the command line through the real program to a real PowerShell. */
import type { AuditPage, LedgerPage } from '@sallyport/shared/api/audit';
import type { SessionRow } from '@sallyport/shared/api/sessions';
import type { Target } from '@sallyport/shared/api/targets';
import type { CreatedApiToken } from '@sallyport/shared/api/users';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ConsolePage, openBody } from '../lab/console-page.ts';
import { type LabGateway, type Person, PROGRAM, startGateway } from '../lab/gateway.ts';
import { acceptHostKey, addLabTarget, recordedOutput } from '../lab/journeys.ts';
import { buildStandIn } from '../lab/powershell.ts';
import { type LabSshd, findPwsh, startSshd } from '../lab/sshd.ts';

let gateway: LabGateway;
let sshd: LabSshd;
let ann: Person;
let target: Target;
let token: string;

beforeAll(async () => {
  [gateway, sshd] = await Promise.all([startGateway(), startSshd()]);
  ann = await gateway.setUp();
  target = await addLabTarget(ann, sshd);
  const body = { label: 'cli', scopes: ['target.list', 'session.open', 'credential.use'], days: 1 };
  token = (await ann.post<CreatedApiToken>('/api/tokens', body)).token;
});
afterAll(async () => {
  await gateway.stop();
  await sshd.stop();
});

/** The command, as somebody types it. */
function invokeAt(name: string, ...args: string[]) {
  const child = spawn(process.execPath, [PROGRAM, 'invoke', name, ...args], {
    env: { PATH: process.env['PATH'], SALLYPORT_URL: gateway.url, SALLYPORT_TOKEN: token, HOME: '/nonexistent' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const seen = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (seen.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (seen.err += text));
  const result = once(child, 'close').then(([code]) => ({ code: code as number | null, ...seen }));
  return { child, result };
}
const invoke = (...args: string[]) => invokeAt('lab', ...args);
const newest = async (): Promise<SessionRow | undefined> =>
  (await ann.get<{ sessions: SessionRow[] }>('/api/sessions?limit=1')).sessions[0];

describe('sallyport invoke', () => {
  // A build, an sshd and five programs, one after the other: long on a busy machine.
  it('runs a line at the stand-in, streams apart, with its exit code', { timeout: 180_000 }, async () => {
    const standIn = await buildStandIn();
    const other = await startSshd({ subsystem: standIn.command });
    try {
      const made = await addLabTarget(ann, other, 'standin');
      const page = await ConsolePage.open(ann, openBody(made.id, 'powershell'));
      await acceptHostKey(page);
      await page.untilMessage('prompt');
      page.submit('exit');
      await page.untilMessage('ended');
      expect(await invokeAt('standin', '--script', '1+1').result).toEqual({ code: 0, out: '2\n', err: '' });
      const failed = await invokeAt('standin', '--script', 'Get-Item /no').result;
      expect(failed).toMatchObject({
        code: 1,
        out: '',
        err: expect.stringMatching(/^Get-Item: Cannot find/) as string,
      });
      expect((await invokeAt('standin', '--script', 'exit 4').result).code).toBe(4);
      const asked = await invokeAt('standin', '--script', 'Read-Host name').result;
      expect(asked).toMatchObject({ code: 1, err: expect.stringContaining('not interactive') as string });
    } finally {
      await other.stop();
      standIn.remove();
    }
  });

  it('refuses a host key that nobody accepted', async () => {
    const { code, out, err } = await invoke('--script', '1').result;
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain('(host_key_unknown)');
  });
});

describe('sallyport invoke at PowerShell', () => {
  beforeAll(async () => {
    if (findPwsh() === null) return;
    const page = await ConsolePage.open(ann, openBody(target.id, 'powershell'));
    await acceptHostKey(page);
    await page.untilMessage('prompt');
    page.submit('exit');
    await page.untilMessage('ended');
  });
  beforeEach((context) => {
    if (findPwsh() === null) context.skip('no pwsh');
  });

  it('prints text as the console does, other streams on standard error', async () => {
    const script =
      '1+1; [pscustomobject]@{ Name = "x" * 90; Size = 1 } | Format-Table; Write-Host h; Write-Warning w; Get-Item /no; Write-Verbose v -Verbose; Write-Host -NoNewline end';
    const { code, out, err } = await invoke('--script', script).result;
    expect(out).toMatch(/^2\n\nName +Size\n-+ +----\nx{90} +1\n\nh\nend$/);
    expect(err).toMatch(/^WARNING: w\nGet-Item: Cannot find path '\/no' because it does not exist.\nVERBOSE: v\n$/);
    expect(code).toBe(1);
    const session = await newest();
    expect(session).toMatchObject({ phase: 'ended', endReason: 'exited', exitCode: 1, hasRecording: true });
    const recorded = (await recordedOutput(ann, session?.id ?? '')).toString();
    expect(recorded).toContain(`[lab]: PS> \x1b[0m${script}\r\n2\r\n`);
    expect(recorded).toContain('\x1b[33mWARNING: w\x1b[0m\r\n\x1b[31mGet-Item: Cannot find path');
    const ledger = await ann.get<LedgerPage>(`/api/ledger?session=${session?.id ?? ''}`);
    expect(ledger.rows.map(({ text, state, errorCount }) => [text, state, errorCount])).toEqual([
      [script, 'completed', 1],
    ]);
    const { events } = await ann.get<AuditPage>('/api/audit?limit=50');
    const own = events.filter(({ subject }) => subject === `session:${session?.id ?? ''}`);
    expect(own.map(({ type }) => type)).toEqual(expect.arrayContaining(['session.open', 'session.end']));
    expect(own.map(({ type }) => type)).not.toContain('session.terminate');
  });

  it('prints one JSON object per line, with properties', async () => {
    const script = `Get-Item / | Select-Object Name, Exists, CreationTimeUtc; 1.5; 'text'; @{ a = 1; b = @(1, $null) }; [DayOfWeek]::Monday; ,@(1, 2); [pscustomobject]@{ s = ConvertTo-SecureString canary -AsPlainText -Force; __proto__ = 1 }; Write-Host told; Write-Error bad; Write-Warning w`;
    const { code, out, err } = await invoke('--output', 'json', '--script', script).result;
    const values = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(values[0]).toMatchObject({ Name: '/', Exists: true });
    expect((values[0] as { CreationTimeUtc: string }).CreationTimeUtc).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
    expect(values.slice(1, 6)).toEqual([1.5, 'text', { a: 1, b: [1, null] }, 'Monday', [1, 2]]);
    expect(out).toContain('{"s":"[secret]","__proto__":1}\n');
    expect(values).toHaveLength(7);
    expect(err).toBe('told\nWrite-Error: bad\nWARNING: w\n');
    expect(code).toBe(1);
    const recorded = (await recordedOutput(ann, (await newest())?.id ?? '')).toString();
    expect(recorded).toContain('{"s":"[secret]","__proto__":1}\r\n');
  });

  it.each([
    ['text', '"fine"', 0],
    ['text', 'Write-Error e; exit 7', 7],
    ['text', 'throw "no"', 1],
    ['json', '}', 1],
    ['json', 'exit 0', 0],
  ])('as %s the exit code of %s is %i', async (output, script, expected) => {
    expect(await invoke('--output', output, '--script', script).result).toMatchObject({ code: expected });
  });

  it('answers nothing that asks, in words', async () => {
    const script = 'try { Read-Host name } catch { "caught: $_" }; try { Get-Credential } catch { "caught" }';
    const { code, out } = await invoke('--script', script).result;
    expect(out).toMatch(/^caught: .*not interactive.*\ncaught\n$/);
    expect(code).toBe(0);
  });

  it('carries 5 MB without losing a line', async () => {
    const script = '$x = "y" * 990; foreach ($i in 1..5000) { "$i $x" }';
    const { code, out } = await invoke('--script', script).result;
    const lines = out.split('\n');
    expect(lines).toHaveLength(5001);
    expect(lines.slice(0, -1).every((line, i) => line === `${String(i + 1)} ${'y'.repeat(990)}`)).toBe(true);
    expect(code).toBe(0);
  });

  it('stops a script that runs too long', async () => {
    const { code, out, err } = await invoke('--timeout', '3', '--script', '"begun"; Start-Sleep 600').result;
    expect(code).toBe(1);
    expect(err).toContain('(target_timeout)');
    const session = await newest();
    expect(session).toMatchObject({ endReason: 'target_timeout' });
    // A target that is slow has not begun by then; what it has said is told in any case.
    const recorded = (await recordedOutput(ann, session?.id ?? '')).toString();
    expect(out).toBe(recorded.includes('\nbegun\r\n') ? 'begun\n' : '');
  });

  it('ends the script when the client goes away', async () => {
    const run = invoke('--script', '"begun"; Start-Sleep 600');
    await once(run.child.stdout, 'data');
    const id = (await newest())?.id ?? '';
    run.child.kill('SIGKILL');
    await run.result;
    // Not more often than the gateway answers in a minute, however long the target takes.
    const row = () => ann.get<SessionRow>(`/api/sessions/${id}`);
    await expect.poll(async () => (await row()).phase, { interval: 50 }).toBe('ended');
    expect(await row()).toMatchObject({ endReason: 'closed_by_user' });
    const ledger = await ann.get<LedgerPage>(`/api/ledger?session=${id}`);
    // A target that says no good-bye within the gateway's 2 s is cut off, and what ran there counts as lost.
    expect(ledger.rows.map(({ state }) => state)).toEqual([expect.stringMatching(/^(?:stopped|lost)$/)]);
  });
});
