/**
 * A route is declared whole: method, path, who may, and the schemas of what it reads. Registering checks the login,
 * policy, step-up and input before the handler sees anything. A route without `access` stops the start. T1.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Actor } from '../audit/contract.ts';
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import type { Principal, RequestOrigin } from '../identity/contract.ts';
import { type Action, ACTIONS, type Resource, type Subject, decide } from '../policy.ts';

/** Who may use a route. `public`: everybody (said in so many words). `loopback`: programs on this machine. */
export type Access =
  | { readonly kind: 'public' }
  | { readonly kind: 'loopback' }
  /** `stepUp`: with a freshly confirmed password. `loginOnly`: never by API token. */
  | { readonly kind: 'user'; readonly action: Action; readonly stepUp?: boolean; readonly loginOnly?: boolean };

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
    /** The one route that may be upgraded. */
    isSocket?: boolean;
    /** Takes bytes, not JSON. */
    isBytes?: boolean;
    /** Says nothing but that we live: machines ask it without the proxy. */
    isProbe?: boolean;
  }
  interface FastifyRequest {
    /** Set by the login hook for routes with `access.kind` `user`. */
    principal: Principal | null;
  }
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
interface Schemas<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> {
  readonly method: Method;
  /** Below the base path, for example `/api/sessions/:id`. */
  readonly path: string;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly bodyLimit?: number;
}
export interface Input<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly from: RequestOrigin;
}
/** Somebody who was let in. */
export interface Caller {
  readonly principal: Principal;
  readonly subject: Subject;
  readonly actor: Actor;
}
/** A declared route, its types closed over. */
export interface Route {
  readonly method: Method;
  readonly path: string;
  readonly access: Access;
  readonly bodyLimit: number | undefined;
  readonly isBytes?: boolean;
  readonly run: (request: FastifyRequest, reply: FastifyReply, refused: RefusedSink) => Promise<unknown>;
}
/** Told of every policy refusal; rejects when it cannot be audited. */
export type RefusedSink = (actor: Actor, action: Action, why: string) => Promise<void>;

const isAction = (text: string): text is Action => (ACTIONS as readonly string[]).includes(text);

/** The subject that policy judges. Scopes that this version does not know give nothing. */
export const subjectOf = (principal: Principal): Subject => ({
  userId: principal.user.id,
  role: principal.user.role,
  tokenScopes: principal.scopes === null ? null : principal.scopes.filter(isAction),
});

/** Who asks, as the trusted proxies tell it. Some of them (IIS) write a port behind the address. */
export const addressOf = (request: Pick<FastifyRequest, 'ip'>): string =>
  request.ip.replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1').replace(/^\[([0-9a-fA-F:.]+)\](?::\d+)?$/, '$1');

export const originOf = (request: FastifyRequest): RequestOrigin => ({
  address: addressOf(request),
  agent: (request.headers['user-agent'] ?? '').slice(0, 256),
});

const Nothing = z.union([z.undefined(), z.null(), z.strictObject({})]);

function read<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType>(
  spec: Schemas<P, Q, B>,
  request: FastifyRequest,
  reply: FastifyReply,
): Input<z.output<P>, z.output<Q>, z.output<B>> {
  return {
    params: (spec.params ?? Nothing).parse(request.params) as z.output<P>,
    query: (spec.query ?? Nothing).parse(request.query) as z.output<Q>,
    body: (spec.body ?? Nothing).parse(request.body) as z.output<B>,
    request,
    reply,
    from: originOf(request),
  };
}

/** Asks policy; a refusal is audited before it is answered. @throws SallyportError forbidden, not_found */
export async function authorize(
  caller: { subject: Subject; actor: Actor },
  action: Action,
  resource: Resource | null,
  refused: RefusedSink,
): Promise<void> {
  const decision = decide(caller.subject, action, resource);
  if (decision.allowed) return;
  await refused(caller.actor, action, decision.why);
  throw new SallyportError(decision.code, `${action} refused: ${decision.why}`);
}

/**
 * A token was issued under step-up, for programs that have nobody to ask.
 * @throws SallyportError step_up_required
 */
export function checkStepUp(principal: Principal, action: Action, clock: Pick<Clock, 'now'>): void {
  const isFresh =
    principal.via === 'token' || (principal.steppedUpUntil !== null && principal.steppedUpUntil > clock.now());
  if (!isFresh) throw new SallyportError('step_up_required', `${action} needs a confirmed password`);
}

/** A route for everybody: state, set-up, sign-in. */
export function publicRoute<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType>(
  spec: Schemas<P, Q, B> & {
    readonly handle: (input: Input<z.output<P>, z.output<Q>, z.output<B>>) => Promise<unknown>;
  },
): Route {
  return {
    method: spec.method,
    path: spec.path,
    access: { kind: 'public' },
    bodyLimit: spec.bodyLimit,
    run: (request, reply) => spec.handle(read(spec, request, reply)),
  };
}

/**
 * A route for who may `action`. `resource` names the object from the checked input, at the moment of use; without it
 * the action is about no object yet.
 */
export function userRoute<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType>(
  spec: Schemas<P, Q, B> & {
    readonly action: Action;
    readonly stepUp?: boolean;
    readonly loginOnly?: boolean;
    /** The body is `application/octet-stream`. */
    readonly isBytes?: boolean;
    readonly resource?: (input: Input<z.output<P>, z.output<Q>, z.output<B>>, caller: Caller) => Promise<Resource>;
    readonly handle: (input: Input<z.output<P>, z.output<Q>, z.output<B>>, caller: Caller) => Promise<unknown>;
  },
): Route {
  return {
    method: spec.method,
    path: spec.path,
    access: { kind: 'user', action: spec.action, stepUp: spec.stepUp ?? false, loginOnly: spec.loginOnly ?? false },
    bodyLimit: spec.bodyLimit,
    isBytes: spec.isBytes ?? false,
    run: async (request, reply, refused) => {
      const { principal } = request;
      if (principal === null) throw new SallyportError('unauthenticated', 'no login');
      const caller: Caller = { principal, subject: subjectOf(principal), actor: principal.actor };
      const input = read(spec, request, reply);
      if (spec.resource !== undefined)
        await authorize(caller, spec.action, await spec.resource(input, caller), refused);
      return spec.handle(input, caller);
    },
  };
}

/** Registers routes on a server whose hooks enforce `config.access`. */
export function registerRoutes(app: FastifyInstance, routes: readonly Route[], refused: RefusedSink): void {
  for (const route of routes)
    app.route({
      method: route.method,
      url: route.path,
      config: { access: route.access, isBytes: route.isBytes ?? false },
      ...(route.bodyLimit === undefined ? {} : { bodyLimit: route.bodyLimit }),
      handler: async (request, reply) => {
        const answer = await route.run(request, reply, refused);
        // A reply that was returned was waited for: whoever hung up in the middle gets no second one.
        if (reply.sent || reply.raw.headersSent || answer === reply) return reply;
        if (answer === undefined) return reply.code(204).send();
        return reply.send(answer);
      },
    });
}
