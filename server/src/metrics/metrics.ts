/** Counters and gauges of the gateway, Prometheus text. Served on loopback only. */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

/** Every metric of ours; labels are closed sets, never ids or names (they would grow without bound). */
export interface Metrics {
  readonly registry: Registry;
  readonly httpRequests: Counter<'method' | 'status'>;
  readonly httpSeconds: Histogram;
  readonly refusals: Counter<'code'>;
  readonly sockets: Gauge;
  readonly socketMessages: Counter<'direction'>;
  readonly sessionsOpened: Counter<'kind'>;
  readonly sessionsEnded: Counter<'reason'>;
  readonly sessionsLive: Gauge;
  readonly outputBytes: Counter;
  readonly recordingFreeRatio: Gauge;
}

/** A registry of its own per gateway, so that two in one process (tests) do not meet. */
export function createMetrics(options: { withProcess: boolean }): Metrics {
  const registry = new Registry();
  const registers = [registry];
  // The loop's delay is sampled by a timer: at the default, 10 ms, it would wake an idle gateway 100 times a second.
  if (options.withProcess)
    collectDefaultMetrics({ register: registry, prefix: 'sallyport_', eventLoopMonitoringPrecision: 50 });
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter<L>({ name: `sallyport_${name}`, help, labelNames: [...labelNames], registers });
  const gauge = (name: string, help: string) => new Gauge({ name: `sallyport_${name}`, help, registers });
  return {
    registry,
    httpRequests: counter('http_requests_total', 'HTTP requests answered', ['method', 'status']),
    httpSeconds: new Histogram({
      name: 'sallyport_http_seconds',
      help: 'Time from request to answer',
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
      registers,
    }),
    refusals: counter('refusals_total', 'Requests and socket messages refused, by error code', ['code']),
    sockets: gauge('sockets', 'Open console sockets'),
    socketMessages: counter('socket_messages_total', 'Console socket messages', ['direction']),
    sessionsOpened: counter('sessions_opened_total', 'Sessions opened', ['kind']),
    sessionsEnded: counter('sessions_ended_total', 'Sessions ended, by reason', ['reason']),
    sessionsLive: gauge('sessions_live', 'Sessions not ended'),
    outputBytes: counter('output_bytes_total', 'Terminal bytes delivered to pages', []),
    recordingFreeRatio: gauge('recording_free_ratio', 'Free share of the file system of the recordings, 0 to 1'),
  };
}
