/** Past sessions: rows for lists, their commands, and those that a dead gateway left open. */
import { SessionId } from '@sallyport/shared/ids';
import type { SessionRow } from '@sallyport/shared/api/sessions';
import { CommandState, SessionFacts, type CommandMark } from '@sallyport/shared/wire/control';
import { GATEWAY_ACTOR } from '../audit/contract.ts';
import { codeOf } from '../errors.ts';
import type { BrokerDeps, StoredSession } from './deps.ts';
import { isLeft, leftUntil, silent } from './left.ts';
import type { Session } from './session.ts';

/** @param live the session itself while it runs */
export async function toSessionRow(deps: BrokerDeps, stored: StoredSession, live: Session | null): Promise<SessionRow> {
  const row = live?.row() ?? stored;
  return {
    id: row.id,
    userId: row.userId,
    userName: row.userName,
    endedAt: row.endedAt,
    endReason: row.endReason,
    exitCode: row.exitCode,
    commandCount: row.commandCount,
    errorCount: row.errorCount,
    outputBytes: row.outputBytes,
    facts: SessionFacts.parse(JSON.parse(row.facts)),
    phase: live?.phase ?? (isLeft(row) ? 'left' : 'ended'),
    ...(live === null && isLeft(row) ? { leftUntil: leftUntil(row, deps) } : {}),
    attached: (live?.pages.size ?? 0) > 0,
    detachedAt: live?.detachedAt ?? null,
    // An ended session is kept for a while; its recording may be deleted meanwhile.
    hasRecording: (live !== null && live.phase !== 'ended') || (await deps.hasRecording(row.id)),
  };
}

/** Where each command stands in the recording, as far as that can be told. */
async function offsetsOf(deps: BrokerDeps, sessionId: string): Promise<ReadonlyMap<number, number>> {
  try {
    return await deps.recordings.commandOffsets(SessionId.parse(sessionId));
  } catch (error) {
    deps.log.warn({ err: error, sessionId }, 'Commands of a past session not found in its recording');
    return new Map();
  }
}

/** Commands of a session that is not live. */
export async function pastCommands(deps: BrokerDeps, sessionId: string): Promise<readonly CommandMark[]> {
  const entries = await deps.ledger.rowsOfSession(sessionId);
  if (entries.length === 0) return [];
  const offsets = await offsetsOf(deps, sessionId);
  return entries.map((entry) => ({
    number: entry.number,
    offset: offsets.get(entry.number) ?? 0,
    state: CommandState.catch('lost').parse(entry.state),
    errorCount: entry.errorCount,
    startedAt: entry.startedAt,
    endedAt: entry.endedAt,
  }));
}

async function closeLost(deps: BrokerDeps, row: StoredSession, outputBytes: number | null): Promise<void> {
  const entries = await deps.ledger.rowsOfSession(row.id);
  for (const { id, endedAt, errorCount, outputBytes: bytes } of entries)
    if (endedAt === null) await deps.ledger.end(id, { state: 'lost', errorCount, outputBytes: bytes });
  await deps.audit.append({
    type: 'session.end',
    actor: GATEWAY_ACTOR,
    subject: `session:${row.id}`,
    outcome: 'ok',
    detail: { reason: 'gateway_lost', userId: row.userId },
  });
  await deps.sessions.update(row.id, {
    endedAt: deps.clock.now(),
    endReason: 'gateway_lost',
    commandCount: entries.length,
    errorCount: entries.reduce((sum, entry) => sum + entry.errorCount, 0),
    ...(outputBytes === null ? {} : { outputBytes }),
  });
}

/**
 * Where the recording of a dead gateway ends is kept from now on, so that what is cut off while the session waits is found.
 * @returns null when it cannot be gone on with: whoever picks the session up is told why
 */
async function putAside({ recordings, log }: BrokerDeps, id: string): Promise<string | null> {
  try {
    return (await (await recordings.reopen(SessionId.parse(id), silent)).rest()).head;
  } catch (error) {
    log.error({ err: error, sessionId: id }, 'Recording of a left session not put aside');
    return null;
  }
}

/** What a dead gateway carried and its target keeps: it waits from now on, whenever the gateway died. */
async function keepLeft(deps: BrokerDeps, row: StoredSession): Promise<void> {
  if (row.leftAt !== null) return;
  const head = await putAside(deps, row.id);
  await deps.audit.append({
    ...{ type: 'session.left', actor: GATEWAY_ACTOR, subject: `session:${row.id}`, outcome: 'ok' },
    detail: { why: 'gateway_lost', userId: row.userId, ...(head === null ? {} : { head }) },
  });
  await deps.sessions.update(row.id, { leftAt: deps.clock.now() });
}

/** Closes what a dead gateway left open, but for what its targets keep. @returns how many sessions were lost */
export async function recoverSessions(deps: BrokerDeps): Promise<number> {
  const unended = await deps.sessions.unended();
  const kept = new Set(unended.filter(isLeft).map(({ id }) => id));
  const recovered = await deps.recordings.recover(
    async (sessionId, error) => {
      deps.log.error({ err: error, sessionId }, 'RecordingNotRecovered');
      await deps.audit.append({
        type: 'recording.recovered',
        actor: GATEWAY_ACTOR,
        subject: `session:${sessionId}`,
        outcome: 'failed',
        detail: { code: codeOf(error) },
      });
    },
    (sessionId) => kept.has(sessionId),
  );
  for (const { sessionId, summary, tornBytes } of recovered)
    await deps.audit.append({
      type: 'recording.recovered',
      actor: GATEWAY_ACTOR,
      subject: `session:${sessionId}`,
      outcome: 'ok',
      detail: { outputBytes: summary.outputBytes, tornBytes, head: summary.head },
    });
  const bytes = new Map<string, number>(recovered.map(({ sessionId, summary }) => [sessionId, summary.outputBytes]));
  const lost = unended.filter(({ id }) => !kept.has(id));
  for (const row of lost) await closeLost(deps, row, bytes.get(row.id) ?? null);
  for (const row of unended) if (kept.has(row.id)) await keepLeft(deps, row);
  return lost.length;
}
