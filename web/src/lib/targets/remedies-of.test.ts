import { expect, it } from 'vitest';
import { WsManSettings } from '@sallyport/shared/api/wsman';
import { remediesAt } from './remedies-of.ts';

const titles = (...asked: Parameters<typeof remediesAt>): string =>
  remediesAt(...asked)
    .map(({ title }) => title)
    .join();

it('says what to do by what the target is reached over: a WinRM service for one, an SSH server for the other', () => {
  const wsman = WsManSettings.parse({});
  const winrm = { wsman, subsystem: 'powershell' };
  expect(titles('target_unreachable', 'web01:7777', winrm)).toMatch(/WinRM/);
  expect(titles('target_unreachable', 'web01:7777', winrm)).not.toMatch(/SSH/);
  expect(titles('target_unreachable', 'web01:22', { wsman: null, subsystem: 'pwsh' })).toMatch(/SSH server/);
  // Nobody has stored it: its port says what it was.
  expect(titles('target_unreachable', 'web01:5986', undefined)).toMatch(/WinRM/);
  expect(titles('target_unreachable', 'web01:22', undefined)).toMatch(/SSH server/);
  expect(titles('kerberos_no_kdc', 'web01:5985', winrm)).toMatch(/domain controller/);
  expect(titles('target_auth_failed', 'web01:7777', winrm)).toMatch(/locked account.*opens TLS/);
  expect(titles('target_auth_failed', 'web01:5985', { wsman: null, subsystem: 'pwsh' })).not.toMatch(/TLS/);
  expect(titles('target_auth_failed', 'web01:22', undefined)).not.toMatch(/TLS/);
  const credssp = { ...winrm, wsman: WsManSettings.parse({ method: 'credssp' }) };
  expect(titles('wsman_method_disabled', 'web01:5986', credssp)).toMatch(/CredSSP/);
  expect(titles('wsman_method_disabled', 'web01:5986', credssp)).not.toMatch(/Negotiate/);
  expect(titles('exited', 'web01:5985', winrm)).toBe('');
});
