/** The ledger: one row per pipeline; the start row is written before CREATE_PIPELINE is sent. Text is sealed at rest. */

export interface LedgerStart {
  readonly sessionId: string;
  readonly userId: string;
  /** 1, 2, 3 ... within the session: the number in the gutter. */
  readonly number: number;
  readonly text: string;
  readonly runspacePoolId: string;
  readonly pipelineId: string;
  /** The id that the target gave the shell of a WinRM session; null over SSH. */
  readonly shellId: string | null;
}
export interface LedgerEnd {
  readonly state: 'completed' | 'failed' | 'stopped' | 'lost';
  readonly errorCount: number;
  readonly outputBytes: number;
}
export interface LedgerEntry extends LedgerStart {
  readonly id: string;
  readonly sequence: number;
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly state: string;
  readonly errorCount: number;
  readonly outputBytes: number;
}
export interface Ledger {
  /** Resolves when the row is stored; returns its id. */
  start(entry: LedgerStart): Promise<string>;
  end(id: string, end: LedgerEnd): Promise<void>;
  /** Oldest first; `after`: sequence of the last one of the page before. */
  ofSession(filter: { sessionId: string; after: number | null; limit: number }): Promise<readonly LedgerEntry[]>;
  /** All rows of a session without their texts: nothing is unsealed, so an unreadable text is no obstacle. */
  rowsOfSession(sessionId: string): Promise<readonly Omit<LedgerEntry, 'text'>[]>;
  /** Newest first; `userId` null = everybody's. */
  list(filter: { userId: string | null; before: number | null; limit: number }): Promise<readonly LedgerEntry[]>;
}
