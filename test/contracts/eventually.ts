/** Waits until `check` holds, turn by turn of the event loop. Fails after `ms` of real time. */
export async function eventually(check: () => boolean, ms = 30_000): Promise<void> {
  const end = performance.now() + ms;
  while (!check()) {
    if (performance.now() > end) throw new Error(`has not come true in ${ms} ms: ${check.toString()}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
