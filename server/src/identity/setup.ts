import type { AuditLog } from '../audit/contract.ts';
import { GATEWAY_ACTOR } from '../audit/contract.ts';
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import { randomId, safeEqual, tokenHash } from '../random.ts';
import type { Storage } from '../storage/contract.ts';

/** Under these names the storage keeps the hashes of the links that make an administrator; one of each kind at most. */
const VALUES = { setup: 'identity.setupLink', recover: 'identity.recoveryLink' } as const;
export type LinkKind = keyof typeof VALUES;
/** A recovery link works this long after it was made, or after the gateway's start when made before; a set-up link until
 * somebody is administrator. */
export const RECOVERY_MS = 3_600_000;

/** Whether nobody could administer this gateway. */
export const needsAdministrator = async (storage: Pick<Storage, 'users'>): Promise<boolean> =>
  !(await storage.users.list()).some((user) => user.role === 'administrator' && !user.disabled);

/** Makes a link's token; the one of its kind before it is worth nothing from now on. */
export async function issueLink(storage: Pick<Storage, 'values'>, kind: LinkKind): Promise<string> {
  const token = randomId();
  await storage.values.set(VALUES[kind], tokenHash(token));
  return token;
}

const hashOf = async (storage: Pick<Storage, 'values'>, kind: LinkKind): Promise<string> =>
  (await storage.values.get(VALUES[kind])) ?? '';

/**
 * Makes a recovery link valid that somebody on the gateway's own host asked for. Nothing else changes until it is used.
 * @param hash of its token; the token itself stays with who asked
 * @throws SallyportError audit_unavailable
 */
export async function admitRecovery(
  storage: Pick<Storage, 'values'>,
  audit: Pick<AuditLog, 'append'>,
  hash: string,
): Promise<void> {
  await audit.append({
    type: 'user.recovered',
    actor: GATEWAY_ACTOR,
    subject: 'administrator link',
    outcome: 'ok',
    detail: { step: 'link issued' },
  });
  await storage.values.set(VALUES.recover, hash);
}

/** The one-time links that make an administrator. */
export class AdministratorLinks {
  readonly #storage: Storage;
  readonly #clock: Clock;
  #recoverySince: number;
  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
    this.#recoverySince = clock.monotonic();
  }

  /** While the gateway runs: `admitRecovery`, its hour from now on. */
  async admit(audit: Pick<AuditLog, 'append'>, hash: string): Promise<void> {
    await admitRecovery(this.#storage, audit, hash);
    this.#recoverySince = this.#clock.monotonic();
  }

  /** @throws SallyportError setup_done, setup_token_invalid */
  async check(token: string, storage: Storage = this.#storage): Promise<LinkKind> {
    const given = tokenHash(token);
    const recover = await hashOf(storage, 'recover');
    const isLate = this.#clock.monotonic() - this.#recoverySince >= RECOVERY_MS;
    if (recover !== '' && safeEqual(recover, given)) {
      if (isLate) throw new SallyportError('setup_token_invalid', 'the recovery link is too old');
      return 'recover';
    }
    if (!(await needsAdministrator(storage))) {
      if (recover === '') throw new SallyportError('setup_done', 'there is an administrator');
    } else {
      const setup = await hashOf(storage, 'setup');
      if (setup !== '' && safeEqual(setup, given)) return 'setup';
    }
    throw new SallyportError('setup_token_invalid', 'no such link');
  }

  /** Uses the link up, in the transaction of the act. @throws as `check` */
  async use(token: string, within: Storage): Promise<LinkKind> {
    const kind = await this.check(token, within);
    await within.values.set(VALUES[kind], '');
    return kind;
  }
}
