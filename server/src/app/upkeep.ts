/** What a gateway does by itself while it runs: old recordings, room for new ones. */
import type { AuditLog } from '../audit/contract.ts';
import { GATEWAY_ACTOR } from '../audit/contract.ts';
import type { Clock } from '../clock.ts';
import { codeOf } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Recordings } from '../recording/contract.ts';

const DAY_MS = 24 * 3_600_000;
const RETENTION_EVERY_MS = 3_600_000;
const SPACE_EVERY_MS = 30_000;
/** The wall clock may move this much against the monotonic one before it is not believed for deleting things. */
const MAX_DRIFT_MS = 3_600_000;

/**
 * Calls `work` at once and then `everyMs` after each end. A failure is logged as `failed` and tried again next time.
 * @returns stops it
 */
export function repeat(clock: Clock, everyMs: number, log: Log, failed: string, work: () => Promise<void>): () => void {
  let isStopped = false;
  let cancel = (): void => undefined;
  const run = async (): Promise<void> => {
    try {
      await work();
    } catch (error) {
      log.error({ err: error, code: codeOf(error) }, failed);
    }
    if (!isStopped) cancel = clock.after(everyMs, () => void run());
  };
  void run();
  return () => {
    isStopped = true;
    cancel();
  };
}

export interface RetentionJoin {
  readonly recordings: Pick<Recordings, 'deleteOlderThan'>;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Null: keep for ever. */
  readonly days: () => number | null;
}

/**
 * Deletes recordings that are older than the setting says, each after its own event. A wall clock that jumped is not
 * believed for a day, nor one at all in the first hour: what it calls old may be of this morning, and a deletion cannot be
 * taken back.
 * @returns stops it
 */
export function keepRetention({ recordings, audit, clock, log, days }: RetentionJoin): () => void {
  let last = { wall: clock.now(), monotonic: clock.monotonic() };
  // A machine may start with a wrong clock and set it right a little later: that must be seen before anything goes.
  let trustFrom = last.monotonic + RETENTION_EVERY_MS;
  return repeat(clock, RETENTION_EVERY_MS, log, 'RetentionFailed', async () => {
    const now = { wall: clock.now(), monotonic: clock.monotonic() };
    const driftMs = now.wall - last.wall - (now.monotonic - last.monotonic);
    last = now;
    if (Math.abs(driftMs) > MAX_DRIFT_MS) {
      trustFrom = now.monotonic + DAY_MS;
      log.warn({ driftMs: Math.round(driftMs) }, 'RetentionPutOff');
    }
    const keptDays = days();
    if (keptDays === null || now.monotonic < trustFrom) return;
    const count = await recordings.deleteOlderThan(now.wall - keptDays * DAY_MS, async (sessionId) => {
      await audit.append({
        type: 'recording.deleted',
        actor: GATEWAY_ACTOR,
        subject: `session:${sessionId}`,
        outcome: 'ok',
        detail: { why: 'retention', days: keptDays },
      });
    });
    if (count > 0) log.info({ count, days: keptDays }, 'RecordingsDeleted');
  });
}

export interface SpaceJoin {
  readonly recordings: Pick<Recordings, 'space'>;
  readonly metrics: Pick<Metrics, 'recordingFreeRatio'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Says when room for recordings gets short, and when it is back: once each, not every time. @returns stops it */
export function watchSpace({ recordings, metrics, clock, log }: SpaceJoin): () => void {
  let told: 'ok' | 'warning' | 'refused' = 'ok';
  return repeat(clock, SPACE_EVERY_MS, log, 'RecordingSpaceUnknown', async () => {
    const { freeFraction, state } = await recordings.space();
    metrics.recordingFreeRatio.set(freeFraction);
    if (state === told) return;
    told = state;
    const facts = { freePercent: Math.floor(freeFraction * 100) };
    if (state === 'ok') log.info(facts, 'RecordingSpaceOk');
    else if (state === 'warning') log.warn(facts, 'RecordingSpaceLow');
    else log.error(facts, 'RecordingSpaceRefused');
  });
}
