/** How a live session comes to wait at its target: what is known of it there, and the way out of here. */
import type { Clock } from '../clock.ts';
import { SallyportError, codeOf } from '../errors.ts';
import type { LeftTerminal, Terminal } from '../terminals/contract.ts';

/** Without the line that runs: the ledger was told of it before the target was, and is asked when the session is picked up. */
const placeOf = (left: LeftTerminal | null): string | null =>
  left === null ? null : JSON.stringify({ ...left, pipelineId: null });

/** Keeps in the table what a gateway must know that is started after this one was killed. */
class LeftKeeper {
  readonly #save: (left: string | null) => Promise<void>;
  readonly #failed: (error: unknown) => void;
  /** Undefined while it is not known what the table has. */
  #wanted: string | null | undefined;
  #saving: Promise<void> | null = null;
  #isDirty = false;

  constructor(save: (left: string | null) => Promise<void>, failed: (error: unknown) => void) {
    this.#save = save;
    this.#failed = failed;
  }

  /** One write at a time, the newest last. */
  keep(left: LeftTerminal | null): void {
    const wanted = placeOf(left);
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    this.#isDirty = true;
    this.#saving ??= this.#run();
  }
  /** Resolves when the table has what was given last. */
  async settled(): Promise<void> {
    while (this.#saving !== null) await this.#saving;
  }

  async #run(): Promise<void> {
    try {
      while (this.#isDirty) {
        this.#isDirty = false;
        await this.#save(this.#wanted ?? null);
      }
    } catch (error) {
      this.#wanted = undefined;
      this.#failed(error);
    } finally {
      this.#saving = null;
    }
  }
}

/** Of one session. */
export class Leaving {
  readonly #keeper: LeftKeeper;
  #left: LeftTerminal | null;
  #shellId: string | null;
  #filesShellId: string | undefined;
  #asked: Promise<LeftTerminal> | null = null;
  #isDraining = false;

  /** @param left where it stands already, of one that is picked up @param shell that is to be taken up */
  constructor(
    left: LeftTerminal | null,
    shell: string | null,
    save: (left: string | null, shellId: string | null) => Promise<void>,
    failed: (error: unknown) => void,
  ) {
    this.#left = left;
    this.#shellId = left?.shellId ?? shell;
    this.#filesShellId = left?.filesShellId;
    this.#keeper = new LeftKeeper((kept) => save(kept, this.shellId), failed);
  }

  /** Its shell at the target, in capitals, whether it can be left or not; null before it is known. */
  get shellId(): string | null {
    return this.#shellId?.toUpperCase() ?? null;
  }

  /** Where it stands at its target, while it could be left. */
  get left(): LeftTerminal | null {
    return this.#left;
  }
  /** It is left because the gateway stops: its pages are to come back by themselves. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** What there is to go on with, from now on. */
  offer(left: LeftTerminal | null): void {
    if (this.#asked !== null) return;
    const filesShellId = this.#filesShellId;
    this.#left = left === null || filesShellId === undefined ? left : { ...left, filesShellId };
    this.#shellId = left?.shellId ?? this.#shellId;
    this.#keeper.keep(this.#left);
  }
  /** The newest one: kept with what there is to go on with, so that it is ended after a kill. Who leaves has ended it. */
  filesShell(shellId: string): void {
    this.#filesShellId = shellId;
    if (this.#left !== null) this.offer(this.#left);
  }

  /** @throws SallyportError session_not_leavable, and why the target would not; it goes on then */
  async ask(terminal: Terminal | null): Promise<void> {
    if (terminal === null || this.#left === null || this.#asked !== null)
      throw new SallyportError('session_not_leavable', 'there is nothing to leave');
    try {
      this.#asked = terminal.leave(null);
      this.#left = await this.#asked;
    } catch (error) {
      this.#asked = null;
      throw error;
    }
  }

  /**
   * The gateway stops. What does not answer in time waits at its target all the same, as after a kill.
   * @returns whether it is left; else it must be ended
   */
  async drain(terminal: Terminal, clock: Clock, deadlineMs: number): Promise<boolean> {
    this.#isDraining = true;
    let cancel: () => void = () => undefined;
    const late = new Promise<void>((resolve) => (cancel = clock.after(deadlineMs, resolve)));
    try {
      await Promise.race([this.ask(terminal), late]);
    } catch (error) {
      this.#isDraining = codeOf(error) !== 'session_not_leavable';
    } finally {
      cancel();
      this.#asked = null; // Nobody waits for it any more.
    }
    if (this.#isDraining) terminal.pause(); // What comes from now on is for whoever picks it up.
    return this.#isDraining;
  }

  /** Resolves when all that is said of it is in the table. */
  async settled(): Promise<void> {
    await this.#asked?.catch(() => undefined);
    await this.#keeper.settled();
  }
}
