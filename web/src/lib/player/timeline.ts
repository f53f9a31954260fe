import type { ReplayEvent } from '@sallyport/shared/api/sessions';

/** A pause longer than this is skipped when pauses are skipped, and drawn as comb. */
export const IDLE_MS = 2000;

/** A pause of a recording, in milliseconds from its start. */
export interface Idle {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The pauses over IDLE_MS, without the first IDLE_MS of each, which are always played. */
export function idleParts(events: readonly ReplayEvent[]): Idle[] {
  const parts: Idle[] = [];
  let last = 0;
  for (const { timeMs } of events) {
    if (timeMs - last > IDLE_MS) parts.push({ fromMs: last + IDLE_MS, toMs: timeMs });
    last = Math.max(last, timeMs);
  }
  return parts;
}

/** When a command of a recording began; the number is the ledger's. */
export interface CommandTime {
  readonly number: number;
  readonly timeMs: number;
  readonly offset: number;
}
/** The first event of each command, in order of time. */
export function commandTimes(events: readonly ReplayEvent[]): CommandTime[] {
  const seen = new Set<number>();
  return events.flatMap(({ type, number, timeMs, offset }) => {
    if (type !== 'command' || number === undefined || seen.has(number)) return [];
    seen.add(number);
    return [{ number, timeMs, offset }];
  });
}

/** Reads JSON lines as they come. @throws SyntaxError on a line that is no JSON */
export async function* readEvents(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<ReplayEvent> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const lines = (rest + part.value).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield JSON.parse(line) as ReplayEvent;
  }
  if (rest !== '') yield JSON.parse(rest) as ReplayEvent;
}
