const two = (n: number): string => String(n).padStart(2, '0');
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Minutes east of UTC at an instant, in the zone of this browser. */
export type OffsetAt = (ms: number) => number;
/** The zone of this browser. */
export const localOffset: OffsetAt = (ms) => -new Date(ms).getTimezoneOffset();
const utcOffset: OffsetAt = () => 0;

/** "+01:00", or "UTC" */
export function formatOffset(ms: number, utc: boolean, offsetAt: OffsetAt = localOffset): string {
  const minutes = utc ? 0 : offsetAt(ms);
  if (utc) return 'UTC';
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

interface Parts {
  readonly day: string;
  readonly time: string;
}
function partsOf(ms: number, utc: boolean, offsetAt: OffsetAt): Parts {
  const shifted = new Date(ms + (utc ? utcOffset : offsetAt)(ms) * 60_000);
  const day = `${shifted.getUTCDate()} ${MONTHS[shifted.getUTCMonth()] ?? ''} ${shifted.getUTCFullYear()}`;
  const time = `${two(shifted.getUTCHours())}:${two(shifted.getUTCMinutes())}:${two(shifted.getUTCSeconds())}`;
  return { day, time };
}

/** "21 Nov 2026, 09:40:18 +01:00": absolute, with offset. */
export function formatInstant(ms: number, utc: boolean, offsetAt: OffsetAt = localOffset): string {
  const { day, time } = partsOf(ms, utc, offsetAt);
  return `${day}, ${time} ${formatOffset(ms, utc, offsetAt)}`;
}
/** "21 Nov 2026" */
export const formatDay = (ms: number, utc: boolean, offsetAt: OffsetAt = localOffset): string =>
  partsOf(ms, utc, offsetAt).day;
/** "09:40:18" */
export const formatClock = (ms: number, utc: boolean, offsetAt: OffsetAt = localOffset): string =>
  partsOf(ms, utc, offsetAt).time;

/** "00:14:22": elapsed time, hours first. */
export function formatElapsed(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/** "0.3 s", "42 s", "14 min", "3 h 5 min": a duration with its unit. */
export function formatDuration(ms: number): string {
  if (ms < 10_000) return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  const minutes = Math.round(ms / 60_000);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** "4.2 MB": bytes with a unit, powers of 1,000. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit] ?? ''}`;
}
