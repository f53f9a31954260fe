/** A typed line under way: its row in the ledger, its errors, and how long it takes to stop. */
import type { ClientEvent } from '@sallyport/psrp';
import type { Clock } from '../../clock.ts';
import type { CommandEnd, RunningCommand, TerminalEvents } from '../contract.ts';

/**
 * A stop goes out no sooner than this after its line: PowerShell 7.5 and 7.6 answer a stop that meets a pipeline on its way
 * to its thread with "stopped" and run the pipeline all the same, for ever if it has no end.
 */
const STOP_AFTER_MS = 250;
const STOPPING_MS = 5_000;
const STUCK_MS = 60_000;

type PipelineState = Extract<ClientEvent, { type: 'pipelineState' }>;

/** What a running line is made of. */
export interface RunningLineOptions {
  readonly text: string;
  readonly pipelineId: string;
  readonly command: RunningCommand;
  /** Bytes shown before it. */
  readonly startBytes: number;
  readonly clock: Clock;
  readonly notice: TerminalEvents['notice'];
  /** Longest time from a stop to the end, and what happens after it. */
  readonly cancel?: { readonly ms: number; readonly late: () => void };
}

/** In the output of a line that is gone at the target, with no word of its end: its last output went with the one who had it. */
export const UNTOLD =
  'How this line ended is not known: the target has no more of it. Its last output may be missing here.';
const NOT_CANCELLED =
  'The target did not end the line in time after it was stopped (CancelTimeout). The session was ended there, with what ran in it.';

/** @param ms longest time from a stop to the end; without it the line is waited for @param end ends the session */
export const cancelLimit = (
  ms: number | undefined,
  end: (reason: { reason: 'target_timeout'; exitCode: null; detail: string }) => void,
): Pick<RunningLineOptions, 'cancel'> =>
  ms === undefined
    ? {}
    : { cancel: { ms, late: () => end({ reason: 'target_timeout', exitCode: null, detail: NOT_CANCELLED }) } };

export class RunningLine {
  readonly text: string;
  readonly pipelineId: string;
  errorCount = 0;
  /** Set by `exit n`, Exit-PSSession: the session ends with the line. */
  exitCode: number | null = null;
  readonly #options: RunningLineOptions;
  readonly #startedAt: number;
  #timers: (() => void)[] | null = null;

  constructor(options: RunningLineOptions) {
    this.#options = options;
    this.text = options.text;
    this.pipelineId = options.pipelineId;
    this.#startedAt = options.clock.monotonic();
  }

  /**
   * What its last state says. A target says why it stops what nobody here has stopped: where it does not, it knows no end.
   * @param isOver the session ends, and stops what runs
   */
  endOf({ state, error }: Pick<PipelineState, 'state' | 'error'>, isOver: boolean): CommandEnd['state'] {
    if (state === 'Completed') return 'completed';
    if (state !== 'Stopped') return 'failed';
    return error !== null || isOver || this.#timers !== null ? 'stopped' : 'lost';
  }
  /** @param stop stops its pipeline; called when that is safe @returns false when it is being stopped already */
  stop(stop: () => void): boolean {
    if (this.#timers !== null) return false;
    const { clock, command, notice, cancel } = this.#options;
    command.stopping();
    this.#timers = [
      clock.after(Math.max(0, this.#startedAt + STOP_AFTER_MS - clock.monotonic()), stop),
      clock.after(STOPPING_MS, () => notice('info', 'stopping', 'Stopping… The target has not ended the command yet.')),
      clock.after(STUCK_MS, () =>
        notice(
          'warning',
          'stop_stuck',
          'The target does not end the command. Close the session to cut the connection; what runs may go on there.',
        ),
      ),
      ...(cancel === undefined ? [] : [clock.after(cancel.ms, cancel.late)]),
    ];
    return true;
  }

  /** Nobody looks after it any more; it goes on at the target. */
  left(): void {
    for (const cancel of this.#timers ?? []) cancel();
  }
  ended(state: CommandEnd['state'], shownBytes: number): void {
    this.left();
    const { command, startBytes } = this.#options;
    command.ended({ state, errorCount: this.errorCount, outputBytes: shownBytes - startBytes });
  }
}
