/** Gives memory back while nobody waits for the gateway. Measured in docs/performance.md, "Over WinRM". */
import { performance } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import type { Log } from '../log/log.ts';
import { repeat } from './upkeep.ts';

const LOOK_EVERY_MS = 10_000;
/** A loop that worked less than this share of the time since the last look is at rest: nobody types, nothing runs. */
const AT_REST = 0.05;
/** A collection is worth its pause when so much came since the last one, beside a tenth of what that left. */
const WORTH_BYTES = 4 * 1024 * 1024;
const WORTH_SHARE = 0.1;
/** V8 empties some MB of thinly used pages at a time, those that the collection before saw: asked again while they come back. */
const GIVEN_BACK_BYTES = 1024 * 1024;

/** What is looked at, and what collects. */
export interface Heap {
  /** Share of the time, 0 to 1, that the event loop worked since it was asked last. */
  utilization(): number;
  /** Of objects that have outlived their youth, with what nothing refers to any more; and of the pages they lie in. */
  old(): { readonly usedBytes: number; readonly pageBytes: number };
  /** Collects all of it, in one pause, and empties pages that are thinly used. */
  collect(): void;
}

/** V8's own. */
export function processHeap(): Heap {
  setFlagsFromString('--expose-gc');
  const collect = z.custom<() => void>((value) => typeof value === 'function').parse(runInNewContext('gc'));
  setFlagsFromString('--no-expose-gc');
  let last = performance.eventLoopUtilization();
  return {
    utilization: () => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
    old: () => {
      const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'old_space');
      return { usedBytes: space?.space_used_size ?? 0, pageBytes: space?.space_size ?? 0 };
    },
    collect: () => {
      // Otherwise only pages of which 70 % are free are emptied.
      setFlagsFromString('--optimize-for-size');
      try {
        collect();
      } finally {
        setFlagsFromString('--no-optimize-for-size');
      }
    },
  };
}

/**
 * The heap may grow to four times what is alive before V8 collects all of it (`v8-flags.ts`): right under load, but what
 * opening sessions leaves behind would stay for as long as nothing happens. @returns stops it
 */
export function collectAtRest(heap: Heap, clock: Clock, log: Log): () => void {
  let left = 0;
  let isAgain = false;
  return repeat(clock, LOOK_EVERY_MS, log, 'HeapNotCollected', () => {
    const before = heap.old();
    const isAtRest = heap.utilization() < AT_REST;
    const isWorth = before.usedBytes >= left * (1 + WORTH_SHARE) + WORTH_BYTES;
    if (!isAtRest || !(isWorth || isAgain)) return Promise.resolve();
    const startedAt = clock.monotonic();
    heap.collect();
    const after = heap.old();
    left = after.usedBytes;
    isAgain = isWorth || before.pageBytes - after.pageBytes >= GIVEN_BACK_BYTES;
    log.debug({ before, after, ms: Math.round(clock.monotonic() - startedAt) }, 'HeapCollected');
    return Promise.resolve();
  });
}
