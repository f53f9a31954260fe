/** Opening, listing and ending sessions; tickets for their sockets. */
import { SessionPage } from '@sallyport/shared/api/common';
import { OpenSession } from '@sallyport/shared/api/sessions';
import { SessionId } from '@sallyport/shared/ids';
import { z } from 'zod';
import type { RoutesJoin } from '../ports.ts';
import { RateLimiter } from '../rate-limiter.ts';
import { userRoute, type Caller, type Route } from '../route.ts';
import { requesterOf, sessionById } from './account.ts';

const params = z.strictObject({ id: SessionId });

/** `/api/sessions`. Opening resolves before the target answered; questions come over the socket. */
export function sessionRoutes(join: RoutesJoin): readonly Route[] {
  const { broker, identity } = join;
  const opens = new RateLimiter(join.sessionOpensPerMinute, 60_000, join.clock);
  const ofSession = async ({ params: { id } }: { params: { id: string } }) => ({
    ownerId: (await sessionById(broker, id)).userId,
  });
  /**
   * A shell that a session of theirs has, or left, is that session's, whichever way leads there: attaching picks it up. The
   * broker refuses those of others.
   */
  const ownSession = async ({ shell }: OpenSession, { subject }: Caller): Promise<string | null> => {
    const known = shell === undefined ? null : await broker.ofShell(shell.shellId);
    return known?.userId === subject.userId && !known.isOver ? known.id : null;
  };
  return [
    userRoute({
      method: 'POST',
      path: '/api/sessions',
      action: 'session.open',
      body: OpenSession,
      handle: async ({ body }, caller) => {
        opens.take(caller.subject.userId);
        const own = await ownSession(body, caller);
        if (own !== null) return { sessionId: own, ticket: identity.issueTicket(caller.principal, `session:${own}`) };
        const { request, openTerminal } = await join.planSession(caller, body);
        const { sessionId } = await broker.open(requesterOf(caller), request, openTerminal);
        join.metrics.sessionsOpened.inc({ kind: request.kind });
        return { sessionId, ticket: identity.issueTicket(caller.principal, `session:${sessionId}`) };
      },
    }),
    userRoute({
      method: 'GET',
      path: '/api/sessions',
      action: 'session.list',
      query: SessionPage,
      handle: async ({ query }, caller) => ({
        sessions: await broker.list(requesterOf(caller), {
          before: query.before ?? null,
          beforeId: query.beforeId ?? null,
          limit: query.limit,
        }),
      }),
    }),
    userRoute({
      method: 'GET',
      path: '/api/sessions/:id',
      action: 'session.list',
      params,
      resource: ofSession,
      handle: async ({ params: { id } }) => sessionById(broker, id),
    }),
    userRoute({
      method: 'POST',
      path: '/api/sessions/:id/tickets',
      action: 'session.attach',
      params,
      resource: ofSession,
      handle: ({ params: { id } }, { principal }) =>
        Promise.resolve({ ticket: identity.issueTicket(principal, `session:${id}`) }),
    }),
    userRoute({
      method: 'POST',
      path: '/api/sessions/:id/leave',
      action: 'session.control',
      params,
      resource: ofSession,
      handle: async ({ params: { id } }, caller) => broker.leave(requesterOf(caller), id),
    }),
    userRoute({
      method: 'POST',
      path: '/api/sessions/:id/terminate',
      action: 'session.terminate',
      params,
      resource: ofSession,
      handle: async ({ params: { id } }, caller) => broker.terminate(requesterOf(caller), id),
    }),
  ];
}
