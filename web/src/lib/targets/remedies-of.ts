import { isErrorCode } from '@sallyport/shared/error-codes';
import type { ProbeResult, Target } from '@sallyport/shared/api/targets';
import { remediesFor } from '@sallyport/shared/remedies';
import { winRmRemedies, WSMAN_PORTS } from '@sallyport/shared/winrm';
import { listTargets } from '../api/targets.ts';

/** What a person can do about a session that did not open. */
export interface WhatToDo {
  /** Lines for the target, or for the gateway; none where only a person can say. */
  readonly remedies: ProbeResult['remedies'];
  /** Its page has the settings and the test of the connection; null for an address that was typed. */
  readonly targetId: string | null;
}

const winRmPort = new RegExp(`:(?:${Object.values(WSMAN_PORTS).join('|')})$`);

/** The remedies of a refusal, by what the target is reached over and with its own subsystem name. */
export function remediesAt(
  reason: string,
  address: string,
  target: Pick<Target, 'wsman' | 'subsystem'> | undefined,
): WhatToDo['remedies'] {
  if (!isErrorCode(reason)) return [];
  const isWinRm = target === undefined ? winRmPort.test(address) : target.wsman !== null;
  const overSsh = remediesFor(reason, target?.subsystem ?? 'powershell');
  // Both have it; the other codes of WinRM say by themselves what the way was.
  const isOfBoth = reason === 'target_auth_failed';
  return isWinRm || (overSsh.length === 0 && !isOfBoth) ? winRmRemedies(reason, [], target?.wsman?.method) : overSsh;
}

/** @param address of the session, `host:port` */
export async function whatToDo(reason: string, targetName: string, address: string): Promise<WhatToDo> {
  const targets = await listTargets().catch(() => []);
  const target = targets.find(({ name }) => name === targetName);
  return { remedies: remediesAt(reason, address, target), targetId: target?.id ?? null };
}
