/** The HTTP server: limits, headers, front-door checks, login, policy; then the routes. security.md sections 3 and 4. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import cookie from '@fastify/cookie';
import helmet from '@fastify/helmet';
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import type { AuditLog } from '../audit/contract.ts';
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import type { Identity, Principal } from '../identity/contract.ts';
import type { Log } from '../log/log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { decide } from '../policy.ts';
import { answerClientError, newRequestId, sendError } from './errors.ts';
import {
  bearerToken,
  isForwarded,
  isPath,
  refuseCrossSite,
  requireCsrfHeader,
  requireType,
  requireOrigin,
  requireSingle,
  type FrontDoor,
} from './front-door.ts';
import { parseStrictJson } from './json-body.ts';
import { MAX_BODY_BYTES, MAX_HEAD_BYTES, MAX_URL_BYTES } from './limits.ts';
import { RateLimiter } from './rate-limiter.ts';
import { type Access, type RefusedSink, addressOf, checkStepUp, originOf, subjectOf } from './route.ts';

/** Requests of one address in a minute, of any kind: far above what a page does, far below what hurts. */
const REQUESTS_PER_MINUTE = 6000;

export interface ServerJoin {
  readonly identity: Pick<Identity, 'byCookie' | 'byToken'>;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Read for each request, because its port is known only once the server listens. */
  readonly door: () => FrontDoor;
  readonly isTrustedProxy: (address: string) => boolean;
  readonly isLoopback: (host: string) => boolean;
  readonly tls: { readonly cert: string | Buffer; readonly key: string | Buffer } | null;
  /** Head and body must arrive within this. */
  readonly requestTimeoutMs: number;
  /** Registers what must see a request before the checks do: an upgrade that they refuse has to be closed as one. */
  readonly prepare?: (app: FastifyInstance) => Promise<void>;
}
export interface HttpServer {
  readonly app: FastifyInstance;
  /** Audits a refusal by policy. */
  readonly refused: RefusedSink;
}

const WRITES = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/**
 * What is no path at all is led past the router, which would answer it without our headers and with the path in its
 * words; `checkForm` refuses it.
 */
const malformed = new WeakSet<IncomingMessage>();
function rewriteUrl(raw: IncomingMessage): string {
  const url = raw.url ?? '';
  if (isPath(url)) return url;
  malformed.add(raw);
  return '/malformed';
}

/** What Fastify has for JSON schemas takes a sixth of the time to start; bodies are read with zod, and no route has one. */
const noSchemas = () => () => {
  throw new Error('a route has a JSON schema');
};

function createFastify(join: ServerJoin): FastifyInstance {
  const limits = {
    maxHeaderSize: MAX_HEAD_BYTES,
    headersTimeout: join.requestTimeoutMs,
    requestTimeout: join.requestTimeoutMs,
    connectionsCheckingInterval: Math.min(1000, join.requestTimeoutMs),
  };
  const common = {
    logger: false,
    genReqId: newRequestId,
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: join.requestTimeoutMs,
    exposeHeadRoutes: false,
    trustProxy: join.isTrustedProxy,
    forceCloseConnections: true,
    return503OnClosing: true,
    routerOptions: { maxParamLength: 128, caseSensitive: true },
    clientErrorHandler: answerClientError,
    rewriteUrl,
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
  };
  return join.tls === null
    ? Fastify({ ...common, http: limits })
    : Fastify({ ...common, https: { ...limits, ...join.tls, minVersion: 'TLSv1.2' } });
}

/** Time for last words once the server closes; then whoever is still there is cut off. */
const CLOSE_MS = 1000;
/**
 * Node closes the connections that it has read a request from. One that never finished its TLS handshake, or never answers
 * the closing of its console socket, would hold up the end of the process.
 */
function closeConnections(app: FastifyInstance, clock: Clock): void {
  const open = new Set<Socket>();
  app.server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  app.addHook('preClose', async () => {
    clock.after(CLOSE_MS, () => {
      for (const socket of open) socket.destroy();
    });
  });
}

async function addHeaders(app: FastifyInstance, join: ServerJoin): Promise<void> {
  await app.register(helmet, {
    // Set by hand below: connect-src names the socket's address, which is known only once the server listens.
    contentSecurityPolicy: false,
    strictTransportSecurity: false,
    referrerPolicy: { policy: 'no-referrer' },
    xFrameOptions: { action: 'deny' },
    crossOriginResourcePolicy: { policy: 'same-origin' },
  });
  app.addHook('onRequest', async (_request, reply) => {
    const door = join.door();
    void reply.header('content-security-policy', contentSecurityPolicy(door));
    void reply.header('permissions-policy', 'camera=(), geolocation=(), microphone=(), payment=(), usb=()');
    if (door.isSecure) void reply.header('strict-transport-security', 'max-age=31536000; includeSubDomains');
  });
}

/**
 * The page runs its own scripts only; xterm writes style elements; Svelte sets HTML through one named policy.
 * security.md section 3 "Browser and WebSocket".
 */
export const contentSecurityPolicy = (door: FrontDoor): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self'",
    `connect-src 'self' ${door.socketOrigins.join(' ')}`,
    "manifest-src 'self'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types svelte-trusted-html',
  ].join('; ');

/** Who sent this, or null. A token wins over a cookie, so that a page cannot ride on a program's request. */
async function principalOf(request: FastifyRequest, join: ServerJoin): Promise<Principal | null> {
  const from = originOf(request);
  const token = bearerToken(request.headers);
  if (token !== null) return join.identity.byToken(token, from);
  const cookieValue = request.cookies[join.door().cookieName];
  if (cookieValue === undefined || cookieValue.length > 512) return null;
  return join.identity.byCookie(cookieValue, from, !isQuiet(request));
}

/** A page that refreshes its list, or comes back after its line was cut, does so whether somebody sits there or not. */
const isQuiet = (request: FastifyRequest): boolean =>
  request.headers['x-sallyport-quiet'] === '1' || request.routeOptions.config.isSocket === true;

function checkHead(request: FastifyRequest, join: ServerJoin, access: Access): void {
  const { headers } = request;
  const door = join.door();
  const mayComeBy = access.kind === 'loopback' || request.routeOptions.config.isProbe === true;
  if (door.isBehindProxy && !mayComeBy && !join.isTrustedProxy(request.socket.remoteAddress ?? ''))
    throw new SallyportError('origin_refused', 'the request did not come through a trusted proxy');
  if (WRITES.has(request.method)) {
    requireType(
      headers,
      request.routeOptions.config.isBytes === true ? 'application/octet-stream' : 'application/json',
    );
    requireCsrfHeader(headers);
    if (bearerToken(headers) === null) requireOrigin(headers, door);
  } else if (access.kind !== 'public' || request.routeOptions.url?.includes('/api/') === true) refuseCrossSite(headers);
}

/** What two readers of one request could read in two ways. */
function checkForm(request: FastifyRequest): void {
  if (malformed.has(request.raw)) throw new SallyportError('bad_request', 'the target is no path');
  requireSingle(request.raw.rawHeaders);
  // Any other would be upgraded first and closed then; and what follows the head of an upgrade is no body to anybody.
  if (request.headers.upgrade !== undefined && request.routeOptions.config.isSocket !== true)
    throw new SallyportError('bad_request', 'this cannot be upgraded');
}

function checkLoopback(request: FastifyRequest, join: ServerJoin): void {
  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  const isLocal = join.isLoopback(request.socket.remoteAddress ?? '') && join.isLoopback(host);
  if (!isLocal || isForwarded(request.headers)) throw new SallyportError('not_found', 'served on loopback only');
}

/** Login, policy by role, step-up: before the body is read. */
function addGuards(app: FastifyInstance, join: ServerJoin, refused: RefusedSink): void {
  const perAddress = new RateLimiter(REQUESTS_PER_MINUTE, 60_000, join.clock);
  app.decorateRequest('principal', null);
  app.addHook('onRoute', (route) => {
    if (route.config?.access === undefined)
      throw new Error(`route ${String(route.method)} ${route.url} declares no access`);
  });
  app.addHook('onRequest', async (request) => {
    // What no route answers to is found out below, as not_found, after the same checks.
    const access: Access = request.routeOptions.config.access ?? { kind: 'public' };
    perAddress.take(addressOf(request));
    checkForm(request);
    checkHead(request, join, access);
    if (access.kind === 'loopback') checkLoopback(request, join);
    if (access.kind !== 'user') return;
    const principal = await principalOf(request, join);
    if (principal === null) throw new SallyportError('unauthenticated', 'no login, or it has ended');
    request.principal = principal;
    const decision = decide(subjectOf(principal), access.action, null);
    if (!decision.allowed) {
      await refused(principal.actor, access.action, decision.why);
      throw new SallyportError(decision.code, `${access.action} refused: ${decision.why}`);
    }
    if (access.loginOnly === true && principal.via !== 'login') {
      await refused(principal.actor, access.action, 'not by token');
      throw new SallyportError('forbidden', `${access.action} is for people who signed in, not for tokens`);
    }
    if (access.stepUp === true) checkStepUp(principal, access.action, join.clock);
  });
}

/** A server with every check in place and no route yet. */
export async function createServer(join: ServerJoin): Promise<HttpServer> {
  const app = createFastify(join);
  const refused: RefusedSink = async (actor, action, why) => {
    await join.audit.append({ type: 'policy.refused', actor, subject: action, outcome: 'refused', detail: { why } });
  };
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, body.length === 0 ? undefined : parseStrictJson(Buffer.from(body)));
    } catch (error) {
      done(error as Error);
    }
  });
  // Only routes that say so get here: requireType has refused it to all others.
  app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, body);
  });
  app.setErrorHandler((error, request, reply) => sendError(request, reply, error, join));
  app.setNotFoundHandler((request, reply) =>
    sendError(request, reply, new SallyportError('not_found', 'no such route'), join),
  );
  closeConnections(app, join.clock);
  await join.prepare?.(app);
  await app.register(cookie);
  await addHeaders(app, join);
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('x-request-id', request.id);
    // Nothing may be kept but what says so itself: the files of the page.
    void reply.header('cache-control', 'no-store');
    if (Buffer.byteLength(request.url) <= MAX_URL_BYTES) return;
    await sendError(request, reply, new SallyportError('payload_too_large', 'url is too long'), join, 414);
  });
  addGuards(app, join, refused);
  addMeasures(app, join.metrics);
  return { app, refused };
}

function addMeasures(app: FastifyInstance, metrics: Metrics): void {
  app.addHook('onResponse', async (request, reply) => {
    metrics.httpRequests.inc({ method: request.method, status: String(statusOf(reply.raw)) });
    metrics.httpSeconds.observe(reply.elapsedTime / 1000);
  });
}
const statusOf = (response: ServerResponse): number => response.statusCode;
