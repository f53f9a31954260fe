/** What tests of signing in share: an identity over a database and an audit log of its own, and its first person. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import type { NewAuditEvent } from '../../server/src/audit/contract.ts';
import { openAuditLog, type OpenAuditLog } from '../../server/src/audit/log.ts';
import { SallyportError } from '../../server/src/errors.ts';
import type { RequestOrigin } from '../../server/src/identity/contract.ts';
import type { Ended, IdentityOptions } from '../../server/src/identity/core.ts';
import { openIdentity, type OpenIdentity } from '../../server/src/identity/identity.ts';
import type { Storage } from '../../server/src/storage/contract.ts';
import { openStorage } from '../../server/src/storage/sqlite/open.ts';
import { FakeClock } from './fake-clock.ts';

export const FROM: RequestOrigin = { address: '192.0.2.7', agent: 'test browser' };
export const PASSWORD = 'correct horse battery';
/** Everything but the price as in the product. */
const CHEAP = { memoryKiB: 64, passes: 1 };

interface World {
  readonly directory: string;
  readonly storage: Storage;
  readonly audit: OpenAuditLog;
  readonly clock: FakeClock;
  readonly ended: Ended[];
  /** Events as they were asked for, and a switch that makes the log refuse. */
  readonly events: NewAuditEvent[];
  isAuditAway: boolean;
  /** Closed after the test. */
  readonly open: OpenIdentity[];
}

/** For the top of a test file: `at` is made anew for each test. */
export function identityWorld() {
  const at = {} as World;
  beforeEach(async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-identity-'));
    const storage = await openStorage({ file: join(directory, 'sallyport.db') });
    const clock = new FakeClock();
    const spoolFile = join(directory, 'x');
    const audit = await openAuditLog({ storage, clock, keyDirectory: join(directory, 'keys'), spoolFile });
    const made: World = { directory, storage, audit, clock, ended: [], events: [], isAuditAway: false, open: [] };
    Object.assign(at, made);
  });
  afterEach(async () => {
    for (const one of at.open) one.close();
    await at.audit.close();
    await at.storage.close();
    rmSync(at.directory, { recursive: true, force: true });
  });

  async function start(change: Partial<IdentityOptions> = {}): Promise<OpenIdentity> {
    const made = await openIdentity({
      ...{ storage: at.storage, clock: at.clock, passwordCost: CHEAP },
      audit: {
        append: (event) => {
          if (at.isAuditAway) return Promise.reject(new SallyportError('audit_unavailable', 'taken away by the test'));
          at.events.push(event);
          return at.audit.append(event);
        },
      },
      ...change,
    });
    made.identity.onEnded((what) => at.ended.push(what));
    at.open.push(made);
    return made;
  }
  /** Set up by Ann, who is signed in. */
  async function withAnn(): Promise<OpenIdentity & { cookie: string }> {
    const made = await start();
    const token = (await made.identity.issueSetupToken()) ?? '';
    return { ...made, cookie: (await made.identity.setUp(token, 'Ann', PASSWORD, FROM)).cookie };
  }
  const types = (): string[] => at.events.map((event) => `${event.type} ${event.outcome}`);
  return { at, start, withAnn, types };
}
