import type { AuditLog } from '../audit/contract.ts';
import { randomId, tokenHash } from '../random.ts';
import type { Storage } from '../storage/contract.ts';
import { admitRecovery } from './setup.ts';

/**
 * `user recover` with the gateway stopped: a one-time token for the set-up page that makes (or restores) an
 * administrator. It works for an hour after the next start. (While the gateway runs, see `OpenIdentity.admitRecovery`.)
 * @throws SallyportError audit_unavailable
 */
export async function recoverAdministrator(storage: Storage, audit: Pick<AuditLog, 'append'>): Promise<string> {
  const token = randomId();
  await admitRecovery(storage, audit, tokenHash(token));
  return token;
}
