/** asciicast v2 (docs.asciinema.org/manual/asciicast/v2): one JSON value per line, made while reading. */
import { StringDecoder } from 'node:string_decoder';
import type { SessionId } from '@sallyport/shared/ids';
import { assertNever } from '../errors.ts';
import type { RecordedEvent, Recordings } from './contract.ts';

/** Clear-Host, for a player that knows only bytes: screen, scrollback, home. */
const CLEAR = '\x1b[2J\x1b[3J\x1b[H';

type Entry = readonly [code: 'o' | 'r' | 'm', data: string] | null;

/** `decoder` holds a character that was split between two events until its rest comes. */
function toEntry(event: RecordedEvent, decoder: StringDecoder): Entry {
  switch (event.type) {
    case 'output': {
      const text = decoder.write(Buffer.from(event.bytes.buffer, event.bytes.byteOffset, event.bytes.byteLength));
      return text === '' ? null : ['o', text];
    }
    case 'resize':
      return ['r', `${event.cols}x${event.rows}`];
    case 'command':
      return event.state === 'running' ? ['m', `command ${event.number}`] : null;
    case 'clear':
      return ['o', CLEAR];
    case 'title':
    case 'note':
      return null;
    default:
      return assertNever(event);
  }
}

/**
 * Lines of the export, each with its line feed. Bytes that are no UTF-8 become U+FFFD (the format is text; the journal
 * keeps the bytes). @throws RecordingCorruptError after the lines that are proven
 */
export async function* toAsciicast(recordings: Recordings, sessionId: SessionId): AsyncGenerator<string> {
  const header = await recordings.header(sessionId);
  yield `${JSON.stringify({
    version: 2,
    width: header.cols,
    height: header.rows,
    timestamp: Math.floor(header.startedAt / 1000),
    title: `${header.identity === '' ? header.user : header.identity} at ${header.target}`,
    env: { TERM: 'xterm-256color' },
  })}\n`;
  const decoder = new StringDecoder('utf8');
  let seconds = 0;
  for await (const { event, timeMs } of recordings.readEvents(sessionId)) {
    seconds = Math.round(timeMs * 1000) / 1_000_000;
    const entry = toEntry(event, decoder);
    if (entry !== null) yield `${JSON.stringify([seconds, ...entry])}\n`;
  }
  const rest = decoder.end();
  if (rest !== '') yield `${JSON.stringify([seconds, 'o', rest])}\n`;
}
