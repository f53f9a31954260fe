/** A client's pool and a server's, joined in memory: what tests of their states share. */
import {
  ClientPool,
  consoleHostInfo,
  DESTINATION,
  encodeBody,
  encodeMessage,
  fragmentsOf,
  MESSAGES,
  ServerPool,
} from '@sallyport/psrp';
import type {
  ClientPoolOptions,
  MessageName,
  OpenOptions,
  PoolEvent,
  PsrpLimits,
  PsValue,
  ServerEvent,
} from '@sallyport/psrp';

export const POOL = '00112233-4455-6677-8899-aabbccddeeff';
/** The `n`th id that a client of `newClient` makes, from 1. */
export const idOf = (n: number): string => `10213243-5465-7687-98a9-${n.toString(16).padStart(12, '0')}`;

export function newClient(options: Partial<ClientPoolOptions> = {}): ClientPool {
  let next = 0;
  return new ClientPool({ poolId: POOL, newId: () => idOf(++next), ...options });
}
/** Carries what the client has to say. @returns what the server heard */
export const toServer = (client: ClientPool, server: ServerPool): ServerEvent[] =>
  client.takeOutgoing().flatMap((item) => (item.kind === 'data' ? server.receive(item.pipelineId, item.fragment) : []));
/** Carries what the server has to say. @returns what the client heard */
export const toClient = (server: ServerPool, client: ClientPool): PoolEvent[] =>
  server.takeOutgoing().flatMap((item) => (item.kind === 'data' ? client.receive(item.pipelineId, item.fragment) : []));

export interface PoolPair {
  readonly client: ClientPool;
  readonly server: ServerPool;
  readonly up: () => ServerEvent[];
  readonly down: () => PoolEvent[];
}
export interface PairOptions {
  /** False: the server has not opened it yet. */
  readonly isOpened?: boolean;
  readonly limits?: Partial<PsrpLimits>;
  readonly opening?: Partial<OpenOptions>;
}
/** Both ends of a pool. */
export function pair({ isOpened = true, limits = {}, opening = {} }: PairOptions = {}): PoolPair {
  const client = newClient();
  const server = new ServerPool({ limits });
  const up = (): ServerEvent[] => toServer(client, server);
  const down = (): PoolEvent[] => toClient(server, client);
  client.open({ hostInfo: consoleHostInfo({ cols: 80, rows: 25 }), ...opening });
  up();
  if (isOpened) server.opened(null);
  down();
  return { client, server, up, down };
}

let objectId = 1000n;
/** One message in one fragment, as the other end would send it. @param name or a number that no message has */
export function fragment(
  name: MessageName | number,
  body: PsValue | undefined,
  to: 'client' | 'server',
  pipelineId: string | null,
): Uint8Array {
  const messageType = typeof name === 'number' ? name : MESSAGES[name].type;
  const header = { destination: DESTINATION[to], messageType, poolId: POOL, pipelineId };
  const [only = new Uint8Array()] = fragmentsOf(++objectId, encodeMessage(header, encodeBody(body)));
  return only;
}
