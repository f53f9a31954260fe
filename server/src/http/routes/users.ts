/** People and their API tokens. */
import { NewApiToken, NewUser, UserPatch } from '@sallyport/shared/api/users';
import { TokenId, UserId } from '@sallyport/shared/ids';
import { z } from 'zod';
import { SallyportError } from '../../errors.ts';
import { ACTIONS, seesOnlyOwn } from '../../policy.ts';
import type { RoutesJoin } from '../ports.ts';
import { userRoute, type Route } from '../route.ts';

function checkScopes(scopes: readonly string[] | null): void {
  const known: readonly string[] = ACTIONS;
  if (scopes?.some((scope) => !known.includes(scope)) === true)
    throw new SallyportError('bad_request', 'a scope is none of the actions');
}

/** `/api/users`. */
export const userRoutes = ({ users, broker }: RoutesJoin): readonly Route[] => [
  userRoute({
    method: 'GET',
    path: '/api/users',
    action: 'user.list',
    handle: async () => ({ users: await users.list() }),
  }),
  userRoute({
    method: 'POST',
    path: '/api/users',
    action: 'user.write',
    stepUp: true,
    body: NewUser,
    handle: async ({ body }, { principal }) => users.create(body, principal),
  }),
  userRoute({
    method: 'PATCH',
    path: '/api/users/:id',
    action: 'user.write',
    stepUp: true,
    params: z.strictObject({ id: UserId }),
    body: UserPatch,
    handle: async ({ params, body }, { principal }) => {
      const user = await users.change(params.id, body, principal);
      // Also sessions that were opened under a login which ended long ago.
      await broker.recheck(params.id);
      return user;
    },
  }),
];

/** `/api/tokens`. A token cannot make another: it would outlive its own end. */
export const tokenRoutes = ({ tokens }: RoutesJoin): readonly Route[] => [
  userRoute({
    method: 'GET',
    path: '/api/tokens',
    action: 'token.list',
    handle: async (_input, { subject }) => ({
      tokens: await tokens.list(seesOnlyOwn(subject, 'token.list') ? subject.userId : null),
    }),
  }),
  userRoute({
    method: 'POST',
    path: '/api/tokens',
    action: 'token.write',
    stepUp: true,
    loginOnly: true,
    body: NewApiToken,
    handle: async ({ body }, { principal }) => {
      checkScopes(body.scopes);
      return tokens.create(principal, body);
    },
  }),
  userRoute({
    method: 'DELETE',
    path: '/api/tokens/:id',
    action: 'token.write',
    params: z.strictObject({ id: TokenId }),
    resource: async ({ params }) => {
      const ownerId = await tokens.ownerOf(params.id);
      if (ownerId === null) throw new SallyportError('not_found', 'no such token');
      return { ownerId };
    },
    handle: async ({ params }, { principal }) => {
      if (!(await tokens.delete(params.id, principal))) throw new SallyportError('not_found', 'no such token');
    },
  }),
];
