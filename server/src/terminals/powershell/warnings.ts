import type { TerminalEvents } from '../contract.ts';

/** Of one kind. */
const MAX_WARNINGS = 2;

/** A target may provoke a warning as often as it likes; twice is enough. */
export function warnings(events: Pick<TerminalEvents, 'notice'>): (code: string, text: string) => void {
  const counts = new Map<string, number>();
  return (code, text) => {
    const count = (counts.get(code) ?? 0) + 1;
    counts.set(code, count);
    if (count <= MAX_WARNINGS) events.notice('warning', code, text);
  };
}
