/** Every door of the HTTP server, read off the declarations themselves. */
import type { FastifyInstance } from 'fastify';
import { serveProbes } from '../../server/src/http/probes.ts';
import { servePage } from '../../server/src/http/page.ts';
import type { RoutesJoin } from '../../server/src/http/ports.ts';
import { apiRoutes } from '../../server/src/http/routes/index.ts';
import { createMetrics } from '../../server/src/metrics/metrics.ts';
import { serveSockets, type SocketsJoin } from '../../server/src/ws/plugin.ts';

/** Stands for every room: declaring a route uses none of them. */
const nothing: unknown = new Proxy(() => nothing, {
  get: (_target, key) => (key === Symbol.toPrimitive ? () => 1 : nothing),
  apply: () => nothing,
});

/** `GET /api/state` and so on, in no order. */
export function declaredDoors(): string[] {
  const doors = apiRoutes(nothing as RoutesJoin).map(({ method, path }) => `${method} ${path}`);
  const note = (method: string) => (path: string) => {
    doors.push(`${method} ${path}`);
  };
  const methods = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options', 'all'];
  const app = {
    ...Object.fromEntries(methods.map((method) => [method, note(method.toUpperCase())])),
    addHook: () => undefined,
  } as unknown as FastifyInstance;
  serveProbes(app, {
    metrics: createMetrics({ withProcess: false }),
    readiness: [],
    isDraining: () => false,
    securityContact: () => '',
  });
  serveSockets(app, nothing as SocketsJoin);
  servePage(app, new Map());
  return doors;
}
