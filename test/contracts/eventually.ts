/** Waits until `check` holds, turn by turn of the event loop. Fails after `ms` of real time. */
export async function eventually(check: () => boolean, ms = 30_000): Promise<void> {
  const end = performance.now() + ms;
  while (!check()) {
    if (performance.now() > end) throw new Error(`has not come true in ${ms} ms: ${check.toString()}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/**
 * A stop-watch that goes only while this process gets to run: on a machine that is busy with others it stands still, so that
 * a deadline of our own can be measured. @returns the milliseconds so far; it is over then
 */
export function stopWatch(): () => number {
  const STEP_MS = 50;
  let steps = 0;
  // After a while without a turn it is called once, not once for each step that was missed.
  const timer = setInterval(() => (steps += 1), STEP_MS);
  return () => {
    clearInterval(timer);
    return steps * STEP_MS;
  };
}
