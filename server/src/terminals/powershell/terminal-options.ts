import type { Clock } from '../../clock.ts';
import type { OpenPool } from '../../transports/contract.ts';
import type { LeftTerminal, TerminalEvents } from '../contract.ts';
import type { LendCredentials } from './using.ts';

/** What a PowerShell terminal needs. */
export interface PowerShellTerminalOptions {
  /** Makes the pool and what carries it. */
  readonly openPool: OpenPool;
  /** Called once, when the terminal has ended or did not open. */
  readonly closeConnection: () => Promise<void>;
  /** For `$using:vault:NAME` in a line. */
  readonly lend: LendCredentials;
  readonly targetName: string;
  readonly cols: number;
  readonly rows: number;
  readonly events: TerminalEvents;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Longest time until the runspace is open; the usual one without. */
  readonly openMs?: number;
  /** Longest time that a line may take to end once it was stopped; as long as the session lives without. */
  readonly cancelMs?: number;
  /** Goes on with what was left, in place of opening anew. */
  readonly rejoin?: LeftTerminal;
}
