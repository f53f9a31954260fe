import { expect, it } from 'vitest';
import { FakeClock } from '../../../test/contracts/fake-clock.ts';
import { silentLog } from '../log/log.ts';
import { collectAtRest, processHeap } from './resting-heap.ts';

const MIB = 1024 * 1024;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A heap of which 20 MiB are alive. Its pages come back from the second collection on, 4 MiB at a time. */
function setUp() {
  const state = { bytes: 20 * MIB, pages: 20 * MIB, utilization: 0.01, collections: 0 };
  let isSeen = false;
  const clock = new FakeClock();
  const stop = collectAtRest(
    {
      utilization: () => state.utilization,
      old: () => ({ usedBytes: state.bytes, pageBytes: state.pages }),
      collect: () => {
        state.collections++;
        if (isSeen) state.pages = Math.max(20 * MIB, state.pages - 4 * MIB);
        isSeen = state.pages > 20 * MIB;
        state.bytes = 20 * MIB;
      },
    },
    clock,
    silentLog(),
  );
  const passes = async (grows: number): Promise<number> => {
    await turn();
    state.bytes += grows;
    state.pages = Math.max(state.pages, state.bytes);
    clock.advance(10_000);
    await turn();
    return state.collections;
  };
  return { state, passes, stop };
}

it('collects when the loop is at rest and enough has come since the last time', async () => {
  const { passes, stop } = setUp();
  await turn();
  expect(await passes(0)).toBe(2);
  expect(await passes(0)).toBe(2);
  expect(await passes(5 * MIB)).toBe(2);
  expect(await passes(2 * MIB)).toBe(3);
  expect(await passes(0)).toBe(4);
  stop();
  expect(await passes(100 * MIB)).toBe(4);
});

it('collects again at each look while pages come back, and then no more', async () => {
  const { state, passes } = setUp();
  await passes(0);
  expect(await passes(14 * MIB)).toBe(3);
  const seen: number[] = [];
  for (let look = 0; look < 6; look++) {
    await passes(0);
    seen.push(state.pages / MIB);
  }
  expect(seen).toEqual([30, 26, 22, 20, 20, 20]);
  expect(state.collections).toBe(8);
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
  const full = heap.old().usedBytes;
  kept.garbage = null;
  heap.collect();
  expect(full - heap.old().usedBytes).toBeGreaterThan(8 * MIB);
  expect(heap.utilization()).toBeGreaterThan(0.5);
  expect('gc' in globalThis).toBe(false);
});
