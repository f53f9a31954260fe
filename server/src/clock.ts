/** Time, injected so that tests can turn it. security.md section 2, rule 8. */
export interface Clock {
  /** Wall clock, UTC milliseconds since 1970. For records, never for durations. */
  now(): number;
  /** Monotonic milliseconds. For durations and time-outs. */
  monotonic(): number;
  /** Calls once after `ms`; the returned function takes it back. Never keeps the process alive. */
  after(ms: number, call: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, call) {
    const timer = setTimeout(call, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
