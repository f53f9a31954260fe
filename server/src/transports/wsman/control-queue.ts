/** Signals of pipelines that wait to be sent. */
import type { Command } from './shell-types.ts';

/** A stop, or the end of what the server keeps of a pipeline. */
export interface Control {
  readonly kind: 'stop' | 'terminate';
  readonly pipelineId: string;
}

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
   * The next one, with its command. A signal waits for its command, an end for a pipeline that is being started; one for a
   * command that is gone is dropped.
   */
  take(commands: ReadonlyMap<string, Command>, isStarting: () => boolean): (Control & { command: Command }) | null {
    this.#waiting = this.#waiting.filter(({ pipelineId }) => commands.has(pipelineId));
    for (const [i, control] of this.#waiting.entries()) {
      const command = commands.get(control.pipelineId);
      if (command === undefined || command.wireId === null || command.isJoining) continue;
      if (control.kind === 'terminate' && isStarting()) continue;
      this.#waiting.splice(i, 1);
      return { ...control, command };
    }
    return null;
  }
}
