/**
 * Records as fast as it can and writes to stdout what was acknowledged, until it is killed. Told to go on, it does so with
 * what another one left, and says first in a line of its own how much that was.
 */
import { SessionId } from '@sallyport/shared/ids';
import { systemClock } from '../../server/src/clock.ts';
import { createRecordings } from '../../server/src/recording/recordings.ts';
import { catalogueWith, childOutput, keysOfTest, STARTED_AT } from './recording-child-data.ts';

const [directory = '', id = '', goOn] = process.argv.slice(2);
const sessionId = SessionId.parse(id);
const events = { slow: () => undefined, recovered: () => undefined, failed: () => process.exit(1) };
const catalogue = await catalogueWith(goOn === undefined ? null : sessionId);
const recordings = createRecordings({ directory, catalogue, keys: keysOfTest, clock: systemClock });
const header = { sessionId, startedAt: STARTED_AT, cols: 80, rows: 24, kind: 'pty' } as const;
const writer =
  goOn === undefined
    ? await recordings.create({ ...header, user: 'u', target: 't', identity: 'i' }, events)
    : await recordings.reopen(sessionId, events);
let at = writer.outputBytes;
if (goOn !== undefined) process.stdout.write(`${at}\n`);
function next(): void {
  // Sizes from one byte to more than a journal's window, several events a turn.
  for (let n = 0; n < 3; n += 1) {
    const size = at % 7 === 0 ? 150_000 : 1 + (at % 900);
    const bytes = childOutput(at, size);
    at += size;
    writer.append({ type: 'output', bytes }, () => process.stdout.write(bytes));
  }
  setImmediate(next);
}
next();
