/** Records as fast as it can and writes to stdout what was acknowledged, until it is killed. */
import { SessionId } from '@sallyport/shared/ids';
import { systemClock } from '../../server/src/clock.ts';
import { createRecordings } from '../../server/src/recording/recordings.ts';
import { memoryCatalogue } from '../contracts/memory-catalogue.ts';
import { childOutput, keysOfTest, STARTED_AT } from './recording-child-data.ts';

const [directory = '', id = ''] = process.argv.slice(2);
const sessionId = SessionId.parse(id);
const recordings = createRecordings({ directory, catalogue: memoryCatalogue(), keys: keysOfTest, clock: systemClock });
const nothing = (): void => undefined;
const writer = await recordings.create(
  { sessionId, startedAt: STARTED_AT, cols: 80, rows: 24, kind: 'pty', user: 'u', target: 't', identity: 'i' },
  { slow: nothing, recovered: nothing, failed: () => process.exit(1) },
);
let at = 0;
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
