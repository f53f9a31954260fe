/** Running a script at a target through the API. */
import { Readable } from 'node:stream';
import { InvokeBody, type InvokeEvent } from '@sallyport/shared/api/invoke';
import type { Clock } from '../../clock.ts';
import type { RoutesJoin } from '../ports.ts';
import { RateLimiter } from '../rate-limiter.ts';
import { userRoute, type Route } from '../route.ts';

/** While a script is silent an empty line goes out so often, so that no proxy and no client takes the answer for dead. */
const BEAT_MS = 15_000;

async function* lines(first: InvokeEvent, rest: AsyncIterator<InvokeEvent>, clock: Clock): AsyncGenerator<string> {
  try {
    yield `${JSON.stringify(first)}\n`;
    let next = rest.next();
    for (;;) {
      let cancel = (): void => undefined;
      const beat = new Promise<null>((resolve) => (cancel = clock.after(BEAT_MS, () => resolve(null))));
      const result = await Promise.race([next, beat]);
      cancel();
      if (result?.done === true) return;
      yield result === null ? '\n' : `${JSON.stringify(result.value)}\n`;
      if (result !== null) next = rest.next();
    }
  } finally {
    await rest.return?.();
  }
}

/** `/api/invoke`: JSON lines of `InvokeEvent`. A refusal before the first event is an HTTP error. */
export function invokeRoutes(join: RoutesJoin): readonly Route[] {
  const opens = new RateLimiter(join.sessionOpensPerMinute, 60_000, join.clock);
  return [
    userRoute({
      method: 'POST',
      path: '/api/invoke',
      action: 'session.open',
      body: InvokeBody,
      handle: async ({ body, reply }, caller) => {
        opens.take(caller.subject.userId);
        const gone = new AbortController();
        reply.raw.once('close', () => {
          gone.abort();
        });
        const events = join.invoke(caller, body, gone.signal)[Symbol.asyncIterator]();
        const first = await events.next();
        if (first.done === true) return undefined;
        return reply
          .type('application/x-ndjson; charset=utf-8')
          .send(Readable.from(lines(first.value, events, join.clock)));
      },
    }),
  ];
}
