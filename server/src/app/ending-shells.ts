/** Shells of sessions that were left and have ended here: the gateway signs in once, where it can by itself, and deletes them. */
import { SessionFacts } from '@sallyport/shared/wire/control';
import { GATEWAY_ACTOR } from '../audit/contract.ts';
import type { LeftRow, LeftShells, ShellEnd } from '../broker/deps.ts';
import type { Clock } from '../clock.ts';
import { SallyportError, toError } from '../errors.ts';
import type { Caller } from '../http/route.ts';
import { decide, type Subject } from '../policy.ts';
import type { Inventory } from '../targets/inventory.ts';
import type { LeftTerminal } from '../terminals/contract.ts';
import { addressOf } from './chain.ts';
import { type Opening, type OpeningDeps, type Place, placeOf, reach } from './opening.ts';
import { keptOpening } from './reopening.ts';
import { nobodyAt } from './shells.ts';
import { identityWithout } from './target-identity.ts';

/** For all of it: a target that hangs is not waited for. */
const END_MS = 60_000;

/** The gateway acts for itself here: the person's rights may be what has just gone. */
const GATEWAY_CALLER: Caller = {
  subject: { userId: '', role: 'administrator', tokenScopes: null },
  actor: GATEWAY_ACTOR,
  principal: {
    user: { id: '', name: GATEWAY_ACTOR.name, role: 'administrator' },
  } as Caller['principal'],
};

/** Where the session went, by its own row. */
const addressThen = ({ facts }: LeftRow): string => SessionFacts.parse(JSON.parse(facts)).address;

export interface EndingDeps {
  readonly inventory: Pick<Inventory, 'byId'>;
  readonly clock: Clock;
}

/** What the broker asks about shells. The rooms for opening are made after the broker, which needs this. */
export class TargetLeftShells implements LeftShells {
  readonly #deps: EndingDeps;
  #opening: OpeningDeps | null = null;

  constructor(deps: EndingDeps) {
    this.#deps = deps;
  }

  /** From now on targets can be reached. */
  use(opening: OpeningDeps): void {
    this.#opening = opening;
  }

  async mayWait(subject: Subject, row: LeftRow): Promise<boolean> {
    const { to } = keptOpening(row.reopen);
    if (to.by === 'address') return decide(subject, 'session.openAdHoc', null).allowed;
    const target = await this.#deps.inventory.byId(to.targetId);
    if (target === null || target.wsman === null || !target.offers.includes('powershell')) return false;
    if (target.administratorOnly && subject.role !== 'administrator') return false;
    return addressOf(target.host, target.port) === addressThen(row);
  }

  async end(row: LeftRow, left: LeftTerminal, signal: AbortSignal): Promise<ShellEnd> {
    const deps = this.#opening;
    if (deps === null) throw new SallyportError('bad_state', 'no target can be reached yet');
    const { to, credential } = keptOpening(row.reopen);
    const place = await placeOf(to, GATEWAY_CALLER, deps);
    // A stored credential goes nowhere but where the person had sent it.
    if (place.wsman === null || addressOf(place.host, place.port) !== addressThen(row)) return 'place_changed';
    const identity = await identityWithout(credential, place, GATEWAY_CALLER, deps);
    if (identity === null) return 'needs_person';
    const stop = new AbortController();
    const cancel = this.#deps.clock.after(END_MS, () =>
      stop.abort(new SallyportError('target_timeout', 'the target did not end it in time')),
    );
    const all = AbortSignal.any([signal, stop.signal]);
    const opening: Opening = {
      ...{ caller: GATEWAY_CALLER, port: nobodyAt(row.id), signal: all, deps, language: '', weak: [] },
    };
    try {
      const isDeleted = await deleteAt(place, async () => (await identity(row.id)).identity, opening, left);
      return isDeleted ? 'deleted' : 'gone';
    } catch (error) {
      throw all.aborted ? toError(all.reason) : error;
    } finally {
      cancel();
    }
  }
}

async function deleteAt(
  place: Place,
  identity: Parameters<typeof reach>[1],
  opening: Opening,
  { shellId, filesShellId, at }: LeftTerminal,
): Promise<boolean> {
  const { signal } = opening;
  const way = await reach(place, identity, opening, at ?? null);
  // What waits for an answer ends with its connection.
  const close = (): void => void way.close();
  signal.addEventListener('abort', close, { once: true });
  try {
    signal.throwIfAborted();
    if (way.shells === null) throw new SallyportError('internal', 'no shells over WinRM');
    const isDeleted = await way.shells.deleteShell(shellId);
    await way.endFilesShell(filesShellId);
    return isDeleted;
  } finally {
    signal.removeEventListener('abort', close);
    await way.close();
  }
}
