import type { SessionId } from '@sallyport/shared/ids';
import type { RecordingKeys } from '../../server/src/recording/contract.ts';
import { memoryCatalogue } from '../contracts/memory-catalogue.ts';

/** What `recording-kill.test.ts` and its child agree on. */
export const STARTED_AT = Date.UTC(2026, 0, 2);

const key = Buffer.alloc(32, 7);
export const keysOfTest: RecordingKeys = {
  create: () => ({ key, sealed: Buffer.from('sealed') }),
  open: () => key,
};

/** Where a child ends itself: at the `nth` (from 1) of its writes, flushes or cuts of a journal. */
export interface KillPoint {
  readonly step: 'write' | 'sync' | 'cut';
  readonly nth: number;
  /** `within`: half of what is written stands in the file. */
  readonly when: 'before' | 'within' | 'after';
}
/** What a child does, and where it ends. */
export interface Life {
  readonly does: 'begin' | 'go on' | 'recover';
  readonly kill: KillPoint;
}

/** The child's output stream: a function of the position, so that any part can be compared. */
export function childOutput(from: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i += 1) bytes.writeUInt8(((from + i) * 31 + ((from + i) >>> 8)) & 0xff, i);
  return bytes;
}

/** A catalogue that knows one recording that is still open, or none. */
export async function catalogueWith(sessionId: SessionId | null): Promise<ReturnType<typeof memoryCatalogue>> {
  const catalogue = memoryCatalogue();
  const blank = { state: 'open', events: 0, outputBytes: 0, durationMs: 0, head: '' } as const;
  const sealedKey = Buffer.from('sealed');
  if (sessionId !== null)
    await catalogue.insert({ ...blank, sessionId, path: `2026/01/${sessionId}`, startedAt: STARTED_AT, sealedKey });
  return catalogue;
}
