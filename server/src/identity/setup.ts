import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import { randomId, safeEqual, tokenHash } from '../random.ts';
import type { Storage } from '../storage/contract.ts';

/** Under this name the storage keeps the hash of the one link that makes an administrator. */
const VALUE = 'identity.administratorLink';
/** A recovery link works this long after the gateway's start; a set-up link until somebody is administrator. */
const RECOVERY_MS = 3_600_000;

const Link = z.strictObject({ hash: z.string(), kind: z.enum(['setup', 'recover']) });
type Link = z.infer<typeof Link>;
export type LinkKind = Link['kind'];

/** Whether nobody could administer this gateway. */
export const needsAdministrator = async (storage: Pick<Storage, 'users'>): Promise<boolean> =>
  !(await storage.users.list()).some((user) => user.role === 'administrator' && !user.disabled);

/** Makes a link's token; the one before it is worth nothing from now on. */
export async function issueLink(storage: Pick<Storage, 'values'>, kind: LinkKind): Promise<string> {
  const token = randomId();
  await storage.values.set(VALUE, JSON.stringify({ hash: tokenHash(token), kind }));
  return token;
}

async function readLink(storage: Pick<Storage, 'values'>): Promise<Link | null> {
  const text = await storage.values.get(VALUE);
  if (text === null || text === '') return null;
  return Link.parse(JSON.parse(text));
}

/** The one-time links that make an administrator. */
export class AdministratorLinks {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #startedAt: number;
  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
  }

  /** @throws SallyportError setup_done, setup_token_invalid */
  async check(token: string, storage: Storage = this.#storage): Promise<LinkKind> {
    const link = await readLink(storage);
    const isDone = !(await needsAdministrator(storage));
    if (link?.kind !== 'recover' && isDone) throw new SallyportError('setup_done', 'there is an administrator');
    const isLate = link?.kind === 'recover' && this.#clock.monotonic() - this.#startedAt >= RECOVERY_MS;
    if (link === null || isLate || !safeEqual(link.hash, tokenHash(token)))
      throw new SallyportError('setup_token_invalid', isLate ? 'the recovery link is too old' : 'no such link');
    return link.kind;
  }

  /** Uses the link up, in the transaction of the act. @throws as `check` */
  async use(token: string, within: Storage): Promise<LinkKind> {
    const kind = await this.check(token, within);
    await within.values.set(VALUE, '');
    return kind;
  }
}
