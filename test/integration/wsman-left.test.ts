/** Sessions over WinRM that are left on their target and picked up. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Answer, LeftTerminal } from '../../server/src/terminals/contract.ts';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../contracts/fake-clock.ts';
import { LabConsole } from '../lab/console.ts';
import { connectWsMan, LAB_USER, type LabConnect } from '../lab/wsman/console.ts';
import type { LabWsMan } from '../lab/wsman/server.ts';
import { standInForEachTest } from '../lab/wsman/stand-in.ts';

let lab: LabWsMan;
const { restart, open, openCode, abandon } = standInForEachTest((started) => (lab = started));

describe('a session that is left', () => {
  const numbers = (...texts: readonly string[]): number[] =>
    texts
      .join('')
      .split('\r\n')
      .flatMap((line) => (/^[0-9]+$/.test(line) ? [Number(line)] : []));
  const all = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
  /** Goes on with another console; the pool is joined when it resolves. */
  const goOn = (rejoin: LeftTerminal): Promise<LabConsole> => open({ rejoin });
  const shell = () => [...lab.shells.values()][0];
  /** A line that runs at the target; what is found out by the way is over. */
  const running = async (
    line: string,
    options: LabConnect = {},
  ): Promise<{ console: LabConsole; pipelineId: string }> => {
    const console = await open(options);
    await console.run('1+1');
    console.submit(line);
    await console.until(() => console.started.length === 2);
    const pipelineId = console.started[1]?.pipelineId ?? '';
    await lab.until(() => shell()?.has(pipelineId) === true && lab.busy === 0);
    return { console, pipelineId };
  };
  const namesSince = (from: number): string[] => lab.names().slice(from);

  it('in the middle of its output goes on with every line once, and is a session like any other', async () => {
    const first = await open();
    await first.run('1+1');
    // It stands in its middle until it is left, however quick the machine is.
    const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-left-'));
    const go = path.join(directory, 'go');
    first.submit(`1..2000; while (!(Test-Path ${go})) { }; 2001..4000`);
    await first.until(() => first.text.includes('\r\n2000\r\n'));
    const left = await first.terminal?.leave(3_600_000);
    if (left === undefined) throw new Error('not left');
    expect(first.end?.reason).toBe('session_left');
    expect(first.ends).toHaveLength(1);
    expect(first.text).not.toContain('\r\n2001\r\n');
    expect(left).toMatchObject({ pipelineId: first.started[1]?.pipelineId, remote: first.remoteText, calls: [] });
    // It is all in there: what goes to disk and comes back is the same.
    expect(JSON.parse(JSON.stringify(left))).toEqual(left);
    expect(shell()?.state).toBe('Disconnected');
    await lab.untilQuiet();
    writeFileSync(go, '');
    const from = lab.requests.length;
    const second = await goOn(left);
    await second.until(() => second.lineId === 1);
    rmSync(directory, { recursive: true });
    expect(numbers(first.text.slice(first.text.indexOf('1..2000')), second.text)).toEqual(all(4000));
    expect(second.continued).toEqual([left.pipelineId]);
    expect(second.ends).toMatchObject([{ state: 'completed' }]);
    expect(second.remoteText).toBe(first.remoteText);
    expect(
      namesSince(from)
        .filter((name) => name !== 'Receive')
        .slice(0, 4),
    ).toEqual([...['Get', 'Enumerate', 'Connect', 'Connect']]);
    expect(await second.run('1+1')).toBe('2\r\n');
    await second.terminal?.close('closed_by_user', 5000);
    expect(lab.shells.size).toBe(0);
  });

  it('at its prompt is asked for it anew; what else ran there is closed', async () => {
    const first = await open();
    await first.run('1+1');
    const left = await first.terminal?.leave(null);
    if (left === undefined) throw new Error('not left');
    expect(left.pipelineId).toBeNull();
    const before = [...(shell()?.commands.keys() ?? [])];
    const second = await goOn(left);
    await second.until(() => second.lineId === 1);
    expect(second.promptText).toBe(first.promptText);
    expect(second.continued).toEqual([]);
    expect(await second.run('1+1')).toBe('2\r\n');
    await lab.until(() => before.every((id) => shell()?.has(id) === false));
  });

  it.each<[string, Answer, string]>([
    ['Read-Host name', { kind: 'fields', values: ['ann'] }, 'ann\r\n'],
    ['(Read-Host -AsSecureString word).Length', { kind: 'fields', values: ['secret'] }, '6\r\n'],
    ['Get-Credential', { kind: 'credential', user: 'bob', password: 'canary-99' }, 'bob 9\r\n'],
    ['Remove-Item x -Confirm', { kind: 'choice', indexes: [1] }, 'choice 1\r\n'],
    ['$Host.UI.RawUI.ReadKey()', { kind: 'key', virtualKeyCode: 65, character: 97, controlKeyState: 0 }, 'key 65\r\n'],
  ])('with an open question (%s) asks it again, and takes the answer once', async (line, answer, shown) => {
    const first = await open();
    first.submit(line);
    await first.until(() => first.questions.length === 1 && (first.left?.calls.length ?? 0) === 1);
    const left = await first.terminal?.leave(null);
    if (left === undefined) throw new Error('not left');
    const second = new LabConsole();
    second.answers = [answer];
    await open({ rejoin: left, console: second });
    await second.until(() => second.lineId === 1);
    expect(second.questions).toEqual(first.questions);
    expect(second.text).toContain(shown);
    expect(second.left?.calls).toEqual([]);
  });

  it('under a bar of progress is taken up without it; the bar is not there for ever', async () => {
    const first = await open();
    first.submit('Write-Progress Copying');
    await first.until(() => first.progressSeen.at(-1)?.length === 1 && typeof first.left?.pipelineId === 'string');
    const left = await first.terminal?.leave(null);
    if (left === undefined) throw new Error('not left');
    const second = await goOn(left);
    await second.until(() => second.continued.length === 1);
    expect(second.continued).toEqual([left.pipelineId]);
    second.terminal?.stop();
    await second.until(() => second.lineId === 1);
    expect(second.ends).toMatchObject([{ state: 'stopped' }]);
    expect(second.progressSeen.at(-1) ?? []).toEqual([]);
  });

  it('by a client that was killed is taken from it: the target has not noticed yet', async () => {
    const { console: first } = await running('Start-Sleep 100');
    const { left } = first;
    if (left === null || left === undefined) throw new Error('cannot be left');
    lab.refusals.set('Disconnect', 2150859213);
    const from = lab.requests.length;
    const second = await goOn(left);
    await second.until(() => second.continued.length === 1);
    const taken = namesSince(from).filter((name) => name === 'Disconnect' || name === 'Connect');
    expect(taken.slice(0, 4)).toEqual(['Disconnect', 'Connect', 'Disconnect', 'Connect']);
    second.terminal?.stop();
    await second.until(() => second.lineId === 1);
    expect(second.ends).toMatchObject([{ state: 'stopped' }]);
    abandon(first);
  });

  it('whose line had ended when its client was killed says that no end of it is known', async () => {
    const first = await open();
    // What has ended is not freed: it is there still when somebody comes back.
    const waits = new Promise<void>((resolve) => {
      lab.intercept = (_request, _response, body) => {
        const isSignal = Buffer.from(body).includes('/Signal');
        if (isSignal) resolve();
        return isSignal;
      };
    });
    expect(await first.run('1+1')).toBe('2\r\n');
    await waits;
    lab.intercept = () => false;
    const pipelineId = [...(shell()?.commands.keys() ?? [])].at(-2) ?? '';
    const { left } = first;
    if (left === null || left === undefined) throw new Error('cannot be left');
    const second = await goOn({ ...left, pipelineId });
    await second.until(() => second.lineId === 1);
    expect(second.continued).toEqual([pipelineId]);
    expect(second.ends).toMatchObject([{ state: 'lost' }]);
    expect(second.text).toContain('How this line ended is not known');
    expect(await second.run('1+1')).toBe('2\r\n');
    abandon(first);
  });

  it('is not taken from somebody who is there, and is found by who looks for it', async () => {
    const { console: first, pipelineId } = await running('Start-Sleep 100');
    const connection = await connectWsMan(lab);
    const [listed, ...none] = await connection.listShells();
    expect(none).toEqual([]);
    const commandId = pipelineId.toUpperCase();
    expect(listed).toMatchObject({
      ...{ owner: LAB_USER.user, state: 'Connected', configurationName: 'Microsoft.PowerShell' },
      commands: expect.arrayContaining([{ commandId, label: '', state: 'Running' }]) as unknown,
    });
    const found = { shellId: listed?.shellId ?? '', poolId: listed?.poolId ?? '', holder: null };
    const rejoin = { ...found, pipelineId: null, remote: '', calls: [] };
    expect(await openCode({ rejoin })).toBe('target_shell_in_use');
    expect(await first.terminal?.leave(null)).toMatchObject({ shellId: found.shellId });
    expect(await connection.listShells()).toMatchObject([{ state: 'Disconnected' }]);
    await connection.close();
    const second = await goOn(rejoin);
    await second.until(() => second.continued.length === 1);
    second.terminal?.stop();
    await second.until(() => second.lineId === 1);
    expect(second.remoteText).toBe(first.remoteText);
  });

  it('is gone when the target ended it, and its line is lost when only that is gone', async () => {
    const { console: first } = await running('Start-Sleep 100');
    const left = await first.terminal?.leave(null);
    if (left === undefined) throw new Error('not left');
    const pipelineId = '99999999-0000-0000-0000-000000000001';
    const second = await goOn({ ...left, pipelineId });
    await second.until(() => second.lineId === 1);
    expect([second.continued, second.ends]).toEqual([[pipelineId], [{ state: 'lost', errorCount: 0, outputBytes: 0 }]]);
    expect(second.text).toContain('whether it ran to its end, or at all, is not known');
    await second.terminal?.leave(null);
    shell()?.kill();
    await lab.until(() => lab.shells.size === 0);
    expect(await openCode({ rejoin: left })).toBe('target_shell_gone');
  });

  it('cannot be where the server keeps no shell; the session goes on', async () => {
    await restart({ isOld: true });
    const person = await open();
    expect(person.left).toBeUndefined();
    await expect(person.terminal?.leave(null)).rejects.toMatchObject({ code: 'session_not_leavable' });
    expect(await person.run('1+1')).toBe('2\r\n');
  });

  it('goes on when the target refuses it, with what was typed before', async () => {
    const person = await open();
    lab.refusals.set('Disconnect', 2150858868);
    await expect(person.terminal?.leave(null)).rejects.toMatchObject({ code: 'wsman_fault' });
    expect(await person.run('1+1')).toBe('2\r\n');
  });

  it('is asked for nothing more while what came is not written down; what is sent there goes on', async () => {
    // No poll ends by itself in this time: that would have the target asked anew.
    const person = await open({ settings: { operationTimeoutMs: 600_000 } });
    await person.run('1+1');
    // Only the poll of the shell is under way.
    await expect.poll(() => [lab.polls, lab.busy], { timeout: 30_000 }).toEqual([1, 0]);
    const from = lab.requests.length;
    person.terminal?.hold?.(true);
    person.submit("'held'");
    await person.until(() => person.started.length === 2);
    const pipelineId = person.started[1]?.pipelineId ?? '';
    await lab.until(() => shell()?.has(pipelineId) === true && lab.busy === 0);
    // Somebody else connects and signs in meanwhile: time for a poll that should not come, to come.
    const other = await connectWsMan(lab);
    for (let i = 0; i < 2; i++) expect(await other.listShells()).toHaveLength(1);
    await other.close();
    expect(namesSince(from)).toEqual(expect.arrayContaining(['Command', 'Enumerate']));
    expect(namesSince(from)).not.toContain('Receive');
    expect(person.ends).toHaveLength(1);
    person.terminal?.hold?.(false);
    await person.until(() => person.ends.length === 2);
    expect(person.text).toContain('held\r\n');
  });

  it('by the network is made again for four minutes, then left and not lost', async () => {
    const clock = new FakeClock();
    const { console: person } = await running('Start-Sleep 100', { clock });
    const { left } = person;
    lab.intercept = (request) => Boolean(request.socket.destroy());
    lab.cutAll();
    while (person.end === null) {
      clock.advance(16_000);
      await new Promise(setImmediate);
    }
    expect(person.end.reason).toBe('session_left');
    expect(person.notices).toEqual(['retrying']);
    expect(person.ends).toHaveLength(1);
    lab.intercept = () => false;
    if (left === null || left === undefined) throw new Error('cannot be left');
    const second = await goOn(left);
    await second.until(() => second.continued.length === 1);
    second.terminal?.stop();
    await second.until(() => second.lineId === 1);
  });
});
