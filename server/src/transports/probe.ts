import type { ErrorCode } from '@sallyport/shared/error-codes';
import { errorText } from '@sallyport/shared/error-codes';
import type { ProbeResult } from '@sallyport/shared/api/targets';
import { SallyportError, codeOf } from '../errors.ts';
import type { ConnectStep, Connector, Endpoint, HostKey } from './contract.ts';
import { remediesFor, subsystemRemedies } from './remedies.ts';

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
  /** Compares the presented key with the pins. */
  pinState(key: HostKey): Promise<'pinned' | 'unknown' | 'changed'>;
}

/** Which station a failure belongs to: by its code, else by how far the connector had come. */
function stationOf(code: ErrorCode, reached: ConnectStep | null): Step {
  if (code === 'target_name_unresolved') return 'resolve';
  if (code === 'target_address_refused') return 'policy';
  if (code === 'target_unreachable') return 'tcp';
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
    hostKey: null,
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
    hostKey: { type: key.type, fingerprint: key.fingerprint, state },
    remedies: state === 'changed' ? [] : subsystemRemedies(request.subsystem),
  };
}
