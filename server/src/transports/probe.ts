import type { ErrorCode } from '@sallyport/shared/error-codes';
import { errorText } from '@sallyport/shared/error-codes';
import type { ProbeResult, Relaxation } from '@sallyport/shared/api/targets';
import { remediesFor, subsystemRemedies } from '@sallyport/shared/remedies';
import { SallyportError, codeOf } from '../errors.ts';
import type { ConnectStep, Connector, Endpoint, HostKey, Hop } from './contract.ts';

type Station = ProbeResult['stations'][number];
type Step = Station['step'];

/** Order of the stations; the last two lie behind the sign-in, which a probe does not try. */
const STEPS: readonly Step[] = ['resolve', 'policy', 'tcp', 'ssh', 'host-key', 'sign-in', 'powershell'];

/** Thrown by our own host key check to stop before any sign-in. */
class FarEnough extends Error {}

export interface ProbeRequest {
  readonly endpoint: Endpoint;
  readonly subsystem: string;
  readonly timeouts: { readonly tcpMs: number; readonly handshakeMs: number; readonly loginMs: number };
  /** Types of the host keys on record; asked for first. */
  readonly pinnedTypes?: readonly string[];
  readonly relaxations?: readonly Relaxation[];
  /** The last jump host on the way; closed with the probe. */
  readonly through?: { readonly hop: Hop; readonly name: string };
  /** Compares the presented key with the pins. */
  pinState(key: HostKey): Promise<'pinned' | 'unknown' | 'changed'>;
}

/**
 * What a failure on the way says of it: stations of the jump hosts that were passed and of the one that was not, then those
 * of the target, not tried.
 * @param steps those of the target
 */
export function failedOnTheWay(
  hops: readonly { readonly name: string; readonly label: string }[],
  failedAt: number,
  error: unknown,
  steps: readonly Step[] = STEPS,
): ProbeResult {
  const code = codeOf(error);
  return {
    stations: [
      ...hopStations(hops, failedAt, `${errorText(code)} (${code})`),
      ...steps.map((step) => ({ step, state: 'not-tried', detail: '' }) as const),
    ],
    at: hops[failedAt]?.name ?? '',
    hostKey: null,
    remedies: remediesFor(code, ''),
  };
}
/** Stations of jump hosts. @param failedAt beyond the last: all were passed */
export const hopStations = (
  hops: readonly { readonly label: string }[],
  failedAt: number,
  why: string,
): ProbeResult['stations'] =>
  hops.map(({ label }, i) => {
    const state = i < failedAt ? 'ok' : i === failedAt ? 'failed' : 'not-tried';
    return { step: 'hop', state, detail: i === failedAt ? `${label}: ${why}` : label };
  });

/** Which station a failure belongs to: by its code, else by how far the connector had come. */
function stationOf(code: ErrorCode, reached: ConnectStep | null): Step {
  if (code === 'target_name_unresolved') return 'resolve';
  if (code === 'target_address_refused') return 'policy';
  if (code === 'target_unreachable' || code === 'hop_refused') return 'tcp';
  if (code === 'ssh_algorithms' || code === 'ssh_protocol_error') return 'ssh';
  if (reached === null || reached === 'resolving') return 'resolve';
  return reached === 'connecting' ? 'tcp' : 'ssh';
}

function stations(failed: Step | null, detail: (step: Step) => string): Station[] {
  const end = failed === null ? STEPS.indexOf('sign-in') : STEPS.indexOf(failed);
  return STEPS.map((step, i) => {
    const state = i < end ? 'ok' : step === failed ? 'failed' : 'not-tried';
    return { step, state, detail: detail(step) };
  });
}

/**
 * How far a connection to a machine comes, without signing in: no user name and no credential leave. The sign-in and
 * what lies behind it are shown as not tried. product.md "The first five minutes".
 */
export async function probe(connector: Connector, request: ProbeRequest, signal: AbortSignal): Promise<ProbeResult> {
  let reached: ConnectStep | null = null;
  let ip = '';
  const keys: HostKey[] = [];
  const endpoint: Endpoint = {
    host: request.endpoint.host,
    port: request.endpoint.port,
    resolve: async (abort) => (ip = await request.endpoint.resolve(abort)),
  };
  const nothing = () => Promise.resolve(null);
  const port = {
    checkHostKey: (presented: HostKey) => {
      keys.push(presented);
      return Promise.reject(new FarEnough('the host key was seen'));
    },
    askSecret: nothing,
    askKeyboard: nothing,
    banner: () => {},
    step: (name: ConnectStep) => (reached = name),
  };
  const failure = await connector
    .connect(
      {
        endpoint,
        identity: { kind: 'ask', user: '' },
        timeouts: request.timeouts,
        pinnedTypes: request.pinnedTypes ?? [],
        relaxations: request.relaxations ?? [],
        ...(request.through === undefined ? {} : { through: request.through.hop }),
      },
      port,
      signal,
    )
    .then(async (connection) => {
      await connection.close();
      throw new SallyportError('internal', 'a connection came up although its host key was never accepted');
    })
    .catch((error: unknown) => error);
  const [key] = keys;
  return key === undefined ? failed(request, codeOf(failure), reached) : seen(request, key, ip);
}

function failed(request: ProbeRequest, code: ErrorCode, reached: ConnectStep | null): ProbeResult {
  const at = stationOf(code, reached);
  return {
    stations: stations(at, (step) => (step === at ? `${errorText(code)} (${code})` : '')),
    ...{ at: code === 'hop_refused' ? (request.through?.name ?? '') : '', hostKey: null },
    remedies: remediesFor(code, request.subsystem),
  };
}

async function seen(request: ProbeRequest, key: HostKey, ip: string): Promise<ProbeResult> {
  const state = await request.pinState(key);
  const detail: Partial<Record<Step, string>> = {
    resolve: ip,
    tcp: `port ${request.endpoint.port}`,
    'host-key': `${key.type} ${key.fingerprint}`,
    'sign-in': 'not tried: a test sends no user name and no credential',
    powershell: 'seen only after signing in',
  };
  return {
    stations: stations(state === 'changed' ? 'host-key' : null, (step) => detail[step] ?? ''),
    at: '',
    hostKey: { type: key.type, fingerprint: key.fingerprint, state },
    remedies: state === 'changed' ? [] : subsystemRemedies(request.subsystem),
  };
}
