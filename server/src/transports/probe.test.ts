import { describe, expect, it } from 'vitest';
import { SallyportError } from '../errors.ts';
import type { ConnectPort, ConnectRequest, Connector } from './contract.ts';
import { probe } from './probe.ts';

const key = { host: 'web01', port: 22, type: 'ssh-ed25519', key: 'AAAA', fingerprint: 'SHA256:abc' };
const request = {
  endpoint: { host: 'web01', port: 22, resolve: () => Promise.resolve('10.0.0.7') },
  subsystem: 'powershell',
  timeouts: { tcpMs: 1, handshakeMs: 1, loginMs: 1 },
  pinState: () => Promise.resolve('unknown' as const),
};
const connectorOf = (connect: (request: ConnectRequest, port: ConnectPort) => Promise<never>): Connector => ({
  connect,
});
const states = (result: Awaited<ReturnType<typeof probe>>) =>
  result.stations.map((s) => `${s.step}:${s.state}`).join(' ');

describe('probe', () => {
  it('stops at the host key and shows it, with how to offer PowerShell', async () => {
    const connector = connectorOf(async ({ endpoint }, port) => {
      await endpoint.resolve(new AbortController().signal);
      port.step('host-key');
      await port.checkHostKey(key);
      throw new Error('went on after the host key');
    });
    const result = await probe(connector, request, new AbortController().signal);
    expect(states(result)).toBe(
      'resolve:ok policy:ok tcp:ok ssh:ok host-key:ok sign-in:not-tried powershell:not-tried',
    );
    expect(result.hostKey).toEqual({ type: 'ssh-ed25519', fingerprint: 'SHA256:abc', state: 'unknown' });
    expect([...new Set(result.remedies.map((r) => r.system))]).toEqual(['Linux', 'macOS', 'Windows']);
    const windows = result.remedies.filter((r) => r.system === 'Windows').flatMap((r) => r.lines);
    // Both ways round the blank in `Program Files`, and a restart after each.
    expect(windows.filter((line) => line.startsWith('Subsystem '))).toEqual([
      'Subsystem powershell c:/progra~1/powershell/7/pwsh.exe -sshs -NoLogo -NoProfile',
      'Subsystem powershell c:\\pwsh\\pwsh.exe -sshs -NoLogo -NoProfile',
    ]);
    expect(windows.filter((line) => line === 'Restart-Service sshd')).toHaveLength(2);
  });

  it('marks a changed key as the failed step', async () => {
    const connector = connectorOf((_, port) => port.checkHostKey(key).then(() => Promise.reject(new Error('went on'))));
    const changed = { ...request, pinState: () => Promise.resolve('changed' as const) };
    expect(states(await probe(connector, changed, new AbortController().signal))).toContain('host-key:failed');
  });

  it.each([
    ['target_name_unresolved', 'resolving', 'resolve:failed policy:not-tried'],
    ['target_address_refused', 'resolving', 'resolve:ok policy:failed tcp:not-tried'],
    ['target_unreachable', 'connecting', 'policy:ok tcp:failed ssh:not-tried'],
    ['target_timeout', 'connecting', 'tcp:failed'],
    ['target_timeout', 'host-key', 'tcp:ok ssh:failed'],
    ['ssh_algorithms', 'host-key', 'ssh:failed'],
  ] as const)('says where %s at step %s happened', async (code, step, expected) => {
    const connector = connectorOf((_, port) => {
      port.step(step);
      return Promise.reject(new SallyportError(code, 'for the test'));
    });
    const result = await probe(connector, request, new AbortController().signal);
    expect(states(result)).toContain(expected);
    expect(result.stations.find((s) => s.state === 'failed')?.detail).toContain(code);
  });
});
