/** What a target's settings ask of a session over WinRM, and targets that take less than others. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { consoleHostInfo, ServerPool, toDictionary, toText, versionTable } from '@sallyport/psrp';
import { OPERATIONS, readRequest } from '@sallyport/wsman';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../contracts/fake-clock.ts';
import type { LabConsole } from '../lab/console.ts';
import { connectWsMan, type LabConnect } from '../lab/wsman/console.ts';
import { FAULTS, type LabWsMan } from '../lab/wsman/server.ts';
import { settings, standInForEachTest } from '../lab/wsman/stand-in.ts';

let lab: LabWsMan;
const { restart, open: openWith, openCode } = standInForEachTest((started) => (lab = started));
const open = (more: Record<string, unknown>, options: LabConnect = {}): Promise<LabConsole> =>
  openWith({ ...settings(more), ...options });
const shell = () => [...lab.shells.values()][0];
const sizesOf = (wanted: string): (number | null)[] =>
  lab.requests.filter(({ name }) => name === wanted).map(({ header }) => header.maxEnvelopeBytes);

/** From now on requests of this action are not answered. Resolves with the first. */
const holds = (action: string): Promise<void> =>
  new Promise((resolve) => {
    lab.intercept = (_request, _response, body) => {
      if (body.length === 0 || !readRequest(body).header.action.endsWith(action)) return false;
      resolve();
      return true;
    };
  });

describe('a target that takes envelopes', () => {
  const LONG = 'x'.repeat(200_000);

  it.each([
    ['of 100 KiB is found out', 102_400, null, 65_536, 153_600],
    ['of 32 KiB is found out', 32_768, null, 32_768, 153_600],
    ['of 100 KiB, as its settings say', 102_400, 100, 102_400, 102_400],
    ['of 1 MiB, as its settings say', 1_048_576, 1024, 1_048_576, 1_048_576],
  ] as const)('%s, and gets and gives everything in pieces that fit', async (_, maxEnvelopeBytes, maxEnvelopeKb, used, first) => {
    await restart({ maxEnvelopeBytes });
    const person = await open({ maxEnvelopeKb });
    expect(sizesOf('Create')[0]).toBe(first);
    expect(sizesOf('Create').at(-1)).toBe(used);
    expect(await person.run(`'${LONG}'`)).toContain(LONG);
    expect(new Set([...sizesOf('Command'), ...sizesOf('Send'), ...sizesOf('Receive')])).toEqual(new Set([used]));
    expect(lab.largest.request).toBeLessThanOrEqual(used);
    expect(lab.largest.answer).toBeLessThanOrEqual(used);
    expect(person.notices).toEqual([]);
    const left = await person.terminal?.leave(null);
    if (left === undefined) throw new Error('not left');
    const again = await open({ maxEnvelopeKb }, { rejoin: left });
    await again.until(() => again.lineId === 1);
    expect(await again.run(`'${LONG}'`)).toContain(LONG);
    expect(lab.largest.request).toBeLessThanOrEqual(used);
  }); // prettier-ignore

  it('smaller than its settings say refuses before anything is opened, and says it', async () => {
    await restart({ maxEnvelopeBytes: 102_400 });
    await expect(open({ maxEnvelopeKb: 150 })).rejects.toMatchObject({
      peerText: expect.stringContaining('2150858823') as string,
    });
    expect(lab.shells.size).toBe(0);
  });

  it('of 500 KB sends what waits in one answer of more than 400 KB', async () => {
    const person = await open({});
    await person.run('1+1');
    person.terminal?.pause();
    const shown = person.run('1..6000');
    await lab.until(() => (shell()?.waitingBytes ?? 0) > 400_000);
    person.terminal?.resume();
    expect((await shown).match(/\d+/g)).toHaveLength(6000);
    expect(lab.largest.answer).toBeGreaterThan(400_000);
    expect(lab.largest.answer).toBeLessThanOrEqual(512_000);
  });
});

describe('the settings of a target', () => {
  it('go to the pool with its opening: application arguments beside the version table, and what becomes of output', async () => {
    const pool = new ServerPool();
    const opened: unknown[] = [];
    lab.intercept = (_request, _response, body) => {
      if (body.length === 0) return false;
      const { header, body: asked } = readRequest(body);
      if (!header.action.endsWith('/Create')) return false;
      const { creationXml, bufferMode } = OPERATIONS.create.decodeRequest(asked, header.options);
      for (const event of pool.receive(null, creationXml)) {
        if (event.type !== 'open') continue;
        const given = toDictionary(event.request.applicationArguments);
        opened.push(bufferMode, given?.keys.map(toText), toText(given?.get('Site') ?? null));
      }
      return false;
    };
    const applicationArguments = [{ name: 'Site', value: 'Zürich <1>' }];
    const person = await open({ applicationArguments, outputBuffering: 'Drop' });
    expect(opened).toEqual(['Drop', ['Site', 'PSVersionTable'], 'Zürich <1>']);
    expect(await person.run('1+1')).toBe('2\r\n');
  });

  it('let the target drop what nobody fetches while the session is left, the oldest first', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-drop-'));
    const file = path.join(directory, 'go');
    const first = await open({ outputBuffering: 'Drop' });
    await first.run('1+1');
    first.submit(`1..3; while (!(Test-Path ${file})) { }; 4..9000`);
    await first.until(() => first.text.includes('\r\n3\r\n'));
    const modes: unknown[] = [];
    lab.intercept = (_request, _response, body) => {
      const { header, body: asked } = readRequest(body);
      if (header.action.endsWith('/Disconnect'))
        modes.push(OPERATIONS.disconnect.decodeRequest(asked, header.options).bufferMode);
      return false;
    };
    const left = await first.terminal?.leave(null);
    if (left === undefined || left.pipelineId === null) throw new Error('not left');
    expect(modes).toEqual(['Drop']);
    lab.intercept = () => false;
    writeFileSync(file, '');
    const { pipelineId } = left;
    await lab.until(() => shell()?.isDone(pipelineId) === true);
    expect(shell()?.droppedBytes).toBeGreaterThan(0);
    const second = await open({ outputBuffering: 'Drop' }, { rejoin: left });
    await second.until(() => second.lineId === 1);
    const numbers = second.text
      .split('\r\n')
      .filter((line) => /^[0-9]+$/.test(line))
      .map(Number);
    // What was kept is the end, without a gap in it.
    expect(numbers.at(-1)).toBe(9000);
    expect(numbers.length).toBeLessThan(8997);
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => 9001 - numbers.length + i));
    expect(second.ends).toMatchObject([{ state: 'completed' }]);
    expect(await second.run('1+1')).toBe('2\r\n');
    rmSync(directory, { recursive: true });
  });

  it('end a line that brings more than it may, and nothing else', async () => {
    const person = await open({ maxCommandBytes: 65_536 });
    const text = await person.run('1..6000');
    expect(text).toContain('more than 65,536 bytes came for it');
    expect(person.ends.map(({ state }) => state)).toEqual(['failed']);
    expect(await person.run('1+1')).toBe('2\r\n');
    await lab.until(() => shell()?.commands.size === 0 || lab.busy === 0);
    expect(shell()?.has(person.started[0]?.pipelineId ?? '')).toBe(false);
  });

  it('end a session that brings a larger object than they say', async () => {
    const person = await open({ maxObjectBytes: 65_536 });
    expect(await person.run(`'${'x'.repeat(50_000)}'`)).toContain('xxx');
    person.submit(`'${'x'.repeat(70_000)}'`);
    await person.until(() => person.end !== null);
    expect(person.end?.reason).toBe('psrp_object_too_large');
  });

  it.each([
    [0, []],
    [2, ['retrying']],
  ] as const)('say how often a broken poll is made again: %i times', async (maxConnectionRetries, notices) => {
    const clock = new FakeClock();
    const person = await open({ maxConnectionRetries }, { clock });
    await person.run('1+1');
    person.submit('Start-Sleep 600');
    await lab.until(() => lab.polls === 2 && lab.busy === 0);
    let tries = 0;
    lab.intercept = (request) => {
      tries += 1;
      return Boolean(request.socket.destroy());
    };
    lab.cutAll();
    while (person.end === null) {
      clock.advance(1000);
      await new Promise(setImmediate);
    }
    // It goes on at the target, and is not lost.
    expect(person.end.reason).toBe('session_left');
    expect(person.notices).toEqual(notices);
    if (maxConnectionRetries === 0) expect(tries).toBe(0);
  });

  it('end a session whose line does not end after it was stopped, and what runs there', async () => {
    const clock = new FakeClock();
    const person = await open({ cancelTimeoutMs: 20_000 }, { clock });
    await person.run('1+1');
    await lab.until(() => lab.busy === 0);
    person.submit('Start-Sleep 600');
    await lab.until(() => lab.polls === 2 && lab.busy === 0);
    // The target takes the stop and does nothing.
    void holds('/Signal');
    person.terminal?.stop();
    clock.advance(19_999);
    expect(person.end).toBeNull();
    clock.advance(1);
    await person.until(() => person.end !== null);
    expect(person.end).toMatchObject({ reason: 'target_timeout', detail: expect.stringContaining('CancelTimeout') as string });
    expect(person.ends.at(-1)?.state).toBe('lost');
    await lab.until(() => lab.shells.size === 0);
    expect(lab.names().at(-1)).toBe('Delete');
  }); // prettier-ignore

  /** A pool that is open, and the shells whose end it says nobody confirmed. */
  async function openPool(connection: Awaited<ReturnType<typeof connectWsMan>>) {
    const kept: string[] = [];
    const make = connection.openPool({ shellCreated: () => undefined, retrying: () => undefined, notDeleted: (id) => kept.push(id) }); // prettier-ignore
    let isOpen = (): void => undefined;
    const opened = new Promise<void>((resolve) => (isOpen = resolve));
    const events = { events: (all: readonly { type: string }[]) => { if (all.some(({ type }) => type === 'poolState')) isOpen(); }, leftChanged: () => undefined, closed: () => undefined }; // prettier-ignore
    const pool = make({ poolId: '00112233-4455-6677-8899-aabbccddeeff', newId: () => crypto.randomUUID() }, events);
    await pool.connect();
    pool.open({ hostInfo: consoleHostInfo({ cols: 80, rows: 24 }), applicationArguments: versionTable() });
    await opened;
    return { pool, kept };
  }
  const SHELL_ID = '00112233-4455-6677-8899-AABBCCDDEEFF';

  it('say how long the end of a shell is waited for; one that is not confirmed is told', async () => {
    const clock = new FakeClock();
    const connection = await connectWsMan(lab, { ...settings({ cancelTimeoutMs: 20_000 }), clock });
    const { pool, kept } = await openPool(connection);
    const held = holds('/Delete');
    const closed = pool.close();
    await held;
    clock.advance(19_999);
    expect(kept).toEqual([]);
    clock.advance(1);
    await closed;
    expect(kept).toEqual([SHELL_ID]);
    await connection.close();
  });

  it.each<[string, () => void, string[]]>([
    ['deletes it', () => undefined, []],
    ['does not know it any more', () => void lab.refusals.set('Delete', FAULTS.shellNotFound), []],
    ['refuses that', () => void lab.refusals.set('Delete', FAULTS.notSupported), [SHELL_ID]],
    ['goes away', () => void (lab.cut = (name) => (name === 'Delete' ? 'before' : null)), [SHELL_ID]],
    // What is polled for is of no interest any more, however it ends.
    ['cuts the poll first', () => void (lab.cut = (name) => (name === 'Receive' ? 'before' : null)), []],
  ])('a shell is told to be there still when its target %s, or not', async (_, does, told) => {
    const connection = await connectWsMan(lab, settings({}));
    const { pool, kept } = await openPool(connection);
    await lab.until(() => lab.polls === 1 && lab.busy === 0);
    does();
    await pool.close();
    expect(kept).toEqual(told);
    await connection.close();
  });

  it('limit the whole way to the open pool, questions not counted', async () => {
    const clock = new FakeClock();
    const thinks = (asked: number, way: number): LabConnect => ({
      clock,
      port: {
        checkCertificate: () => {
          clock.advance(asked);
          return Promise.resolve('pinned');
        },
        step: (name) => (name === 'connecting' ? clock.advance(way) : undefined),
      },
      timeouts: { tcpMs: 60_000, handshakeMs: 60_000, loginMs: 2000 },
    });
    const limit = settings({ openTimeoutMs: 5000 });
    await expect(connectWsMan(lab, { ...limit, ...thinks(0, 5000) })).rejects.toMatchObject({ code: 'target_timeout' });
    const connection = await connectWsMan(lab, { ...limit, ...thinks(9000, 4000) });
    expect(connection.openLeftMs).toBe(1000);
    await connection.close();
    // What is left holds for the pool.
    const held = holds('/Create');
    const opening = openCode({ ...limit, ...thinks(0, 4000) });
    await held;
    const said: string[] = [];
    void opening.then((code) => said.push(code));
    clock.advance(999);
    expect(said).toEqual([]);
    // Then the end of the shell is waited for, which is not there yet.
    while (said.length === 0) {
      clock.advance(1000);
      await new Promise(setImmediate);
    }
    expect(said).toEqual(['powershell_open_failed']);
  });
});

describe('the service of the lab', () => {
  it('ends a shell that nobody has used for its time, but none that is polled', async () => {
    const clock = new FakeClock();
    await restart({ clock, idleTimeoutMs: 60_000 });
    const person = await open({});
    await person.run('1+1');
    await lab.until(() => lab.polls === 1 && lab.busy === 0);
    // Its poll is answered each minute, and made again.
    const polls = sizesOf('Receive').length;
    clock.advance(60_000);
    await lab.until(() => sizesOf('Receive').length > polls && lab.polls === 1);
    clock.advance(59_000);
    expect(await person.run('1+1')).toBe('2\r\n');
    const left = await person.terminal?.leave(null);
    if (left === undefined) throw new Error('not left');
    clock.advance(59_999);
    expect(shell()?.state).toBe('Disconnected');
    clock.advance(1);
    await lab.until(() => lab.shells.size === 0);
    expect(await openCode({ ...settings({}), rejoin: left })).toBe('target_shell_gone');
  });

  it('has room for as many shells as it is told', async () => {
    await restart({ maxShells: 1 });
    const person = await open({});
    expect(await openCode(settings({}))).toBe('target_quota');
    expect(await person.run('1+1')).toBe('2\r\n');
  });
});
