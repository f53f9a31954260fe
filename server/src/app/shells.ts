/** What a target keeps: the PowerShell shells of whoever signs in there with the target's own credential. */
import type { TargetShellRow } from '@sallyport/shared/api/targets';
import type { Broker } from '../broker/contract.ts';
import { SallyportError } from '../errors.ts';
import type { Caller } from '../http/route.ts';
import type { TargetShell } from '../transports/wsman/target-shells.ts';
import { type Opening, type OpeningDeps, placeOf, reach } from './opening.ts';
import { identityOf } from './target-identity.ts';

/** Stands for the session in events. */
const LIST_ID = 'shell-list';

/** Nobody is asked: without a credential in the vault, or with a certificate that nobody accepted, nothing is done. */
export const nobodyAt = (sessionId: string): Opening['port'] => ({
  sessionId,
  ask: () => Promise.resolve({ kind: 'cancel' }),
  notice: () => undefined,
  step: () => undefined,
  facts: () => undefined,
  filesShell: () => undefined,
});

async function toRow(shell: TargetShell, userId: string, broker: Pick<Broker, 'ofShell'>): Promise<TargetShellRow> {
  const known = await broker.ofShell(shell.shellId);
  const isMine = known?.userId === userId;
  // Of an ended session of theirs: it may be taken like one of nobody, as a new session.
  const isWaiting = isMine && !known.isOver;
  const { shellId, poolId, name, owner, configurationName, state, clientIp } = shell;
  const { idleTimeoutMs, inactivityMs, runTimeMs, commands } = shell;
  return {
    ...{ shellId, poolId, name, owner, configurationName, state, clientIp, idleTimeoutMs, inactivityMs, runTimeMs },
    running: commands?.length ?? null,
    belongs: isWaiting ? 'session' : known === null || isMine ? 'nobody' : 'other',
    sessionId: isWaiting ? known.id : null,
  };
}

/** Signs in, asks, and leaves. @throws SallyportError not_found, bad_request, and those of opening a session */
export async function listShells(
  targetId: string,
  caller: Caller,
  { broker, opening: deps }: { readonly broker: Pick<Broker, 'ofShell'>; readonly opening: OpeningDeps },
  signal: AbortSignal,
): Promise<readonly TargetShellRow[]> {
  const place = await placeOf({ by: 'target', targetId }, caller, deps);
  if (place.wsman === null) throw new SallyportError('bad_request', 'only a target over WinRM keeps shells');
  const identity = await identityOf({ by: 'default' }, place, caller, deps);
  const opening: Opening = { caller, port: nobodyAt(LIST_ID), signal, deps, language: '', weak: [] };
  const way = await reach(place, async () => (await identity(LIST_ID)).identity, opening);
  try {
    const shells = (await way.shells?.listShells()) ?? [];
    return await Promise.all(shells.map((shell) => toRow(shell, caller.subject.userId, broker)));
  } finally {
    await way.close();
  }
}
