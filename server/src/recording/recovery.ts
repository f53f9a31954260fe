/** Closes the journal of a gateway that died: keeps every whole chunk, cuts the torn one, writes an end. */
import type { RecordingSummary } from './contract.ts';
import { CommandIndex } from './command-index.ts';
import { ChunkBuilder } from './event-codec.ts';
import type { JournalFile, RecordingFiles } from './files.ts';
import { sealChunk, type ChainPoint } from './format.ts';
import { saveIndexes } from './index-file.ts';
import { readChunks, type ReadStop } from './journal-reader.ts';
import type { Standing } from './journal-writer.ts';
import type { OpenedRecording } from './opened-recording.ts';
import { SparseIndex } from './sparse-index.ts';

export interface Recovered extends RecordingSummary {
  readonly tornBytes: number;
}

async function append(file: JournalFile, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const rest = bytes.subarray(at);
    at += await new Promise<number>((resolve, reject) =>
      file.write(rest, position + at, (error, count) => (error === null ? resolve(count) : reject(error))),
    );
  }
  await new Promise<void>((resolve, reject) => file.sync((error) => (error === null ? resolve() : reject(error))));
}

/** What a journal that nobody closed holds, and where its proven part ends. */
export interface Examined extends Standing {
  readonly kind: ReadStop['kind'];
  readonly point: ChainPoint;
  readonly hasEnd: boolean;
  readonly tornBytes: number;
}

/** Reads and proves all of it; nothing is changed. */
export async function examineJournal(opened: OpenedRecording, nowMs: number): Promise<Examined> {
  const size = await opened.file.size();
  const index = new SparseIndex();
  const commands = new CommandIndex();
  const counts = { events: 0, outputBytes: 0, durationMs: 0 };
  let wallMs = nowMs;
  let hasEnd = false;
  const chunks = readChunks(opened.file, opened.chain, opened.start, size);
  let step = await chunks.next();
  for (; step.done !== true; step = await chunks.next()) {
    index.add(step.value.point, counts.events, counts.outputBytes, counts.durationMs);
    ({ wallMs } = step.value);
    for (const { event, timeMs } of step.value.events) {
      counts.durationMs = timeMs;
      hasEnd ||= event.type === 'end';
      if (event.type === 'header' || event.type === 'end') continue;
      commands.add(event, counts.outputBytes);
      counts.events += 1;
      if (event.type === 'output') counts.outputBytes += event.bytes.length;
    }
  }
  const { kind, point } = step.value;
  const tornBytes = kind === 'torn' ? size - point.position : 0;
  // A wall clock that was set back does not make time run backwards.
  return { ...counts, index, commands, kind, point, hasEnd, tornBytes, gapMs: Math.max(0, nowMs - wallMs) };
}

/**
 * A journal whose next chunk is whole but not the one sealed there was changed, not torn: it is left as it is, and
 * readers will stop at that place.
 */
export async function recoverJournal(
  files: RecordingFiles,
  folder: string,
  opened: OpenedRecording,
  nowMs: number,
): Promise<Recovered> {
  const { kind, point, hasEnd, index, commands, ...found } = await examineJournal(opened, nowMs);
  let head: ChainPoint = point;
  if (kind !== 'bad' && !hasEnd) {
    const builder = new ChunkBuilder();
    builder.start(nowMs);
    builder.add({ type: 'end', reason: 'gateway_lost' }, found.durationMs);
    const { pieces, next } = sealChunk(opened.chain, point, builder.bytes(), 'explicit');
    const file = await files.reopen(`${folder}/journal`);
    try {
      await file.truncate(point.position);
      await append(file, Buffer.concat(pieces), point.position);
    } finally {
      await file.close();
    }
    head = next;
  }
  await saveIndexes(files, folder, opened.chain, { places: index, commands });
  const { events, outputBytes, durationMs, tornBytes } = found;
  return { events, outputBytes, durationMs, tornBytes, head: head.hash.toString('hex') };
}
