import { TargetBody } from '@sallyport/shared/api/targets';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/contracts/fake-clock.ts';
import type { RoutesJoin } from '../ports.ts';
import { targetRoutes } from './targets.ts';

const clock = new FakeClock();
const BEFORE = { name: 'a', host: 'web01', port: 22, credentialId: 'c1', usingCredentials: [], viaTargetId: null, wsman: null }; // prettier-ignore
interface Asked {
  readonly body?: Partial<TargetBody>;
  readonly steppedUpUntil?: number | null;
  readonly via?: 'login' | 'token';
}

/** Hosts that reached the inventory or the probe. */
async function hostsOf(method: string, routePath: string, host: string, asked: Asked = {}): Promise<string[]> {
  const hosts: string[] = [];
  const take = ({ host: given }: { host: string }) => {
    hosts.push(given);
    return Promise.resolve({});
  };
  const join = {
    clock,
    audit: { append: () => Promise.resolve() },
    broker: { recheck: () => Promise.resolve() },
    inventory: {
      byId: () => Promise.resolve(BEFORE),
      byName: () => Promise.resolve(null),
      list: () => Promise.resolve([BEFORE]),
      check: () => Promise.resolve(),
      create: take,
      change: (_id: string, body: TargetBody) => take(body),
    },
    probe: (_caller: unknown, body: { host: string }) => take(body),
  } as unknown as RoutesJoin;
  const route = targetRoutes(join).find((each) => each.method === method && each.path === routePath);
  const target = { name: 'a', transport: 'ssh', offers: ['pty'], credentialId: null, user: '', notes: '' };
  const probe = { host, port: 22, subsystem: 'powershell' };
  const request = {
    principal: {
      user: { id: 'u', role: 'administrator' },
      ...{ scopes: null, via: asked.via ?? 'login', steppedUpUntil: asked.steppedUpUntil ?? null },
    },
    params: routePath.includes(':id') ? { id: 'a'.repeat(52) } : {},
    query: {},
    body:
      routePath === '/api/probe'
        ? probe
        : TargetBody.parse({ ...target, ...probe, connectTimeoutMs: 30_000, ...asked.body }),
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

// Who chooses where a stored credential is sent, reads it there.
describe('a stored credential', () => {
  const post = (host: string, asked: Asked) => hostsOf('POST', '/api/targets', host, asked);
  const put = (host: string, asked: Asked) => hostsOf('PUT', '/api/targets/:id', host, asked);
  const kept = { credentialId: 'c1' };
  const stepUp = { code: 'step_up_required' };

  it('goes to a new place only after step-up', async () => {
    await expect(post('web09', { body: kept })).rejects.toMatchObject(stepUp);
    await expect(put('web09', { body: kept })).rejects.toMatchObject(stepUp);
    await expect(put('web01', { body: { ...kept, port: 2222 } })).rejects.toMatchObject(stepUp);
    await expect(put('web01', { body: { credentialId: 'c2' } })).rejects.toMatchObject(stepUp);
    await expect(put('web01', { body: { ...kept, usingCredentials: ['c3'] } })).rejects.toMatchObject(stepUp);
    await expect(post('web09', { body: { usingCredentials: ['c3'] } })).rejects.toMatchObject(stepUp);
    const confirmed = { body: kept, steppedUpUntil: clock.now() + 1 };
    expect(await put('web09', confirmed)).toEqual(['web09']);
    expect(await post('web09', confirmed)).toEqual(['web09']);
    expect(await put('web09', { body: kept, via: 'token' }), 'issued under step-up').toEqual(['web09']);
    await expect(put('web09', { body: kept, steppedUpUntil: clock.now() })).rejects.toMatchObject(stepUp);
  });

  it('does not hold up what leaves it where it was, or takes it away', async () => {
    expect(await put('WEB01', { body: { ...kept, notes: 'in the cellar', user: 'bob' } })).toEqual(['web01']);
    expect(await put('web09', {})).toEqual(['web09']);
    expect(await post('web09', {})).toEqual(['web09']);
  });
});

it.each(['-oProxyCommand=x', 'ann\u001b[2J', 'ann\nbob', 'a:b', 'a b\u202e'])(
  'refuses the user name %j',
  async (user) => {
    await expect(hostsOf('POST', '/api/targets', 'web01', { body: { user } })).rejects.toMatchObject({
      code: 'bad_name',
    });
    await expect(hostsOf('PUT', '/api/targets/:id', 'web01', { body: { user } })).rejects.toMatchObject({ code: 'bad_name' }); // prettier-ignore
  },
);
