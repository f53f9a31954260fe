/** What a console lends to the host's calls of its target. */
import type { ProgressBoard } from '../../host/progress.ts';
import type { HostUi } from '../../host/ui.ts';
import type { VtOutput } from '../../host/vt.ts';
import type { TerminalEvents } from '../contract.ts';
import type { Jobs } from './jobs.ts';
import type { PoolLink } from './pool-link.ts';
import type { RunningLine } from './running-line.ts';

/** The parts of a console that the host works on. */
export interface ConsoleParts {
  readonly targetName: string;
  readonly output: VtOutput;
  readonly progress: ProgressBoard;
  readonly link: PoolLink;
  readonly jobs: Jobs;
  readonly events: TerminalEvents;
  readonly warn: (code: string, text: string) => void;
  size(): { readonly cols: number; readonly rows: number };
  running(): RunningLine | null;
  /** As Ctrl+C does. */
  stopLine(): void;
}

export function hostPort(parts: ConsoleParts): ConstructorParameters<typeof HostUi>[0] {
  const { output, link, events } = parts;
  return {
    targetName: parts.targetName,
    output,
    progress: parts.progress,
    size: () => parts.size(),
    respond: (call, answer) => link.respond(call, answer),
    ask: (question, signal) => events.ask(question, signal),
    seal: (text, signal) => link.seal(text, signal),
    title: (text) => events.title(text),
    clear: () => {
      output.flush();
      events.clear();
    },
    errorShown: () => {
      const running = parts.running();
      if (running !== null) running.errorCount += 1;
    },
    leave: (exitCode) => {
      const running = parts.running();
      // PopRunspace after SetShouldExit does not take its code back.
      if (running !== null) running.exitCode ??= exitCode;
    },
    stop: (pipelineId) => {
      if (pipelineId !== null && pipelineId === parts.running()?.pipelineId) parts.stopLine();
      else if (pipelineId !== null) parts.jobs.stop(pipelineId);
    },
    warn: parts.warn,
  };
}
