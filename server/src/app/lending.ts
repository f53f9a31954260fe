/**
 * Vault entries for commands: `$using:vault:NAME` in a line at a target. What a command has, the person can read there, so
 * an administrator names the entries at the target; everything is decided anew, and audited, for each line.
 */
import type { Credential } from '@sallyport/shared/api/targets';
import { SallyportError } from '../errors.ts';
import type { Caller } from '../http/route.ts';
import { decide, type Subject } from '../policy.ts';
import type { Inventory } from '../targets/inventory.ts';
import type { LendCredentials, Lending, LentCredential } from '../terminals/powershell/using.ts';
import type { IdentityDeps } from './target-identity.ts';

export interface LendingDeps extends Pick<IdentityDeps, 'audit' | 'credentials'> {
  readonly inventory: Pick<Inventory, 'byId'>;
  /** What the person may do now; null: deleted or disabled. */
  readonly subjectOf: (userId: string) => Promise<Subject | null>;
}
/** Whose lines they are, and where. */
export interface LendingPlace {
  readonly caller: Caller;
  readonly sessionId: string;
  /** Null for a typed address: nothing was named there. */
  readonly targetId: string | null;
  readonly targetName: string;
}

/** The role and the token's scopes, as they are now. @throws SallyportError forbidden */
async function mustUse({ caller, sessionId, targetName }: LendingPlace, deps: LendingDeps): Promise<void> {
  const now = await deps.subjectOf(caller.subject.userId);
  const { tokenScopes } = caller.subject;
  const decision =
    now === null
      ? ({ allowed: false, code: 'forbidden', why: 'nobody here any more' } as const)
      : decide({ ...now, tokenScopes }, 'credential.use', null);
  if (decision.allowed) return;
  const detail = { why: decision.why, target: targetName, session: sessionId };
  await deps.audit.append({
    ...{ type: 'policy.refused', actor: caller.actor, subject: 'credential.use', outcome: 'refused', detail },
  });
  throw new SallyportError(decision.code, `credential.use refused: ${decision.why}`);
}

/** The entries that were named at the target and are still there. */
async function namedAt(targetId: string | null, deps: LendingDeps): Promise<readonly Credential[]> {
  const target = targetId === null ? null : await deps.inventory.byId(targetId);
  const found = await Promise.all((target?.usingCredentials ?? []).map((id) => deps.credentials.byId(id)));
  return found.filter((one) => one !== null);
}

const unknownText = (name: string, there: readonly Credential[]): string =>
  there.length === 0
    ? `${name}; there is none here`
    : `${name}; there is ${there.map(({ label }) => label).join(', ')}`;

/** @throws SallyportError using_unknown, using_unfit */
function pick(name: string, there: readonly Credential[]): Credential {
  const wanted = name.toLowerCase();
  const [found, ...more] = there.filter(({ label }) => label.toLowerCase() === wanted);
  if (found === undefined) throw new SallyportError('using_unknown', unknownText(name, there));
  if (more.length > 0 || found.kind !== 'password' || found.user === '') throw new SallyportError('using_unfit', name);
  return found;
}

async function opened(
  { id, label }: Credential,
  { caller, sessionId, targetName }: LendingPlace,
  { pipelineId }: Lending,
  deps: LendingDeps,
): Promise<LentCredential> {
  await deps.audit.append({
    ...{ type: 'credential.used', actor: caller.actor, subject: `credential:${id}`, outcome: 'ok' },
    detail: { name: label, target: targetName, session: sessionId, command: pipelineId },
  });
  const { kind, user, ...secret } = await deps.credentials.open(id);
  if (kind !== 'password' || !('password' in secret)) throw new SallyportError('using_unfit', label);
  return { userName: user, password: secret.password };
}

/** Gives commands of one session what they may have. */
export const lenderOf =
  (place: LendingPlace, deps: LendingDeps): LendCredentials =>
  async (names, line) => {
    await mustUse(place, deps);
    const there = await namedAt(place.targetId, deps);
    const lent: LentCredential[] = [];
    try {
      // All are found before the first is opened.
      for (const credential of names.map((name) => pick(name, there)))
        lent.push(await opened(credential, place, line, deps));
      return lent;
    } catch (error) {
      for (const { password } of lent) password.wipe();
      throw error;
    }
  };
