import type { Target } from '@sallyport/shared/api/targets';
import type { TerminalKind } from '@sallyport/shared/wire/control';

/** What may be opened at a target, best first; PowerShell only where it was not missing. */
export const waysOf = (target: Target): TerminalKind[] =>
  (['powershell', 'pty'] as const).filter(
    (kind) => target.offers.includes(kind) && !(kind === 'powershell' && target.powershellMissing),
  );
/** "SSH, PowerShell and shell" */
export function transportOf(target: Target): string {
  const names = target.offers.map((kind) => (kind === 'powershell' ? 'PowerShell' : 'shell'));
  return `SSH, ${names.join(' and ')}`;
}
/** The name of a way in on a button. */
export const WAY_NAMES: Readonly<Record<TerminalKind, string>> = { powershell: 'PowerShell', pty: 'Shell' };
/** What a person gets by it. */
export const WAY_GIVES: Readonly<Record<TerminalKind, string>> = {
  powershell: 'Commands are seen as commands, exact ledger',
  pty: 'Terminal; the ledger sees keys, not commands',
};
/** `host:port`, the port only when it is not 22. */
export const addressOf = ({ host, port }: { readonly host: string; readonly port: number }): string =>
  port === 22 ? host : `${host.includes(':') ? `[${host}]` : host}:${port}`;
