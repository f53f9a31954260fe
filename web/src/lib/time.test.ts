import { describe, expect, it } from 'vitest';
import { formatBytes, formatClock, formatDuration, formatElapsed, formatInstant, formatOffset } from './time.ts';

const AT = Date.UTC(2026, 10, 21, 8, 40, 18);

describe('times', () => {
  it('are absolute, with offset, and UTC on demand', () => {
    expect(formatInstant(AT, false, () => 60)).toBe('21 Nov 2026, 09:40:18 +01:00');
    expect(formatInstant(AT, false, () => -210)).toBe('21 Nov 2026, 05:10:18 -03:30');
    expect(formatInstant(AT, true, () => 60)).toBe('21 Nov 2026, 08:40:18 UTC');
  });

  it('use the offset of the instant itself, on both sides of a change of the clocks', () => {
    const change = Date.UTC(2026, 9, 25, 1);
    const berlin = (ms: number): number => (ms < change ? 120 : 60);
    expect(formatInstant(change - 1000, false, berlin)).toBe('25 Oct 2026, 02:59:59 +02:00');
    expect(formatInstant(change, false, berlin)).toBe('25 Oct 2026, 02:00:00 +01:00');
  });

  it('go on through the hour that comes twice while a recording is replayed', () => {
    const change = Date.UTC(2026, 9, 25, 1);
    const berlin = (ms: number): number => (ms < change ? 120 : 60);
    const startedAt = change - 2000;
    const shown = (positionMs: number, utc = false): string => {
      const at = startedAt + positionMs;
      return `${formatClock(at, utc, berlin)} ${formatOffset(at, utc, berlin)}`;
    };
    expect([0, 1999, 2000, 4000].map((ms) => shown(ms))).toEqual([
      '02:59:58 +02:00',
      '02:59:59 +02:00',
      '02:00:00 +01:00',
      '02:00:02 +01:00',
    ]);
    expect(shown(2000, true)).toBe('01:00:00 UTC');
  });

  it('say lengths and sizes with units', () => {
    expect(formatElapsed(862_000)).toBe('00:14:22');
    expect([300, 42_000, 840_000, 11_100_000].map(formatDuration)).toEqual(['0.3 s', '42 s', '14 min', '3 h 5 min']);
    expect([12, 4200, 42_000_000].map(formatBytes)).toEqual(['12 B', '4.2 kB', '42 MB']);
  });
});
