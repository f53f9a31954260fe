/** Commands of one live session: a ledger row before each, marks for the gutter. */
import type { CommandMark } from '@sallyport/shared/wire/control';
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import type { Ledger } from '../ledger/contract.ts';
import type { CommandEnd, CommandStart, RunningCommand } from '../terminals/contract.ts';

/** Marks kept of one session; a person types fewer in a day. */
const MAX_ROWS = 10_000;
/** In place of a text that nobody here has seen: the line ran in a shell that was found at its target. */
const FOUND_TEXT = '# This line was running already when the session was taken up at its target.';

/** A row of the ledger of before, of a session that is picked up. */
export interface EarlierCommand {
  readonly id: string;
  readonly pipelineId: string;
  readonly mark: CommandMark;
}
interface Row {
  readonly id: string;
  readonly pipelineId: string;
  mark: CommandMark;
  /** Of before, and whether it goes on is not known yet. */
  isOpen: boolean;
  /** Output of before, which its terminal does not count. */
  outputBefore: number;
}

export class Commands {
  readonly #who: { readonly sessionId: string; readonly userId: string };
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #changed: (mark: CommandMark) => void;
  readonly #failed: (error: unknown) => void;
  /** The last MAX_ROWS; older ones that ended are only counted. */
  #rows: Row[] = [];
  #olderErrors = 0;
  #lastNumber = 0;
  #isClosed = false;
  readonly #ends = new Set<Promise<void>>();

  constructor(options: {
    readonly who: { readonly sessionId: string; readonly userId: string };
    readonly ledger: Ledger;
    readonly clock: Clock;
    readonly changed: (mark: CommandMark) => void;
    readonly failed: (error: unknown) => void;
    readonly earlier?: readonly EarlierCommand[];
  }) {
    this.#who = options.who;
    this.#ledger = options.ledger;
    this.#clock = options.clock;
    this.#changed = options.changed;
    this.#failed = options.failed;
    for (const earlier of options.earlier ?? []) {
      this.#keep({ ...earlier, isOpen: earlier.mark.endedAt === null, outputBefore: 0 });
      this.#lastNumber = Math.max(this.#lastNumber, earlier.mark.number);
    }
  }

  get marks(): readonly CommandMark[] {
    return this.#rows.map(({ mark }) => mark);
  }
  /** All commands there were. */
  get count(): number {
    return this.#lastNumber;
  }
  get errorCount(): number {
    return this.#rows.reduce((sum, { mark }) => sum + mark.errorCount, this.#olderErrors);
  }

  /** Resolves when the start row is stored. */
  async start(start: CommandStart, offset: number): Promise<RunningCommand> {
    this.#requireOpen();
    this.#lastNumber += 1;
    const number = this.#lastNumber;
    const startedAt = this.#clock.now();
    const id = await this.#ledger.start({ ...this.#who, number, ...start });
    const mark: CommandMark = { number, offset, state: 'running', errorCount: 0, startedAt, endedAt: null };
    const row: Row = { id, pipelineId: start.pipelineId, mark, isOpen: false, outputBefore: 0 };
    this.#keep(row);
    if (this.#isClosed) this.#end(row, { state: 'lost', errorCount: 0, outputBytes: 0 });
    this.#requireOpen();
    this.#changed(mark);
    return this.#running(row);
  }

  /**
   * A line of before goes on, in its own row; one that nobody here has started gets a row now.
   * @param recorded output of the session until it was picked up
   */
  continuing(start: Pick<CommandStart, 'runspacePoolId' | 'pipelineId'>, recorded: number): RunningCommand {
    const row = this.#rows.find(({ pipelineId }) => pipelineId === start.pipelineId);
    if (row !== undefined) {
      row.isOpen = false;
      row.outputBefore = Math.max(0, recorded - row.mark.offset);
      return this.#running(row);
    }
    const started = this.start({ shellId: null, ...start, text: FOUND_TEXT }, recorded);
    const tell = (act: (command: RunningCommand) => void) => {
      started.then(act).catch(this.#failed);
    };
    return {
      ended: (end) => {
        tell((command) => {
          command.ended(end);
        });
      },
      stopping: () => {
        tell((command) => {
          command.stopping();
        });
      },
    };
  }

  /** The terminal goes on: what it did not name is not there any more. */
  settleEarlier(): void {
    for (const row of this.#rows)
      if (row.isOpen) this.#end(row, { state: 'lost', errorCount: row.mark.errorCount, outputBytes: 0 });
  }

  /** The session ends: what runs is lost. Resolves when the ledger has been told everything. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const row of this.#rows) this.#end(row, { state: 'lost', errorCount: row.mark.errorCount, outputBytes: 0 });
    await Promise.all(this.#ends);
  }

  /** The session is left: what runs goes on without us. Resolves when the ledger has been told what has ended. */
  async rest(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#ends);
  }

  #running(row: Row): RunningCommand {
    return {
      ended: (end) => {
        this.#end(row, { ...end, outputBytes: row.outputBefore + end.outputBytes });
      },
      stopping: () => {
        if (row.mark.state !== 'running') return;
        row.mark = { ...row.mark, state: 'stopping' };
        this.#changed(row.mark);
      },
    };
  }

  #keep(row: Row): void {
    this.#rows.push(row);
    const oldest = this.#rows[0];
    if (this.#rows.length <= MAX_ROWS || oldest?.mark.endedAt === null) return;
    this.#rows.shift();
    this.#olderErrors += oldest?.mark.errorCount ?? 0;
  }

  #requireOpen(): void {
    if (this.#isClosed) throw new SallyportError('bad_state', 'the session is ending');
  }

  #end(row: Row, end: CommandEnd): void {
    if (row.mark.endedAt !== null) return;
    row.isOpen = false;
    row.mark = { ...row.mark, state: end.state, errorCount: end.errorCount, endedAt: this.#clock.now() };
    this.#changed(row.mark);
    const told: Promise<void> = this.#ledger
      .end(row.id, end)
      .catch(this.#failed)
      .finally(() => this.#ends.delete(told));
    this.#ends.add(told);
  }
}
