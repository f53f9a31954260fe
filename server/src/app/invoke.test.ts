import type { InvokeBody } from '@sallyport/shared/api/invoke';
import type { ServerMessage } from '@sallyport/shared/wire/control';
import { expect, it } from 'vitest';
import { FakeClock } from '../../../test/contracts/fake-clock.ts';
import type { Broker, Page } from '../broker/contract.ts';
import { SallyportError } from '../errors.ts';
import type { Caller } from '../http/route.ts';
import { invokeScript } from './invoke.ts';
import type { OpeningDeps } from './opening.ts';

const target = { id: 't1', name: 'web01', host: 'web01', port: 22, subsystem: 'powershell', connectTimeoutMs: 30_000 };
const body: InvokeBody = { targetId: 't1', script: 'x', output: 'text', timeoutMs: 600_000, cols: 80 };
const caller = {
  subject: { userId: 'ann', role: 'operator', tokenScopes: null },
  actor: { userId: 'ann', name: 'ann', address: '', via: 'token' },
  principal: { user: { id: 'ann', name: 'ann', role: 'operator' }, loginHash: 'h', via: 'token' },
} as unknown as Caller;

/**
 * A session that goes on until it is terminated. @param terminate what the broker does then
 * @param end told at once
 */
function world(terminate: () => Promise<void>, end: ServerMessage | null = null) {
  const clock = new FakeClock();
  const page = { handle: () => undefined } as unknown as Page;
  const broker = {
    open: () => Promise.resolve({ sessionId: 's1' }),
    attach: (...[, , , socket]: Parameters<Broker['attach']>) => {
      if (end !== null) socket.sendControl(end);
      return Promise.resolve(page);
    },
    terminate,
  } as unknown as Broker;
  const inventory = {
    byId: () => Promise.resolve({ ...target, offers: ['powershell'], credentialId: null }),
    hopsOf: () => Promise.resolve([]),
  };
  const opening = { inventory, clock } as unknown as OpeningDeps;
  const gone = new AbortController();
  return { clock, gone, events: invokeScript(body, caller, { broker, opening }, gone.signal) };
}
const settled = () => new Promise((resolve) => setImmediate(resolve));

it('ends the session of a client that left as soon as the audit log takes it', async () => {
  let isAway = true;
  let asked = 0;
  const { clock, gone, events } = world(() => {
    asked += 1;
    return isAway ? Promise.reject(new SallyportError('audit_unavailable', 'the spool is full')) : Promise.resolve();
  });
  expect((await events.next()).value).toEqual({ type: 'started', sessionId: 's1' });
  gone.abort();
  await settled();
  expect(asked).toBe(1);
  clock.advance(10_000);
  await settled();
  expect(asked).toBeGreaterThan(1);
  const before = asked;
  isAway = false;
  clock.advance(5_000);
  await settled();
  expect(asked).toBe(before + 1);
  expect(clock.waiting).toBe(0);
});

it('leaves a session alone that has ended by itself', async () => {
  let asked = 0;
  const { clock, gone, events } = world(() => {
    asked += 1;
    return Promise.reject(new SallyportError('not_found', 'the session has ended'));
  });
  await events.next();
  gone.abort();
  await settled();
  expect([asked, clock.waiting]).toEqual([1, 0]);
});

it('says why it did not go in one text: what happened, what that means, what the target said', async () => {
  const end = { type: 'ended', reason: 'wsman_fault', message: 'It refused.', detail: 'words (5)', at: '' } as const;
  const told = { ...end, exitCode: null, requestId: 's1', explanation: 'It means this.' };
  const { events } = world(() => Promise.resolve(), told);
  await events.next();
  expect((await events.next()).value).toMatchObject({ message: 'It refused. It means this. words (5)' });
});
