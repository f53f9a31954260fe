import { readFile } from 'node:fs/promises';
import { SessionId } from '@sallyport/shared/ids';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../test/contracts/eventually.ts';
import { FakeClock } from '../../../test/contracts/fake-clock.ts';
import {
  headerFor,
  keyOfTest,
  keys,
  newId,
  output,
  record,
  refuse,
  silent,
  useDirectory,
} from '../../../test/contracts/recording-fixture.ts';
import { SallyportError, codeOf } from '../errors.ts';
import type { WriterEvents } from './contract.ts';
import { systemFiles, type RecordingFiles } from './files.ts';
import { createRecordings } from './recordings.ts';

const { journalOf, setUp } = useDirectory();

describe('a disk that fails', () => {
  interface Control {
    write?: 'full' | 'hung' | 'ok';
    sync?: 'hung' | 'ok';
    create?: 'hung' | 'ok';
    free?: number;
    short?: boolean;
  }
  /** The real files, with the journal's writes and flushes in the test's hand. `open`: descriptors not closed yet. */
  function failing(control: Control) {
    const held: (() => void)[] = [];
    const open = new Set<number>();
    let last = 0;
    const flushes = { running: 0, done: 0 };
    const inTurn: { count: number; meanwhile: () => void } = { count: 0, meanwhile: () => undefined };
    /** The flush that ends the making of a recording is through. */
    const settled = () => eventually(() => flushes.done > 0 && flushes.running === 0);
    const files: RecordingFiles = {
      ...systemFiles,
      freeFraction: () => Promise.resolve(control.free ?? 0.5),
      async create(folder, name) {
        if (control.create === 'hung') await new Promise<void>((resolve) => held.push(resolve));
        const real = await systemFiles.create(folder, name);
        const id = (last += 1);
        open.add(id);
        return {
          ...real,
          writeNow(pieces, position) {
            inTurn.count += 1;
            inTurn.meanwhile();
            if (control.write === 'full') throw new Error('ENOSPC: no space left on device');
            if (control.write === 'hung') return 0; // A test cannot stand still; the pool is asked next, and hangs.
            return real.writeNow(control.short === true ? [Buffer.concat(pieces).subarray(0, 1)] : pieces, position);
          },
          write(bytes, position, done) {
            if (control.write === 'full') done(new Error('ENOSPC: no space left on device'), 0);
            else if (control.write === 'hung') held.push(() => real.write(bytes, position, done));
            else if (control.short === true && bytes.length > 1) real.write(bytes.subarray(0, 1), position, done);
            else real.write(bytes, position, done);
          },
          sync(done) {
            flushes.running += 1;
            const go = () =>
              real.sync((error) => {
                flushes.running -= 1;
                flushes.done += 1;
                done(error);
              });
            if (control.sync === 'hung') held.push(go);
            else go();
          },
          async close() {
            await real.close();
            open.delete(id);
          },
        };
      },
    };
    return { files, open, held, settled, inTurn, release: () => held.splice(0).forEach((go) => go()) };
  }
  function listening() {
    const log: string[] = [];
    const events: WriterEvents = {
      slow: () => log.push('slow'),
      recovered: () => log.push('recovered'),
      failed: (error) => log.push(`failed: ${error.message}`),
    };
    return { log, events };
  }
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('is never acknowledged when full, and says so once', async () => {
    const control: { write: 'full' | 'ok' } = { write: 'ok' };
    const { recordings, deps } = setUp({ files: failing(control).files });
    const { log, events } = listening();
    const id = newId();
    const writer = await recordings.create(headerFor(id), events);
    await new Promise<void>((resolve) => writer.append(output('before'), resolve));
    control.write = 'full';
    let acknowledged = 0;
    writer.append(output('lost'), () => (acknowledged += 1));
    await turn();
    writer.append(output('lost too'), () => (acknowledged += 1));
    await turn();
    expect(acknowledged).toBe(0);
    expect(log).toEqual(['failed: ENOSPC: no space left on device']);
    await expect(writer.close('recording_unavailable')).rejects.toMatchObject({ code: 'recording_unavailable' });
    const again = createRecordings(deps);
    expect(await again.recover(refuse)).toMatchObject([{ sessionId: id, summary: { outputBytes: 6 } }]);
    expect((await again.check(id)).chain).toBe('verified');
  });

  it('is slow after 2 s, goes on when it answers, fails 5 s later', async () => {
    const control: Control = { write: 'ok' };
    const clock = new FakeClock();
    const { files, release, settled } = failing(control);
    const { recordings } = setUp({ files, clock });
    const { log, events } = listening();
    const writer = await recordings.create(headerFor(newId()), events);
    await settled();
    control.write = 'hung';
    let acknowledged = 0;
    writer.append(output('b'), () => (acknowledged += 1));
    await turn();
    clock.advance(1999);
    expect(log).toEqual([]);
    clock.advance(1);
    expect(log).toEqual(['slow']);
    writer.append(output('c'), () => (acknowledged += 1));
    expect(acknowledged).toBe(0);
    control.write = 'ok';
    const recovered = new Promise<void>((resolve) => writer.append({ type: 'clear' }, resolve));
    release();
    await recovered;
    expect(log).toEqual(['slow', 'recovered']);
    expect(acknowledged).toBe(2);
    control.write = 'hung';
    writer.append(output('d'), () => (acknowledged += 1));
    await turn();
    clock.advance(7000);
    expect(log.slice(2)).toEqual(['slow', 'failed: no answer of the disk for 7000 ms']);
    release();
    await turn();
    expect(acknowledged).toBe(2);
    await expect(writer.close('recording_unavailable')).rejects.toMatchObject({ code: 'recording_unavailable' });
  });

  it('fails a session whose flush hangs, though writes still go into the page cache', async () => {
    const control: Control = {};
    const clock = new FakeClock();
    const { files, release, held, settled } = failing(control);
    const { recordings } = setUp({ files, clock });
    const { log, events } = listening();
    const writer = await recordings.create(headerFor(newId()), events);
    await settled();
    control.sync = 'hung';
    await new Promise<void>((resolve) => writer.append(output('a'), resolve));
    clock.advance(200);
    expect(held).toHaveLength(1);
    clock.advance(2000);
    expect(log).toEqual(['slow']);
    await new Promise<void>((resolve) => writer.append(output('b'), resolve));
    expect(log).toEqual(['slow']);
    clock.advance(5000);
    expect(log).toEqual(['slow', 'failed: no answer of the disk for 7000 ms']);
    release();
  });

  it('is not waited for by neighbours: they write on while a journal hangs in the pool', async () => {
    const control: Control = {};
    const { files, release, held } = failing(control);
    const { recordings } = setUp({ files });
    const stuck = await recordings.create(headerFor(newId()), silent);
    const alive = await recordings.create(headerFor(newId()), silent);
    control.write = 'hung';
    stuck.append(output('stuck'));
    await turn();
    expect(held).toHaveLength(1);
    control.write = 'ok';
    await new Promise<void>((resolve) => alive.append(output('goes on'), resolve));
    release();
    await stuck.close('exited');
    await alive.close('exited');
  });

  it('is written in the turn while it is prompt, and through the pool from the first sign that it is not', async () => {
    const control: Control = {};
    const clock = new FakeClock();
    const { files, release, settled, inTurn } = failing(control);
    const { recordings } = setUp({ files, clock });
    const writer = await recordings.create(headerFor(newId()), silent);
    await settled();
    const written = () => new Promise<void>((resolve) => writer.append(output('x'), resolve));
    const countOf = async (work: () => Promise<void>): Promise<number> => {
      const before = inTurn.count;
      await work();
      return inTurn.count - before;
    };
    expect(await countOf(written)).toBe(1);
    control.sync = 'hung';
    clock.advance(200);
    expect(await countOf(written)).toBe(1); // The flush has just begun.
    clock.advance(101);
    expect(await countOf(written)).toBe(0); // It is late.
    control.sync = 'ok';
    release();
    await settled();
    expect(await countOf(written)).toBe(1);
    inTurn.meanwhile = () => clock.advance(21);
    expect(await countOf(written)).toBe(1); // A slow one: the next go through the pool, for a while.
    inTurn.meanwhile = () => undefined;
    expect(await countOf(written)).toBe(0);
    const flushed = async () => {
      clock.advance(200);
      await settled();
    };
    await flushed();
    clock.advance(9000);
    expect(await countOf(written)).toBe(0);
    await flushed();
    clock.advance(1000);
    expect(await countOf(written)).toBe(1);
    await writer.close('exited');
  });

  it.each(['write', 'sync'] as const)('ends close() in bounded time when a %s hangs', async (what) => {
    const control: Control = {};
    const clock = new FakeClock();
    const { files, release, held, open, settled } = failing(control);
    const { recordings, catalogue, deps } = setUp({ files, clock });
    const { log, events } = listening();
    const id = newId();
    const writer = await recordings.create(headerFor(id), events);
    await settled();
    await new Promise<void>((resolve) => writer.append(output('kept'), resolve));
    control[what] = 'hung';
    const closing = expect(writer.close('exited')).rejects.toMatchObject({ code: 'recording_unavailable' });
    await eventually(() => held.length === 1);
    clock.advance(7000);
    await closing;
    expect(log).toContain('slow');
    expect(catalogue.rows.get(id)?.state).toBe('open');
    expect(open.size).toBe(1); // Its number may not be used again while the operation is under way.
    release();
    await eventually(() => open.size === 0);
    const again = createRecordings(deps);
    expect(await again.recover(refuse)).toMatchObject([{ sessionId: id, summary: { outputBytes: 4 } }]);
    expect((await again.check(id)).chain).toBe('verified');
  });

  it('goes on after short writes', async () => {
    const control = { short: false };
    const made = setUp({ files: failing(control).files });
    const id = newId();
    const writer = await made.recordings.create(headerFor(id), silent);
    control.short = true;
    await new Promise<void>((resolve) => writer.append(output('in many small pieces'), resolve));
    await writer.close('exited');
    expect((await made.recordings.check(id)).chain).toBe('verified');
  });

  it('refuses a new session below 5 % free and warns below 20 %', async () => {
    const control = { free: 0.04 };
    const { recordings } = setUp({ files: failing(control).files });
    await expect(recordings.create(headerFor(newId()), silent)).rejects.toMatchObject({ code: 'recording_space' });
    control.free = 0.19;
    expect((await recordings.space()).state).toBe('warning');
    control.free = 0.2;
    expect((await recordings.space()).state).toBe('ok');
  });

  it.each<[string, Control]>([
    ['full', { write: 'full' }],
    ['hung in a write', { write: 'hung' }],
    ['hung while the file is made', { create: 'hung' }],
  ])('refuses a new session when it is %s, and holds no descriptor and no file', async (_, control) => {
    const clock = new FakeClock();
    const { files, open, release, held } = failing(control);
    const { recordings, catalogue } = setUp({ clock, files });
    const id = newId();
    const refused = expect(recordings.create(headerFor(id), silent)).rejects.toMatchObject({
      code: 'recording_unavailable',
    });
    if (control.write !== 'full') {
      await eventually(() => held.length === 1);
      clock.advance(7000);
    }
    await refused;
    release();
    await eventually(() => catalogue.rows.get(id)?.state === 'deleted');
    expect(open.size).toBe(0);
    await expect(readFile(journalOf(id))).rejects.toMatchObject({ code: 'ENOENT' });
    expect(clock.waiting).toBe(0);
  });
});

describe('recovery of many', () => {
  it('goes on after one whose key cannot be opened, tells it, and tries it again at the next start', async () => {
    const first = setUp();
    const ids = [newId(), newId(), newId()] as const;
    for (const id of ids) {
      const writer = await record(first.recordings, id, [output('left open')]);
      await writer.close('exited');
      await first.catalogue.update(id, { state: 'open' });
    }
    let isLocked = true;
    const again = createRecordings({
      ...first.deps,
      keys: {
        ...keys,
        open: (id) => {
          if (isLocked && id === ids[1]) throw new SallyportError('secret_unreadable', 'the tag is wrong');
          return keyOfTest;
        },
      },
    });
    const failed: [string, string][] = [];
    const tell = (id: SessionId, error: unknown) => Promise.resolve(void failed.push([id, codeOf(error)]));
    expect((await again.recover(tell)).map(({ sessionId }) => sessionId)).toEqual([ids[0], ids[2]]);
    expect(failed).toEqual([[ids[1], 'secret_unreadable']]);
    isLocked = false;
    expect(await again.recover(refuse)).toMatchObject([{ sessionId: ids[1] }]);
  });
});

describe('retention', () => {
  it('goes through more than one look into the catalogue, and past what cannot be deleted', async () => {
    const { catalogue, deps } = setUp();
    const startedAt = headerFor(newId()).startedAt;
    const ids = Array.from({ length: 250 }, newId);
    for (const [n, sessionId] of ids.entries())
      await catalogue.insert({
        ...{ sessionId, path: `2026/05/${sessionId}`, startedAt, sealedKey: Buffer.from('sealed') },
        ...{ state: n < 120 ? 'open' : 'closed', events: 0, outputBytes: 0, durationMs: 0, head: '' },
      });
    const stuck = new Set(ids.slice(130, 132));
    const recordings = createRecordings({
      ...deps,
      files: {
        ...systemFiles,
        removeFolder: (folder) =>
          stuck.has(SessionId.parse(folder.split('/').at(-1)))
            ? Promise.reject(new Error('EACCES'))
            : Promise.resolve(),
      },
    });
    await expect(recordings.deleteOlderThan(startedAt + 1, () => Promise.resolve())).rejects.toThrow(
      '2 old recordings',
    );
    const states = [...catalogue.rows.values()].map(({ state }) => state);
    expect(states.filter((state) => state === 'deleted')).toHaveLength(128);
    expect(states.filter((state) => state === 'open')).toHaveLength(120);
  });

  it('deletes one by hand, but not while it is written', async () => {
    const { recordings } = setUp();
    const id = newId();
    const writer = await record(recordings, id, [output('x')]);
    await expect(recordings.delete(id)).rejects.toMatchObject({ code: 'bad_state' });
    await writer.close('exited');
    await recordings.delete(id);
    await expect(recordings.delete(id)).rejects.toMatchObject({ code: 'not_found' });
    await expect(readFile(journalOf(id))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('deletes what is too old, after it was told, and nothing else', async () => {
    const { recordings, catalogue } = setUp();
    const [old, kept, live] = [newId(), newId(), newId()];
    await (await record(recordings, old, [output('old')])).close('exited');
    await (await record(recordings, kept, [output('kept')])).close('exited');
    const running = await record(recordings, live, [output('live')]);
    await catalogue.update(kept, { startedAt: headerFor(kept).startedAt + 5000 });
    const told: string[] = [];
    const limit = headerFor(old).startedAt + 1000;
    const count = await recordings.deleteOlderThan(limit, async (id) => {
      expect(await readFile(journalOf(id))).toBeDefined();
      told.push(id);
    });
    expect([count, told]).toEqual([1, [old]]);
    await expect(readFile(journalOf(old))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(recordings.header(old)).rejects.toMatchObject({ code: 'not_found' });
    await running.close('exited');
    await expect(recordings.deleteOlderThan(limit, () => Promise.reject(new Error('audit is away')))).rejects.toThrow(
      'audit is away',
    );
    expect((await recordings.check(live)).chain).toBe('verified');
  });
});
