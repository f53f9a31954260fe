import { expect, it } from 'vitest';
import { FakeClock } from '../../../test/contracts/fake-clock.ts';
import { silentLog } from '../log/log.ts';
import { collectAtRest, processHeap } from './resting-heap.ts';

const MIB = 1024 * 1024;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A heap of which 20 MiB are alive. */
function setUp() {
  const state = { bytes: 20 * MIB, utilization: 0.01, collections: 0 };
  const clock = new FakeClock();
  const stop = collectAtRest(
    {
      utilization: () => state.utilization,
      oldBytes: () => state.bytes,
      collect: () => {
        state.collections++;
        state.bytes = 20 * MIB;
      },
    },
    clock,
    silentLog(),
  );
  const passes = async (grows: number): Promise<number> => {
    await turn();
    state.bytes += grows;
    clock.advance(10_000);
    await turn();
    return state.collections;
  };
  return { state, passes, stop };
}

it('collects when the loop is at rest and enough has come since the last time', async () => {
  const { passes, stop } = setUp();
  await turn();
  expect(await passes(0)).toBe(1);
  expect(await passes(12 * MIB)).toBe(1);
  expect(await passes(2 * MIB)).toBe(2);
  expect(await passes(0)).toBe(2);
  stop();
  expect(await passes(100 * MIB)).toBe(2);
});

it('leaves a loop alone that works, however much there is', async () => {
  const { state, passes } = setUp();
  await turn();
  state.utilization = 0.06;
  expect(await passes(100 * MIB)).toBe(1);
  expect(await passes(100 * MIB)).toBe(1);
  state.utilization = 0.04;
  expect(await passes(0)).toBe(2);
});

it('frees what nothing refers to, in the heap of this process', () => {
  const heap = processHeap();
  heap.collect();
  const kept: { garbage: object[] | null } = { garbage: Array.from({ length: 400_000 }, (_, n) => ({ n })) };
  heap.collect(); // They outlive their youth.
  const full = heap.oldBytes();
  kept.garbage = null;
  heap.collect();
  expect(full - heap.oldBytes()).toBeGreaterThan(8 * MIB);
  expect(heap.utilization()).toBeGreaterThan(0.5);
  expect('gc' in globalThis).toBe(false);
});
