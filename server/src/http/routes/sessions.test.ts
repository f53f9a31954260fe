import { expect, it } from 'vitest';
import { codeOf } from '../../errors.ts';
import { FakeClock } from '../../../../test/contracts/fake-clock.ts';
import type { RoutesJoin } from '../ports.ts';
import { sessionRoutes } from './sessions.ts';

/** Opens a session that takes a shell over; `planned`: whether a new one was begun, which the broker refuses to others. */
async function openWith(to: object, owner: string, isOver = false): Promise<{ code: string; planned: boolean }> {
  let planned = false;
  const join = {
    clock: new FakeClock(),
    sessionOpensPerMinute: 10,
    audit: { append: () => Promise.resolve() },
    identity: { issueTicket: () => 'ticket' },
    broker: {
      ofShell: (shellId: string) => Promise.resolve(shellId === 'LEFT' ? { id: 's1', userId: owner, isOver } : null),
      open: () => Promise.resolve({ sessionId: 's2' }),
    },
    planSession: () => {
      planned = true;
      return Promise.resolve({ request: { kind: 'powershell' }, openTerminal: () => undefined });
    },
    metrics: { sessionsOpened: { inc: () => undefined } },
  } as unknown as RoutesJoin;
  const route = sessionRoutes(join).find((each) => each.method === 'POST' && each.path === '/api/sessions');
  const principal = { user: { id: 'ann', name: 'ann', role: 'administrator' }, scopes: null, via: 'login', steppedUpUntil: null, loginHash: 'h' }; // prettier-ignore
  const body = {
    to,
    cols: 80,
    rows: 24,
    shell: { shellId: 'LEFT', poolId: 'p' },
    kind: 'powershell',
    credential: { by: 'default' },
  };
  const reply = { raw: { once: () => undefined } };
  const request = { principal, params: {}, query: {}, body, headers: {}, ip: '' };
  try {
    await route?.run(request as never, reply as never, () => Promise.resolve());
    return { code: 'ok', planned };
  } catch (error) {
    return { code: codeOf(error), planned };
  }
}

it.each([
  { by: 'target', targetId: 't2' },
  { by: 'address', host: 'web01', port: 5986, subsystem: '' },
])('a shell that a session of theirs has, or left, is picked up with that session, whichever way leads to it: $by', async (to) => {
  expect(await openWith(to, 'ann')).toEqual({ code: 'ok', planned: false });
  expect(await openWith(to, 'ann', true)).toEqual({ code: 'ok', planned: true });
  expect(await openWith(to, 'bob')).toEqual({ code: 'ok', planned: true });
}); // prettier-ignore
