import { fragment, pair, POOL } from '../../../../test/corpus/pools.ts';
import { describe, expect, it } from 'vitest';
import {
  bag,
  ClientPool,
  consoleHostInfo,
  encodeError,
  integer,
  list,
  PsChar,
  PsDecimal,
  PsNumber,
  PsObject,
  toBigInt,
  toBoolean,
  toNumber,
  toText,
  writeCliXml,
} from '../index.ts';
import type { MessageName, PoolEvent, PsValue, ServerEvent, ServerPool } from '../index.ts';

const PIPELINE = '10213243-5465-7687-98a9-000000000001';
const line = { commands: [{ command: 'x' }] };

const failure = (events: readonly (PoolEvent | ServerEvent)[]): string | undefined => {
  const failed = events.find((event) => event.type === 'failed');
  return failed?.type === 'failed' ? failed.error.code : undefined;
};

describe('a server pool', () => {
  it('says nothing for pipelines that have ended or never were', () => {
    const { client, server, up } = pair();
    const pipelineId = client.createPipeline({ ...line, noInput: true });
    up();
    server.finish(pipelineId, 'Completed');
    server.takeOutgoing();
    for (const id of [pipelineId, 'never']) {
      server.sendOutput(id, 1);
      server.sendError(id, encodeError({ message: 'm' }));
      server.sendRecord('WARNING_RECORD', id, new PsObject());
      server.sendProgress(id, {
        activity: 'a', activityId: 1, statusDescription: 's', currentOperation: null, parentActivityId: -1, percentComplete: -1, type: 0, secondsRemaining: -1,
      } as unknown as Parameters<ServerPool['sendProgress']>[1]); // prettier-ignore
      expect(server.callHost(id, 'ReadLine', {})).toBeNull();
      expect(server.stop(id)).toEqual([]);
    }
    expect(server.finish('never', 'Completed')).toEqual([]);
    expect(server.pipelineState('never')).toBeNull();
    expect(server.takeOutgoing()).toEqual([]);
    expect(
      server.receive(pipelineId, fragment('END_OF_PIPELINE_INPUT', undefined, 'server', pipelineId)),
    ).toMatchObject([{ type: 'ignoredMessage' }]);
    expect(server.callHost(null, 'WriteLine1', {})).toBeNull();
    expect(() => server.seal('x')).toThrow(/no session key/);
  });

  it('drops input of a pipeline that takes none, and stops by message too', () => {
    const { client, server, up } = pair();
    const pipelineId = client.createPipeline({ ...line, noInput: true });
    up();
    expect(server.receive(pipelineId, fragment('PIPELINE_INPUT', 1, 'server', pipelineId))).toEqual([]);
    expect(server.receive(pipelineId, fragment('END_OF_PIPELINE_INPUT', undefined, 'server', pipelineId))).toEqual([]);
    expect(server.receive(pipelineId, fragment('STOP_PIPELINE', undefined, 'server', pipelineId))).toEqual([
      { type: 'stop', pipelineId },
    ]);
    expect(server.stop(pipelineId)).toEqual([]);
  });

  it.each<[string, MessageName, PsValue | undefined, string | null, boolean]>([
    ['a second CREATE_PIPELINE of one id', 'CREATE_PIPELINE', undefined, PIPELINE, true],
    ['a second INIT_RUNSPACEPOOL', 'INIT_RUNSPACEPOOL', new PsObject(), null, true],
    ['CONNECT_RUNSPACEPOOL in an open pool', 'CONNECT_RUNSPACEPOOL', '', null, true],
    ['a pipeline before the pool is open', 'PIPELINE_INPUT', 1, PIPELINE, false],
  ])('fails on %s', (_, name, body, pipelineId, isOpened) => {
    const { client, server, up } = pair({ isOpened });
    if (isOpened) {
      client.createPipeline({ ...line, pipelineId: PIPELINE });
      up();
    }
    expect(failure(server.receive(pipelineId, fragment(name, body, 'server', pipelineId)))).toBe('psrp_bad_state');
    expect(server.state).toBe('Broken');
    expect(server.receive(null, new Uint8Array(40))).toEqual([]);
    expect(server.close()).toEqual([]);
  });

  it('closes on CLOSE_SESSION, and drops what it does not know', () => {
    const { server } = pair();
    expect(server.receive(null, fragment(0x00041999, 'anything', 'server', null))).toMatchObject([
      { type: 'ignoredMessage' },
    ]);
    expect(server.receive(null, fragment('CLOSE_SESSION', undefined, 'server', null))).toEqual([{ type: 'closed' }]);
  });
});

describe('a client pool', () => {
  it('refuses what its state does not allow, and sends nothing', () => {
    const fresh = new ClientPool({ poolId: POOL, newId: () => PIPELINE });
    expect(fresh.receive(null, new Uint8Array(40))).toEqual([]);
    expect(() => fresh.createPipeline(line)).toThrow(/BeforeOpen/);
    expect(fresh.closed(null)).toEqual([]);
    expect(fresh.close()).toMatchObject([{ type: 'poolState', state: 'Closed' }]);
    expect(() => {
      fresh.open({ hostInfo: consoleHostInfo({ cols: 1, rows: 1 }) });
    }).toThrow(/open in state Closed/);
    const { client } = pair();
    const id = client.createPipeline({ ...line, noInput: true });
    expect(() => client.createPipeline({ ...line, pipelineId: id })).toThrow(/exists already/);
    client.endInput(id);
    expect(client.closePipeline('never')).toBe(false);
    expect(client.stop('never')).toBe(false);
    expect(client.signalled('never')).toEqual([]);
    expect(client.closed('never')).toEqual([]);
    expect(client.closePipeline(id)).toBe(true);
    expect(client.closePipeline(id)).toBe(false);
    expect(() => {
      client.sendInput('never', 1);
    }).toThrow(/not running/);
    expect(() => client.supplyBody({} as never, null)).toThrow(/nothing waits/);
    expect(() => {
      client.supplyPublicKey({ modulus: new Uint8Array(256), exponent: Uint8Array.of(3) });
    }).toThrow(/no key was asked for/);
  });

  it('takes the acknowledgement of a stop for the stop itself, and a close for both', () => {
    const { client, up } = pair();
    const id = client.createPipeline(line);
    up();
    client.stop(id);
    expect(client.signalled(id)).toMatchObject([{ state: 'Stopped' }, { type: 'pipelineSignalled' }]);
    expect(client.signalled(id)).toMatchObject([{ type: 'pipelineSignalled' }]);
    const other = client.createPipeline(line);
    expect(client.closed(other)).toMatchObject([{ state: 'Stopped' }, { type: 'pipelineClosed' }]);
  });

  it.each<[string, MessageName, PsValue | undefined, string, string[]]>([
    ['Closing says nothing', 'RUNSPACEPOOL_STATE', bag({ RunspaceState: 4 }), '', []],
    ['Closed closes', 'RUNSPACEPOOL_STATE', bag({ RunspaceState: 3 }), '', ['poolState']],
    ['any other number breaks', 'RUNSPACEPOOL_STATE', bag({ RunspaceState: 9 }), '', ['poolState']],
    [
      'a key that nobody asked for',
      'ENCRYPTED_SESSION_KEY',
      bag({ EncryptedSessionKey: 'AAAA' }),
      '',
      ['failed', 'poolState'],
    ],
    ['Running says nothing', 'PIPELINE_STATE', bag({ PipelineState: 1 }), PIPELINE, []],
    [
      'a state that there is not',
      'PIPELINE_STATE',
      bag({ PipelineState: 77 }),
      PIPELINE,
      ['failed', 'pipelineState', 'poolState'],
    ],
    ['output of another pipeline', 'PIPELINE_OUTPUT', 1, '99999999-0000-0000-0000-000000000001', []],
  ])('%s', (_, name, body, pipelineId, types) => {
    const { client } = pair();
    if (pipelineId === PIPELINE) client.createPipeline({ ...line, pipelineId });
    const id = pipelineId === '' ? null : pipelineId;
    expect(client.receive(id, fragment(name, body, 'client', id)).map(({ type }) => type)).toEqual(types);
  });

  it.each<[string, MessageName, PsValue | undefined, string | null]>([
    ['a message of a client', 'PIPELINE_INPUT', 1, PIPELINE],
    ['a capability twice', 'SESSION_CAPABILITY', new PsObject(), null],
  ])('fails on %s', (_, name, body, pipelineId) => {
    const { client } = pair();
    client.createPipeline({ ...line, pipelineId: PIPELINE });
    expect(failure(client.receive(pipelineId, fragment(name, body, 'client', pipelineId)))).toMatch(/^psrp_/);
    expect(client.state).toBe('Broken');
    expect(client.fail('again')).toEqual([]);
  });

  it('answers a host call that it cannot read with an error, a void one with nothing', () => {
    const { client } = pair();
    client.createPipeline({ ...line, pipelineId: PIPELINE });
    client.takeOutgoing();
    const call = (callId: bigint, methodId: number): PsValue => bag({ ci: callId, mi: methodId, mp: list([]) });
    const read = (callId: bigint, methodId: number): unknown[] =>
      client
        .receive(PIPELINE, fragment('PIPELINE_HOST_CALL', call(callId, methodId), 'client', PIPELINE))
        .map(({ type }) => type);
    expect(read(1n, 999)).toEqual(['unanswerableHostCall']);
    expect(client.takeOutgoing()).toMatchObject([{ kind: 'data', priority: 'promptResponse' }]);
    expect(read(-100n, 16)).toEqual(['unanswerableHostCall']);
    expect(client.takeOutgoing()).toEqual([]);
  });

  it('keeps pipelines that have ended as they are when it is disconnected and comes back', () => {
    const { client, server, up, down } = pair();
    const ended = client.createPipeline(line);
    up();
    server.finish(ended, 'Completed');
    down();
    client.transportMoved('disconnect');
    expect(client.transportMoved('disconnected')).toHaveLength(1);
    expect(client.transportMoved('reconnect')).toMatchObject([{ state: 'Connecting' }]);
    expect(client.transportMoved('opened')).toMatchObject([{ state: 'Opened' }]);
    expect(client.pipelineState(ended)).toBe('Completed');
  });
});

describe('values as other types', () => {
  it('convert where they can, and say null where they cannot', () => {
    const wide = new PsNumber('U64', 18446744073709551615n, '18446744073709551615');
    expect([
      toNumber(wide),
      toNumber(7n),
      toNumber(new PsChar(65)),
      toNumber(new PsDecimal('1.5')),
      toNumber('x'),
    ]).toEqual([null, 7, 65, 1.5, null]);
    expect([toBigInt(wide), toBigInt(5), toBigInt(1.5), toBigInt('x'), toBigInt(integer('By', 7))]).toEqual([
      18446744073709551615n,
      5n,
      null,
      null,
      7n,
    ]);
    expect([toBoolean(true), toBoolean(bag({ IsPresent: true })), toBoolean(1), toBoolean(new PsObject())]).toEqual([
      true,
      true,
      null,
      null,
    ]);
    expect([toText(null), toText(list([])), toText(1), toText(true), toText(2n), toText(new PsObject())]).toEqual([
      null,
      null,
      '1',
      'True',
      '2',
      null,
    ]);
    const object = bag({ a: 1 });
    expect([
      object.getString('no'),
      object.getNumber('no'),
      object.getBoolean('no'),
      object.getObject('a'),
      object.getList('a'),
    ]).toEqual(Array(5).fill(null));
  });

  it('are written to the depth that every receiver reads, no deeper', () => {
    const nested = (depth: number): PsValue => {
      let value = bag({ end: true });
      for (let i = 1; i < depth; i++) value = bag({ in: value });
      return value;
    };
    expect(writeCliXml(nested(50))).toContain('true');
    expect(() => writeCliXml(nested(51))).toThrow(/deeper than 50/);
  });
});
