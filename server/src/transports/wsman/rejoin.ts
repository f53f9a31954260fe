/** Taking up a shell that was left: from a client that left it, or from one that went without a word. */
import type { ClientPool } from '@sallyport/psrp';
import { canDisconnect, POWERSHELL_RESOURCE, Requests } from '@sallyport/wsman';
import type { ConnectResponse, RequestTarget } from '@sallyport/wsman';
import { SallyportError } from '../../errors.ts';
import type { LeftPool } from '../contract.ts';
import type { ShellPlace } from './shell-types.ts';
import type { TargetShells } from './target-shells.ts';

/** Pauses while the target still takes the shell for used: a minute in all. */
const IN_USE_MS: readonly number[] = [500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000];

/** A shell that was taken up. */
export interface Rejoined {
  readonly place: ShellPlace;
  /** Ids of its commands as the pool writes them; null = the target does not tell. */
  readonly pipelineIds: readonly string[] | null;
  /** For the pool: SESSION_CAPABILITY and RUNSPACEPOOL_INIT_DATA. */
  readonly answer: Uint8Array;
}
/** What taking up needs. */
export interface RejoinPort {
  readonly shells: TargetShells;
  readonly pool: ClientPool;
  /** Resolves after the pause; rejects when it is given up meanwhile. */
  readonly pause: (ms: number) => Promise<void>;
}

/**
 * Takes a shell up. A client that is known to have held it may take it away from itself: the target has perhaps not
 * noticed yet that it is gone. Of a stranger nothing is taken away.
 * @throws SallyportError target_shell_gone, target_shell_in_use, session_not_leavable, and what the target refuses it with
 */
export async function rejoin(left: LeftPool, { shells, pool, pause }: RejoinPort): Promise<Rejoined> {
  const info = await shells.get(left.shellId);
  // Whose a shell is is known by its id: a target that takes another spelling for the same must not lead to another's.
  if (info.shellId.toUpperCase() !== left.shellId.toUpperCase())
    throw new SallyportError('target_shell_gone', 'the target answered with another shell');
  if (!canDisconnect(info)) throw new SallyportError('session_not_leavable', 'the server keeps no shells');
  const selectors = Requests.shell(left.shellId);
  const resourceUri = info.resourceUri?.startsWith(POWERSHELL_RESOURCE) === true ? info.resourceUri : null;
  const target: RequestTarget = resourceUri === null ? { selectors } : { resourceUri, selectors };
  const commands = await shells.commandsOf(left.shellId);
  if (commands === 'gone') throw new SallyportError('target_shell_gone', 'the shell went while it was looked at');
  pool.connect();
  const connectXml = bytesOf(pool);
  const isOurs = left.holder !== null;
  const response = await join(isOurs && info.state === 'Connected', isOurs ? IN_USE_MS : []);
  if (response.connectResponseXml === null)
    throw new SallyportError('powershell_open_failed', 'the target let us in without a word of the pool');
  return {
    place: { selectors, resourceUri, isLeavable: true, maxIdleTimeoutMs: info.maxIdleTimeoutMs },
    pipelineIds: commands?.map(({ commandId }) => commandId.toLowerCase()) ?? null,
    answer: response.connectResponseXml,
  };

  async function join(isHeld: boolean, pauses: readonly number[]): Promise<ConnectResponse> {
    for (let tries = 0; ; tries++) {
      if (isHeld) await shells.disconnect(target).catch(passInUse);
      try {
        return await shells.connect(target, connectXml);
      } catch (error) {
        passInUse(error);
        const ms = pauses[tries];
        if (ms === undefined) throw error;
        isHeld = isOurs;
        await pause(ms);
      }
    }
  }
}

/** Throws everything but a shell in use. */
function passInUse(error: unknown): void {
  if (!(error instanceof SallyportError) || error.code !== 'target_shell_in_use') throw error;
}

function bytesOf(pool: ClientPool): Uint8Array {
  const fragments = pool.takeOutgoing().flatMap((item) => (item.kind === 'data' ? [item.fragment] : []));
  return new Uint8Array(Buffer.concat(fragments));
}
