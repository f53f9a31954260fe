import type { Target, TargetBody } from '@sallyport/shared/api/targets';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import { randomId } from '../random.ts';
import type { Storage, TargetRecord } from '../storage/contract.ts';

/** What a target row keeps as JSON: everything that no query asks for. */
const Options = z.object({
  subsystem: z.string(),
  offers: z.array(z.enum(['powershell', 'pty'])),
  user: z.string(),
  connectTimeoutMs: z.number(),
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
  const { id, name, host, port, credentialId, createdAt, lastOpenedAt } = row;
  return {
    id,
    name,
    transport: 'ssh',
    host,
    port,
    credentialId,
    createdAt,
    lastOpenedAt,
    ...Options.parse(JSON.parse(row.options)),
  };
}

function toColumns(body: TargetBody, flags: TargetFlags) {
  const { name, transport, host, port, credentialId, subsystem, offers, user, connectTimeoutMs, notes } = body;
  const { isDemo, administratorOnly, powershellMissing } = flags;
  const options: Options = {
    subsystem,
    offers,
    user,
    connectTimeoutMs,
    notes,
    isDemo,
    administratorOnly,
    powershellMissing,
  };
  return { name, transport, host, port, credentialId, options: JSON.stringify(options) };
}

/** The machines that people may go to. Callers have asked policy and audited before they call. */
export interface Inventory {
  list(): Promise<readonly Target[]>;
  byId(id: string): Promise<Target | null>;
  byName(name: string): Promise<Target | null>;
  /** @throws SallyportError name_taken; bad_request when the credential does not exist */
  create(body: TargetBody, flags?: TargetFlags): Promise<Target>;
  /** Keeps the flags unless others are given. @throws SallyportError not_found, name_taken */
  change(id: string, body: TargetBody, flags?: TargetFlags): Promise<Target>;
  /** @returns false when it did not exist */
  delete(id: string): Promise<boolean>;
  opened(id: string): Promise<void>;
}

export function createInventory(deps: {
  readonly storage: Pick<Storage, 'targets' | 'credentials'>;
  readonly clock: Clock;
}): Inventory {
  const { storage, clock } = deps;

  async function mustExist(id: string): Promise<TargetRecord> {
    const row = await storage.targets.byId(id);
    if (row === null) throw new SallyportError('not_found', `no target ${id}`);
    return row;
  }
  async function checkCredential(id: string | null): Promise<void> {
    if (id !== null && (await storage.credentials.byId(id)) === null)
      throw new SallyportError('bad_request', 'the credential of the target does not exist');
  }

  return {
    list: async () => (await storage.targets.list()).map(toTarget),
    async byId(id) {
      const row = await storage.targets.byId(id);
      return row === null ? null : toTarget(row);
    },
    async byName(name) {
      const row = await storage.targets.byName(name);
      return row === null ? null : toTarget(row);
    },
    async create(body, flags = NO_FLAGS) {
      await checkCredential(body.credentialId);
      const row: TargetRecord = {
        id: randomId(),
        ...toColumns(body, flags),
        createdAt: clock.now(),
        lastOpenedAt: null,
      };
      await storage.targets.insert(row);
      return toTarget(row);
    },
    async change(id, body, flags) {
      const before = toTarget(await mustExist(id));
      await checkCredential(body.credentialId);
      await storage.targets.update(id, toColumns(body, flags ?? before));
      return toTarget(await mustExist(id));
    },
    delete: (id) => storage.targets.delete(id),
    opened: (id) => storage.targets.update(id, { lastOpenedAt: clock.now() }),
  };
}
