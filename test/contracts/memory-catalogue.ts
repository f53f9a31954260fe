import type { RecordingRecord, Storage } from '../../server/src/storage/contract.ts';

/** The recordings table of storage, in memory: for tests of recording and broker that are not about storage. */
export function memoryCatalogue(): Storage['recordings'] & { readonly rows: Map<string, RecordingRecord> } {
  const rows = new Map<string, RecordingRecord>();
  return {
    rows,
    insert: (row) => {
      rows.set(row.sessionId, row);
      return Promise.resolve();
    },
    bySession: (sessionId) => Promise.resolve(rows.get(sessionId) ?? null),
    update: (sessionId, change) => {
      const row = rows.get(sessionId);
      if (row === undefined) return Promise.reject(new Error('no such row'));
      rows.set(sessionId, { ...row, ...change });
      return Promise.resolve();
    },
    open: () => Promise.resolve([...rows.values()].filter((row) => row.state === 'open')),
    olderThan: (startedAt, limit) =>
      Promise.resolve(
        [...rows.values()]
          .filter(({ state, startedAt: at }) => at < startedAt && (state === 'closed' || state === 'recovered'))
          .slice(0, limit),
      ),
  };
}
