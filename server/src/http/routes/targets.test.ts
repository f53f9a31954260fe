import type { TargetBody } from '@sallyport/shared/api/targets';
import { expect, it } from 'vitest';
import { FakeClock } from '../../../../test/contracts/fake-clock.ts';
import type { RoutesJoin } from '../ports.ts';
import { targetRoutes } from './targets.ts';

/** Hosts that reached the inventory or the probe. */
async function hostsOf(method: string, routePath: string, host: string): Promise<string[]> {
  const hosts: string[] = [];
  const take = ({ host: given }: { host: string }) => {
    hosts.push(given);
    return Promise.resolve({});
  };
  const join = {
    clock: new FakeClock(),
    audit: { append: () => Promise.resolve() },
    broker: { recheck: () => Promise.resolve() },
    inventory: {
      byId: () => Promise.resolve({ name: 'a' }),
      byName: () => Promise.resolve(null),
      create: take,
      change: (_id: string, body: TargetBody) => take(body),
    },
    probe: (_caller: unknown, body: { host: string }) => take(body),
  } as unknown as RoutesJoin;
  const route = targetRoutes(join).find((each) => each.method === method && each.path === routePath);
  const target = { name: 'a', transport: 'ssh', offers: ['pty'], credentialId: null, user: '', notes: '' };
  const probe = { host, port: 22, subsystem: 'powershell' };
  const request = {
    principal: { user: { id: 'u', role: 'administrator' }, scopes: null },
    params: routePath.includes(':id') ? { id: 'a'.repeat(52) } : {},
    query: {},
    body: routePath === '/api/probe' ? probe : { ...target, ...probe, connectTimeoutMs: 30_000 },
    headers: {},
    ip: '',
  };
  await route?.run(request as never, { raw: { once: () => undefined } } as never, () => Promise.resolve());
  return hosts;
}

// Pins of host keys are kept by host: another spelling would turn "changed" into "unknown".
it.each([
  ['POST', '/api/targets'],
  ['PUT', '/api/targets/:id'],
  ['POST', '/api/probe'],
])('gives a host its one spelling at %s %s', async (method, routePath) => {
  expect(await hostsOf(method, routePath, 'WEB01.Example')).toEqual(['web01.example']);
  expect(await hostsOf(method, routePath, '[2001:DB8::7]')).toEqual(['2001:db8::7']);
  await expect(hostsOf(method, routePath, '0x7f.1')).rejects.toMatchObject({ code: 'bad_name' });
});
