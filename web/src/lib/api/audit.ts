import type { AuditPage, AuditVerdict, LedgerPage, LedgerRow } from '@sallyport/shared/api/audit';
import { queryOf, request } from './request.ts';

/** `GET /api/ledger`, newest first. @param before `next` of the page before */
export const listLedger = (before: number | null): Promise<LedgerPage> =>
  request('GET', `ledger${queryOf({ before })}`);
/** All commands of one session in their order, page after page. */
export async function ledgerOfSession(session: string): Promise<readonly LedgerRow[]> {
  const rows: LedgerRow[] = [];
  for (let after: number | null = null; ;) {
    const page: LedgerPage = await request('GET', `ledger${queryOf({ session, after, limit: 500 })}`);
    rows.push(...page.rows);
    if (page.next === null) return rows;
    after = page.next;
  }
}
/** `GET /api/audit` */
export const listEvents = (type: string, before: number | null): Promise<AuditPage> =>
  request('GET', `audit${queryOf({ type, before })}`);
/** `POST /api/audit/verify` */
export const verifyAudit = (): Promise<AuditVerdict> => request('POST', 'audit/verify');
