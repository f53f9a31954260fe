/** Sessions that nobody carries come to their end: the books are closed here, the shell is ended at the target if that can be. */
import type { ErrorCode } from '@sallyport/shared/error-codes';
import { SessionId } from '@sallyport/shared/ids';
import { type AuditDetail, GATEWAY_ACTOR } from '../audit/contract.ts';
import { codeOf, SallyportError } from '../errors.ts';
import { decide } from '../policy.ts';
import type { LeftTerminal } from '../terminals/contract.ts';
import type { BrokerDeps, LeftRow } from './deps.ts';
import { isLeft, leftTerminalOf, limitOf, type LeftSession, silent } from './left.ts';

/** What the audit log says of a shell that was to be ended. */
const TOLD = {
  deleted: { outcome: 'ok', is: 'deleted' },
  gone: { outcome: 'ok', is: 'gone' },
  needs_person: { outcome: 'failed', is: 'kept' },
  place_changed: { outcome: 'failed', is: 'kept' },
} as const;

/** Ends that somebody or some rule decided. After any other its person may want what still runs there. */
const ENDS_SHELL: ReadonlySet<ErrorCode> = new Set([
  'closed_by_user',
  'terminated',
  'detached_too_long',
  'grant_removed',
  'revoked',
]);

const HOUR_MS = 3_600_000;

/** Ends what waits. */
export class LeftEnds {
  readonly #deps: BrokerDeps;
  /** Carried by somebody, or about to be: not to be ended here. */
  readonly #isLive: (id: string) => boolean;
  /** Those that are being ended. */
  readonly #ending = new Map<string, Promise<void>>();
  /** Targets that are being asked to end a shell. */
  readonly #asking = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  #lastLook: { readonly wall: number; readonly monotonic: number };
  /** Monotonic time from which the wall clock is believed. */
  #trustFrom: number;

  constructor(deps: BrokerDeps, isLive: (id: string) => boolean) {
    const { clock } = deps;
    this.#lastLook = { wall: clock.now(), monotonic: clock.monotonic() };
    this.#trustFrom = clock.monotonic() + HOUR_MS;
    this.#deps = deps;
    this.#isLive = isLive;
  }

  /** Resolves when nobody ends this one any more. */
  async settled(id: string): Promise<void> {
    await this.#ending.get(id)?.catch(() => undefined);
  }

  /** Ends it: what ran is lost to us, the recording gets its end. The target is asked afterwards, and not waited for. */
  end(row: LeftSession, reason: ErrorCode): Promise<void> {
    const underWay = this.#ending.get(row.id);
    if (underWay !== undefined) return underWay;
    const ending = this.#end(row, reason).finally(() => this.#ending.delete(row.id));
    this.#ending.set(row.id, ending);
    return ending;
  }

  /**
   * Ends those whose time is over. A wall clock that jumped by more than an hour is not believed for an hour, nor one at all
   * in the first: what is ended is ended at its target too, and cannot be had back.
   */
  async overdue(): Promise<void> {
    const { clock, log } = this.#deps;
    const [wall, monotonic] = [clock.now(), clock.monotonic()];
    const driftMs = wall - this.#lastLook.wall - (monotonic - this.#lastLook.monotonic);
    this.#lastLook = { wall, monotonic };
    if (Math.abs(driftMs) > HOUR_MS) {
      this.#trustFrom = monotonic + HOUR_MS;
      log.warn({ driftMs: Math.round(driftMs) }, 'LeftSessionsPutOff');
    }
    if (monotonic < this.#trustFrom) return;
    for (const row of await this.#waiting(null)) {
      if (row.leftAt === null) continue;
      const { ms, reason } = limitOf(row, this.#deps.detachedHours());
      if (this.#deps.clock.now() - row.leftAt >= ms) await this.#endWaiting(row, reason);
    }
  }

  /** Ends those of people, and at places, that may not have them any more. @param userId null: everybody's */
  async recheck(userId: string | null): Promise<void> {
    const { subjectOf, leftShells } = this.#deps;
    for (const row of await this.#waiting(userId)) {
      const subject = await subjectOf(row.userId);
      const resource = { ownerId: row.userId };
      const mayStay = subject !== null && decide(subject, 'session.control', resource).allowed;
      if (!mayStay || !(await leftShells.mayWait(subject, row))) await this.#endWaiting(row, 'grant_removed');
    }
  }

  /** Ends those of logins that were revoked: somebody else may have had them. */
  async loginsEnded(hashes: ReadonlySet<string>, userId: string): Promise<void> {
    for (const row of await this.#waiting(userId))
      if (row.loginHash !== null && hashes.has(row.loginHash)) await this.#endWaiting(row, 'revoked');
  }

  /** Asks the target once to end the shell of a session that has ended here. What came of it is audited. */
  endShell(row: LeftRow, left: LeftTerminal, reason: ErrorCode): void {
    if (!ENDS_SHELL.has(reason)) return;
    const asking = this.#endShell(row, left)
      .catch((error: unknown) => {
        this.#deps.log.error({ err: error, sessionId: row.id }, 'End of a shell not audited');
      })
      .finally(() => this.#asking.delete(asking));
    this.#asking.add(asking);
  }

  /** Gives up asking. */
  async close(): Promise<void> {
    this.#stop.abort(new SallyportError('draining', 'the gateway stops'));
    await Promise.all(this.#asking);
  }

  async #waiting(userId: string | null): Promise<LeftSession[]> {
    const rows = await this.#deps.sessions.unended();
    return rows.filter(isLeft).filter((row) => userId === null || row.userId === userId);
  }

  async #endWaiting(row: LeftSession, reason: ErrorCode): Promise<void> {
    if (!this.#isLive(row.id)) await this.end(row, reason);
  }

  async #end(row: LeftSession, reason: ErrorCode): Promise<void> {
    const { ledger, audit, sessions, clock } = this.#deps;
    const entries = await ledger.rowsOfSession(row.id);
    for (const { id, endedAt, errorCount, outputBytes } of entries)
      if (endedAt === null) await ledger.end(id, { state: 'lost', errorCount, outputBytes });
    await audit.append({
      ...{ type: 'session.end', actor: GATEWAY_ACTOR, subject: `session:${row.id}`, outcome: 'ok' },
      detail: { reason, userId: row.userId },
    });
    const outputBytes = await this.#closeRecording(SessionId.parse(row.id), reason);
    await sessions.update(row.id, {
      ...{ endedAt: clock.now(), endReason: reason, left: null, leftAt: null },
      ...{ commandCount: entries.length, errorCount: entries.reduce((sum, entry) => sum + entry.errorCount, 0) },
      ...(outputBytes === null ? {} : { outputBytes }),
    });
    const left = leftTerminalOf(row);
    if (left !== null) this.endShell(row, left, reason);
  }

  /** One that cannot be gone on with is closed as a recovery does. */
  async #closeRecording(sessionId: SessionId, reason: ErrorCode): Promise<number | null> {
    const { recordings, audit, log } = this.#deps;
    const failed = (error: unknown) => {
      log.error({ err: error, sessionId }, 'Recording of a left session not closed');
    };
    try {
      const { outputBytes } = await (await recordings.reopen(sessionId, silent)).close(reason);
      return outputBytes;
    } catch (error) {
      failed(error);
      if (codeOf(error) === 'recording_corrupt') {
        const damaged = { type: 'recording.damaged', actor: GATEWAY_ACTOR, subject: `session:${sessionId}` } as const;
        await audit.append({ ...damaged, outcome: 'failed', detail: { reason } });
      }
      const others = (id: string) => id !== sessionId;
      const [found] = await recordings.recover((_, cause) => {
        failed(cause);
        return Promise.resolve();
      }, others);
      return found?.summary.outputBytes ?? null;
    }
  }

  async #endShell(row: LeftRow, left: LeftTerminal): Promise<void> {
    const { leftShells, audit } = this.#deps;
    const { shellId: shell, filesShellId: files } = left;
    const which = { shell, ...(files === undefined ? {} : { files }) };
    let told: { readonly outcome: 'ok' | 'failed'; readonly detail: AuditDetail };
    try {
      const what = await leftShells.end(row, left, this.#stop.signal);
      const { outcome, is } = TOLD[what];
      told = { outcome, detail: { ...which, is, ...(is === 'kept' ? { why: what } : {}) } };
    } catch (error) {
      told = { outcome: 'failed', detail: { ...which, is: 'kept', why: codeOf(error) } };
    }
    const subject = `session:${row.id}`;
    await audit.append({ type: 'session.shellEnded', actor: GATEWAY_ACTOR, subject, ...told });
  }
}
