/** WS-Management to a target: the way there, where it leads on, and what goes over it. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { Connections } from './connections.ts';
import type {
  WsManConnection,
  WsManConnector,
  WsManConnectorOptions,
  WsManConnectRequest,
  WsManPort,
} from './contract.ts';
import { EnvelopeSize } from './envelope-size.ts';
import { WsManPool } from './pool-channel.ts';
import { orRefuse, redirected, redirectIn, startOf } from './redirect.ts';
import { requestsOf } from './session-options.ts';
import type { SignedConnection } from './signed-connection.ts';
import { TargetShells } from './target-shells.ts';
import { LATER_MS, Way } from './way.ts';

const UNLIMITED = { maximumReceivedObjectSize: null, maximumReceivedDataSizePerCommand: Infinity };

const DELEGATED = 'the target has the password (CredSSP)';
const TICKET_GIVEN = 'the target has a ticket of the user (Kerberos delegation)';
const NTLM_PROVES_NOTHING = 'NTLM, which does not prove who the target is';

/** The connector of WinRM targets. */
export function createWsManConnector(options: WsManConnectorOptions): WsManConnector {
  return {
    async connect(asked, port, signal) {
      let request = await startOf(asked, port);
      for (let hops = request.redirects ?? 0; ; hops++) {
        const way = new Way(request, port, options);
        try {
          const first = await way.first(signal);
          port.step('opening');
          return connectionOf(way, first, { ...request, redirects: hops }, port, options.clock);
        } catch (error) {
          await way.leave();
          request = await orRefuse(redirected(error, request, hops, port), asked);
        }
      }
    },
  };
}

function connectionOf(
  way: Way,
  first: SignedConnection,
  request: WsManConnectRequest,
  port: WsManPort,
  clock: Clock,
): WsManConnection {
  const { endpoint, settings } = request;
  const { options } = way;
  const size = new EnvelopeSize(settings.maxEnvelopeKb);
  const { configurationName } = settings;
  const requests = (sessionId: string) => requestsOf({ url: way.url, size, configurationName }, options, sessionId);
  const connections = new Connections(first, () => way.another(), clock);
  const mechanism = first.mechanism === 'Certificate' ? 'client certificate' : first.mechanism;
  const sealed = first.sealing?.label ?? mechanism;
  if (first.mechanism === 'CredSSP') way.weakened.push(DELEGATED);
  if (first.isDelegated) way.weakened.push(TICKET_GIVEN);
  if (first.mechanism === 'NTLM' && !way.isAuthenticated) way.weakened.push(NTLM_PROVES_NOTHING);
  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    connections.close();
    await way.close();
  };
  const shells = (): TargetShells => {
    const waitMs = options.operationTimeoutMs + LATER_MS;
    return new TargetShells(requests(randomUUID()), size, (envelope) => connections.post('control', envelope, waitMs));
  };
  return {
    protection: `${settings.tls ? 'HTTPS' : 'HTTP'}, ${sealed}`,
    weakened: way.weakened,
    ip: way.ip,
    port: endpoint.port,
    ...{ options, openLeftMs: way.openLeftMs },
    openPool: (told, use) => (pool, events) =>
      new WsManPool(pool, events, {
        ...{ requests, sessionId: randomUUID(), connections, size, clock },
        options: use === 'files' ? { ...options, ...UNLIMITED } : options,
        ...{ isTls: settings.tls, openMs: use === 'files' ? null : way.openLeftMs },
        opening: {
          name: null,
          idleTimeoutMs: options.idleTimeoutMs,
          bufferMode: options.outputBufferingMode,
          isNoProfile: options.noMachineProfile,
        },
        ...((request.redirects ?? 0) > 0 && { at: way.url }),
        ...told,
      }),
    redirection: async (error) => {
      const led = redirectIn(error);
      if (led === null) return null;
      const hops = request.redirects ?? 0;
      return { ...(await redirected(led, request, hops, port)), redirects: hops + 1 };
    },
    listShells: () => shells().list(way.user),
    deleteShell: (shellId) => shells().delete(shellId),
    close: () => (closing ??= close()),
  };
}
