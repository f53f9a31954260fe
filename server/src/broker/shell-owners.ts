/** Whose a shell at a target is: of the person whose session had it, for ever, whatever way leads to it. */
import { SallyportError } from '../errors.ts';
import type { OpenRequest, Requester, ShellOwner } from './contract.ts';
import type { BrokerDeps } from './deps.ts';

/** Ids are compared in capitals: targets write them either way. Nobody has a right to another person's shell. */
export class ShellOwners {
  readonly #deps: Pick<BrokerDeps, 'sessions' | 'audit'>;
  /** Those that are being taken: who comes first has it. */
  readonly #taking = new Set<string>();

  constructor(deps: Pick<BrokerDeps, 'sessions' | 'audit'>) {
    this.#deps = deps;
  }

  async of(shellId: string): Promise<ShellOwner | null> {
    const row = await this.#deps.sessions.byShell(shellId.toUpperCase());
    return row === null ? null : { id: row.id, userId: row.userId, isOver: row.endedAt !== null };
  }

  /** @param take enters it in the table @throws SallyportError target_shell_of_other, target_shell_in_use */
  async taking<T>(who: Requester, request: OpenRequest, take: () => Promise<T>): Promise<T> {
    const { shell } = request;
    if (shell === undefined) return take();
    const shellId = shell.toUpperCase();
    if (this.#taking.has(shellId)) throw new SallyportError('target_shell_in_use', 'it is being taken by another');
    this.#taking.add(shellId);
    try {
      await this.#mayTake(who, request, shellId);
      return await take();
    } finally {
      this.#taking.delete(shellId);
    }
  }

  /** A refusal is audited before it is answered. */
  async #mayTake({ subject, actor }: Requester, { targetId, address }: OpenRequest, shellId: string): Promise<void> {
    const owner = await this.of(shellId);
    if (owner === null || owner.userId === subject.userId) return;
    await this.#deps.audit.append({
      ...{ type: 'session.shellRefused', actor, subject: `session:${owner.id}`, outcome: 'refused' },
      detail: { shell: shellId, targetId, target: address },
    });
    throw new SallyportError('target_shell_of_other', 'the shell is of another person here');
  }
}
