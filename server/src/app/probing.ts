/** "Test connection": how far one comes, over the jump hosts of a target too, without a credential for the target itself. */
import type { ProbeBody, ProbedPort, ProbeResult } from '@sallyport/shared/api/targets';
import type { WsManSettings } from '@sallyport/shared/api/wsman';
import { USUAL_DOORS } from '@sallyport/shared/winrm';
import { SallyportError } from '../errors.ts';
import type { Caller } from '../http/route.ts';
import { judgeHostKey } from '../targets/host-keys.ts';
import type { Connection } from '../transports/contract.ts';
import { openPorts } from '../transports/open-ports.ts';
import { probeWinRm, winRmSteps, type WinRmProbeRequest } from '../transports/wsman/probe.ts';
import { type ProbeRequest, failedOnTheWay, hopStations, probe } from '../transports/probe.ts';
import { connectChain, hopLabel, legsOf } from './chain.ts';
import { type Opening, type OpeningDeps, type Place, chainDeps, placeOf, timeoutsOf } from './opening.ts';
import { nobodyAt } from './shells.ts';
import { must } from './target-identity.ts';

/** Stands for the session in events and in the key id of a certificate. */
const TEST_ID = 'connection-test';

/** Nobody is asked: a hop whose key nobody accepted, or that has no credential in the vault, ends the test there. */
const NOBODY = nobodyAt(TEST_ID);

async function placeToTest(body: ProbeBody, caller: Caller, deps: OpeningDeps): Promise<Place> {
  if ('targetId' in body) {
    const place = await placeOf({ by: 'target', targetId: body.targetId }, caller, deps);
    return place;
  }
  const { host, port, subsystem } = body;
  return { target: null, name: host, host, port, subsystem, connectTimeoutMs: 30_000, wsman: null, hops: [] };
}

/** Up to the last jump host; null where there is none. */
async function connectHops(
  place: Place,
  caller: Caller,
  deps: OpeningDeps,
  signal: AbortSignal,
): Promise<Connection | null> {
  if (place.hops.length === 0) return null;
  if (place.hops.some(({ credentialId }) => credentialId !== null)) await must(caller, 'credential.use', deps);
  const opening: Opening = { caller, port: NOBODY, signal, deps, language: '', weak: [] };
  const nobody = (): never => {
    throw new SallyportError('internal', 'a test does not sign in at the target');
  };
  const legs = legsOf(place.hops, place).slice(0, -1);
  return (await connectChain(legs, chainDeps(place, nobody, opening), signal)).connection;
}

interface WayOverHttp {
  readonly place: Place;
  readonly wsman: WsManSettings;
  readonly via: string;
  readonly through: Connection | null;
  readonly labels: readonly { readonly label: string }[];
}

/** The same over WinRM, with the certificates on record. */
async function probeOverHttp(
  { place: { host, port, connectTimeoutMs }, wsman, via, through, labels }: WayOverHttp,
  caller: Caller,
  deps: OpeningDeps,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const onRecord = async (certificate: string): Promise<'pinned' | 'changed' | null> => {
    const keys = (await deps.hostKeys.find(via, host, port)).filter(({ keyType }) => keyType === 'x509');
    return keys.length === 0 ? null : keys.some(({ key }) => key === certificate) ? 'pinned' : 'changed';
  };
  const request: WinRmProbeRequest = {
    endpoint: deps.endpoint(host, port, caller.actor, via !== ''),
    ...{ wsman, timeouts: timeoutsOf(connectTimeoutMs), now: deps.clock.now(), onRecord },
    ...(through === null ? {} : { through }),
  };
  try {
    const result = await probeWinRm(request, signal);
    return { ...result, stations: [...hopStations(labels, labels.length, ''), ...result.stations] };
  } finally {
    await through?.close();
  }
}

/** How long each of the usual ports of a machine may take to answer. */
const PORT_MS = 3000;

/** Which of the usual doors of a machine that was typed are open. @throws SallyportError target_name_unresolved */
export async function openDoors(
  host: string,
  caller: Caller,
  deps: OpeningDeps,
  signal: AbortSignal,
): Promise<readonly ProbedPort[]> {
  const detail = { ports: USUAL_DOORS.map(({ port }) => port).join(' ') };
  await deps.audit.append({ type: 'target.probed', actor: caller.actor, subject: host, outcome: 'ok', detail });
  return openPorts((port) => deps.endpoint(host, port, caller.actor, false), PORT_MS, signal);
}

/** @throws SallyportError not_found, forbidden, jump_chain */
export async function testConnection(
  body: ProbeBody,
  caller: Caller,
  deps: OpeningDeps,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const place = await placeToTest(body, caller, deps);
  const { host, port, subsystem, hops, target } = place;
  const legs = legsOf(hops, place);
  const via = legs.at(-1)?.via ?? '';
  const labels = hops.map((hop) => ({ name: hop.name, label: hopLabel(hop) }));
  const subject = `${host}:${String(port)}`;
  const detail = via === '' ? {} : { via };
  await deps.audit.append({ type: 'target.probed', actor: caller.actor, subject, outcome: 'ok', detail });
  let through: Connection | null;
  try {
    through = await connectHops(place, caller, deps, signal);
  } catch (error) {
    const at =
      error instanceof SallyportError ? legs.findIndex((leg) => leg.place !== '' && leg.place === error.at) : -1;
    if (at < 0) throw error;
    return failedOnTheWay(labels, at, error, target?.wsman ? winRmSteps(target.wsman.tls) : undefined);
  }
  if (target?.wsman) return probeOverHttp({ place, wsman: target.wsman, via, through, labels }, caller, deps, signal);
  const [accepted, listed] = await Promise.all([
    deps.hostKeys.find(via, host, port),
    deps.hostKeys.listed(via, host, port),
  ]);
  const request: ProbeRequest = {
    endpoint: deps.endpoint(host, port, caller.actor, via !== ''),
    ...{ subsystem, timeouts: timeoutsOf(place.connectTimeoutMs), relaxations: target?.relaxations ?? [] },
    pinnedTypes: await deps.hostKeys.typesOnRecord(via, host, port),
    pinState: (key) => {
      const { kind } = judgeHostKey(key, accepted, listed);
      return Promise.resolve(kind === 'known' ? 'pinned' : kind === 'revoked' ? 'changed' : kind);
    },
    ...(through === null ? {} : { through: { hop: through, name: hops.at(-1)?.name ?? '' } }),
  };
  const result = await probe(deps.connector, request, signal);
  return { ...result, stations: [...hopStations(labels, labels.length, ''), ...result.stations] };
}
