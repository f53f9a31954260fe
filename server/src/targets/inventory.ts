import { FileGrant, MAX_HOPS, Relaxation, type Target, type TargetBody } from '@sallyport/shared/api/targets';
import { WsManSettings } from '@sallyport/shared/api/wsman';
import { fitsTarget } from '@sallyport/shared/winrm';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import { randomId } from '../random.ts';
import type { CredentialRecord, Storage, TargetRecord } from '../storage/contract.ts';

/** What a target row keeps as JSON: everything that no query asks for. */
const Options = z.object({
  subsystem: z.string(),
  offers: z.array(z.enum(['powershell', 'pty'])),
  user: z.string(),
  connectTimeoutMs: z.number(),
  relaxations: z.array(Relaxation).default([]),
  files: FileGrant.default('off'),
  usingCredentials: z.array(z.string()).default([]),
  wsman: WsManSettings.nullable().default(null),
  notes: z.string(),
  isDemo: z.boolean(),
  administratorOnly: z.boolean(),
  powershellMissing: z.boolean(),
});
type Options = z.infer<typeof Options>;

/** What only the program itself may say of a target: the demo's flags. */
export type TargetFlags = Pick<Options, 'isDemo' | 'administratorOnly' | 'powershellMissing'>;
const NO_FLAGS: TargetFlags = { isDemo: false, administratorOnly: false, powershellMissing: false };

function toTarget(row: TargetRecord): Target {
  const { id, name, host, port, credentialId, viaTargetId, createdAt, lastOpenedAt } = row;
  const options = Options.parse(JSON.parse(row.options));
  const transport = options.wsman === null ? 'ssh' : 'wsman';
  return { id, name, transport, host, port, credentialId, viaTargetId, createdAt, lastOpenedAt, ...options };
}

function toColumns(body: TargetBody, flags: TargetFlags) {
  const { name, transport, host, port, credentialId, viaTargetId } = body;
  const { subsystem, offers, user, connectTimeoutMs, relaxations, files, usingCredentials, wsman, notes } = body;
  const { isDemo, administratorOnly, powershellMissing } = flags;
  const options: Options = {
    subsystem,
    offers,
    user,
    connectTimeoutMs,
    relaxations: [...new Set(relaxations)],
    files,
    usingCredentials: [...new Set(usingCredentials)],
    wsman,
    notes,
    isDemo,
    administratorOnly,
    powershellMissing,
  };
  return { name, transport, host, port, credentialId, viaTargetId, options: JSON.stringify(options) };
}

/**
 * The jump hosts on the way to a target, first hop first; empty for a direct one.
 * @throws SallyportError jump_chain for a circle, more than MAX_HOPS, or a hop that is not there
 */
export function hopsOf<T extends Pick<Target, 'id' | 'viaTargetId'>>(target: T, all: readonly T[]): readonly T[] {
  const hops: T[] = [];
  for (let at = target; at.viaTargetId !== null;) {
    const next = all.find(({ id }) => id === at.viaTargetId);
    if (next === undefined) throw new SallyportError('jump_chain', 'a jump host on the way is not there');
    if (next.id === target.id || hops.includes(next)) throw new SallyportError('jump_chain', 'the way is a circle');
    if (hops.length === MAX_HOPS)
      throw new SallyportError('jump_chain', `the way has more than ${MAX_HOPS} jump hosts`);
    hops.unshift(next);
    at = next;
  }
  return hops;
}

/** The machines that people may go to. Callers have asked policy and audited before they call. */
export interface Inventory {
  list(): Promise<readonly Target[]>;
  byId(id: string): Promise<Target | null>;
  byName(name: string): Promise<Target | null>;
  /** The jump hosts on the way, first hop first. @throws SallyportError jump_chain */
  hopsOf(target: Target): Promise<readonly Target[]>;
  /** Would `create` or `change` be refused? Asked before the audit event. @throws SallyportError jump_chain, object_limit, target_auth_unsupported, bad_request */
  check(id: string | null, body: TargetBody): Promise<void>;
  /** @throws SallyportError target_in_use */
  checkDelete(id: string): Promise<void>;
  /** @throws SallyportError name_taken, jump_chain, object_limit, target_auth_unsupported; bad_request when the credential does not exist */
  create(body: TargetBody, flags?: TargetFlags): Promise<Target>;
  /** Keeps the flags unless others are given. @throws SallyportError not_found, and as `create` */
  change(id: string, body: TargetBody, flags?: TargetFlags): Promise<Target>;
  /** @returns false when it did not exist @throws SallyportError target_in_use */
  delete(id: string): Promise<boolean>;
  opened(id: string): Promise<void>;
}

/** What would be refused whenever the target is opened. @throws SallyportError target_auth_unsupported */
function checkFits({ wsman }: TargetBody, { kind }: Pick<CredentialRecord, 'kind'>): void {
  if (!fitsTarget(wsman, kind))
    throw new SallyportError('target_auth_unsupported', `${kind} is no credential for ${wsman?.method ?? 'SSH'}`);
}

export function createInventory(deps: {
  readonly storage: Pick<Storage, 'targets' | 'credentials' | 'transaction'>;
  readonly clock: Clock;
  /** Of one object that a target sends, for any target; without it no target's own limit is refused. */
  readonly maxObjectBytes?: number;
}): Inventory {
  const { storage, clock, maxObjectBytes = Infinity } = deps;

  type Rows = Pick<Storage, 'targets' | 'credentials'>;

  async function mustExist(rows: Rows, id: string): Promise<TargetRecord> {
    const row = await rows.targets.byId(id);
    if (row === null) throw new SallyportError('not_found', `no target ${id}`);
    return row;
  }

  const list = async (): Promise<Target[]> => (await storage.targets.list()).map(toTarget);

  /** Every way that leads over this target must stay one. */
  async function check(rows: Rows, id: string | null, body: TargetBody): Promise<void> {
    if ((body.wsman?.maxObjectBytes ?? 0) > maxObjectBytes)
      throw new SallyportError('object_limit', `the gateway takes objects of ${String(maxObjectBytes)} bytes`);
    for (const credentialId of [...(body.credentialId === null ? [] : [body.credentialId]), ...body.usingCredentials]) {
      const credential = await rows.credentials.byId(credentialId);
      if (credential === null) throw new SallyportError('bad_request', 'a credential of the target does not exist');
      if (credentialId === body.credentialId) checkFits(body, credential);
    }
    const self = { id: id ?? '', viaTargetId: body.viaTargetId, transport: body.transport };
    const after = [...(await rows.targets.list()).filter((row) => row.id !== id), self];
    for (const one of id === null ? [self] : after) {
      if (hopsOf(one, after).some(({ transport }) => transport !== 'ssh'))
        throw new SallyportError('jump_chain', 'a jump host is one over SSH');
    }
  }
  async function checkDelete(rows: Rows, id: string): Promise<void> {
    if ((await rows.targets.list()).some(({ viaTargetId }) => viaTargetId === id))
      throw new SallyportError('target_in_use', 'other targets are reached through this one');
  }

  return {
    list,
    hopsOf: async (target) => (target.viaTargetId === null ? [] : hopsOf(target, await list())),
    check: (id, body) => check(storage, id, body),
    checkDelete: (id) => checkDelete(storage, id),
    async byId(id) {
      const row = await storage.targets.byId(id);
      return row === null ? null : toTarget(row);
    },
    async byName(name) {
      const row = await storage.targets.byName(name);
      return row === null ? null : toTarget(row);
    },
    // Checked and written in one: two changes that cross could make a circle that neither of them is.
    create: (body, flags = NO_FLAGS) =>
      storage.transaction(async (rows) => {
        await check(rows, null, body);
        const row: TargetRecord = {
          id: randomId(),
          ...toColumns(body, flags),
          createdAt: clock.now(),
          lastOpenedAt: null,
        };
        await rows.targets.insert(row);
        return toTarget(row);
      }),
    change: (id, body, flags) =>
      storage.transaction(async (rows) => {
        const before = toTarget(await mustExist(rows, id));
        await check(rows, id, body);
        await rows.targets.update(id, toColumns(body, flags ?? before));
        return toTarget(await mustExist(rows, id));
      }),
    delete: (id) =>
      storage.transaction(async (rows) => {
        await checkDelete(rows, id);
        return rows.targets.delete(id);
      }),
    opened: (id) => storage.targets.update(id, { lastOpenedAt: clock.now() }),
  };
}
