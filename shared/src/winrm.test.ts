import { expect, it } from 'vitest';
import { fitsTarget, winRmRemedies } from './winrm.ts';

const text = (code: string, schemes?: readonly string[]): string => JSON.stringify(winRmRemedies(code, schemes));

it.each([
  ['target_unreachable', ['Enable-PSRemoting', 'public network', 'WINRM-HTTP-In-TCP-PUBLIC', '5986']],
  ['target_timeout', ['public network', 'WINRM-HTTP-In-TCP-PUBLIC']],
  ['wsman_access_denied', ['Remote Management Users', 'Get-PSSessionConfiguration', 'LocalAccountTokenFilterPolicy']],
  ['wsman_endpoint_missing', ['Get-PSSessionConfiguration']],
  ['target_quota', ['MaxShellsPerUser']],
  ['wsman_not_winrm', ['config/listener', 'Enable-PSRemoting']],
  ['wsman_server_unproven', ['config/listener']],
  ['wsman_malformed', ['config/listener']],
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

it('names the switch of the method that was refused', () => {
  const lines = (...[method, schemes]: [Parameters<typeof winRmRemedies>[2], string[]]): string =>
    winRmRemedies('wsman_method_disabled', schemes, method)
      .slice(1)
      .flatMap((remedy) => remedy.lines)
      .join();
  expect(lines('credssp', ['Negotiate'])).toBe('Enable-WSManCredSSP -Role Server -Force');
  expect(lines('basic', ['Negotiate'])).toBe('Set-Item WSMan:\\localhost\\Service\\Auth\\Basic $true');
  expect(lines('certificate', [])).toContain('Auth\\Certificate');
  expect(lines('kerberos', ['Basic'])).not.toContain('Negotiate');
  expect(lines('digest', [])).toBe('');
});

it.each([
  [null, 'privateKey', true],
  [null, 'certificate', false],
  [{ method: 'default', certificateThumbprint: '' }, 'password', true],
  [{ method: 'default', certificateThumbprint: '' }, 'privateKey', false],
  [{ method: 'certificate', certificateThumbprint: '' }, 'password', false],
  // Nobody uses what is stored.
  [{ method: 'certificate', certificateThumbprint: 'AB' }, 'password', true],
  [{ method: 'negotiate-implicit', certificateThumbprint: '' }, 'privateKey', true],
] as const)('knows a stored credential that the target cannot use: %j, %s', (wsman, kind, fits) => {
  expect(fitsTarget(wsman, kind)).toBe(fits);
});
