/** Going on with a session that was left at its target. */
import type { PlannedPickUp } from '../broker/contract.ts';
import type { Caller } from '../http/route.ts';
import type { LeftTerminal } from '../terminals/contract.ts';
import { type OpeningDeps, planSession, startTerminal } from './opening.ts';
import { keptOpening } from './reopening.ts';

/**
 * Everything is asked anew: whether the target is there, is for this person and offers this, and whether they may use its
 * credential. @throws SallyportError as `planSession`, bad_state
 */
export async function planPickUp(
  reopen: string,
  caller: Caller,
  size: { readonly cols: number; readonly rows: number },
  deps: OpeningDeps,
): Promise<PlannedPickUp> {
  const waiting: { left?: LeftTerminal } = {};
  const body = { ...keptOpening(reopen), ...size };
  const { request, openTerminal } = await planSession(
    body,
    caller,
    deps,
    async (kind, way, place, port, now, signal, clock) => {
      const terminal = await startTerminal(kind, way, place, port, now, signal, clock, waiting.left);
      void way.endFilesShell(waiting.left?.filesShellId);
      return terminal;
    },
    () => waiting.left?.at ?? null,
  );
  return {
    request: { ...request, reopen },
    openTerminal: (left) => {
      waiting.left = left;
      return openTerminal;
    },
  };
}
