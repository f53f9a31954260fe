/**
 * Records as fast as it can, noting after each piece how many bytes of output were acknowledged, until it kills itself at
 * the point it was given: in front of, within or behind the n-th write, flush or cut of a journal. Told to go on, it does
 * so with what another one left; told to recover, it closes that.
 */
import { openSync, writeSync } from 'node:fs';
import { SessionId } from '@sallyport/shared/ids';
import { systemClock } from '../../server/src/clock.ts';
import { type JournalFile, systemFiles } from '../../server/src/recording/files.ts';
import { createRecordings } from '../../server/src/recording/recordings.ts';
import { refuse } from '../contracts/recording-fixture.ts';
import {
  catalogueWith,
  childOutput,
  type KillPoint,
  keysOfTest,
  type Life,
  STARTED_AT,
} from './recording-child-data.ts';

const [directory = '', id = '', noted = '', given = ''] = process.argv.slice(2);
const life = JSON.parse(given) as Life;
const sessionId = SessionId.parse(id);

/** Nothing runs after it: the signal is delivered before the call returns. */
const die = (): void => void process.kill(process.pid, 'SIGKILL');
const counts: Record<KillPoint['step'], number> = { write: 0, sync: 0, cut: 0 };
function passing(step: KillPoint['step']): KillPoint['when'] | null {
  counts[step] += 1;
  const isHere = step === life.kill.step && counts[step] === life.kill.nth;
  if (isHere && life.kill.when === 'before') die();
  return isHere ? life.kill.when : null;
}
/** The journal, whose pieces go to the disk whole but for the one within which the end comes. */
function mortal(file: JournalFile): JournalFile {
  const write = (bytes: Buffer, position: number): number => {
    const when = passing('write');
    const written = file.writeNow([when === 'within' ? bytes.subarray(0, bytes.length >> 1) : bytes], position);
    if (when !== null) die();
    return written;
  };
  return {
    ...file,
    writeNow: (pieces, position) => write(Buffer.concat(pieces), position),
    write: (bytes, position, done) => void setImmediate(() => done(null, write(Buffer.from(bytes), position))),
    sync(done) {
      const when = passing('sync');
      file.sync(when === null ? done : die);
    },
    async truncate(length) {
      const when = passing('cut');
      await file.truncate(length);
      if (when !== null) die();
    },
  };
}

const files = {
  ...systemFiles,
  create: async (folder: string, name: string) => mortal(await systemFiles.create(folder, name)),
  reopen: async (file: string) => mortal(await systemFiles.reopen(file)),
};
const events = { slow: () => undefined, recovered: () => undefined, failed: () => process.exit(1) };
const catalogue = await catalogueWith(life.does === 'begin' ? null : sessionId);
const recordings = createRecordings({ directory, catalogue, keys: keysOfTest, clock: systemClock, files });
const header = { sessionId, startedAt: STARTED_AT, cols: 80, rows: 24, kind: 'pty' } as const;

async function record(): Promise<void> {
  const writer =
    life.does === 'begin'
      ? await recordings.create({ ...header, user: 'u', target: 't', identity: 'i' }, events)
      : await recordings.reopen(sessionId, events);
  const notes = openSync(noted, 'w');
  let acknowledged = writer.outputBytes;
  const note = (): void => void writeSync(notes, String(acknowledged).padStart(12), 0);
  note();
  let at = acknowledged;
  let turn = 0;
  function next(): void {
    turn += 1;
    // Sizes from one byte to more than a journal takes in one turn of the event loop, several events a turn.
    for (let n = 0; n < 3; n += 1) {
      const size = n === 1 && turn % 4 === 0 ? 300_000 : 1 + ((at + n) % 900);
      writer.append({ type: 'output', bytes: childOutput(at, size) }, () => {
        acknowledged += size;
        note();
      });
      at += size;
    }
    setImmediate(next);
  }
  next();
}

if (life.does === 'recover') await recordings.recover(refuse);
else await record();
