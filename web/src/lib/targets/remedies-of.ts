import { isErrorCode } from '@sallyport/shared/error-codes';
import type { ProbeResult } from '@sallyport/shared/api/targets';
import { remediesFor } from '@sallyport/shared/remedies';
import { winRmRemedies } from '@sallyport/shared/winrm';
import { listTargets } from '../api/targets.ts';

/** What to do about a session that did not open, with the target's own subsystem name in the lines where it can be seen. */
export async function remediesOf(reason: string, targetName: string): Promise<ProbeResult['remedies']> {
  if (!isErrorCode(reason)) return [];
  if (remediesFor(reason, '').length === 0) return winRmRemedies(reason);
  const targets = await listTargets().catch(() => []);
  return remediesFor(reason, targets.find(({ name }) => name === targetName)?.subsystem ?? 'powershell');
}
