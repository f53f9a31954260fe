/** Gives crafted inputs to the codec and tells what came. */
import {
  ClientPool,
  encodeBody,
  encodeMessage,
  fragmentsAs,
  MESSAGES,
  PsrpError,
  PsVersion,
  readCliXml,
  Reassembler,
  ServerPool,
  writeCliXml,
} from '@sallyport/psrp';
import type { MessageContent, MessageName, PoolEvent, ServerEvent } from '@sallyport/psrp';
import { OPENING } from './fragment-cases.ts';
import { PIPELINE_ID, POOL_ID } from './message-case.ts';

/** What an input gives. */
export interface Outcome {
  readonly code: string | null;
  readonly offset: number | null;
  readonly section: string | null;
}
const fine: Outcome = { code: null, offset: null, section: null };
function refused(error: unknown): Outcome {
  if (!(error instanceof PsrpError)) throw error;
  return { code: error.code, offset: error.offset, section: error.section };
}

/** A document read and written back. */
export function runCliXml(xml: string): Outcome & { readonly canonical: string | null } {
  try {
    return { ...fine, canonical: writeCliXml(readCliXml(xml)) };
  } catch (error) {
    return { ...refused(error), canonical: null };
  }
}

/** A stream through the reassembler; its end counts. */
export function runStream(
  parts: Iterable<Uint8Array>,
): Outcome & { readonly objects: readonly (readonly [string, number])[] } {
  const reassembler = new Reassembler();
  const objects: (readonly [string, number])[] = [];
  try {
    for (const part of parts) {
      reassembler.read(part, ({ objectId, bytes }) => objects.push([objectId.toString(), bytes.length]));
    }
    reassembler.end();
    return { ...fine, objects };
  } catch (error) {
    return { ...refused(error), objects };
  }
}

function packet<N extends MessageName>(
  name: N,
  content: MessageContent<N>,
  pipelineId: string | null = null,
): Uint8Array {
  const codec = MESSAGES[name] as unknown as {
    type: number;
    direction: string;
    encode(content: MessageContent<N>): Parameters<typeof encodeBody>[0];
  };
  const header = {
    destination: codec.direction === 's2c' ? 1 : 2,
    messageType: codec.type,
    poolId: POOL_ID,
    pipelineId,
  };
  const bytes = encodeMessage(header, encodeBody(codec.encode(content)));
  return [...fragmentsAs(1n, bytes, [bytes.length])][0] ?? new Uint8Array();
}
const capability = {
  protocolVersion: new PsVersion(2, 3),
  psVersion: new PsVersion(2, 0),
  serializationVersion: new PsVersion(1, 1, 0, 1),
};
/** The server's capability has the client as its destination. */
function capabilityToClient(): Uint8Array {
  const bytes = packet('SESSION_CAPABILITY', capability);
  bytes[21] = 1;
  return bytes;
}

function openedClient(state: 'new' | 'opened'): ClientPool {
  const pool = new ClientPool({ poolId: POOL_ID, newId: () => PIPELINE_ID });
  pool.open({ hostInfo: OPENING.hosts.pool });
  if (state === 'new') return pool;
  pool.receive(null, capabilityToClient());
  pool.receive(null, packet('RUNSPACEPOOL_STATE', { state: 2, error: null }));
  pool.createPipeline({ commands: [{ command: 'x' }] });
  pool.takeOutgoing();
  return pool;
}

function openedServer(state: 'new' | 'opened'): ServerPool {
  const pool = new ServerPool();
  if (state === 'new') return pool;
  const client = new ClientPool({ poolId: POOL_ID, newId: () => PIPELINE_ID });
  client.open({ hostInfo: OPENING.hosts.pool, maxRunspaces: 5 });
  const pass = (): void => {
    for (const item of client.takeOutgoing()) if (item.kind === 'data') pool.receive(item.pipelineId, item.fragment);
  };
  pass();
  pool.opened(null);
  for (const item of pool.takeOutgoing()) if (item.kind === 'data') client.receive(item.pipelineId, item.fragment);
  client.createPipeline({ commands: [{ command: 'x' }] });
  pass();
  return pool;
}

/** A message given to a pool: the first event that is no failure, and the failure. */
export function runMessage(
  role: 'client' | 'server',
  state: 'new' | 'opened',
  bytes: Uint8Array,
): Outcome & { readonly event: string | null } {
  const pool = role === 'client' ? openedClient(state) : openedServer(state);
  const events: readonly (PoolEvent | ServerEvent)[] = pool.receive(null, bytes);
  const failed = events.flatMap((each) => (each.type === 'failed' ? [each.error] : []))[0];
  const event = failed === undefined ? (events[0]?.type ?? null) : null;
  return { ...(failed === undefined ? fine : refused(failed)), event };
}
