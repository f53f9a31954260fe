import type { Relaxation, Target } from '@sallyport/shared/api/targets';
import type { WsManSettings } from '@sallyport/shared/api/wsman';
import type { TerminalKind } from '@sallyport/shared/wire/control';

/** What may be opened at a target, best first; PowerShell only where it was not missing. */
export const waysOf = (target: Target): TerminalKind[] =>
  (['powershell', 'pty'] as const).filter(
    (kind) => target.offers.includes(kind) && !(kind === 'powershell' && target.powershellMissing),
  );
/** "SSH, PowerShell and shell", "WinRM over HTTPS, PowerShell" */
export function transportOf(target: Target): string {
  if (target.wsman !== null) return `WinRM over ${target.wsman.tls ? 'HTTPS' : 'HTTP'}, PowerShell`;
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
/** `host:port`, the port only when it is not the usual one of SSH. */
export const addressOf = ({ host, port }: { readonly host: string; readonly port: number }): string =>
  port === 22 ? host : `${host.includes(':') ? `[${host}]` : host}:${port}`;
/** With the port always: as host keys are kept for a way. */
export const fullAddressOf = ({ host, port }: { readonly host: string; readonly port: number }): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`;
/** Jump hosts on the way to a target, first hop first. The gateway refuses circles; data that has one does not hang the page. */
export function wayTo(target: Target, all: readonly Target[]): readonly Target[] {
  const way: Target[] = [];
  let at = all.find(({ id }) => id === target.viaTargetId);
  while (at !== undefined && !way.includes(at)) {
    way.unshift(at);
    const next = at.viaTargetId;
    at = all.find(({ id }) => id === next);
  }
  return way;
}
/** Everything in which a target over WinRM is less than the best, in words. */
export function weaknessesOf({ tls, trust, ...wsman }: WsManSettings): string[] {
  const isChecked = !tls || trust.pin !== '';
  return [
    !isChecked && trust.skipCaCheck ? 'the authority of the certificate is not checked' : '',
    !isChecked && trust.skipCnCheck ? 'the name in the certificate is not compared' : '',
    wsman.isTrustedForNtlm ? 'NTLM may be used although nothing proves who the target is' : '',
    wsman.isTrustedForDelegation ? 'the target may receive passwords' : '',
    wsman.ticketDelegation === 'never' ? '' : 'the target may get a ticket of the user (Kerberos delegation)',
    wsman.redirects ? 'redirects are followed' : '',
  ].filter((words) => words !== '');
}
/** What a relaxation gives up, for old devices. */
export const RELAXATION_WORDS: Readonly<Record<Relaxation, string>> = {
  'no-strict-kex': 'no strict key exchange (OpenSSH before 9.6; ChaCha20 and encrypt-then-MAC are then not offered)',
  'kex-sha1': 'key exchange with SHA-1 (group 14)',
  'host-key-sha1': 'host key signed with SHA-1 (ssh-rsa)',
  'cipher-cbc': 'AES in CBC mode',
  'mac-sha1': 'HMAC with SHA-1',
};
