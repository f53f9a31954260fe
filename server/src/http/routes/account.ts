/** Set-up, sign-in, sign-out, step-up, the person's own account. security.md section 3 "Login and sessions". */
import {
  ChangePasswordBody,
  LoginBody,
  LogoutBody,
  SetupBody,
  StepUpBody,
  type Account,
  type GatewayState,
} from '@sallyport/shared/api/account';
import type { SessionRow } from '@sallyport/shared/api/sessions';
import type { FastifyReply } from 'fastify';
import type { Broker, Requester } from '../../broker/contract.ts';
import { SallyportError } from '../../errors.ts';
import { ACTIONS, decide } from '../../policy.ts';
import { MAX_LOGIN_BODY_BYTES } from '../limits.ts';
import type { RoutesJoin } from '../ports.ts';
import { publicRoute, userRoute, type Caller, type Route } from '../route.ts';

/** No expiry: the login ends at the gateway, and with the browser. */
function giveCookie(join: RoutesJoin, reply: FastifyReply, value: string): void {
  const { cookieName, isSecure } = join.door();
  void reply.setCookie(cookieName, value, { path: '/', httpOnly: true, sameSite: 'strict', secure: isSecure });
}
function takeCookie(join: RoutesJoin, reply: FastifyReply): void {
  const { cookieName, isSecure } = join.door();
  void reply.clearCookie(cookieName, { path: '/', httpOnly: true, sameSite: 'strict', secure: isSecure });
}

const toAccount = ({ principal, subject }: Caller): Account => ({
  userId: principal.user.id,
  name: principal.user.name,
  role: principal.user.role,
  actions: ACTIONS.filter((action) => decide(subject, action, null).allowed),
  loginExpiresAt: principal.expiresAt,
  steppedUpUntil: principal.steppedUpUntil,
});

/** The broker's view of a caller. */
export const requesterOf = ({ principal, subject, actor }: Caller): Requester => ({
  subject,
  userName: principal.user.name,
  loginHash: principal.loginHash,
  actor,
});

/** For a route that asks policy about the session's owner. @throws SallyportError not_found */
export async function sessionById(broker: Pick<Broker, 'find'>, id: string): Promise<SessionRow> {
  const session = await broker.find(id);
  if (session === null) throw new SallyportError('not_found', 'no such session');
  return session;
}

/** Sessions of one person are few (20 live), so one page of the list holds the live ones. */
async function endSessions(join: RoutesJoin, caller: Caller): Promise<void> {
  const who = requesterOf(caller);
  for (const session of await join.broker.list(who, { before: null, limit: 500 }))
    if (session.phase !== 'ended' && session.userId === caller.principal.user.id)
      await join.broker.terminate(who, session.id);
}

function signInRoutes(join: RoutesJoin): readonly Route[] {
  return [
    publicRoute({
      method: 'GET',
      path: '/api/state',
      handle: async ({ request, from }): Promise<GatewayState> => {
        const cookie = request.cookies[join.door().cookieName];
        return {
          needsSetup: await join.identity.needsSetup(),
          version: join.version,
          signedIn: cookie !== undefined && (await join.identity.byCookie(cookie.slice(0, 512), from)) !== null,
        };
      },
    }),
    publicRoute({
      method: 'POST',
      path: '/api/setup',
      bodyLimit: MAX_LOGIN_BODY_BYTES,
      body: SetupBody,
      handle: async ({ body, from, reply }) => {
        const { cookie } = await join.identity.setUp(body.token, body.name, body.password, from);
        giveCookie(join, reply, cookie);
      },
    }),
    publicRoute({
      method: 'POST',
      path: '/api/login',
      bodyLimit: MAX_LOGIN_BODY_BYTES,
      body: LoginBody,
      handle: async ({ body, from, reply }) => {
        const { cookie } = await join.identity.login(body.name, body.password, from);
        giveCookie(join, reply, cookie);
      },
    }),
    userRoute({
      method: 'POST',
      path: '/api/step-up',
      action: 'account.password',
      bodyLimit: MAX_LOGIN_BODY_BYTES,
      body: StepUpBody,
      loginOnly: true,
      handle: async ({ body, from, reply }, { principal }) => {
        const { cookie } = await join.identity.stepUp(principal, body.password, from);
        giveCookie(join, reply, cookie);
      },
    }),
  ];
}

/** `/api/state`, `/api/setup`, `/api/login`, `/api/logout`, `/api/step-up`, `/api/account`. */
export const accountRoutes = (join: RoutesJoin): readonly Route[] => [
  ...signInRoutes(join),
  userRoute({
    method: 'POST',
    path: '/api/logout',
    action: 'account.read',
    body: LogoutBody,
    loginOnly: true,
    handle: async ({ body, reply }, caller) => {
      if (body.sessions === 'end') await endSessions(join, caller);
      await join.identity.logout(caller.principal);
      takeCookie(join, reply);
    },
  }),
  userRoute({
    method: 'GET',
    path: '/api/account',
    action: 'account.read',
    handle: async (_input, caller) => {
      const account = toAccount(caller);
      if (!decide(caller.subject, 'settings.write', null).allowed) return account;
      const space = await join.recordings.space().catch(() => ({ state: 'refused' as const }));
      return { ...account, recordingSpace: space.state };
    },
  }),
  userRoute({
    method: 'POST',
    path: '/api/account/password',
    action: 'account.password',
    bodyLimit: MAX_LOGIN_BODY_BYTES,
    body: ChangePasswordBody,
    loginOnly: true,
    handle: async ({ body, from }, { principal }) =>
      join.users.changePassword(principal, body.current, body.next, from),
  }),
];
