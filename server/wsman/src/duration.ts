import { WsManEncodeError } from './errors.ts';

const LONGEST = 64;
const DURATION =
  /^(-)?P(?:([0-9]{1,9})Y)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})D)?(?:T(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,10})(?:\.([0-9]{1,9}))?S)?)?$/;
const DAY_MS = 86_400_000;

/** Milliseconds as the only form that is written, `PT180.000S`. @throws WsManEncodeError for what is no length of time */
export function encodeDuration(ms: number): string {
  if (!Number.isFinite(ms) || ms < 0) throw new WsManEncodeError(`${ms} ms is no duration`);
  return `PT${(Math.round(ms) / 1000).toFixed(3)}S`;
}

/**
 * An `xs:duration` in milliseconds. Windows writes `PT7200.000S` and `P0DT0H0M0S`. A year counts 365 days, a month 30.
 * @returns null when it is none, or negative
 */
export function parseDuration(text: string): number | null {
  if (text.length > LONGEST) return null;
  const found = DURATION.exec(text);
  if (found === null || found[1] !== undefined || /[PT]$/.test(text)) return null;
  const part = (index: number): number => Number(found[index] ?? 0);
  const fraction = Number(`0.${found[8] ?? '0'}`);
  const days = part(2) * 365 + part(3) * 30 + part(4);
  return days * DAY_MS + part(5) * 3_600_000 + part(6) * 60_000 + Math.round((part(7) + fraction) * 1000);
}
