import type { LedgerPage } from '@sallyport/shared/api/audit';
import { expect, it } from 'vitest';
import type { LedgerEntry } from '../../ledger/contract.ts';
import type { RoutesJoin } from '../ports.ts';
import { ledgerRoutes } from './evidence.ts';

const MIB = 1024 * 1024;

/** A ledger of `count` commands of which each text has `size` characters. It notes how much it had in its hands at once. */
function ledgerOf(count: number, size: number) {
  const seen = { most: 0 };
  const rowsOf = (sequences: readonly number[]): Promise<readonly LedgerEntry[]> => {
    seen.most = Math.max(seen.most, sequences.length * size);
    const row = {
      sessionId: 's',
      userId: 'u',
      number: 1,
      runspacePoolId: '',
      pipelineId: '',
      shellId: null,
      startedAt: 0,
    };
    const end = { endedAt: 0, state: 'completed', errorCount: 0, outputBytes: 0 };
    return Promise.resolve(
      sequences.map((sequence) => ({ ...row, ...end, id: `${sequence}`, sequence, text: 'x'.repeat(size) })),
    );
  };
  const ofSession = ({ after, limit }: { after: number | null; limit: number }) =>
    rowsOf(Array.from({ length: Math.min(limit, count - (after ?? 0)) }, (_, index) => (after ?? 0) + 1 + index));
  const list = ({ before, limit }: { before: number | null; limit: number }): Promise<readonly LedgerEntry[]> => {
    const top = Math.min(before ?? count + 1, count + 1);
    return rowsOf(Array.from({ length: Math.min(limit, top - 1) }, (_, index) => top - 1 - index));
  };
  return { list, ofSession, seen };
}

async function ask(ledger: ReturnType<typeof ledgerOf>, query: Record<string, string>): Promise<LedgerPage> {
  const join = {
    ledger,
    audit: { append: () => Promise.resolve() },
    broker: {
      find: () => Promise.resolve({ userId: 'u', userName: 'ann', facts: { targetName: 't', identity: 'i' } }),
    },
  } as unknown as RoutesJoin;
  const [route] = ledgerRoutes(join);
  const principal = { user: { id: 'u', role: 'operator' }, scopes: null };
  const request = { principal, params: {}, query, body: undefined, headers: {}, ip: '' };
  return (await route?.run(request as never, {} as never, () => Promise.resolve())) as LedgerPage;
}

it('cuts a page of the ledger where its texts get large, and goes on from there', async () => {
  const ledger = ledgerOf(60, MIB);
  const seen: number[] = [];
  for (let query: Record<string, string> = { limit: '500' }; ;) {
    const { rows, next } = await ask(ledger, query);
    expect(rows.length).toBeLessThanOrEqual(20);
    seen.push(...rows.map(({ id }) => Number(id)));
    if (next === null) break;
    query = { limit: '500', before: String(next) };
  }
  expect(seen).toEqual(Array.from({ length: 60 }, (_, index) => 60 - index));
  expect(ledger.seen.most).toBeLessThanOrEqual(20 * MIB);
});

it('gives small rows in pages of the size that was asked for', async () => {
  const first = await ask(ledgerOf(250, 10), { limit: '200' });
  expect([first.rows.length, first.next]).toEqual([200, 51]);
  const last = await ask(ledgerOf(250, 10), { limit: '200', before: '51' });
  expect([last.rows.length, last.next]).toEqual([50, null]);
});

const session = 'a'.repeat(52);

it('gives one session in its order, cut and gone on with in the same way', async () => {
  const ledger = ledgerOf(60, MIB);
  const seen: number[] = [];
  for (let query: Record<string, string> = { session, limit: '500' }; ;) {
    const { rows, next } = await ask(ledger, query);
    expect(rows.length).toBeLessThanOrEqual(20);
    seen.push(...rows.map(({ id }) => Number(id)));
    if (next === null) break;
    query = { session, limit: '500', after: String(next) };
  }
  expect(seen).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
  expect(ledger.seen.most).toBeLessThanOrEqual(20 * MIB);
});

it('refuses the way of one list in the other', async () => {
  await expect(ask(ledgerOf(1, 1), { session, before: '1' })).rejects.toThrow();
  await expect(ask(ledgerOf(1, 1), { after: '1' })).rejects.toThrow();
});
