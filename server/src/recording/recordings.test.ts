import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SessionId } from '@sallyport/shared/ids';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryCatalogue } from '../../../test/contracts/memory-catalogue.ts';
import { FakeClock } from '../../../test/contracts/fake-clock.ts';
import { systemClock } from '../clock.ts';
import { randomId } from '../random.ts';
import { toAsciicast } from './asciicast.ts';
import type {
  RecordedEvent,
  RecordingHeader,
  RecordingKeys,
  Recordings,
  TimedEvent,
  WriterEvents,
} from './contract.ts';
import { RecordingCorruptError } from './errors.ts';
import { systemFiles, type RecordingFiles } from './files.ts';
import { createRecordings, type RecordingsDeps } from './recordings.ts';

const keyOfTest = randomBytes(32);
const keys: RecordingKeys = {
  create: () => ({ key: keyOfTest, sealed: Buffer.from('sealed') }),
  open: () => keyOfTest,
};
const silent: WriterEvents = { slow: () => undefined, recovered: () => undefined, failed: () => undefined };

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sallyport-recording-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

const newId = (): SessionId => SessionId.parse(randomId());
const headerFor = (sessionId: SessionId): RecordingHeader => ({
  sessionId,
  startedAt: Date.UTC(2026, 4, 6),
  cols: 80,
  rows: 24,
  kind: 'pty',
  user: 'ann',
  target: 'web01',
  identity: 'ann',
});

function setUp(change: Partial<RecordingsDeps> = {}) {
  const catalogue = memoryCatalogue();
  const deps: RecordingsDeps = { directory, catalogue, keys, clock: systemClock, ...change };
  return { catalogue, deps, recordings: createRecordings(deps) };
}
const output = (text: string | Uint8Array): RecordedEvent => ({
  type: 'output',
  bytes: typeof text === 'string' ? Buffer.from(text) : text,
});
async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of source) list.push(item);
  return list;
}
const outputOf = async (recordings: Recordings, id: SessionId, from: number, to: number): Promise<Buffer> =>
  Buffer.concat(await all(recordings.readOutput(id, from, to)));
const journalOf = (id: SessionId): string => join(directory, '2026', '05', id, 'journal');

/** Records the events, each waited for so that each is a chunk of its own. */
async function record(recordings: Recordings, id: SessionId, events: readonly RecordedEvent[]) {
  const writer = await recordings.create(headerFor(id), silent);
  for (const event of events) await new Promise<void>((resolve) => writer.append(event, resolve));
  return writer;
}

describe('a recording', () => {
  it('gives back every event, in order, with offsets', async () => {
    const { recordings, catalogue } = setUp();
    const id = newId();
    const events: RecordedEvent[] = [
      output('hello '),
      { type: 'resize', cols: 120, rows: 40 },
      { type: 'command', number: 1, state: 'running' },
      output(new Uint8Array([0, 255, 0xc3])),
      { type: 'title', text: 'Grüße' },
      { type: 'clear' },
      { type: 'note', text: 'attached' },
      output('end'),
    ];
    const writer = await record(recordings, id, events);
    const summary = await writer.close('exited');
    const read = await all(recordings.readEvents(id));
    expect(read.map((entry) => entry.event)).toEqual(
      events.map((event) => (event.type === 'output' ? { type: 'output', bytes: Buffer.from(event.bytes) } : event)),
    );
    expect(read.map((entry) => entry.index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(read.map((entry) => entry.offset)).toEqual([0, 6, 6, 6, 9, 9, 9, 9]);
    expect(summary).toMatchObject({ events: 8, outputBytes: 12 });
    expect(catalogue.rows.get(id)).toMatchObject({ state: 'closed', head: summary.head, outputBytes: 12 });
    expect(await recordings.header(id)).toEqual(headerFor(id));
    expect(await recordings.check(id)).toEqual({ chain: 'verified', firstBad: null, summary });
    expect((await all(recordings.readEvents(id, 6))).map((entry) => entry.index)).toEqual([6, 7]);
  });

  it('acknowledges in order, and only what a reader finds in the file', async () => {
    const { recordings } = setUp();
    const id = newId();
    const writer = await recordings.create(headerFor(id), silent);
    const order: number[] = [];
    const checks: Promise<void>[] = [];
    for (let n = 0; n < 200; n += 1)
      writer.append(output(`line ${n}\n`), () => {
        order.push(n);
        const upTo = writer.writtenBytes;
        if (n % 50 === 0)
          checks.push(
            outputOf(recordings, id, 0, upTo).then((bytes) => {
              expect(bytes.toString()).toContain(`line ${n}\n`);
            }),
          );
      });
    await writer.close('exited');
    await Promise.all(checks);
    expect(order).toEqual(Array.from({ length: 200 }, (_, n) => n));
  });

  it('reads any range of output, live and ended, whatever the pieces were', async () => {
    const { recordings } = setUp();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 3000 }), { minLength: 1, maxLength: 30 }),
        fc.nat(10_000),
        fc.nat(10_000),
        async (pieces, a, b) => {
          const id = newId();
          const whole = Buffer.concat(pieces);
          const [from = 0, to = 0] = [a % (whole.length + 1), b % (whole.length + 1)].sort((x, y) => x - y);
          const writer = await recordings.create(headerFor(id), silent);
          await new Promise<void>((resolve) => {
            for (const piece of pieces) writer.append(output(piece));
            writer.append({ type: 'clear' }, resolve);
          });
          expect((await outputOf(recordings, id, from, to)).equals(whole.subarray(from, to))).toBe(true);
          await writer.close('exited');
          expect((await outputOf(recordings, id, from, to)).equals(whole.subarray(from, to))).toBe(true);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('seeks with its index in a long recording, and without it', async () => {
    const { recordings } = setUp();
    const id = newId();
    const block = randomBytes(200_000);
    const writer = await record(
      recordings,
      id,
      Array.from({ length: 20 }, () => output(block)),
    );
    await writer.close('exited');
    const whole = Buffer.concat(Array.from({ length: 20 }, () => block));
    expect((await outputOf(recordings, id, 3_100_001, 3_900_123)).equals(whole.subarray(3_100_001, 3_900_123))).toBe(
      true,
    );
    await writeFile(join(directory, '2026', '05', id, 'index'), 'nonsense that is longer than a tag');
    expect((await outputOf(recordings, id, 3_100_001, 3_900_123)).equals(whole.subarray(3_100_001, 3_900_123))).toBe(
      true,
    );
  });

  it('cuts its tail at the start of a line', async () => {
    const { recordings } = setUp();
    const id = newId();
    const writer = await record(recordings, id, [output('first line\nsecond line\n'), output('third line\nprompt> ')]);
    const tail = await recordings.tail(id, 25);
    expect(Buffer.from(tail.bytes).toString()).toBe('third line\nprompt> ');
    expect(tail.offset).toBe(23);
    await writer.close('exited');
    expect((await recordings.tail(id, 1000)).offset).toBe(0);
  });

  it('splits output larger than an event and keeps every byte', async () => {
    const { recordings } = setUp();
    const id = newId();
    const huge = randomBytes(3_000_000);
    const writer = await record(recordings, id, [output(huge)]);
    await writer.close('exited');
    expect((await outputOf(recordings, id, 0, huge.length)).equals(huge)).toBe(true);
    expect((await recordings.check(id)).chain).toBe('verified');
  });

  it('keeps nothing readable on the disk', async () => {
    const { recordings } = setUp();
    const id = newId();
    const writer = await record(recordings, id, [output('canary-7f3a'), { type: 'note', text: 'canary-7f3a' }]);
    await writer.close('exited');
    expect((await readFile(journalOf(id))).includes('canary-7f3a')).toBe(false);
  });
});

describe('a changed recording', () => {
  /** A sealed recording whose journal is read from `journal.bytes`, so that many changes can be tried. */
  async function sealed() {
    const journal = { bytes: Buffer.alloc(0) };
    const files: RecordingFiles = {
      ...systemFiles,
      load: () => Promise.resolve(null),
      open: () =>
        Promise.resolve({
          read: (into, position) =>
            Promise.resolve(
              journal.bytes.copy(into, 0, position, Math.min(journal.bytes.length, position + into.length)),
            ),
          size: () => Promise.resolve(journal.bytes.length),
          close: () => Promise.resolve(),
        }),
    };
    const made = setUp({ files });
    const id = newId();
    const writer = await record(made.recordings, id, [output('one'), output('two'), output('three'), output('four')]);
    await writer.close('exited');
    journal.bytes = await readFile(journalOf(id));
    return { ...made, id, journal, bytes: journal.bytes };
  }
  /** Reads as far as it goes: the proven part, and where it stopped. */
  async function readUntilBad(
    recordings: Recordings,
    id: SessionId,
  ): Promise<{ read: TimedEvent[]; firstBad: number }> {
    const read: TimedEvent[] = [];
    try {
      for await (const event of recordings.readEvents(id)) read.push(event);
    } catch (error) {
      if (error instanceof RecordingCorruptError) return { read, firstBad: error.firstBad };
      throw error;
    }
    return { read, firstBad: -1 };
  }
  /** Positions of chunks, read from their own lengths. */
  function chunksOf(bytes: Buffer, from: number): Buffer[] {
    const chunks: Buffer[] = [];
    for (let at = from; at < bytes.length;) {
      const length = 4 + bytes.readUIntBE(at + 1, 3) + 16;
      chunks.push(bytes.subarray(at, at + length));
      at += length;
    }
    return chunks;
  }
  const plainHeaderBytes = 8 + 2 + 2 + 52 + 4 + 6;

  it('is found at every flipped bit, after the part that is proven', async () => {
    const { recordings, id, journal, bytes } = await sealed();
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(at) ^ (1 << (at % 8)), at);
      journal.bytes = changed;
      const { read, firstBad } = await readUntilBad(recordings, id);
      expect(firstBad, `byte ${at}`).toBe(read.length);
    }
    journal.bytes = bytes;
    expect((await readUntilBad(recordings, id)).firstBad).toBe(-1);
  });

  it('is found at every cut, and at anything added', async () => {
    const { recordings, id, journal, bytes } = await sealed();
    for (let length = 0; length < bytes.length; length += 1) {
      journal.bytes = bytes.subarray(0, length);
      expect((await readUntilBad(recordings, id)).firstBad, `cut at ${length}`).toBeGreaterThanOrEqual(0);
      expect((await recordings.check(id)).chain).toBe('broken');
    }
    journal.bytes = Buffer.concat([bytes, Buffer.from([0])]);
    expect((await readUntilBad(recordings, id)).firstBad).toBe(4);
  });

  it('is found when chunks are removed, doubled or exchanged', async () => {
    const { recordings, id, journal, bytes } = await sealed();
    const header = bytes.subarray(0, plainHeaderBytes);
    const chunks = chunksOf(bytes, plainHeaderBytes);
    expect(chunks).toHaveLength(6);
    for (let n = 0; n < chunks.length; n += 1) {
      const chunk = chunks.slice(n, n + 1);
      const rest = [chunks.slice(0, n), chunks.slice(n + 1)] as const;
      const variants = [
        [...rest[0], ...rest[1]],
        [...rest[0], ...chunk, ...chunk, ...rest[1]],
        ...(n + 1 < chunks.length ? [[...rest[0], ...rest[1].slice(0, 1), ...chunk, ...rest[1].slice(1)]] : []),
      ];
      for (const variant of variants) {
        journal.bytes = Buffer.concat([header, ...variant]);
        expect((await readUntilBad(recordings, id)).firstBad).toBeGreaterThanOrEqual(0);
      }
    }
  });

  it('is found when the journal of another session is put in its place', async () => {
    const { recordings, id, journal } = await sealed();
    const other = newId();
    const writer = await record(recordings, other, [output('one'), output('two'), output('three'), output('four')]);
    await writer.close('exited');
    journal.bytes = await readFile(journalOf(other));
    expect((await recordings.check(id)).chain).toBe('broken');
  });

  it('does not follow a path that the catalogue was made to name', async () => {
    const { recordings, catalogue, id } = await sealed();
    await catalogue.update(id, { path: '../../etc' });
    await expect(recordings.header(id)).rejects.toMatchObject({ code: 'recording_corrupt' });
  });
});

describe('after the gateway died', () => {
  it('keeps the whole chunks, cuts the torn one, and verifies from then on', async () => {
    const first = setUp();
    const id = newId();
    const writer = await record(first.recordings, id, [output('kept '), output('also kept '), output('torn')]);
    await writer.close('exited');
    const bytes = await readFile(journalOf(id));
    const open = first.catalogue.rows.get(id);
    // The last two chunks (torn's and the end) are cut inside.
    const endLength = 4 + 8 + 13 + 'exited'.length + 16;
    await writeFile(journalOf(id), bytes.subarray(0, bytes.length - endLength - 3));
    expect(open).toBeDefined();
    await first.catalogue.update(id, { state: 'open', head: '', events: 0, outputBytes: 0 });
    const again = createRecordings(first.deps);
    const [recovered] = await again.recover();
    expect(recovered).toMatchObject({ sessionId: id, summary: { events: 2, outputBytes: 15 } });
    expect(recovered?.tornBytes).toBeGreaterThan(0);
    expect(first.catalogue.rows.get(id)?.state).toBe('recovered');
    expect((await again.check(id)).chain).toBe('verified');
    expect((await outputOf(again, id, 0, 15)).toString()).toBe('kept also kept ');
    expect(await again.recover()).toEqual([]);
  });

  it('says so when nothing of the journal is there', async () => {
    const { recordings, catalogue } = setUp();
    const id = newId();
    await catalogue.insert({
      sessionId: id,
      path: `2026/05/${id}`,
      startedAt: headerFor(id).startedAt,
      sealedKey: Buffer.from('sealed'),
      state: 'open',
      events: 0,
      outputBytes: 0,
      durationMs: 0,
      head: '',
    });
    expect(await recordings.recover()).toHaveLength(1);
    expect((await recordings.check(id)).chain).toBe('broken');
  });
});

describe('a disk that fails', () => {
  /** The real files, with the journal's writes and flushes in the test's hand. */
  function failing(control: { write?: 'full' | 'hung' | 'ok'; sync?: 'hung' | 'ok'; free?: number; short?: boolean }) {
    const held: (() => void)[] = [];
    const files: RecordingFiles = {
      ...systemFiles,
      freeFraction: () => Promise.resolve(control.free ?? 0.5),
      async create(folder, name) {
        const real = await systemFiles.create(folder, name);
        return {
          ...real,
          write(bytes, position, done) {
            if (control.write === 'full') done(new Error('ENOSPC: no space left on device'), 0);
            else if (control.write === 'hung') held.push(() => real.write(bytes, position, done));
            else if (control.short === true && bytes.length > 1) real.write(bytes.subarray(0, 1), position, done);
            else real.write(bytes, position, done);
          },
          writeNow(bytes, position) {
            if (control.write === 'full') throw new Error('ENOSPC: no space left on device');
            if (control.write === 'hung') throw new Error('the event loop would stand still here');
            return real.writeNow(control.short === true ? bytes.subarray(0, 1) : bytes, position);
          },
          sync(done) {
            if (control.sync === 'hung') held.push(() => real.sync(done));
            else real.sync(done);
          },
        };
      },
    };
    return { files, release: () => held.splice(0).forEach((go) => go()) };
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
    expect(await writer.close('recording_unavailable')).toMatchObject({ outputBytes: 6 });
    const again = createRecordings(deps);
    expect(await again.recover()).toMatchObject([{ sessionId: id, summary: { outputBytes: 6 } }]);
    expect((await again.check(id)).chain).toBe('verified');
  });

  it('is slow after 2 s, goes on when it answers, fails 5 s later', async () => {
    const control: { write: 'hung' | 'ok'; sync: 'hung' | 'ok' } = { write: 'ok', sync: 'ok' };
    const clock = new FakeClock();
    const { files, release } = failing(control);
    const { recordings } = setUp({ files, clock });
    const { log, events } = listening();
    const id = newId();
    const writer = await recordings.create(headerFor(id), events);
    let acknowledged = 0;
    // First the flush hangs; from then on nothing may be written in the turn, which would freeze the neighbours.
    control.sync = 'hung';
    await new Promise<void>((resolve) => writer.append(output('a'), resolve));
    clock.advance(300);
    control.write = 'hung';
    writer.append(output('b'), () => (acknowledged += 1));
    await turn();
    clock.advance(1999);
    expect(log).toEqual([]);
    clock.advance(1);
    expect(log).toEqual(['slow']);
    writer.append(output('c'), () => (acknowledged += 1));
    expect(acknowledged).toBe(0);
    control.write = 'ok';
    control.sync = 'ok';
    const recovered = new Promise<void>((resolve) => writer.append({ type: 'clear' }, resolve));
    release();
    await recovered;
    expect(log).toEqual(['slow', 'recovered']);
    expect(acknowledged).toBe(2);
    control.sync = 'hung';
    clock.advance(300);
    control.write = 'hung';
    clock.advance(30);
    writer.append(output('d'), () => (acknowledged += 1));
    await turn();
    clock.advance(7000);
    expect(log.slice(2)).toEqual(['slow', 'failed: no acknowledgement of the journal for 7000 ms']);
    release();
    await turn();
    expect(acknowledged).toBe(2);
    expect((await writer.close('recording_unavailable')).outputBytes).toBe(3);
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

  it('refuses a new session when the journal cannot be made', async () => {
    const { recordings } = setUp({ files: failing({ write: 'full' }).files });
    await expect(recordings.create(headerFor(newId()), silent)).rejects.toMatchObject({
      code: 'recording_unavailable',
    });
    const clock = new FakeClock();
    const hung = setUp({ clock, files: failing({ write: 'hung' }).files });
    const refused = expect(hung.recordings.create(headerFor(newId()), silent)).rejects.toMatchObject({
      code: 'recording_unavailable',
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    clock.advance(7000);
    await refused;
  });
});

describe('retention', () => {
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

describe('asciicast', () => {
  it('joins characters that were split, marks commands and resizes, survives odd bytes', async () => {
    const { recordings } = setUp();
    const id = newId();
    const smile = Buffer.from('😀');
    const writer = await record(recordings, id, [
      output(smile.subarray(0, 1)),
      output(smile.subarray(1, 3)),
      { type: 'resize', cols: 100, rows: 30 },
      output(Buffer.concat([smile.subarray(3), Buffer.from('ok\r\n')])),
      { type: 'command', number: 7, state: 'running' },
      { type: 'command', number: 7, state: 'completed' },
      output(new Uint8Array([0xff, 0x00, 0x1b, 0xe2, 0x82])),
    ]);
    await writer.close('exited');
    const lines = (await all(toAsciicast(recordings, id))).map((line): unknown => JSON.parse(line));
    expect(lines[0]).toMatchObject({ version: 2, width: 80, height: 24, title: 'ann at web01' });
    expect((lines as [number, string, string][]).slice(1).map(([, code, data]) => [code, data])).toEqual([
      ['r', '100x30'],
      ['o', '😀ok\r\n'],
      ['m', 'command 7'],
      ['o', '\ufffd\u0000\u001b'],
      ['o', '\ufffd'],
    ]);
  });
});
