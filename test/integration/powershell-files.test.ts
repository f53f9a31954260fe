/** Files of a target that has PowerShell and no SFTP, with real PowerShells behind a real sshd. */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { list, primitiveDictionary, type PsValue } from '@sallyport/psrp';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../contracts/fake-clock.ts';
import { type Clock, systemClock } from '../../server/src/clock.ts';
import { poolOverBytes } from '../../server/src/terminals/powershell/byte-pool.ts';
import { WinRmFiles } from '../../server/src/app/files-ways.ts';
import { openPowerShellFiles } from '../../server/src/terminals/powershell/files.ts';
import type { Connection, RemoteFiles } from '../../server/src/transports/contract.ts';
import { remoteFilesContract } from '../contracts/remote-files.ts';
import { realPowerShells, standInChannel } from '../lab/powershell.ts';
import { codeOfRejection, connectLab } from '../lab/ssh-target.ts';
import { isRoot, startSshd, type LabSshd } from '../lab/sshd.ts';
import { connectWsMan, startLabWsMan } from '../lab/wsman/console.ts';
import type { LabWsMan } from '../lab/wsman/server.ts';
import type { WsManConnection } from '../../server/src/transports/wsman/contract.ts';

/** One row so that a machine without pwsh reports its tests as skipped, with the reason. */
const shells = realPowerShells();
const rows = shells.length > 0 ? shells : [{ version: 'none', subsystem: '', program: '' }];

let lab: LabSshd;
beforeAll(async () => {
  const subsystems = Object.fromEntries(shells.map((each) => [each.subsystem, `${each.program} -sshs -NoLogo`]));
  lab = await startSshd({ subsystem: null, subsystems });
});
afterAll(() => lab.stop());
const openAt = (connection: Connection, subsystem: string): Promise<RemoteFiles> =>
  openPowerShellFiles({
    openPool: poolOverBytes((events) => connection.openSubsystem(subsystem, events)),
    clock: systemClock,
  });

/** What is written goes in pieces of 256 KiB, what is read in pieces of 1 MiB. */
const SIZES = [0, 1, 256 * 1024, 256 * 1024 + 1, 1024 * 1024, 1024 * 1024 + 1];

describe.each(rows)('PowerShell $version', ({ subsystem }) => {
  let connection: Connection;
  let files: RemoteFiles;
  beforeAll(async () => {
    if (subsystem === '') return;
    connection = await connectLab(lab);
    files = await openAt(connection, subsystem);
  });
  beforeEach((context) => {
    if (subsystem === '') context.skip('no pwsh');
  });
  afterAll(async () => {
    if (subsystem !== '') await connection.close();
  });
  // The whole with the newest one; an older one shows that it runs the same script.
  if (subsystem === rows[0]?.subsystem) remoteFilesContract('PowerShell', () => ({ files, user: lab.user }), SIZES);

  it('gives what is there', async () => {
    expect(await files.look('/etc/passwd')).toMatchObject({ kind: 'file' });
    const file = await files.open('/etc/passwd', 'read');
    const pieces: Uint8Array[] = [];
    for await (const piece of file.read(2)) pieces.push(piece);
    expect(Buffer.concat(pieces).equals(readFileSync('/etc/passwd').subarray(2))).toBe(true);
    expect((await files.list('/etc', 5)).entries).toHaveLength(5);
  });

  it('has no SFTP beside it, and says how it came', async () => {
    expect(await codeOfRejection(connection.openFiles())).toBe('sftp_refused');
    expect(files.over).toBe('powershell');
  });

  it('ends for everybody who waits when its connection does, and closes in peace otherwise', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-cut-'));
    chmodSync(directory, 0o755);
    const other = await connectLab(lab);
    const [cut, calm] = await Promise.all([openAt(other, subsystem), openAt(connection, subsystem)]);
    await calm.close();
    expect(calm.isOver).toBe(true);
    expect(await codeOfRejection(calm.look('/'))).toBe('target_lost');
    writeFileSync(path.join(directory, 'large'), randomBytes(8 * 1024 * 1024), { mode: 0o644 });
    const reading = (await cut.open(path.join(directory, 'large'), 'read')).read(0);
    await reading.next();
    await other.close();
    const rest = (async () => {
      for await (const piece of reading) expect(piece.length).toBeGreaterThan(0);
    })();
    expect(await codeOfRejection(rest)).toBe('target_lost');
    expect(cut.isOver).toBe(true);
    rmSync(directory, { recursive: true });
  });
});

describe('PowerShell over WinRM', () => {
  let winrm: LabWsMan;
  let connection: WsManConnection;
  let ways: WinRmFiles;
  let files: RemoteFiles;
  beforeAll(async () => {
    const { program = '' } = shells[0] ?? {};
    if (program === '') return;
    const shell = [program, '-s', '-NoLogo'];
    const asUser = ['setpriv', '--reuid', lab.user, '--regid', lab.user, '--init-groups', 'env', `HOME=/home/${lab.user}`]; // prettier-ignore
    const [first, ...rest] = [...(isRoot ? asUser : []), ...shell];
    winrm = await startLabWsMan({ command: [first ?? '', ...rest] });
    connection = await connectWsMan(winrm);
    const told = { shellCreated: () => undefined, retrying: () => undefined };
    ways = new WinRmFiles(connection.openPool(told), systemClock);
    files = await ways.openFiles();
  });
  beforeEach((context) => {
    if (shells.length === 0) context.skip('no pwsh');
  });
  afterAll(async () => {
    if (shells.length === 0) return;
    await connection.close();
    await winrm.stop();
  });

  remoteFilesContract('WinRM', () => ({ files, user: lab.user }), [0, 1, 256 * 1024 + 1]);

  it('leaves no shell at the target when the session ends, also one that was about to be opened', async () => {
    expect(winrm.shells.size).toBe(1);
    const late = codeOfRejection(ways.openFiles().then((opened) => opened.look('/')));
    await ways.close();
    await ways.closed;
    expect(await late).toBe('target_lost');
    expect(files.isOver).toBe(true);
    await expect.poll(() => winrm.shells.size, { timeout: 20_000 }).toBe(0);
    expect(await codeOfRejection(ways.openFiles())).toBe('target_lost');
  });
});

describe('a target that plays its part', () => {
  type Asked = readonly [command: string, ...values: PsValue[]];
  /** Gives to each request what `answer` says; null: never ends. */
  async function openStandIn(
    facts: Readonly<Record<string, string>>,
    answer: (asked: Asked) => readonly PsValue[] | null,
    clock: Clock = systemClock,
  ): Promise<{ files: RemoteFiles; asked: Asked[] }> {
    const asked: Asked[] = [];
    const files = await openPowerShellFiles({
      clock,
      openPool: poolOverBytes((events) =>
        Promise.resolve(
          standInChannel(events, (standIn) => {
            standIn.onCommand = (run, { command, parameters = [], isScript }) => {
              const request: Asked = [command.replace('SallyportFile', ''), ...parameters.map(({ value }) => value)];
              if (isScript !== true) asked.push(request);
              const given = isScript === true ? [primitiveDictionary(Object.entries(facts))] : answer(request);
              for (const value of given ?? []) run.pool.sendOutput(run.id, value);
              if (given !== null) run.end('Completed');
              return true;
            };
          }),
        ),
      ),
    });
    return { files, asked };
  }
  const WINDOWS = { home: 'C:\\Users\\ann', separator: '\\' };
  const UNIX = { home: '/home/ann', separator: '/' };
  const cells = (...values: PsValue[]): PsValue => list(values);
  const fault = (name: string): PsValue => primitiveDictionary([['fault', name], ['text', `words of ${name}`]]); // prettier-ignore

  it('as Windows: gets its own paths, and what it gives is shown in one form', async () => {
    const full = new Map<PsValue | undefined, string>([
      ['', 'C:\\Users\\ann'],
      ['C:\\', 'C:\\'],
      ['D:\\x\\..\\y', 'D:\\y'],
      ['\\\\files\\team', '\\\\files\\team'],
      ['CON', '\\\\.\\CON'],
    ]);
    const { files, asked } = await openStandIn(WINDOWS, ([command, path]) => {
      if (command === 'Full') return [full.get(path) ?? ''];
      if (command === 'List') return [cells('C:', 'directory', 0n, 0n, 'D:', 'directory', 0n, 0n), primitiveDictionary([['isCut', false]])]; // prettier-ignore
      return command === 'Look' || command === 'Open' ? [cells('file', 7n, 1_700_000_000n)] : [];
    });
    expect(await files.resolve('')).toBe('/C:/Users/ann');
    expect(await files.resolve('/C:/')).toBe('/C:');
    expect(await files.resolve('D:\\x\\..\\y')).toBe('/D:/y');
    expect(await files.resolve('//files/team')).toBe('//files/team');
    expect(await files.resolve('/')).toBe('/');
    expect(await codeOfRejection(files.resolve('CON'))).toBe('bad_name');
    expect((await files.list('/', 10)).entries.map(({ name }) => name)).toEqual(['C:', 'D:']);
    asked.length = 0;
    expect(await files.look('//files/team/a b.txt')).toEqual({ name: 'a b.txt', kind: 'file', size: 7, modifiedAt: 1_700_000_000_000 }); // prettier-ignore
    await files.rename('/C:/t/x.sallyport-part', '/C:/t/x');
    await files.remove('/c:/t/[1]');
    await (await files.open('/C:/t/x', 'read')).close();
    expect(await codeOfRejection(files.open('/C:/t/x:stream', 'create'))).toBe('bad_name');
    expect(asked.map((each) => each.slice(0, 3))).toEqual([
      ['Look', '\\\\files\\team\\a b.txt'],
      ['Rename', 'C:\\t\\x.sallyport-part', 'C:\\t\\x'],
      ['Remove', 'c:\\t\\[1]'],
      ['Open', 'C:\\t\\x', 'read'],
      ['Close', expect.any(String)],
    ]);
  });

  it('badly: more than was asked for, nothing that fits, faults of its own', async () => {
    const answers = new Map<string, readonly PsValue[]>([
      ['Open', [cells('file', 10n, 0n)]],
      ['Read', [new Uint8Array(1024 * 1024), new Uint8Array(1)]],
      ['Look', [cells('file', -1n, 0n)]],
      ['List', Array.from({ length: 100 }, () => cells('..', 'directory', 0n, 0n))],
      ['Rename', [fault('UnauthorizedAccessException')]],
      ['Remove', [fault('IOException')]],
      ['Full', ['x', 'y'].map((text) => primitiveDictionary([[text, text]]))],
    ]);
    const { files } = await openStandIn(UNIX, ([command]) => answers.get(command) ?? []);
    const file = await files.open('/x', 'read');
    expect(await codeOfRejection(file.read(0).next())).toBe('file_failed');
    expect(await codeOfRejection(files.look('/x'))).toBe('file_failed');
    expect(await codeOfRejection(files.list('/x', 1000))).toBe('file_failed');
    expect(await codeOfRejection(files.resolve('/x'))).toBe('file_failed');
    await expect(files.rename('/x', '/y')).rejects.toMatchObject({ code: 'file_refused', peerText: 'words of UnauthorizedAccessException' }); // prettier-ignore
    expect(await codeOfRejection(files.remove('/x'))).toBe('file_failed');
    answers.set('List', [cells('..', 'directory', 0n, 0n, 'a/b', 'file', 0n, 0n, 'good', 'file', 0n, 0n), primitiveDictionary([['isCut', false]])]); // prettier-ignore
    expect((await files.list('/x', 10)).entries.map(({ name }) => name)).toEqual(['good']);
  });

  it('not at all: no endless wait; and its PowerShell is let go when nobody needs it', async () => {
    const clock = new FakeClock();
    const { files, asked } = await openStandIn(UNIX, () => null, clock);
    const looking = codeOfRejection(files.look('/x'));
    await expect.poll(() => asked.length).toBe(1);
    clock.advance(60_000);
    expect(await looking).toBe('target_timeout');
    const idle = await openStandIn(UNIX, () => ['/home'], clock);
    await idle.files.resolve('');
    clock.advance(120_000);
    await expect.poll(() => idle.files.isOver).toBe(true);
  });
});
