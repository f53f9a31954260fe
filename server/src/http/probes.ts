/** What machines ask: is it alive, can it work, how much; and where to report a flaw (RFC 9116). */
import type { FastifyInstance } from 'fastify';
import type { Metrics } from '../metrics/metrics.ts';

/** One thing that must hold for new work. `check` rejects when it does not. */
export interface ReadinessCheck {
  readonly name: string;
  readonly check: () => Promise<void>;
}

/** Longest wait for one check. */
const CHECK_MS = 2000;

async function holds({ check }: ReadinessCheck): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error('too slow'));
    }, CHECK_MS);
  });
  return Promise.race([check(), late])
    .then(
      () => true,
      () => false,
    )
    .finally(() => {
      clearTimeout(timer);
    });
}

/** `/healthz`: the process answers. `/readyz`: storage and recordings work, 503 when not. `/metrics`: loopback only. */
export function serveProbes(
  app: FastifyInstance,
  join: {
    metrics: Metrics;
    readiness: readonly ReadinessCheck[];
    isDraining: () => boolean;
    securityContact: () => string;
  },
): void {
  const open = { config: { access: { kind: 'public' } } } as const;
  const probe = { config: { access: { kind: 'public' }, isProbe: true } } as const;
  app.get('/healthz', probe, () => ({ status: 'ok' }));
  app.get('/readyz', probe, async (_request, reply) => {
    const results = await Promise.all(
      join.readiness.map(async (check) => [check.name, (await holds(check)) ? 'ok' : 'failed'] as const),
    );
    const isReady = !join.isDraining() && results.every(([, state]) => state === 'ok');
    return reply
      .code(isReady ? 200 : 503)
      .header('cache-control', 'no-store')
      .send({
        status: isReady ? 'ok' : join.isDraining() ? 'draining' : 'failed',
        checks: Object.fromEntries(results),
      });
  });
  app.get('/metrics', { config: { access: { kind: 'loopback' } } }, async (_request, reply) =>
    reply.type(join.metrics.registry.contentType).send(await join.metrics.registry.metrics()),
  );
  app.get('/.well-known/security.txt', open, (_request, reply) =>
    reply
      .type('text/plain; charset=utf-8')
      .send(`Contact: ${join.securityContact()}\nExpires: ${nextYear()}\nPreferred-Languages: en\n`),
  );
}

/** RFC 9116 wants an expiry less than a year away. */
const nextYear = (): string => new Date(Date.now() + 300 * 24 * 3600 * 1000).toISOString();
