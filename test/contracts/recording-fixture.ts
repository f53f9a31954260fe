/** What tests of recordings share: a directory, a catalogue in memory, a key, a recording made of events. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SessionId } from '@sallyport/shared/ids';
import { afterEach, beforeEach } from 'vitest';
import { systemClock } from '../../server/src/clock.ts';
import { toError } from '../../server/src/errors.ts';
import { randomId } from '../../server/src/random.ts';
import type {
  RecordedEvent,
  RecordingHeader,
  RecordingKeys,
  Recordings,
  RecordingWriter,
  WriterEvents,
} from '../../server/src/recording/contract.ts';
import { createRecordings, type RecordingsDeps } from '../../server/src/recording/recordings.ts';
import { memoryCatalogue } from './memory-catalogue.ts';

export const keyOfTest = randomBytes(32);
export const keys: RecordingKeys = {
  create: () => ({ key: keyOfTest, sealed: Buffer.from('sealed') }),
  open: () => keyOfTest,
};
export const silent: WriterEvents = { slow: () => undefined, recovered: () => undefined, failed: () => undefined };
/** For recoveries where nothing may fail. */
export const refuse = (_: SessionId, error: unknown): Promise<void> => Promise.reject(toError(error));

export const newId = (): SessionId => SessionId.parse(randomId());
export const headerFor = (sessionId: SessionId): RecordingHeader => ({
  sessionId,
  startedAt: Date.UTC(2026, 4, 6),
  cols: 80,
  rows: 24,
  kind: 'pty',
  user: 'ann',
  target: 'web01',
  identity: 'ann',
});
export const output = (text: string | Uint8Array): RecordedEvent => ({
  type: 'output',
  bytes: typeof text === 'string' ? Buffer.from(text) : text,
});
export async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of source) list.push(item);
  return list;
}
export const outputOf = async (recordings: Recordings, id: SessionId, from: number, to: number): Promise<Buffer> =>
  Buffer.concat(await all(recordings.readOutput(id, from, to)));

/** Records the events, each waited for so that each is a chunk of its own. */
export async function record(
  recordings: Recordings,
  id: SessionId,
  events: readonly RecordedEvent[],
): Promise<RecordingWriter> {
  const writer = await recordings.create(headerFor(id), silent);
  for (const event of events) await new Promise<void>((resolve) => writer.append(event, resolve));
  return writer;
}

/** A new directory for each test of the file that calls this. */
export function useDirectory() {
  let directory = '';
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sallyport-recording-'));
  });
  afterEach(async () => {
    await rm(directory, { recursive: true, force: true });
  });
  return {
    /** The folder of a recording that `headerFor` describes. */
    folderOf: (id: SessionId) => join(directory, '2026', '05', id),
    journalOf: (id: SessionId) => join(directory, '2026', '05', id, 'journal'),
    setUp: (change: Partial<RecordingsDeps> = {}) => {
      const catalogue = memoryCatalogue();
      const deps: RecordingsDeps = { directory, catalogue, keys, clock: systemClock, ...change };
      return { catalogue, deps, recordings: createRecordings(deps) };
    },
  };
}
