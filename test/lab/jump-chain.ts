/** A way over jump hosts to a lab server, as the product takes it, for tests below the inventory. */
import type { Target } from '@sallyport/shared/api/targets';
import { systemClock } from '../../server/src/clock.ts';
import { type ChainDeps, type Leg, connectChain, legsOf } from '../../server/src/app/chain.ts';
import type { Connection } from '../../server/src/transports/contract.ts';
import { createSshConnector } from '../../server/src/transports/ssh/connector.ts';
import { LabPort, TIMEOUTS, labIdentity } from './ssh-target.ts';
import type { LabSshd } from './sshd.ts';

/** A hop of the inventory at a lab server. */
export const labHop = (sshd: Pick<LabSshd, 'host' | 'port'>, name: string): Target => ({
  ...{ id: name, name, transport: 'ssh', host: sshd.host, port: sshd.port, subsystem: 'powershell', offers: ['pty'] },
  ...{
    credentialId: null,
    user: '',
    connectTimeoutMs: 30_000,
    viaTargetId: null,
    relaxations: [],
    files: 'off',
    usingCredentials: [],
    wsman: null,
    notes: '',
  },
  ...{ isDemo: false, administratorOnly: false, powershellMissing: false, createdAt: 0, lastOpenedAt: null },
});

/** The legs over these servers, the last being the target. */
export const labLegs = (servers: readonly LabSshd[]): readonly Leg[] => {
  const hops = servers.slice(0, -1).map((sshd, at) => labHop(sshd, `hop${String(at + 1)}`));
  const end = servers.at(-1);
  if (end === undefined) throw new Error('no server');
  return legsOf(hops, end);
};

/** Everything signs in as the lab's user; `change` replaces what a test is about. */
export const labChainDeps = (lab: LabSshd, port: LabPort, change: Partial<ChainDeps> = {}): ChainDeps => ({
  connector: createSshConnector({ clock: systemClock }),
  endpoint: ({ host, port: at }) => ({ host, port: at, resolve: () => Promise.resolve(host) }),
  pinnedTypes: () => Promise.resolve([]),
  request: () => Promise.resolve({ identity: labIdentity(lab), timeouts: TIMEOUTS }),
  port: () => port,
  ...change,
});

/** A signed-in connection to the last of the servers, over all before it. */
export async function connectOver(
  servers: readonly LabSshd[],
  port = new LabPort(),
  change: Partial<ChainDeps> = {},
  signal = new AbortController().signal,
): Promise<Connection> {
  const [first] = servers;
  if (first === undefined) throw new Error('no server');
  return (await connectChain(labLegs(servers), labChainDeps(first, port, change), signal)).connection;
}
