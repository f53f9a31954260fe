/** What a run must have judged to count: nothing measured is not a success. */
import { FLOOR, PEER, type Row, WINRM_ROWS } from './bench.ts';

/** Rows (`what`) that each measure owes, once our gateway is in the run. */
const OWED: Readonly<Record<string, readonly string[]>> = {
  echo: [`p50 ours / ${FLOOR}`, `p50 ours / ${PEER}`],
  flood: ['p99 ours / direct'],
  bulk: ['speed ours / direct', 'CPU ours / floor'],
  'slow-reader': ['growth ours'],
  credit: ['unacknowledged ours'],
  scale: ['memory ours / floor'],
  powershell: ['first prompt ours / pwsh', 'prompt to prompt ours / pwsh'],
  hops: ['p50 connector / ssh2', `p50 ours / ${FLOOR}`],
  'first-shell': ['first shell ours / direct'],
  winrm: Object.values(WINRM_ROWS.commands),
  'winrm-idle': Object.values(WINRM_ROWS.idle),
};

/** @param hasPeer WebSSH2 takes part; without it the comparison with it is not owed, and the text says so */
export function verdictOf(
  rows: readonly Row[],
  measures: readonly string[],
  hasPeer: boolean,
): { readonly isGreen: boolean; readonly text: string } {
  const judged = rows.filter(({ ok }) => ok !== null);
  const met = judged.filter(({ ok }) => ok === true);
  const owed = measures.flatMap((name) => OWED[name] ?? [`a row of ${name}`]);
  const missing = owed.filter((what) => (hasPeer || !what.endsWith(PEER)) && judged.every((row) => row.what !== what));
  const lines = [`${String(met.length)} of ${String(judged.length)} targets met`];
  if (!hasPeer) lines.push('not compared with WebSSH2: BENCH_WEBSSH2 names no checkout');
  if (missing.length > 0) lines.push(`NOT MEASURED: ${missing.join(', ')}`);
  if (judged.length === 0) lines.push('NOTHING WAS COMPARED');
  return { isGreen: judged.length > 0 && missing.length === 0 && met.length === judged.length, text: lines.join('\n') };
}
