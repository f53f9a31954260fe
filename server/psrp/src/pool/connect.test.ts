import { newClient, pair, POOL, type PoolPair, toClient, toServer } from '../../../../test/corpus/pools.ts';
import { beforeEach, describe, expect, it } from 'vitest';
import { consoleHostInfo, encodeBody, encodeMessage, fragmentsOf, primitiveDictionary, ServerPool } from '../index.ts';
import type { Outgoing, ClientPool } from '../index.ts';

const bytesOf = (items: readonly Outgoing[]): Uint8Array =>
  Uint8Array.from(items.flatMap((item) => (item.kind === 'data' ? [...item.fragment] : [])));
const line = { commands: [{ command: 'x' }] };

/** A pool whose client has gone; one pipeline runs and one waits for a runspace. */
function leftPool(): { server: ServerPool; running: string; waiting: string } {
  const server = new ServerPool();
  const client = newClient();
  client.open({ hostInfo: consoleHostInfo({ cols: 80, rows: 25 }) });
  toServer(client, server);
  server.opened(primitiveDictionary([]));
  toClient(server, client);
  const running = client.createPipeline({ ...line, noInput: false });
  const waiting = client.createPipeline(line);
  expect(toServer(client, server).map(({ type }) => type)).toEqual(['createPipeline']);
  client.transportMoved('disconnect');
  expect(client.transportMoved('disconnected')).toMatchObject([
    { type: 'poolState', state: 'Disconnected' },
    { type: 'pipelineState', state: 'Disconnected' },
    { type: 'pipelineState', state: 'Disconnected' },
  ]);
  server.disconnected();
  return { server, running, waiting };
}

/** Another client comes. */
function joined(server: ServerPool): ClientPool {
  const client = newClient();
  client.connect();
  server.connect(bytesOf(client.takeOutgoing()));
  client.receive(null, server.connected(null).response);
  return client;
}

describe('another client that joins a pool', () => {
  let pool: ReturnType<typeof leftPool>;
  beforeEach(() => {
    pool = leftPool();
  });

  it('is Opened by the answer alone, then gets private data and what ran on meanwhile', () => {
    const { server, running } = pool;
    server.sendOutput(running, 'meanwhile');
    const client = newClient();
    client.connect({ minRunspaces: 1, maxRunspaces: 2 });
    expect(server.connect(bytesOf(client.takeOutgoing()))).toEqual([
      { type: 'connect', minRunspaces: 1, maxRunspaces: 2 },
    ]);
    const { response, events } = server.connected(primitiveDictionary([['Hello', 1]]));
    // Two runspaces: what waited starts; nobody sends input to the first one any more.
    expect(events.map(({ type }) => type)).toEqual(['endOfInput', 'createPipeline']);
    expect(client.receive(null, response)).toMatchObject([
      { type: 'negotiated', protocolVersion: '2.3' },
      { type: 'runspacePoolInitData', minRunspaces: 1, maxRunspaces: 2 },
      { type: 'poolState', state: 'Opened' },
    ]);
    client.connectPipeline(running);
    expect(() => client.sendInput(running, 1)).toThrow(/no input/);
    server.finish(running, 'Completed');
    expect(toClient(server, client).map(({ type }) => type)).toEqual([
      'applicationPrivateData',
      'output',
      'pipelineState',
    ]);
    client.closePipeline(running);
    expect(client.takeOutgoing()).toEqual([{ kind: 'close', pipelineId: running }]);
  });

  it('may leave the bounds as they are, and make its own session key', () => {
    const { server } = pool;
    const client = newClient({ protocolVersion: '2.2' });
    client.connect();
    expect(server.connect(bytesOf(client.takeOutgoing()))).toEqual([
      { type: 'connect', minRunspaces: null, maxRunspaces: null },
    ]);
    expect(client.receive(null, server.connected(null).response)).toMatchObject([
      { type: 'negotiated', protocolVersion: '2.2' },
      { type: 'runspacePoolInitData', minRunspaces: 1, maxRunspaces: 1 },
      { type: 'poolState', state: 'Opened' },
    ]);
    expect(server.hasSessionKey).toBe(false);
    const pipelineId = '99999999-0000-0000-0000-000000000001';
    client.createPipeline({ ...line, pipelineId, isNested: true });
    expect(toServer(client, server)).toMatchObject([{ type: 'createPipeline', pipelineId }]);
  });

  it('tells calls again that nobody answered, and a key that the former client asked for is none of it', () => {
    const { server, running } = pool;
    const first = joined(server);
    first.connectPipeline(running);
    const callId = server.callHost(running, 'ReadLine', {});
    server.callHost(running, 'WriteLine2', { text: 'shown' });
    expect(toClient(server, first).map(({ type }) => type)).toEqual(['applicationPrivateData', 'hostCall', 'hostCall']);
    const [left, ...more] = first.openHostCalls();
    if (left === undefined) throw new Error('no call');
    expect([left.pipelineId, left.callId, more]).toEqual([running, callId, []]);
    server.disconnected();
    const second = joined(server);
    toClient(server, second);
    expect(second.repeatHostCall(left)).toEqual([]);
    second.connectPipeline(running);
    const [event] = second.repeatHostCall(left);
    if (event?.type !== 'hostCall' || event.call.method !== 'ReadLine') throw new Error('not told');
    expect(second.openHostCalls()).toEqual([left]);
    expect(second.respondHostCall(event.call, { result: 'hello' })).toBe(true);
    expect(second.openHostCalls()).toEqual([]);
    expect(toServer(second, server)).toMatchObject([{ type: 'hostResponse', pipelineId: running, callId }]);
    expect(() => second.repeatHostCall({ pipelineId: null, body: encodeBody('no call') })).toThrow(/host call/);
    const header = { destination: 1, messageType: 0x00010006, poolId: POOL, pipelineId: null };
    const body = encodeBody('no key');
    for (const fragment of fragmentsOf(9n, encodeMessage(header, body)))
      expect(second.receive(null, fragment)).toEqual([]);
    expect(second.state).toBe('Opened');
  });

  it('knows whether a message has come in part', () => {
    const { server, running } = pool;
    const client = joined(server);
    client.connectPipeline(running);
    server.sendOutput(running, 'x'.repeat(100));
    const [bytes] = server
      .takeOutgoing()
      .flatMap((item) => (item.kind === 'data' && item.pipelineId === running ? [item.fragment] : []));
    if (bytes === undefined) throw new Error('no output');
    expect(client.isAmid(running)).toBe(false);
    client.receive(running, bytes.subarray(0, 50));
    expect([client.isAmid(running), client.isAmid(null)]).toEqual([true, false]);
    client.receive(running, bytes.subarray(50));
    expect(client.isAmid(running)).toBe(false);
  });

  it('is refused when it sends something else, and the pool waits on', () => {
    const { server } = pool;
    const good = (): Uint8Array => {
      const client = newClient();
      client.connect();
      return bytesOf(client.takeOutgoing());
    };
    const bytes = good();
    const foreign = newClient({ poolId: '99999999-4455-6677-8899-aabbccddeeff' });
    foreign.connect();
    const upside = good();
    upside[21] = 1; // Destination: a client.
    const cases: [string, Uint8Array, string][] = [
      ['nothing', new Uint8Array(), 'psrp_fragment_sequence'],
      ['half', bytes.subarray(0, bytes.length - 1), 'psrp_fragment_sequence'],
      [
        'a broken first message',
        Uint8Array.from([...bytes.subarray(0, bytes.length / 2), ...bytes]),
        'psrp_bad_length',
      ],
      ['three messages', Uint8Array.from([...bytes, ...bytes]), 'psrp_fragment_sequence'],
      ['an opening', bytesOf(opening()), 'psrp_bad_state'],
      ['another pool', bytesOf(foreign.takeOutgoing()), 'psrp_unknown_message'],
      ['not for a server', upside, 'psrp_unknown_message'],
      ['bounds that cannot be', bytesOf(bounded(3, 2)), 'psrp_bad_state'],
      [
        'version 2.1',
        Uint8Array.from([...capability('2.1'), ...bytes.subarray(bytes.length - tail(bytes))]),
        'psrp_version',
      ],
    ];
    for (const [what, sent, code] of cases) {
      expect(server.connect(sent), what).toMatchObject([{ type: 'connectRefused', error: { code } }]);
      expect(server.state, what).toBe('Disconnected');
    }
    expect(server.connect(good())).toMatchObject([{ type: 'connect' }]);
    server.refuseConnect();
    expect(server.state).toBe('Disconnected');
    server.reconnected();
    expect(server.state).toBe('Opened');
    expect(server.connect(good())).toMatchObject([{ type: 'connectRefused', error: { code: 'psrp_bad_state' } }]);
    expect(() => server.connected(null)).toThrow(/no client/);
    expect(() => {
      server.refuseConnect();
    }).toThrow(/in state Opened/);
  });

  it('came with 2.2', () => {
    const old = newClient({ protocolVersion: '2.1' });
    expect(() => {
      old.connect();
    }).toThrow(/needs 2.2/);
    const server = new ServerPool();
    old.open({ hostInfo: consoleHostInfo({ cols: 80, rows: 25 }) });
    toServer(old, server);
    server.opened(null);
    toClient(server, old);
    expect(() => old.transportMoved('disconnect')).toThrow(/cannot disconnect/);
  });
});

const opening = (): Outgoing[] => {
  const client = newClient();
  client.open({ hostInfo: consoleHostInfo({ cols: 1, rows: 1 }) });
  return client.takeOutgoing();
};
const bounded = (minRunspaces: number, maxRunspaces: number): Outgoing[] => {
  const client = newClient();
  client.connect({ minRunspaces, maxRunspaces });
  return client.takeOutgoing();
};
/** Length of the second message of a Connect, with its fragment header. */
const tail = (bytes: Uint8Array): number => {
  const first = new DataView(bytes.buffer, bytes.byteOffset).getUint32(17);
  return bytes.length - 21 - first;
};
function capability(version: string): Uint8Array {
  const body = new TextEncoder().encode(
    `<Obj RefId="0"><MS><Version N="protocolversion">${version}</Version><Version N="PSVersion">2.0</Version><Version N="SerializationVersion">1.1.0.1</Version></MS></Obj>`,
  );
  const header = { destination: 2, messageType: 0x00010002, poolId: POOL, pipelineId: null };
  return Uint8Array.from([...fragmentsOf(9n, encodeMessage(header, body))].flatMap((each) => [...each]));
}

describe('runspaces of a server pool', () => {
  const openPool = (maxRunspaces: number): PoolPair => pair({ opening: { maxRunspaces } });

  it('become more by SET_MAX_RUNSPACES, and what waited starts', () => {
    const { client, server } = openPool(1);
    const [first, second, third] = [
      client.createPipeline(line),
      client.createPipeline(line),
      client.createPipeline(line),
    ];
    expect(toServer(client, server)).toMatchObject([{ type: 'createPipeline', pipelineId: first }]);
    expect(server.availableRunspaces).toBe(0);
    client.setMaxRunspaces(2);
    const [asked] = toServer(client, server);
    if (asked?.type !== 'setMaxRunspaces') throw new Error('not asked');
    expect(server.maxRunspaces).toBe(1);
    expect(server.respondAvailability(asked.callId, true)).toMatchObject([
      { type: 'createPipeline', pipelineId: second },
    ]);
    expect(server.maxRunspaces).toBe(2);
    expect(toClient(server, client)).toMatchObject([{ type: 'runspaceAvailability', callId: 1n, response: true }]);
    expect(server.finish(first, 'Completed')).toMatchObject([{ type: 'createPipeline', pipelineId: third }]);
    server.finish(second, 'Completed');
    expect(server.availableRunspaces).toBe(1);
  });

  it('keep bounds that can be: others are refused at once, by the rule of PowerShell', () => {
    const { client, server } = openPool(3);
    const ask = (count: number, bound: 'Min' | 'Max'): unknown => {
      if (bound === 'Min') client.setMinRunspaces(count);
      else client.setMaxRunspaces(count);
      const [asked] = toServer(client, server);
      if (asked?.type === 'setMinRunspaces' || asked?.type === 'setMaxRunspaces')
        server.respondAvailability(asked.callId, true);
      const [told] = toClient(server, client);
      return [told?.type === 'runspaceAvailability' && told.response, server.minRunspaces, server.maxRunspaces];
    };
    expect(ask(4, 'Min')).toEqual([false, 1, 3]);
    expect(ask(0, 'Min')).toEqual([false, 1, 3]);
    expect(ask(2, 'Min')).toEqual([true, 2, 3]);
    expect(ask(1, 'Max')).toEqual([false, 2, 3]);
    expect(ask(0, 'Max')).toEqual([false, 2, 3]);
    expect(ask(2, 'Max')).toEqual([true, 2, 2]);
    expect(ask(3, 'Min')).toEqual([false, 2, 2]);
  });

  it('do not move when the owner refuses, or when two changes cross', () => {
    const { client, server } = openPool(5);
    client.setMinRunspaces(4);
    client.setMaxRunspaces(3);
    const asked = toServer(client, server).flatMap((event) => ('callId' in event ? [event.callId] : []));
    for (const callId of asked) server.respondAvailability(callId, true);
    expect([server.minRunspaces, server.maxRunspaces]).toEqual([4, 5]);
    expect(toClient(server, client)).toMatchObject([{ response: true }, { response: false }]);
    client.setMaxRunspaces(9);
    toServer(client, server);
    server.respondAvailability(3n, false);
    expect(server.maxRunspaces).toBe(5);
  });

  it('are not asked for without end', () => {
    const { client, server } = openPool(1);
    for (let i = 0; i < 65; i++) client.setMaxRunspaces(i + 2);
    const events = toServer(client, server);
    expect(events).toHaveLength(65);
    expect(events.at(-1)).toMatchObject({ type: 'failed', error: { code: 'psrp_bad_state' } });
  });

  it('serve one default when a client asks for nonsense', () => {
    const { server } = openPool(-7);
    expect([server.minRunspaces, server.maxRunspaces]).toEqual([1, 1]);
  });
});

describe('GET_COMMAND_METADATA', () => {
  it('carries modules by full name, and tells none from not asked', () => {
    const { client, server, up } = pair({ opening: { maxRunspaces: 9 } });
    client.getCommandMetadata({ fullyQualifiedModules: ['Microsoft.PowerShell.Utility'] });
    client.getCommandMetadata();
    expect(up()).toMatchObject([
      { request: { names: null, fullyQualifiedModules: ['Microsoft.PowerShell.Utility'], argumentList: null } },
      { request: { fullyQualifiedModules: null } },
    ]);
    const header = {
      destination: 2,
      messageType: 0x0002100a,
      poolId: POOL,
      pipelineId: '99999999-0000-0000-0000-000000000001',
    };
    const body = new TextEncoder().encode('<Obj RefId="0"><MS><I32 N="CommandType">271</I32></MS></Obj>');
    const [fragment = new Uint8Array()] = fragmentsOf(9n, encodeMessage(header, body));
    const [event] = server.receive(header.pipelineId, fragment);
    expect(event?.type === 'commandMetadata' && 'fullyQualifiedModules' in event.request).toBe(false);
    expect(encodeBody(undefined)).toHaveLength(0);
  });
});
