import { type ClientEvent, consoleHostInfo, versionTable } from '@sallyport/psrp';
import { faultOfStatus, parseSessionOptions } from '@sallyport/wsman';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/contracts/fake-clock.ts';
import { labRequests, newId, POOL, ShellPeer } from '../../../../test/contracts/wsman-shell-fixture.ts';
import { SallyportError } from '../../errors.ts';
import type { PoolEnd } from '../contract.ts';
import { Connections } from './connections.ts';
import { EnvelopeSize } from './envelope-size.ts';
import { WsManPool, type WsManPoolOptions } from './pool-channel.ts';

/** What a Create is answered with: the number of a fault, or what the connection throws. */
type Refusal = number | Error;

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A pool that is being opened at a server which refuses Create so often. */
function opening(refusals: Refusal[], more: Partial<WsManPoolOptions> = {}, settings: Record<string, unknown> = {}) {
  const clock = new FakeClock();
  const peer = new ShellPeer();
  const held = new Map<number, (answer: Uint8Array) => void>();
  let last = 0;
  const answer = (answers: readonly [number, Uint8Array][]): void => {
    for (const [id, bytes] of answers) {
      const take = held.get(id);
      held.delete(id);
      take?.(bytes);
    }
  };
  /** When each Create came, and how many sign-ins there were. */
  const seen = { creates: [] as number[], signIns: 1, told: [] as (number | null)[], kept: [] as string[] };
  const connection = {
    isClosed: false,
    close: () => undefined,
    post: (bytes: Uint8Array): Promise<Uint8Array> =>
      new Promise((resolve, reject) => {
        const id = ++last;
        held.set(id, resolve);
        if (Buffer.from(bytes).includes('/transfer/Create<')) {
          seen.creates.push(clock.monotonic());
          const refusal = refusals.shift();
          if (refusal instanceof Error) {
            reject(refusal);
            return;
          }
          if (refusal !== undefined) peer.refusals.set('Create', refusal);
        }
        answer(peer.post({ id, lane: 'send', bytes }));
        answer(peer.flush());
      }),
  };
  const another = () => {
    seen.signIns++;
    return Promise.resolve({ ...connection });
  };
  const events: ClientEvent[] = [];
  let end: PoolEnd | null = null;
  const pool = new WsManPool(
    { poolId: POOL, newId },
    { events: (all) => void events.push(...all), leftChanged: () => undefined, closed: (how) => void (end ??= how) },
    {
      requests: () => labRequests(),
      ...{ sessionId: newId(), connections: new Connections(connection, another, clock), clock },
      opening: { name: null, idleTimeoutMs: null, bufferMode: null, isNoProfile: false },
      options: parseSessionOptions(settings),
      ...{ size: new EnvelopeSize(150), isTls: true, openMs: null },
      shellCreated: () => undefined,
      notDeleted: (id) => void seen.kept.push(id),
      retrying: (refusal) => void seen.told.push(refusal?.number ?? null),
      ...more,
    },
  );
  pool.open({ hostInfo: consoleHostInfo({ cols: 80, rows: 24 }), applicationArguments: versionTable() });
  return {
    ...{ clock, pool, peer, seen },
    isOpen: () => events.some((event) => event.type === 'poolState' && event.state === 'Opened'),
    end: () => end,
    /** Time passes until this much is over, with everything that it brings. */
    pass: async (ms: number) => {
      await settled();
      for (let over = 0; over < ms; over += 250) {
        clock.advance(250);
        await settled();
      }
    },
  };
}

describe('a Create that the target refuses for now', () => {
  it.each([2150858770, 995, 1722, 2150859027, 2150859026, 2150859120, 2150859216, 2150859206])(
    'is made again, after pauses that grow: %i',
    async (number) => {
      const { pass, seen, peer, isOpen, end } = opening([number, number, number]);
      await pass(3499);
      expect(seen.creates).toEqual([0, 500, 1500, 3500]);
      expect([isOpen(), end()]).toEqual([true, null]);
      // The person is told once, with the first; the target has made one shell, over the same sign-in.
      expect(seen.told).toEqual([number]);
      expect(peer.log.filter((line) => line === 'Create')).toHaveLength(1);
    },
  );

  it.each([
    ['5 times, where its settings do not say', {}, 5],
    ['never', { MaxConnectionRetryCount: 0 }, 0],
    ['twice', { MaxConnectionRetryCount: 2 }, 2],
  ] as const)('as often as the settings of the target say: %s', async (_, settings, times) => {
    const { pass, seen, end } = opening(Array<number>(20).fill(2150859026), {}, settings);
    await pass(29_000);
    expect(seen.creates).toHaveLength(times + 1);
    expect(seen.told).toHaveLength(times === 0 ? 0 : 1);
    expect(end()).toMatchObject({ code: 'wsman_fault', detail: expect.stringContaining('2150859026') as string });
  });

  it.each([
    [5000, [0, 500, 1500, 3500]],
    [null, [0, 500, 1500, 3500, 7500, 15_500, 23_500]],
  ] as const)('within the time for opening, which ends with the fault: %s ms', async (openMs, tries) => {
    const { pass, seen, end } = opening(Array<number>(99).fill(995), { openMs }, { MaxConnectionRetryCount: 100 });
    await pass((tries.at(-1) ?? 0) - 250);
    expect([seen.creates, end()]).toEqual([tries.slice(0, -1), null]);
    await pass(250);
    expect(seen.creates).toEqual(tries);
    expect(end()).toMatchObject({ code: 'wsman_fault', detail: expect.stringContaining('995') as string });
  });

  it('is not made again once the session was ended, and there is nothing to delete', async () => {
    const { pass, pool, seen, peer } = opening([995]);
    await pass(250);
    await pool.close();
    await pass(20_000);
    expect([seen.creates, seen.kept, peer.log]).toEqual([[0], [], ['Create refused']]);
  });

  it.each<[string, Refusal, string]>([
    ['the password is wrong', 5, 'wsman_access_denied'],
    ['the logon failed', 1326, 'wsman_access_denied'],
    ['too many sessions', 2150859173, 'target_quota'],
    ['the sign-in is refused', new SallyportError('target_auth_failed', 'no'), 'target_auth_failed'],
    ['the answer was lost', new SallyportError('target_lost', 'no'), 'target_lost'],
    ['the answer is late', new SallyportError('target_timeout', 'no'), 'target_timeout'],
    ['a proxy got no answer', faultOfStatus(504), 'wsman_not_winrm'],
  ])('is made once when another try is of no use, or may make two shells: %s', async (_, refusal, code) => {
    const { pass, seen, end } = opening([refusal]);
    await pass(29_000);
    expect([seen.creates, seen.told, seen.signIns]).toEqual([[0], [], 1]);
    expect(end()).toMatchObject({ code });
  });

  it.each([404, 500, 503])('may be answered with a status alone (%i): the target says that over TLS only', async (status) => {
    const proven = opening([faultOfStatus(status)]);
    await proven.pass(500);
    expect([proven.seen.creates, proven.isOpen()]).toEqual([[0, 500], true]);
    const clear = opening([faultOfStatus(status)], { isTls: false });
    await clear.pass(29_000);
    expect(clear.seen.creates).toEqual([0]);
    expect(clear.end()).not.toBeNull();
  }); // prettier-ignore
});
