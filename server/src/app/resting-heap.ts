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
/** A collection is worth its pause when so much came since the last one, beside a quarter of what that left. */
const WORTH_BYTES = 8 * 1024 * 1024;
const WORTH_SHARE = 0.25;

/** What is looked at, and what collects. */
export interface Heap {
  /** Share of the time, 0 to 1, that the event loop worked since it was asked last. */
  utilization(): number;
  /** Of objects that have outlived their youth, with what nothing refers to any more. */
  oldBytes(): number;
  /** Collects all of it, in one pause. */
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
    oldBytes: () => getHeapSpaceStatistics().find(({ space_name: name }) => name === 'old_space')?.space_used_size ?? 0,
    collect,
  };
}

/**
 * The heap may grow to four times what is alive before V8 collects all of it (`v8-flags.ts`): right under load, but what
 * opening sessions leaves behind would stay for as long as nothing happens. @returns stops it
 */
export function collectAtRest(heap: Heap, clock: Clock, log: Log): () => void {
  let left = 0;
  return repeat(clock, LOOK_EVERY_MS, log, 'HeapNotCollected', () => {
    const before = heap.oldBytes();
    const isAtRest = heap.utilization() < AT_REST;
    if (!isAtRest || before < left * (1 + WORTH_SHARE) + WORTH_BYTES) return Promise.resolve();
    const startedAt = clock.monotonic();
    heap.collect();
    left = heap.oldBytes();
    log.debug({ before, after: left, ms: Math.round(clock.monotonic() - startedAt) }, 'HeapCollected');
    return Promise.resolve();
  });
}
