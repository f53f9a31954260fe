import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import { randomId } from '../random.ts';
import type { Secret } from '../secret.ts';
import type { LedgerRecord, Storage } from '../storage/contract.ts';
import type { Ledger, LedgerEntry } from './contract.ts';

/** The part of the vault that the ledger needs; `app` hands it in. Texts hold what people typed, so they are sealed. */
export interface TextSealer {
  seal(place: { table: string; row: string; field: string }, plain: Uint8Array): Uint8Array;
  /** @throws SallyportError secret_unreadable */
  open(place: { table: string; row: string; field: string }, sealed: Uint8Array): Secret;
}

const placeOf = (id: string) => ({ table: 'ledger', row: id, field: 'text' });

/** The ledger over a storage. Rows get a gap-free sequence; the start row is durable when `start` resolves. */
export function createLedger(deps: {
  readonly storage: Pick<Storage, 'ledger'>;
  readonly sealer: TextSealer;
  readonly clock: Clock;
}): Ledger {
  const { storage, sealer, clock } = deps;
  const encoder = new TextEncoder();
  const toEntry = ({ sealedText, ...row }: LedgerRecord): LedgerEntry => ({
    ...row,
    text: sealer.open(placeOf(row.id), sealedText).reveal(),
  });
  return {
    async start({ text, ...entry }) {
      const id = randomId();
      const sealedText = sealer.seal(placeOf(id), encoder.encode(text));
      await storage.ledger.insert({
        ...entry,
        id,
        sealedText,
        startedAt: clock.now(),
        endedAt: null,
        state: 'running',
        errorCount: 0,
        outputBytes: 0,
      });
      return id;
    },
    async end(id, end) {
      const endedAt = clock.now();
      // What goes to the target for the next prompt is sent by then: a write holds everything up.
      await setImmediate();
      await storage.ledger.update(id, { ...end, endedAt });
    },
    rowsOfSession: (sessionId) => storage.ledger.marksOfSession(sessionId),
    ofSession: async (filter) => (await storage.ledger.ofSession(filter)).map(toEntry),
    list: async (filter) => (await storage.ledger.list(filter)).map(toEntry),
  };
}
