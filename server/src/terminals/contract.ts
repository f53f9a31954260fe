/**
 * What a session runs: a PowerShell console or a PTY shell, seen by the broker as one thing. The broker records, delivers
 * and asks; it never looks inside. Suite: test/contracts/terminal.ts.
 */
import type { ErrorCode } from '@sallyport/shared/error-codes';
import type { Answer, NewQuestion } from '@sallyport/shared/wire/questions';
import type { CompletionMatch, ProgressItem, TerminalKind } from '@sallyport/shared/wire/control';
import type { LeftCall, LeftPool } from '../transports/contract.ts';

export type { Answer, NewQuestion } from '@sallyport/shared/wire/questions';

/** One run of a pipeline, for the ledger. Ids are those of the protocol, to look for in the target's own logs. */
export interface CommandStart {
  /** Exact text of the CREATE_PIPELINE that is about to be sent. */
  readonly text: string;
  readonly runspacePoolId: string;
  readonly pipelineId: string;
  /** What the target calls the shell around the pool (WinRM); null over SSH. */
  readonly shellId: string | null;
}
export interface CommandEnd {
  readonly state: 'completed' | 'failed' | 'stopped' | 'lost';
  readonly errorCount: number;
  /** Bytes of terminal output since the command started. */
  readonly outputBytes: number;
}
/** Given by `commandStarting`; told exactly once how the command ended. */
export interface RunningCommand {
  ended(end: CommandEnd): void;
  stopping(): void;
}

/** What is needed to go on with a terminal that nobody carries any more. JSON-safe, and no secret in it. */
export interface LeftTerminal extends LeftPool {
  /** The line that runs; null at the prompt. */
  readonly pipelineId: string | null;
  /** As it was told by `remote`. */
  readonly remote: string;
  /** Questions of the target without an answer; they are asked anew. */
  readonly calls: readonly LeftCall[];
  /** A shell of the session's files beside it, which nobody goes on with; it may be gone. Absent = there was none. */
  readonly filesShellId?: string | undefined;
}

export interface TerminalEnd {
  /** `exited` for a normal end, `session_left` when it goes on at the target; else why, security.md section 4. */
  readonly reason: ErrorCode;
  readonly exitCode: number | null;
  /** Escaped peer text for the target's voice, at most 4 KiB; may be empty. */
  readonly detail: string;
  /** Our words on what the target told, where there are more than those of the reason; never a word of the target. */
  readonly explanation?: string;
  /** The jump host at which it happened; absent for the target itself. */
  readonly hop?: string;
}

/** Given by the broker at construction. Calls come in stream order. */
export interface TerminalEvents {
  /** Terminal bytes to record, then show. The receiver owns the array. */
  output(bytes: Uint8Array): void;
  /** Authoritative echo of an accepted line: recorded and shown like output, and replaces the page's own drawing of it. */
  echo(lineId: number, bytes: Uint8Array): void;
  /** PowerShell waits for a line; a new `lineId` each time. */
  prompt(lineId: number, text: string): void;
  /** The line was not run. */
  refused(lineId: number, code: ErrorCode, message: string): void;
  /** The target says the text is not complete; it was not run. */
  incomplete(lineId: number, text: string): void;
  /** Resolves when the ledger's start row is written; only then CREATE_PIPELINE may be sent. A rejection means: do not run. */
  commandStarting(start: CommandStart): Promise<RunningCommand>;
  /**
   * A line that was under way when the terminal was left goes on, or has ended meanwhile: `ended` follows, with what was
   * shown and failed since. Told before any of its output. `lost` = the target does not know it any more.
   */
  commandContinuing(start: Pick<CommandStart, 'runspacePoolId' | 'pipelineId'>): RunningCommand;
  /** What there is to go on with, should nobody carry the terminal from now on; null when it cannot be left (any more). */
  leavable(left: LeftTerminal | null): void;
  /** Asks the controller. Rejects with an AbortError when `signal` fires (the call ended on the target first). */
  ask(question: NewQuestion, signal: AbortSignal): Promise<Answer>;
  progress(items: readonly ProgressItem[]): void;
  title(text: string): void;
  /** Clear screen and scrollback. */
  clear(): void;
  notice(level: 'info' | 'warning', code: string, text: string): void;
  /** For the facts bar, for example `PowerShell 7.6.5`. */
  remote(text: string): void;
  /** Called once, last. */
  ended(end: TerminalEnd): void;
}

export interface Terminal {
  readonly kind: TerminalKind;
  /** PTY only: bytes typed. */
  input(bytes: Uint8Array): void;
  /** PowerShell only: a finished line (or block). `lineId` must be the prompt's. */
  submit(lineId: number, text: string): void;
  /** PowerShell only. Resolves to no matches when busy, aborted or late. */
  complete(
    text: string,
    cursor: number,
    signal: AbortSignal,
  ): Promise<{ index: number; length: number; matches: readonly CompletionMatch[]; more: number }>;
  /** Ctrl+C: stop the pipeline, or INTR for a PTY. */
  stop(): void;
  resize(cols: number, rows: number): void;
  /** Stop and go on reading from the target; nothing is lost. */
  pause(): void;
  resume(): void;
  /**
   * Leaves it running at the target; `ended` with `session_left` was told when it resolves. What has come so far was told.
   * @param idleMs how long the target keeps it; null = as it was agreed
   * @throws SallyportError session_not_leavable, and what the target refuses it with; the terminal goes on then
   */
  leave(idleMs: number | null): Promise<LeftTerminal>;
  /** As `PoolChannel.hold`: until what was told is in the recording. */
  hold?(isHeld: boolean): void;
  /** Idempotent. Ends what runs, closes cleanly within `deadlineMs`, then hard. `ended` has been called when it resolves. */
  close(reason: ErrorCode, deadlineMs: number): Promise<void>;
}
