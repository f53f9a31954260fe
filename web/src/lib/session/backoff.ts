/** First wait before a dropped socket is opened again. */
export const FIRST_WAIT_MS = 250;
/** Longest wait: short enough to be back before the 120 s of a resume are over. */
export const LONGEST_WAIT_MS = 10_000;

/**
 * How long to wait before the given attempt (0 = the first), with jitter so that the pages of a restarted gateway do
 * not come back in one moment.
 * @param random in [0, 1)
 */
export function waitMs(attempt: number, random: number): number {
  const whole = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt, 16));
  return Math.round(whole * (0.5 + random / 2));
}
