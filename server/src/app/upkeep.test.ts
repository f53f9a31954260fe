import { SessionId } from '@sallyport/shared/ids';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/contracts/fake-clock.ts';
import type { NewAuditEvent } from '../audit/contract.ts';
import { SallyportError } from '../errors.ts';
import { createLog } from '../log/log.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { randomId } from '../random.ts';
import { createAlerts } from './alerts.ts';
import { keepRetention, watchSpace } from './upkeep.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function logLines() {
  const lines: { level: string; msg: string; [field: string]: unknown }[] = [];
  const log = createLog('info', {
    write: (text: string) => void lines.push(JSON.parse(text) as (typeof lines)[number]),
  });
  return { log, lines, messages: () => lines.map(({ level, msg }) => `${level} ${msg}`) };
}

function audited() {
  const events: NewAuditEvent[] = [];
  const control = { isAway: false };
  const append = (event: NewAuditEvent) => {
    if (control.isAway) return Promise.reject(new SallyportError('audit_unavailable', 'away'));
    events.push(event);
    return Promise.resolve({ detail: {}, ...event, sequence: events.length, at: 0, previousHash: '', hash: '' });
  };
  return { events, control, append };
}

describe('retention', () => {
  function setUp(days: number | null) {
    const clock = new FakeClock();
    const audit = audited();
    const { log, messages } = logLines();
    /** Start times of what there is. */
    const recordings = new Map<SessionId, number>();
    const made = (ageMs: number): SessionId => {
      const id = SessionId.parse(randomId());
      recordings.set(id, clock.now() - ageMs);
      return id;
    };
    const setting = { days };
    const start = () =>
      keepRetention({
        recordings: {
          async deleteOlderThan(before, deleting) {
            const due = [...recordings].filter(([, at]) => at < before).map(([id]) => id);
            for (const id of due) {
              await deleting(id);
              recordings.delete(id);
            }
            return due.length;
          },
        },
        ...{ audit, clock, log, days: () => setting.days },
      });
    return { clock, audit, messages, recordings, made, setting, start };
  }

  it('deletes nothing by the clock of a machine that started with a wrong one', async () => {
    const { clock, recordings, made, start } = setUp(30);
    made(0);
    clock.jumpWall(365 * DAY); // Its clock's battery is dead; no time server was asked yet.
    const stop = start();
    await turn();
    clock.advance(10 * 60_000);
    clock.jumpWall(-365 * DAY);
    for (let hour = 0; hour < 26; hour += 1) {
      clock.advance(HOUR);
      await turn();
    }
    expect(recordings.size).toBe(1);
    stop();
  });

  it('deletes what is too old after an hour and each hour, each with an event before', async () => {
    const { clock, audit, recordings, made, start } = setUp(30);
    const [old, young] = [made(31 * DAY), made(30 * DAY - 90 * 60_000)];
    const stop = start();
    await turn();
    expect(recordings.size).toBe(2);
    clock.advance(HOUR);
    await turn();
    expect([...recordings.keys()]).toEqual([young]);
    clock.advance(HOUR);
    await turn();
    expect(recordings.size).toBe(0);
    expect(audit.events.map(({ type, subject, detail }) => ({ type, subject, detail }))).toEqual(
      [old, young].map((id) => ({
        type: 'recording.deleted',
        subject: `session:${id}`,
        detail: { why: 'retention', days: 30 },
      })),
    );
    stop();
    expect(clock.waiting).toBe(0);
  });

  it('keeps everything by default, and what cannot be audited', async () => {
    const { clock, audit, recordings, made, setting, messages, start } = setUp(null);
    made(3650 * DAY);
    const stop = start();
    await turn();
    setting.days = 1;
    audit.control.isAway = true;
    clock.advance(HOUR);
    await turn();
    expect(recordings.size).toBe(1);
    expect(messages()).toEqual(['error RetentionFailed']);
    audit.control.isAway = false;
    clock.advance(HOUR);
    await turn();
    expect(recordings.size).toBe(0);
    stop();
  });

  it('does not believe a wall clock that jumped', async () => {
    const { clock, recordings, made, messages, start } = setUp(30);
    made(DAY);
    const stop = start();
    await turn();
    clock.jumpWall(365 * DAY);
    for (let hour = 0; hour < 20; hour++) {
      clock.advance(HOUR);
      await turn();
    }
    expect(recordings.size).toBe(1);
    expect(messages()).toEqual(['warn RetentionPutOff']);
    clock.jumpWall(-365 * DAY);
    for (let hour = 0; hour < 30; hour++) {
      clock.advance(HOUR);
      await turn();
    }
    expect(recordings.size).toBe(1);
    stop();
  });
});

describe('room for recordings', () => {
  it('is told once for each change, and always in the metrics', async () => {
    const clock = new FakeClock();
    const { log, messages } = logLines();
    const metrics = createMetrics({ withProcess: false });
    const control = { freeFraction: 0.5, state: 'ok' as 'ok' | 'warning' | 'refused' };
    const stop = watchSpace({ recordings: { space: () => Promise.resolve(control) }, metrics, clock, log });
    const become = async (freeFraction: number, state: typeof control.state): Promise<void> => {
      Object.assign(control, { freeFraction, state });
      for (let times = 0; times < 3; times++) {
        clock.advance(30_000);
        await turn();
      }
    };
    await turn();
    await become(0.19, 'warning');
    await become(0.04, 'refused');
    await become(0.6, 'ok');
    stop();
    expect(messages()).toEqual(['warn RecordingSpaceLow', 'error RecordingSpaceRefused', 'info RecordingSpaceOk']);
    expect(await metrics.registry.metrics()).toContain('sallyport_recording_free_ratio 0.6');
  });
});

describe('alerts', () => {
  const place = { table: 'credentials', row: 'one', field: 'secret' };
  const error = new SallyportError('secret_unreadable', 'changed');

  it('of before the audit log is open go into it first', async () => {
    const { log, messages } = logLines();
    const audit = audited();
    const alerts = createAlerts(log, () => 0);
    alerts.migrated(['0001-first', '0002-next'], '/data/copy');
    alerts.unreadable(place, error);
    expect(audit.events).toEqual([]);
    await alerts.open(audit);
    expect(audit.events.map((event) => `${event.type} ${event.subject} ${event.outcome}`)).toEqual([
      'migration.done database ok',
      'secret.unreadable credentials:one failed',
    ]);
    expect(audit.events[0]?.detail).toEqual({ steps: '0001-first 0002-next', copy: '/data/copy' });
    expect(messages()).toEqual(['info MigrationDone', 'error SecretUnreadable']);
  });

  it('of the same secret make one event a minute, and a log line each time', async () => {
    const { log, messages } = logLines();
    const audit = audited();
    let now = 0;
    const alerts = createAlerts(log, () => now);
    await alerts.open(audit);
    for (let count = 0; count < 5; count++) alerts.unreadable(place, error);
    alerts.unreadable({ ...place, row: 'two' }, error);
    now = 60_000;
    alerts.unreadable(place, error);
    expect(audit.events).toHaveLength(3);
    expect(messages()).toHaveLength(7);
  });

  it('that cannot be audited are in the log', async () => {
    const { log, messages } = logLines();
    const audit = audited();
    const alerts = createAlerts(log, () => 0);
    await alerts.open(audit);
    audit.control.isAway = true;
    alerts.unreadable(place, error);
    await turn();
    expect(messages()).toEqual(['error SecretUnreadable', 'error AlertNotAudited']);
  });
});
