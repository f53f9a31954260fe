import { randomBytes } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SessionId } from '@sallyport/shared/ids';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  all,
  headerFor,
  newId,
  output,
  outputOf,
  record,
  refuse,
  silent,
  useDirectory,
} from '../../../test/contracts/recording-fixture.ts';
import type { RecordedEvent, Recordings, TimedEvent } from './contract.ts';
import { RecordingCorruptError } from './errors.ts';
import { systemFiles, type RecordingFiles } from './files.ts';
import { createRecordings } from './recordings.ts';

const { folderOf, journalOf, setUp } = useDirectory();

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
    await writeFile(join(folderOf(id), 'index'), 'nonsense that is longer than a tag');
    expect((await outputOf(recordings, id, 3_100_001, 3_900_123)).equals(whole.subarray(3_100_001, 3_900_123))).toBe(
      true,
    );
  });

  it('knows where commands start from its index, without reading the journal, and without the index too', async () => {
    const { recordings, deps } = setUp();
    const id = newId();
    const writer = await record(recordings, id, [
      output('PS> Get-Date\r\n'),
      { type: 'command', number: 1, state: 'running', offset: 4 },
      output(randomBytes(300_000)),
      { type: 'command', number: 1, state: 'completed', offset: 4 },
      { type: 'command', number: 2, state: 'running' },
    ]);
    const expected = [
      [1, 4],
      [2, 300_014],
    ];
    expect([...(await recordings.commandOffsets(id))]).toEqual(expected);
    await writer.close('exited');
    let readBytes = 0;
    const counting = createRecordings({
      ...deps,
      files: {
        ...systemFiles,
        open: async (file) => {
          const real = await systemFiles.open(file);
          return {
            ...real,
            read: async (into, position) => {
              const count = await real.read(into, position);
              readBytes += count;
              return count;
            },
          };
        },
      },
    });
    expect([...(await counting.commandOffsets(id))]).toEqual(expected);
    expect(readBytes).toBeLessThanOrEqual(64 * 1024); // The header.
    await rm(join(folderOf(id), 'commands'));
    expect([...(await counting.commandOffsets(id))]).toEqual(expected);
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
    const [recovered] = await again.recover(refuse);
    expect(recovered).toMatchObject({ sessionId: id, summary: { events: 2, outputBytes: 15 } });
    expect(recovered?.tornBytes).toBeGreaterThan(0);
    expect(first.catalogue.rows.get(id)?.state).toBe('recovered');
    expect((await again.check(id)).chain).toBe('verified');
    expect((await outputOf(again, id, 0, 15)).toString()).toBe('kept also kept ');
    expect(await again.recover(refuse)).toEqual([]);
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
    expect(await recordings.recover(refuse)).toHaveLength(1);
    expect((await recordings.check(id)).chain).toBe('broken');
  });
});
