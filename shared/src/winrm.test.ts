import { expect, it } from 'vitest';
import { winRmRemedies } from './winrm.ts';

const text = (code: string, schemes?: readonly string[]): string => JSON.stringify(winRmRemedies(code, schemes));

it.each([
  ['target_unreachable', ['Enable-PSRemoting', 'public network', 'WINRM-HTTP-In-TCP-PUBLIC', '5986']],
  ['target_timeout', ['public network', 'WINRM-HTTP-In-TCP-PUBLIC']],
  ['wsman_access_denied', ['Remote Management Users', 'Get-PSSessionConfiguration', 'LocalAccountTokenFilterPolicy']],
  ['wsman_endpoint_missing', ['Get-PSSessionConfiguration']],
  ['target_quota', ['MaxShellsPerUser']],
  ['kerberos_clock_skew', ['w32tm']],
  ['target_auth_failed', ['4625', 'opens TLS', 'ComputeHash']],
  ['wsman_binding_refused', ['opens TLS', 'ComputeHash', 'CbtHardeningLevel']],
])('%s comes with what to do', (code, parts) => {
  for (const part of parts) expect(text(code)).toContain(part);
});

it('switches on what the listener does not offer, and nothing else', () => {
  expect(text('wsman_method_disabled', ['Basic', 'Kerberos'])).toContain('Auth\\\\Negotiate');
  expect(text('wsman_method_disabled', ['Basic', 'Kerberos'])).not.toContain('Auth\\\\Kerberos');
  expect(text('exited')).toBe('[]');
});
