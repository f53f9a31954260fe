import type { AuditLog } from '../audit/contract.ts';
import { GATEWAY_ACTOR } from '../audit/contract.ts';
import type { Storage } from '../storage/contract.ts';
import { issueLink } from './setup.ts';

/**
 * `user recover`, on the gateway's host with the gateway stopped: a one-time token for the set-up page that makes (or
 * restores) an administrator. It works for an hour after the next start. Nothing else changes until it is used.
 * @throws SallyportError audit_unavailable
 */
export async function recoverAdministrator(storage: Storage, audit: Pick<AuditLog, 'append'>): Promise<string> {
  await audit.append({
    type: 'user.recovered',
    actor: GATEWAY_ACTOR,
    subject: 'administrator link',
    outcome: 'ok',
    detail: { step: 'link issued' },
  });
  return issueLink(storage, 'recover');
}
