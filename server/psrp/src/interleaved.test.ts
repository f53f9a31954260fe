import { describe, expect, it } from 'vitest';
import { displayText, encodePacket, OutOfProcClient, OutOfProcServer, RUNSPACE_HOST } from './index.ts';
import type { ClientEvent, OutOfProcServerEvent, Outgoing, PsValue } from './index.ts';

const POOL = '00112233-4455-6677-8899-aabbccddeeff';
const FIRST = '10213243-5465-7687-98a9-000000000001';
const SECOND = '10213243-5465-7687-98a9-000000000002';
/** Far below any message here, so that each one is cut into many fragments. */
const FRAGMENT_BYTES = 90;

type Cut = (bytes: Uint8Array) => Uint8Array[];
const CUTS: readonly (readonly [string, Cut])[] = [
  ['whole lines', (bytes) => [bytes]],
  ['one byte at a time', (bytes) => Array.from(bytes, (byte) => Uint8Array.of(byte))],
  [
    'pieces of 7',
    (bytes) => Array.from({ length: Math.ceil(bytes.length / 7) }, (_, i) => bytes.subarray(i * 7, i * 7 + 7)),
  ],
];

/** Takes turns between the streams, one fragment each, as a server with several threads does. */
function interleaved(items: readonly Outgoing[]): Outgoing[] {
  const streams = new Map<string, Outgoing[]>();
  for (const item of items) {
    const key = item.kind === 'data' ? `${item.pipelineId ?? ''}/${item.priority}` : '';
    const stream = streams.get(key) ?? [];
    streams.set(key, stream);
    stream.push(item);
  }
  const out: Outgoing[] = [];
  for (let turn = 0; out.length < items.length; turn++) {
    for (const stream of streams.values()) {
      const item = stream[turn];
      if (item !== undefined) out.push(item);
    }
  }
  return out;
}

/** Lines of these items; several in one array, as a transport may read them at once. */
const linesOf = (items: readonly Outgoing[]): Uint8Array =>
  Uint8Array.from(
    items.flatMap((item) =>
      item.kind === 'data'
        ? [
            ...encodePacket({
              element: 'Data',
              priority: item.priority,
              pipelineId: item.pipelineId,
              data: item.fragment,
            }),
          ]
        : [],
    ),
  );

interface Pair {
  readonly client: OutOfProcClient;
  readonly server: OutOfProcServer;
}
/** Both roles with two running pipelines that take input. */
function running(): Pair {
  const names = [FIRST, SECOND];
  const client = new OutOfProcClient({ poolId: POOL, newId: () => names.shift() ?? '', fragmentBytes: FRAGMENT_BYTES });
  const server = new OutOfProcServer({ fragmentBytes: FRAGMENT_BYTES });
  const pump = (): void => {
    for (let i = 0; i < 200; i++) {
      for (const event of server.receive(client.takeOutgoing())) if (event.type === 'open') server.pool.opened(null);
      for (const line of server.takeOutgoing()) client.receive(line);
    }
  };
  client.open({ hostInfo: RUNSPACE_HOST, maxRunspaces: 2 });
  pump();
  client.createPipeline({ commands: [{ command: 'a' }], noInput: false });
  client.createPipeline({ commands: [{ command: 'b' }], noInput: false });
  pump();
  expect([server.pool.pipelineState(FIRST), server.pool.pipelineState(SECOND)]).toEqual(['Running', 'Running']);
  return { client, server };
}

const long = (letter: string, length: number): string => letter.repeat(length);
const shown = (value: PsValue): string => {
  const text = displayText(value);
  return `${text.slice(0, 1)} x${text.length}`;
};

/** Three objects at once, then two more: what the client tells, in order. */
function fromServer(cut: Cut): string[] {
  const { client, server } = running();
  const { pool } = server;
  pool.sendUserEvent({
    eventIdentifier: 1,
    sourceIdentifier: long('e', 200),
    timeGenerated: null,
    sender: null,
    sourceArgs: [],
    messageData: null,
    computerName: null,
    runspaceId: null,
  });
  pool.sendOutput(FIRST, long('a', 2000));
  pool.sendOutput(SECOND, long('b', 500));
  pool.sendOutput(SECOND, long('c', 3000));
  pool.finish(FIRST, 'Completed');
  pool.callHost(SECOND, 'WriteLine2', { text: long('w', 300) });
  pool.finish(SECOND, 'Completed');
  const lines = linesOf(interleaved(pool.takeOutgoing()));
  const told: ClientEvent[] = cut(lines).flatMap((piece) => client.receive(piece));
  return told.map((event) => {
    if (event.type === 'output') return `output ${shown(event.value)}`;
    if (event.type === 'pipelineState') return `${event.pipelineId === FIRST ? 'first' : 'second'} ${event.state}`;
    return event.type;
  });
}

/** Inputs of two pipelines, and an answer to a host call between the fragments of an input. */
function fromClient(cut: Cut): string[] {
  const { client, server } = running();
  server.pool.callHost(FIRST, 'ReadLine', {});
  const [call] = server
    .takeOutgoing()
    .flatMap((line) => client.receive(line))
    .flatMap((event) => (event.type === 'hostCall' ? [event.call] : []));
  if (call?.method !== 'ReadLine') throw new Error('no call');
  client.sendInput(FIRST, long('a', 2000));
  client.sendInput(SECOND, long('b', 1500));
  client.respondHostCall(call, { result: long('r', 400) });
  client.endInput(FIRST);
  const events: OutOfProcServerEvent[] = [];
  for (let turn = 0; turn < 500; turn++) {
    for (const piece of cut(client.takeOutgoing())) events.push(...server.receive(piece));
    for (const line of server.takeOutgoing()) client.receive(line);
  }
  return events.map((event) => {
    if (event.type === 'input') return `input ${shown(event.value)}`;
    if (event.type === 'hostResponse') return `answer ${shown(String(event.result))}`;
    return event.type;
  });
}

describe('objects of many fragments, interleaved between pool and pipelines', () => {
  it.each(CUTS)('come from a server each in its stream, told when complete: %s', (_, cut) => {
    expect(fromServer(cut)).toEqual([
      'output b x500',
      'userEvent',
      'output a x2000',
      'first Completed',
      'output c x3000',
      'hostCall',
      'second Completed',
    ]);
  });

  it.each(CUTS)('come from a client, an answer between the fragments of an input: %s', (_, cut) => {
    expect(fromClient(cut)).toEqual(['answer r x400', 'input b x1500', 'input a x2000', 'endOfInput']);
  });

  it('fail in the stream that is wrong, with the events before the fault', () => {
    const { client, server } = running();
    server.pool.sendOutput(FIRST, long('a', 300));
    server.pool.sendOutput(SECOND, long('b', 400));
    const items = interleaved(server.pool.takeOutgoing());
    const lost = items.findIndex((item) => item.kind === 'data' && item.pipelineId === SECOND) + 2;
    const told = client.receive(linesOf(items.filter((_, index) => index !== lost)));
    expect(told[0]).toMatchObject({ type: 'failed', error: { code: 'psrp_fragment_sequence' } });
    expect(client.state).toBe('Broken');
  });
});
