/** A console that is left, and what is found of it when somebody comes back. */
import { errorLine, type VtOutput } from '../../host/vt.ts';
import type { LeftTerminal, RunningCommand } from '../contract.ts';
import type { Jobs } from './jobs.ts';
import type { PoolLink } from './pool-link.ts';

/** What there is to go on with; null where it cannot be left. @param pipelineId the line that runs */
export function leftTerminal(
  { left, leftCalls }: Pick<PoolLink, 'left' | 'leftCalls'>,
  pipelineId: string | null,
  remote: string,
): LeftTerminal | null {
  if (left === null) return null;
  const calls = leftCalls.filter((call) => call.pipelineId !== null && call.pipelineId === pipelineId);
  return { ...left, pipelineId, remote, calls };
}

/**
 * Closes what runs there beside the person's line: prompts and completions that nobody waits for any more.
 * @param pipelines those that are there; null = the target does not tell
 */
export function closeOthers(
  rejoin: LeftTerminal,
  pipelines: readonly string[] | null,
  jobs: Jobs,
  link: PoolLink,
): { readonly line: string | null; readonly isThere: boolean } {
  // Of a stranger's session nothing is known: what runs first is what its owner waited for.
  const line = rejoin.pipelineId ?? (rejoin.holder === null ? (pipelines?.[0] ?? null) : null);
  for (const other of pipelines ?? []) {
    if (other === line) continue;
    jobs.adopt(other, () => undefined);
    link.takeUp(other, []);
    link.closePipeline(other);
  }
  return { line, isThere: line !== null && (pipelines === null || pipelines.includes(line)) };
}

const ABSENT =
  'The target has nothing of the line that ran here any more: whether it ran to its end, or at all, is not known.';
/** The line that somebody comes back for is not there. */
export function lostLine(command: RunningCommand, output: VtOutput): void {
  output.write(errorLine(ABSENT));
  command.ended({ state: 'lost', errorCount: 0, outputBytes: 0 });
}
