import type { ProbedPort } from '@sallyport/shared/api/targets';

/** The name of a usual door, and what one gets by it. */
export const DOOR_WORDS: Readonly<Record<ProbedPort['way'], { readonly name: string; readonly gives: string }>> = {
  https: { name: 'WinRM over HTTPS, 5986', gives: 'PowerShell; the certificate says who the target is' },
  http: { name: 'WinRM over HTTP, 5985', gives: 'PowerShell, sealed by Kerberos or NTLM' },
  ssh: { name: 'SSH, 22', gives: 'PowerShell or a shell; the host key says who the target is' },
};
/** How a door was found. */
export const DOOR_STATES: Readonly<Record<ProbedPort['state'], string>> = {
  open: 'open',
  closed: 'closed',
  silent: 'no answer: a firewall, or nothing there',
  refused: 'not an address that this gateway may connect to',
};
