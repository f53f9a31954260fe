/** Signals of pipelines that wait to be sent. */
import type { Command } from './shell-types.ts';

/** A stop, or the end of what the server keeps of a pipeline. */
export interface Control {
  readonly kind: 'stop' | 'terminate';
  readonly pipelineId: string;
}

/** Pipelines that have ended and are not freed yet, at most while others run: each counts in what the target lets a shell have. */
const MAX_ENDED = 4;

/** In their order, but for those that have to wait. */
export class ControlQueue {
  #waiting: Control[] = [];

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }
  add(control: Control): void {
    this.#waiting.push(control);
  }
  clear(): void {
    this.#waiting = [];
  }

  /**
   * The next one, with its command. A signal waits for its command, one that frees a pipeline for others: the person waits
   * for those. One for a command that is gone is dropped.
   * @param isStarting a pipeline is being started
   * @param mayRest this pipeline has ended, and others run: it is freed after them
   */
  take(
    commands: ReadonlyMap<string, Command>,
    isStarting: boolean,
    mayRest: (pipelineId: string) => boolean,
  ): (Control & { command: Command }) | null {
    this.#waiting = this.#waiting.filter(({ pipelineId }) => commands.has(pipelineId));
    const ended = this.#waiting.filter(({ kind, pipelineId }) => kind === 'terminate' && mayRest(pipelineId));
    const resting = new Set(ended.slice(-MAX_ENDED));
    for (const [i, control] of this.#waiting.entries()) {
      const command = commands.get(control.pipelineId);
      if (command === undefined || command.wireId === null || command.isJoining) continue;
      if (control.kind === 'terminate' && (isStarting || resting.has(control))) continue;
      this.#waiting.splice(i, 1);
      return { ...control, command };
    }
    return null;
  }
}
