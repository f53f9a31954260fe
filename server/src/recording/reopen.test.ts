/** A recording that was put aside, or left open by a gateway that died, is gone on with. */
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/contracts/fake-clock.ts';
import {
  all,
  keys,
  newId,
  output,
  outputOf,
  record,
  refuse,
  silent,
  useDirectory,
} from '../../../test/contracts/recording-fixture.ts';
import type { RecordedEvent, RecordingWriter } from './contract.ts';
import { CHUNK_HEAD_BYTES, chunkLength, parseHeader } from './format.ts';
import { createRecordings } from './recordings.ts';

const { journalOf, setUp } = useDirectory();
const written = (writer: RecordingWriter, event: RecordedEvent): Promise<void> =>
  new Promise((resolve) => writer.append(event, resolve));

/** First byte of each chunk: 0 when its nonce is its number. */
function kindsOf(journal: Buffer): number[] {
  const kinds: number[] = [];
  for (let at = parseHeader(journal)?.length ?? 0; at < journal.length;) {
    kinds.push(journal.readUInt8(at));
    at += chunkLength(journal.subarray(at, at + CHUNK_HEAD_BYTES)) ?? journal.length;
  }
  return kinds;
}

describe('a recording that is gone on with', () => {
  it('has one chain, one row of offsets, and no chunk number sealed twice', async () => {
    const { recordings, catalogue, deps } = setUp();
    const id = newId();
    const first = await record(recordings, id, [output('one '), { type: 'command', number: 1, state: 'running' }]);
    await first.rest();
    first.append(output('never'));
    expect(catalogue.rows.get(id)?.state).toBe('open');
    // Another process over the same files.
    const later = createRecordings(deps);
    expect(await later.check(id)).toMatchObject({ chain: 'open', summary: { outputBytes: 4 } });
    expect((await later.tail(id, 100)).bytes.toString()).toBe('one ');
    const second = await later.reopen(id, silent);
    expect([second.outputBytes, second.writtenBytes]).toEqual([4, 4]);
    await written(second, output('two'));
    expect((await outputOf(later, id, 0, 7)).toString()).toBe('one two');
    const summary = await second.close('exited');
    expect(await later.check(id)).toEqual({ chain: 'verified', firstBad: null, summary });
    const events = await all(later.readEvents(id));
    expect(events.map(({ event, offset, index }) => [event.type, offset, index])).toEqual([
      ['output', 0, 0],
      ['command', 4, 1],
      ['note', 4, 2],
      ['output', 4, 3],
    ]);
    expect([...(await later.commandOffsets(id))]).toEqual([[1, 4]]);
    const kinds = kindsOf(await readFile(journalOf(id)));
    expect(kinds.slice(0, 3)).toEqual([0, 0, 0]);
    expect(kinds.slice(3).length).toBeGreaterThan(1);
    expect(kinds.slice(3).every((kind) => kind === 1)).toBe(true);
  });

  it('goes on in time by the wall clock, never backwards', async () => {
    const clock = new FakeClock();
    const { recordings, deps } = setUp({ clock });
    const id = newId();
    const writer = await record(recordings, id, [output('a')]);
    clock.advance(1000);
    await written(writer, output('b'));
    await writer.rest();
    const hour = new FakeClock(clock.now() + 3_600_000);
    const second = await createRecordings({ ...deps, clock: hour }).reopen(id, silent);
    hour.advance(500);
    await written(second, output('c'));
    await second.rest();
    const setBack = new FakeClock(clock.now() - 3_600_000);
    const third = await createRecordings({ ...deps, clock: setBack }).reopen(id, silent);
    await written(third, output('d'));
    const { durationMs } = await third.close('exited');
    const events = await all(createRecordings(deps).readEvents(id));
    const hourLater = 3_601_000;
    expect(events.map(({ timeMs }) => timeMs)).toEqual([
      ...[0, 1000, hourLater, hourLater + 500],
      ...[hourLater + 500, hourLater + 500],
    ]);
    expect(durationMs).toBe(hourLater + 500);
    expect(events[2]?.event).toEqual({ type: 'note', text: 'went on after 3600.0 s' });
  });

  it('loses what was torn and nothing else', async () => {
    const { recordings, deps } = setUp();
    const id = newId();
    const first = await record(recordings, id, [output('whole')]);
    await first.rest();
    // As a gateway leaves it that is killed.
    await deps.catalogue.update(id, { head: '' });
    const journal = await readFile(journalOf(id));
    const start = parseHeader(journal)?.length ?? 0;
    // A chunk that was being written: the beginning of one.
    await appendFile(journalOf(id), journal.subarray(start, start + 20));
    const later = createRecordings(deps);
    const second = await later.reopen(id, silent);
    await written(second, output('!'));
    await second.close('exited');
    expect((await later.check(id)).chain).toBe('verified');
    expect((await outputOf(later, id, 0, 6)).toString()).toBe('whole!');
    const notes = (await all(later.readEvents(id))).flatMap(({ event }) => (event.type === 'note' ? [event.text] : []));
    expect(notes).toEqual([expect.stringMatching(/, 20 bytes that nobody was shown were cut off$/)]);
  });

  it('is refused when it was changed, is written, or has its end', async () => {
    const { recordings, deps } = setUp();
    const [changed, live, ended] = [newId(), newId(), newId()];
    await (await record(recordings, changed, [output('abc'), output('def')])).rest();
    const journal = await readFile(journalOf(changed));
    journal.writeUInt8(journal.readUInt8(journal.length - 20) ^ 1, journal.length - 20);
    await writeFile(journalOf(changed), journal);
    const writer = await record(recordings, live, [output('x')]);
    await (await record(recordings, ended, [output('x')])).close('exited');
    await expect(recordings.reopen(changed, silent)).rejects.toMatchObject({ code: 'recording_corrupt' });
    await expect(recordings.reopen(live, silent)).rejects.toMatchObject({ code: 'bad_state' });
    await expect(recordings.reopen(ended, silent)).rejects.toMatchObject({ code: 'bad_state' });
    await expect(recordings.reopen(newId(), silent)).rejects.toMatchObject({ code: 'not_found' });
    expect((await readFile(journalOf(changed))).equals(journal)).toBe(true);
    await writer.rest();
    const twice = await Promise.allSettled([recordings.reopen(live, silent), recordings.reopen(live, silent)]);
    expect(twice.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    const again = createRecordings({ ...deps, keys: { ...keys, open: () => Buffer.alloc(32) } });
    await expect(again.reopen(changed, silent)).rejects.toMatchObject({ code: 'recording_corrupt' });
  });

  it('is refused when it is not what was put aside, though each chunk of it is good', async () => {
    const { recordings, catalogue, deps } = setUp();
    const id = newId();
    const first = await record(recordings, id, [output('abc')]);
    await written(first, output('def'));
    const rested = await first.rest();
    const whole = await readFile(journalOf(id));
    expect(catalogue.rows.get(id)).toMatchObject({ state: 'open', ...rested });
    expect(rested).toMatchObject({ outputBytes: 6 });
    const start = parseHeader(whole)?.length ?? 0;
    const ends = [start];
    while ((ends.at(-1) ?? 0) < whole.length) {
      const at = ends.at(-1) ?? 0;
      ends.push(at + (chunkLength(whole.subarray(at, at + CHUNK_HEAD_BYTES)) ?? whole.length));
    }
    const lastChunk = whole.subarray(ends.at(-2));
    // Cut at the end of a chunk, cut inside of one, something behind the end.
    for (const changed of [whole.subarray(0, ends.at(-2)), whole.subarray(0, -3), Buffer.concat([whole, lastChunk.subarray(0, 9)])]) {
      await writeFile(journalOf(id), changed);
      const later = createRecordings(deps);
      await expect(later.reopen(id, silent)).rejects.toMatchObject({ code: 'recording_corrupt' });
      expect((await readFile(journalOf(id))).equals(changed)).toBe(true);
      expect(await later.check(id)).toMatchObject({ chain: 'broken', summary: rested });
    }
    // As evidence: closed as it is, and never called whole.
    await writeFile(journalOf(id), whole.subarray(0, ends.at(-2)));
    const later = createRecordings(deps);
    const [found] = await later.recover(refuse);
    expect(found?.summary).toEqual(rested);
    expect((await readFile(journalOf(id))).equals(whole.subarray(0, ends.at(-2)))).toBe(true);
    expect(await later.check(id)).toMatchObject({ chain: 'broken', summary: rested });
    // What was not touched goes on; then its end is not known any more until it is put aside again.
    const other = newId();
    await (await record(recordings, other, [output('x')])).rest();
    const second = await later.reopen(other, silent);
    expect(catalogue.rows.get(other)?.head).toBe('');
    await written(second, output('y'));
    const again = await second.rest();
    expect(catalogue.rows.get(other)).toMatchObject({ head: again.head, outputBytes: 2 });
    await (await later.reopen(other, silent)).close('exited');
    expect((await later.check(other)).chain).toBe('verified');
  }); // prettier-ignore

  it('stays open when a recovery is told to keep it', async () => {
    const { recordings, catalogue, deps } = setUp();
    const [kept, lost] = [newId(), newId()];
    for (const id of [kept, lost]) await (await record(recordings, id, [output('x')])).rest();
    const later = createRecordings(deps);
    const recovered = await later.recover(refuse, (id) => id === kept);
    expect(recovered.map(({ sessionId }) => sessionId)).toEqual([lost]);
    expect([kept, lost].map((id) => catalogue.rows.get(id)?.state)).toEqual(['open', 'recovered']);
    await (await later.reopen(kept, silent)).close('exited');
    expect((await later.check(kept)).chain).toBe('verified');
  });
});
