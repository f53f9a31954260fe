/** The ledger and the audit log. */
import type { AuditPage, LedgerPage, LedgerRow } from '@sallyport/shared/api/audit';
import { Page } from '@sallyport/shared/api/common';
import type { SessionRow } from '@sallyport/shared/api/sessions';
import { SessionId } from '@sallyport/shared/ids';
import { CommandState } from '@sallyport/shared/wire/control';
import { z } from 'zod';
import { SallyportError } from '../../errors.ts';
import type { LedgerEntry } from '../../ledger/contract.ts';
import { decide, seesOnlyOwn } from '../../policy.ts';
import type { RoutesJoin } from '../ports.ts';
import { userRoute, type Caller, type Route } from '../route.ts';
import { sessionById } from './account.ts';

/** Text in one page of the ledger; a few rows more may pass it. */
const MAX_PAGE_CHARS = 4 * 1024 * 1024;
const ROWS_AT_ONCE = 16;

const toRow = (entry: LedgerEntry, session: SessionRow): LedgerRow => ({
  id: entry.id,
  sessionId: entry.sessionId,
  number: entry.number,
  userName: session.userName,
  targetName: session.facts.targetName,
  via: session.facts.via,
  identity: session.facts.identity,
  protection: session.facts.protection,
  weakened: session.facts.weakened,
  text: entry.text,
  startedAt: entry.startedAt,
  endedAt: entry.endedAt,
  state: CommandState.parse(entry.state),
  errorCount: entry.errorCount,
  outputBytes: entry.outputBytes,
  runspacePoolId: entry.runspacePoolId,
  pipelineId: entry.pipelineId,
  shellId: entry.shellId,
});

/** The session of each row is looked up once. */
async function rowsOf({ broker }: RoutesJoin, entries: readonly LedgerEntry[]): Promise<LedgerRow[]> {
  const sessions = new Map<string, SessionRow>();
  const rows: LedgerRow[] = [];
  for (const entry of entries) {
    const session = sessions.get(entry.sessionId) ?? (await sessionById(broker, entry.sessionId));
    sessions.set(entry.sessionId, session);
    rows.push(toRow(entry, session));
  }
  return rows;
}

async function ofSession(
  join: RoutesJoin,
  caller: Caller,
  { sessionId, after, limit }: { sessionId: SessionId; after: number | null; limit: number },
): Promise<LedgerPage> {
  const { userId } = await sessionById(join.broker, sessionId);
  if (!decide(caller.subject, 'ledger.read', { ownerId: userId }).allowed)
    throw new SallyportError('not_found', 'the ledger of somebody else');
  const subject = `session:${sessionId}`;
  await join.audit.append({ type: 'ledger.read', actor: caller.actor, subject, outcome: 'ok' });
  const { entries, next } = await pageOf(
    (last, wanted) => join.ledger.ofSession({ sessionId, after: last ?? after, limit: wanted }),
    limit,
  );
  return { rows: await rowsOf(join, entries), next };
}

/**
 * One command's text may be 1 MiB, and a page 500 commands: a page ends early where its texts get large, so that nobody
 * makes the gateway hold, unseal and print hundreds of MiB at once.
 */
async function pageOf(
  take: (last: number | undefined, wanted: number) => Promise<readonly LedgerEntry[]>,
  limit: number,
): Promise<{ readonly entries: readonly LedgerEntry[]; readonly next: number | null }> {
  const entries: LedgerEntry[] = [];
  let chars = 0;
  while (entries.length < limit && chars < MAX_PAGE_CHARS) {
    const wanted = Math.min(ROWS_AT_ONCE, limit - entries.length);
    const found = await take(entries.at(-1)?.sequence, wanted);
    entries.push(...found);
    chars += found.reduce((sum, { text }) => sum + text.length, 0);
    if (found.length < wanted) return { entries, next: null };
  }
  return { entries, next: entries.at(-1)?.sequence ?? null };
}

/** Newest first behind `before`; of one session oldest first behind `after`. */
const LedgerQuery = Page.extend({
  session: SessionId.optional(),
  after: Page.shape.before,
}).refine(({ session, before, after }) => (session === undefined ? after : before) === undefined);

/** `/api/ledger`, also of one session. */
export const ledgerRoutes = (join: RoutesJoin): readonly Route[] => [
  userRoute({
    method: 'GET',
    path: '/api/ledger',
    action: 'ledger.read',
    query: LedgerQuery,
    handle: async ({ query }, caller): Promise<LedgerPage> => {
      const { session: sessionId, limit, before = null, after = null } = query;
      if (sessionId !== undefined) return ofSession(join, caller, { sessionId, after, limit });
      const { actor, subject } = caller;
      const userId = seesOnlyOwn(subject, 'ledger.read') ? subject.userId : null;
      await join.audit.append({ type: 'ledger.read', actor, subject: userId === null ? 'all' : 'own', outcome: 'ok' });
      const { entries, next } = await pageOf(
        (last, wanted) => join.ledger.list({ userId, before: last ?? before, limit: wanted }),
        limit,
      );
      return { rows: await rowsOf(join, entries), next };
    },
  }),
];

/** `/api/audit`. */
export const auditRoutes = ({ audit, auditView }: RoutesJoin): readonly Route[] => [
  userRoute({
    method: 'GET',
    path: '/api/audit',
    action: 'audit.read',
    query: Page.extend({ type: z.string().max(64).regex(/^[a-zA-Z.]*$/).optional() }), // prettier-ignore
    handle: async ({ query }, { actor }): Promise<AuditPage> => {
      await audit.append({ type: 'audit.read', actor, subject: query.type ?? 'all', outcome: 'ok' });
      const filter = { before: query.before ?? null, type: query.type ?? null, limit: query.limit };
      const events = await auditView.list(filter);
      const next = events.length === query.limit ? (events.at(-1)?.sequence ?? null) : null;
      return { events: [...events], next };
    },
  }),
  userRoute({
    method: 'POST',
    path: '/api/audit/verify',
    action: 'audit.verify',
    handle: async (_input, { actor }) => {
      await audit.append({ type: 'audit.verify', actor, subject: 'all', outcome: 'ok' });
      return auditView.verify();
    },
  }),
];
