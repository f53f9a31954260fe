import type { AuditPage, AuditVerdict, LedgerPage } from '@sallyport/shared/api/audit';
import { queryOf, request } from './request.ts';

/** Filters of the ledger; empty means any. `before` is `next` of the page before. */
export interface LedgerQuery {
  readonly sessionId: string;
  readonly before: number | null;
}
/** `GET /api/ledger` */
export const listLedger = (query: LedgerQuery): Promise<LedgerPage> =>
  request('GET', `ledger${queryOf({ session: query.sessionId, before: query.before })}`);
/** `GET /api/audit` */
export const listEvents = (type: string, before: number | null): Promise<AuditPage> =>
  request('GET', `audit${queryOf({ type, before })}`);
/** `POST /api/audit/verify` */
export const verifyAudit = (): Promise<AuditVerdict> => request('POST', 'audit/verify');
