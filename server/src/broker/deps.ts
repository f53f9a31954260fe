/** What the broker needs of the other rooms. */
import type { AuditLog } from '../audit/contract.ts';
import type { Clock } from '../clock.ts';
import type { Ledger } from '../ledger/contract.ts';
import type { Log } from '../log/log.ts';
import type { Subject } from '../policy.ts';
import type { Recordings } from '../recording/contract.ts';
import type { LeftTerminal } from '../terminals/contract.ts';

/** A row of the sessions table; storage's record has this shape. */
export interface StoredSession {
  readonly id: string;
  readonly userId: string;
  readonly userName: string;
  readonly targetId: string | null;
  /** JSON of SessionFacts. */
  readonly facts: string;
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly endReason: string | null;
  readonly exitCode: number | null;
  readonly commandCount: number;
  readonly errorCount: number;
  readonly outputBytes: number;
  /** JSON of what opens it again, without any secret; null when it cannot be left. Owned by `app`. */
  readonly reopen: string | null;
  /** JSON of LeftTerminal: where it stands at the target, for when nobody carries it. */
  readonly left: string | null;
  /** Since when nobody carries it; null while the gateway does. */
  readonly leftAt: number | null;
  /** Id of its shell at the target, in capitals, once it is known; stays when it has ended. */
  readonly shellId: string | null;
  /** The login that opened it or picked it up last. */
  readonly loginHash: string | null;
}
/** The sessions table; `app` hands in storage's. */
export interface SessionTable {
  insert(row: StoredSession): Promise<void>;
  byId(id: string): Promise<StoredSession | null>;
  update(id: string, change: Partial<Omit<StoredSession, 'id'>>): Promise<void>;
  /** Newest first: by start, then id, both descending; only those behind (`before`, `beforeId`). */
  list(filter: {
    userId: string | null;
    before: number | null;
    beforeId: string | null;
    limit: number;
  }): Promise<readonly StoredSession[]>;
  unended(): Promise<readonly StoredSession[]>;
  /** The newest one that had this shell, ended or not. @param shellId in capitals */
  byShell(shellId: string): Promise<StoredSession | null>;
}

/** What is needed to find a session that waits at its target. */
export type LeftRow = Pick<StoredSession, 'id' | 'userId' | 'facts'> & { readonly reopen: string };
/**
 * What came of ending a shell at its target. `gone`: it was not there any more. Not tried: `needs_person` when nobody but
 * the person can sign in there, `place_changed` when the target is not where it was.
 */
export type ShellEnd = 'deleted' | 'gone' | 'needs_person' | 'place_changed';
/** Shells of sessions that nobody carries; `app` hands it in. */
export interface LeftShells {
  /** Whether its person could still open it where it is. */
  mayWait(subject: Subject, row: LeftRow): Promise<boolean>;
  /** Signs in once, with what the session was opened with, and deletes the shell. @throws SallyportError */
  end(row: LeftRow, left: LeftTerminal, signal: AbortSignal): Promise<ShellEnd>;
}

export interface BrokerDeps {
  readonly leftShells: LeftShells;
  readonly recordings: Recordings;
  readonly ledger: Ledger;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly sessions: SessionTable;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: {
    /** Live, and waiting at targets. */
    readonly sessionsPerUser: number;
    readonly opensPerMinute: number;
    /** Of one person, waiting at one machine. */
    readonly leftPerTarget: number;
  };
  /** How long a session may go on without a page. */
  readonly detachedHours: () => number;
  /** The role that a user has now; null: deleted or disabled. For `recheck`. */
  readonly subjectOf: (userId: string) => Promise<Subject | null>;
  /** Whether a past session's recording is still there. */
  readonly hasRecording: (sessionId: string) => Promise<boolean>;
}
