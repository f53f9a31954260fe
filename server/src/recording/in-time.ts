import type { Clock } from '../clock.ts';

/**
 * How long making or closing a recording may wait for one answer of the disk: as long as a written chunk may take
 * (security.md section 4 "Recording write").
 */
export const DISK_ANSWER_MS = 7000;

/** Rejects when `work` has not settled by then; the work itself goes on, and what it holds stays its own. */
export function inTime<T>(clock: Clock, work: Promise<T>, ms = DISK_ANSWER_MS): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => {
      reject(new Error(`the disk has not answered for ${ms} ms`));
    });
    work.then(resolve, reject).finally(cancel);
  });
}
