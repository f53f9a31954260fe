/**
 * The way to a target: over no, one or several jump hosts. Each is a target of its own, with its own host key on record
 * (under the way that leads to it), its own credential from the vault and its own time limits.
 */
import type { Target } from '@sallyport/shared/api/targets';
import { type Actor, type AuditLog, GATEWAY_ACTOR } from '../audit/contract.ts';
import { SallyportError } from '../errors.ts';
import type { Caller } from '../http/route.ts';
import type { CheckedEndpoint } from '../targets/address-policy.ts';
import type { Connection, Connector, ConnectPort, ConnectRequest, Negotiated } from '../transports/contract.ts';

/** `host:port`, IPv6 in brackets. */
export const addressOf = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

/** One machine on the way, the last being the target itself. */
export interface Leg {
  /** The jump host; null for the target. */
  readonly hop: Target | null;
  readonly host: string;
  readonly port: number;
  /** The jump hosts in front, as host keys are kept under. */
  readonly via: string;
  /** For errors: "jump host 1 of 2, bastion (10.0.0.1:22)"; empty for the target. */
  readonly place: string;
}

/** As the facts bar shows it. */
export const hopLabel = ({ name, host, port }: Pick<Target, 'name' | 'host' | 'port'>): string =>
  `${name} (${addressOf(host, port)})`;

/** The legs of a way, in order. */
export function legsOf(hops: readonly Target[], to: { readonly host: string; readonly port: number }): readonly Leg[] {
  const via = (count: number): string =>
    hops
      .slice(0, count)
      .map(({ host, port }) => addressOf(host, port))
      .join(',');
  const legs = hops.map((hop, at) => {
    const place = `jump host ${at + 1} of ${hops.length}, ${hopLabel(hop)}`;
    return { hop, host: hop.host, port: hop.port, via: via(at), place };
  });
  return [...legs, { hop: null, host: to.host, port: to.port, via: via(hops.length), place: '' }];
}

/** @throws SallyportError jump_chain; not_found when a jump host is for administrators only and the caller is none */
export function checkHops(hops: readonly Target[], { subject }: Caller): readonly Target[] {
  if (hops.some(({ administratorOnly }) => administratorOnly) && subject.role !== 'administrator')
    throw new SallyportError('not_found', 'a jump host on the way is for administrators only');
  return hops;
}

/** Said with every connection, until it is not so any more: what is recorded today may be read when such a key exchange falls. */
const NO_POST_QUANTUM = 'not available: ssh2 has no post-quantum key exchange up to 1.17.0, the newest release';

/** What a connection stands on, written down before any sign-in. @param weak gets what is weak, for the facts bar */
export async function noteAlgorithms(
  { kex, hostKey, cipher, mac, isStrict, weakened }: Negotiated,
  { host, port, via, hop }: Leg,
  actor: Actor,
  audit: Pick<AuditLog, 'append'>,
  weak: string[],
): Promise<void> {
  weak.push(...weakened.map((name) => (hop === null ? name : `${hop.name}: ${name}`)));
  await audit.append({
    type: 'ssh.negotiated',
    actor,
    subject: addressOf(host, port),
    outcome: 'ok',
    detail: {
      ...{ kex, hostKey, cipher, mac, strictKex: isStrict, postQuantum: NO_POST_QUANTUM },
      ...(weakened.length === 0 ? {} : { weakened: weakened.join(', ') }),
      ...(via === '' ? {} : { via }),
    },
  });
}

/** A channel that a target or a jump host opened by itself (agent, X11, forward): it was refused. */
export const noteTargetOpened =
  (audit: Pick<AuditLog, 'append'>) =>
  (channel: string, host: string, port: number): void => {
    const event = { type: 'session.targetOpened', actor: GATEWAY_ACTOR, subject: addressOf(host, port) } as const;
    // An audit log that cannot be written raises its own alarm.
    audit.append({ ...event, outcome: 'refused', detail: { channel } }).catch(() => undefined);
  };

export interface ChainDeps {
  readonly connector: Connector;
  /** The checked address that the gateway itself connects to. */
  readonly endpoint: (leg: Leg) => CheckedEndpoint;
  readonly pinnedTypes: (leg: Leg) => Promise<readonly string[]>;
  /** Made anew for each leg, right before it is needed. */
  readonly request: (leg: Leg) => Promise<Pick<ConnectRequest, 'identity' | 'timeouts' | 'relaxations'>>;
  readonly port: (leg: Leg) => ConnectPort;
}

/** An address that was connected to; behind a jump host, what that was asked for. */
export interface Reached {
  readonly ip: string;
  readonly port: number;
  readonly isBeyond: boolean;
}

/**
 * Connects leg by leg: the next machine is spoken to only through the signed-in connection of the one before. A failure
 * closes what stands, from the far end on.
 * @throws SallyportError whatever a connector throws, with the place in `at`
 */
export async function connectChain(
  legs: readonly Leg[],
  deps: ChainDeps,
  signal: AbortSignal,
): Promise<{ readonly connection: Connection; readonly reached: readonly Reached[] }> {
  const reached: Reached[] = [];
  let through: Connection | null = null;
  for (const leg of legs) {
    const request: ConnectRequest = await prepare(leg, through, deps).catch(async (error: unknown) => {
      await through?.close();
      throw error;
    });
    through = await deps.connector.connect(request, deps.port(leg), signal);
    reached.push({ ip: through.ip, port: through.port, isBeyond: leg.via !== '' });
  }
  if (through === null) throw new SallyportError('internal', 'a way without an end');
  return { connection: through, reached };
}

async function prepare(leg: Leg, through: Connection | null, deps: ChainDeps): Promise<ConnectRequest> {
  const pinnedTypes = await deps.pinnedTypes(leg);
  return {
    endpoint: deps.endpoint(leg),
    ...(await deps.request(leg)),
    ...{ pinnedTypes, place: leg.place },
    ...(through === null ? {} : { through }),
  };
}
