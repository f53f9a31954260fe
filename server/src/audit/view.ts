import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AuditEventRow, AuditVerdict } from '@sallyport/shared/api/audit';
import type { AuditRecord, CheckpointRecord, Storage } from '../storage/contract.ts';
import { parseAuditRecord } from './chain.ts';
import type { AuditDetail } from './contract.ts';
import type { OpenAuditLog } from './log.ts';
import { verifyAudit } from './verify.ts';

/** C0, DEL, C1, the marks and overrides of writing direction, and the two line separators of Unicode. */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** Text of others as it may be shown: what could move the cursor or turn the text round is written out as `\u202e`. */
export const escapeForView = (text: string): string =>
  text.replace(UNSAFE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** One event for a page or an export. */
export function toAuditEventRow(record: AuditRecord): AuditEventRow {
  const event = parseAuditRecord(record);
  const shown = (value: AuditDetail[string]): AuditDetail[string] =>
    typeof value === 'string' ? escapeForView(value) : value;
  const detail = Object.entries(event.detail).map(([name, value]) => [escapeForView(name), shown(value)] as const);
  return {
    sequence: event.sequence,
    at: event.at,
    type: event.type,
    actor: escapeForView(event.actor.name),
    subject: escapeForView(event.subject),
    outcome: event.outcome,
    detail: Object.fromEntries(detail),
    hash: event.hash,
    previousHash: event.previousHash,
  };
}

/** Rows read at once: bounds the memory of a check of the whole log, and how long it holds up others (about 5 ms). */
const PAGE = 200;

/** The whole log out of storage, page by page, for `verifyAudit` and exports. */
export async function* allEvents(storage: Storage, from = 1): AsyncGenerator<AuditRecord, void> {
  for (let next = from; ;) {
    const page = await storage.audit.range(next, PAGE);
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return;
    next = last.sequence + 1;
    // Reading and hashing are synchronous; a long log must not hold up the sessions.
    await nextTurn();
  }
}

/** All checkpoints; one is about 200 bytes and stands for up to 1,000 events. */
export async function* allCheckpoints(storage: Storage): AsyncGenerator<CheckpointRecord, void> {
  yield* await storage.audit.checkpoints(0);
}

/** What the audit page asks. */
export interface AuditView {
  /** Newest first; texts escaped. `type` filters by prefix. */
  list(filter: { before: number | null; type: string | null; limit: number }): Promise<readonly AuditEventRow[]>;
  /** Checks the whole log against the gateway's own key. */
  verify(): Promise<AuditVerdict>;
}

/** @param log the open log: its public key is the one to check with, and its head is signed first */
export const createAuditView = (storage: Storage, log: Pick<OpenAuditLog, 'publicKey' | 'checkpoint'>): AuditView => ({
  list: async (filter) => (await storage.audit.list(filter)).map(toAuditEventRow),
  async verify() {
    await log.checkpoint();
    const { publicKey } = log;
    const check = { events: allEvents(storage), checkpoints: allCheckpoints(storage), publicKey };
    return { ...(await verifyAudit(check)), publicKey };
  },
});
