import {
  constants,
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  generateKeyPairSync,
  privateDecrypt,
  publicEncrypt,
} from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bag,
  consoleHostInfo,
  dictionary,
  displayText,
  encodeError,
  encodeInformational,
  OutOfProcClient,
  OutOfProcServer,
  primitiveDictionary,
  typedLineCommands,
  unpadSessionKey,
  versionTable,
} from './index.ts';
import type {
  ClientEvent,
  HostCall,
  OutOfProcServerEvent,
  ProtocolVersion,
  PublicKey,
  SessionCipher,
} from './index.ts';

const POOL = '00112233-4455-6677-8899-aabbccddeeff';
const zeroIv = Buffer.alloc(16);
const aes = (key: Uint8Array): SessionCipher => {
  const own = Buffer.from(key);
  return {
    encrypt: (plain) => {
      const cipher = createCipheriv('aes-256-cbc', own, zeroIv);
      return new Uint8Array(Buffer.concat([cipher.update(plain), cipher.final()]));
    },
    decrypt: (text) => {
      const cipher = createDecipheriv('aes-256-cbc', own, zeroIv);
      return new Uint8Array(Buffer.concat([cipher.update(text), cipher.final()]));
    },
  };
};
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const publicHalf = (): PublicKey => {
  const { n = '', e = '' } = rsa.publicKey.export({ format: 'jwk' });
  return { modulus: Buffer.from(n, 'base64url'), exponent: Buffer.from(e, 'base64url') };
};
const wrap = (key: Uint8Array, to: PublicKey): Uint8Array => {
  const jwk = {
    kty: 'RSA',
    n: Buffer.from(to.modulus).toString('base64url'),
    e: Buffer.from(to.exponent).toString('base64url'),
  };
  const padding = constants.RSA_PKCS1_PADDING;
  return publicEncrypt({ key: createPublicKey({ key: jwk, format: 'jwk' }), padding }, key);
};

type Cut = (bytes: Uint8Array) => Uint8Array[];
const whole: Cut = (bytes) => [bytes];

/** Both roles joined by byte arrays; the wire may be cut anywhere. */
class Wire {
  readonly client: OutOfProcClient;
  readonly server: OutOfProcServer;
  readonly seen: ClientEvent[] = [];
  readonly served: OutOfProcServerEvent[] = [];
  onClient: (event: ClientEvent) => void = () => undefined;
  onServer: (event: OutOfProcServerEvent) => void = () => undefined;
  readonly #cut: Cut;
  #ids = 0;

  constructor(options: { cut?: Cut; client?: ProtocolVersion; server?: ProtocolVersion; fragmentBytes?: number } = {}) {
    const size = options.fragmentBytes === undefined ? {} : { fragmentBytes: options.fragmentBytes };
    this.#cut = options.cut ?? whole;
    this.client = new OutOfProcClient({
      poolId: POOL,
      newId: () => `10213243-5465-7687-98a9-${(++this.#ids).toString(16).padStart(12, '0')}`,
      protocolVersion: options.client ?? '2.3',
      cipher: aes,
      ...size,
    });
    this.server = new OutOfProcServer({ protocolVersion: options.server ?? '2.3', ...size });
  }
  clientSees(events: readonly ClientEvent[]): void {
    for (const event of events) {
      this.seen.push(event);
      this.onClient(event);
    }
  }
  serverSees(events: readonly OutOfProcServerEvent[]): void {
    for (const event of events) {
      this.served.push(event);
      if (event.type === 'open') this.server.pool.opened(primitiveDictionary([]));
      this.onServer(event);
    }
  }
  /** Carries bytes both ways until both are silent. */
  run(): void {
    for (let turn = 0; turn < 10_000; turn++) {
      const up = this.client.takeOutgoing();
      const down = this.server.takeOutgoing();
      if (up.length === 0 && down.length === 0) return;
      for (const piece of this.#cut(up)) this.serverSees(this.server.receive(piece));
      for (const line of down) for (const piece of this.#cut(line)) this.clientSees(this.client.receive(piece));
    }
    throw new Error('the two never become silent');
  }
  open(): this {
    this.client.open({ hostInfo: consoleHostInfo({ cols: 80, rows: 25 }), applicationArguments: versionTable() });
    this.run();
    return this;
  }
  types(): string[] {
    return this.seen.map((event) => event.type);
  }
  calls(): HostCall[] {
    return this.seen.flatMap((event) => (event.type === 'hostCall' ? [event.call] : []));
  }
}

/** A server that answers a typed line with a few things of everything. */
function serveLine(wire: Wire): void {
  wire.onServer = (event) => {
    const { pool } = wire.server;
    if (event.type === 'createPipeline') {
      const id = event.pipelineId;
      pool.callHost(id, 'WriteLine2', { text: 'hello \u001b[31m \ud83d\ude00 _x0041_' });
      pool.sendRecord('WARNING_RECORD', id, encodeInformational('warning', 'careful'));
      pool.sendOutput(id, bag({ a: 1, b: 2n, c: 'x'.repeat(3000) }));
      pool.sendError(id, encodeError({ message: 'no such thing', category: 13, reason: 'ItemNotFoundException' }));
      pool.callHost(id, 'ReadLine', {});
    } else if (event.type === 'hostResponse') {
      pool.sendOutput(event.pipelineId ?? '', typeof event.result === 'string' ? event.result : null);
      if (event.pipelineId !== null) wire.serverSees(wire.server.finish(event.pipelineId, 'Completed'));
    }
  };
  wire.onClient = (event) => {
    if (event.type === 'hostCall' && event.call.method === 'ReadLine') {
      wire.client.respondHostCall(event.call, { result: 'typed' });
    }
    if (event.type === 'pipelineState') wire.client.closePipeline(event.pipelineId);
  };
}

const line = { commands: typedLineCommands('Get-Date'), addToHistory: true, history: 'Get-Date' };

describe('client role against server role', () => {
  it('opens, runs a pipeline with host calls and records, and closes', () => {
    const wire = new Wire();
    serveLine(wire);
    wire.open();
    expect(wire.types()).toEqual(['negotiated', 'applicationPrivateData', 'poolState']);
    const pipelineId = wire.client.createPipeline(line);
    wire.run();
    expect(wire.types().slice(3)).toEqual([
      'hostCall',
      'warning',
      'output',
      'error',
      'hostCall',
      'output',
      'pipelineState',
      'pipelineClosed',
    ]);
    expect(wire.calls()[0]?.parameters).toEqual({ text: 'hello \u001b[31m \ud83d\ude00 _x0041_' });
    const created = wire.served.find((event) => event.type === 'createPipeline');
    expect(created?.request).toMatchObject({ addToHistory: true, history: 'Get-Date', noInput: true, isNested: false });
    expect(created?.request.commands[1]).toMatchObject({ command: 'Out-Default', mergePreviousResults: 3 });
    expect(wire.client.pipelineState(pipelineId)).toBeNull();
    wire.clientSees(wire.client.close());
    wire.run();
    expect(wire.client.state).toBe('Closed');
    expect(wire.served.at(-1)).toEqual({ type: 'closed' });
  });

  it('gives the same events however the bytes are cut', () => {
    const script = (cut: Cut, fragmentBytes: number): unknown[] => {
      const wire = new Wire({ cut, fragmentBytes });
      serveLine(wire);
      wire.open();
      wire.client.createPipeline(line);
      wire.run();
      wire.clientSees(wire.client.close());
      wire.run();
      return wire.seen.map((event) =>
        event.type === 'output' ? displayText(event.value) : event.type === 'hostCall' ? event.call : event.type,
      );
    };
    const expected = script(whole, 32768);
    expect(script((bytes) => Array.from(bytes, (byte) => Uint8Array.of(byte)), 100)).toEqual(expected);
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 }),
        fc.integer({ min: 22, max: 500 }),
        (sizes, f) => {
          let turn = 0;
          const cut: Cut = (bytes) => {
            const pieces: Uint8Array[] = [];
            for (let at = 0; at < bytes.length;) {
              const size = sizes[turn++ % sizes.length] ?? 1;
              pieces.push(bytes.subarray(at, at + size));
              at += size;
            }
            return pieces;
          };
          expect(script(cut, f)).toEqual(expected);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('negotiates what both speak, or ends', () => {
    const pairs: [ProtocolVersion, ProtocolVersion, string | null][] = [
      ['2.1', '2.4', '2.1'],
      ['2.2', '2.3', '2.2'],
      ['2.3', '2.3', '2.3'],
      ['2.3', '2.4', '2.3'],
      ['2.4', '2.3', '2.3'],
      ['2.4', '2.4', '2.4'],
      ['2.1', '2.2', '2.1'],
    ];
    for (const [client, server, expected] of pairs) {
      const wire = new Wire({ client, server }).open();
      expect(wire.client.protocolVersion, `${client} to ${server}`).toBe(expected);
      expect(wire.client.state).toBe('Opened');
    }
  });

  it('leaves out of CREATE_PIPELINE what an older server does not know', () => {
    const wire = new Wire({ client: '2.1', server: '2.3' }).open();
    wire.client.createPipeline({ commands: [{ command: 'x', mergeError: 1 }], isNested: true });
    wire.run();
    const created = wire.served.find((event) => event.type === 'createPipeline');
    expect(created?.request).toMatchObject({ isNested: false });
    expect(created?.request.commands[0]).toMatchObject({ mergeError: 0 });
    expect(() => wire.client.resetRunspaceState()).toThrow(/cannot reset/);
  });

  it('exchanges a session key and seals secure strings both ways', () => {
    const wire = new Wire().open();
    const key = Uint8Array.from({ length: 32 }, (_, i) => i * 7);
    wire.onServer = (event) => {
      if (event.type === 'publicKey') wire.server.pool.supplySessionKey(aes(key), wrap(key, event.key));
    };
    wire.onClient = (event) => {
      if (event.type === 'needsKeyPair') wire.client.supplyPublicKey(publicHalf());
      if (event.type !== 'unwrapSessionKey') return;
      const block = privateDecrypt({ key: rsa.privateKey, padding: constants.RSA_NO_PADDING }, event.wrapped);
      wire.clientSees(wire.client.supplySessionKey(unpadSessionKey(block)));
    };
    expect(() => wire.client.seal('early')).toThrow(/no session key/);
    wire.clientSees(wire.client.requestSessionKey());
    wire.run();
    expect(wire.client.sessionKeyState).toBe('ready');
    expect(wire.server.pool.unseal(wire.client.seal('P\u00e4ss\ud83d\ude00'))).toBe('P\u00e4ss\ud83d\ude00');
    expect(wire.client.unseal(wire.server.pool.seal(''))).toBe('');
    wire.server.pool.requestPublicKey();
    wire.run();
    expect(wire.client.sessionKeyState).toBe('ready');
    expect(wire.types().filter((type) => type === 'needsKeyPair')).toHaveLength(2);
  });

  it('needs no key under 2.4 on both sides', () => {
    const wire = new Wire({ client: '2.4', server: '2.4' }).open();
    expect(wire.client.requestSessionKey()).toEqual([{ type: 'sessionKeyReady' }]);
    expect(wire.client.seal('Pass1').cipherText).toBe('UABhAHMAcwAxAA==');
    expect(wire.server.pool.unseal(wire.client.seal('x'))).toBe('x');
  });

  it('feeds a pipeline in order, one unacknowledged line at a time', () => {
    const wire = new Wire().open();
    const pipelineId = wire.client.createPipeline({ commands: [{ command: 'x' }], noInput: false });
    for (let i = 0; i < 300; i++) wire.client.sendInput(pipelineId, i);
    wire.client.endInput(pipelineId);
    // Command, and nothing before its acknowledgement.
    const first = new TextDecoder().decode(wire.client.takeOutgoing());
    expect(first).toBe(`<Command PSGuid='${pipelineId}' />\n`);
    wire.serverSees(wire.server.receive(new TextEncoder().encode(first)));
    for (const ack of wire.server.takeOutgoing()) wire.clientSees(wire.client.receive(ack));
    const second = new TextDecoder().decode(wire.client.takeOutgoing());
    expect(second.match(/<Data /g)).toHaveLength(1);
    expect(wire.client.takeOutgoing()).toHaveLength(0);
    wire.serverSees(wire.server.receive(new TextEncoder().encode(second)));
    wire.run();
    const inputs = wire.served.flatMap((event) => (event.type === 'input' ? [event.value] : []));
    expect(inputs).toEqual(Array.from({ length: 300 }, (_, i) => i));
    expect(wire.served.at(-1)?.type).toBe('endOfInput');
    expect(() => wire.client.sendInput(pipelineId, 1)).toThrow(/no input/);
  });

  it('stops: state first, then the acknowledgement; a late answer goes nowhere', () => {
    const wire = new Wire().open();
    wire.onServer = (event) => {
      if (event.type === 'createPipeline') wire.server.pool.callHost(event.pipelineId, 'ReadLine', {});
      if (event.type === 'stop') wire.serverSees(wire.server.finish(event.pipelineId, 'Stopped'));
    };
    const pipelineId = wire.client.createPipeline(line);
    wire.run();
    const call = wire.calls()[0];
    if (call?.method !== 'ReadLine') throw new Error('no call');
    expect(wire.client.stop(pipelineId)).toBe(true);
    expect(wire.client.stop(pipelineId)).toBe(false);
    expect(wire.client.respondHostCall(call, { result: 'late' })).toBe(false);
    wire.run();
    expect(wire.types().slice(-2)).toEqual(['pipelineState', 'pipelineSignalled']);
    expect(wire.client.pipelineState(pipelineId)).toBe('Stopped');
    expect(wire.client.closePipeline(pipelineId)).toBe(true);
    wire.run();
    expect(wire.types().at(-1)).toBe('pipelineClosed');
  });

  it('answers a call once, with a result or an error', () => {
    const wire = new Wire().open();
    const answers: unknown[] = [];
    wire.onServer = (event) => {
      const { pool } = wire.server;
      if (event.type === 'createPipeline') {
        pool.callHost(event.pipelineId, 'PromptForChoice', {
          caption: 'c',
          message: 'm',
          choices: [{ label: '&Yes', helpMessage: 'h' }],
          defaultChoice: -1,
        });
        pool.callHost(event.pipelineId, 'GetBufferContents', { rectangle: { left: 0, top: 0, right: 1, bottom: 1 } });
      }
      if (event.type === 'hostResponse') answers.push(event.error?.message ?? event.result);
    };
    wire.client.createPipeline(line);
    wire.run();
    const [choice, screen] = wire.calls();
    if (choice?.method !== 'PromptForChoice' || screen?.method !== 'GetBufferContents') throw new Error('no calls');
    expect(choice.parameters.choices).toEqual([{ label: '&Yes', helpMessage: 'h' }]);
    expect(wire.client.respondHostCall(choice, { result: 0 })).toBe(true);
    expect(wire.client.respondHostCall(choice, { result: 0 })).toBe(false);
    expect(wire.client.respondHostCall(screen, { error: { message: 'the screen is not given away' } })).toBe(true);
    wire.run();
    expect(answers).toEqual([0, 'the screen is not given away']);
  });

  it('runs one pipeline at a time, nested ones in between', () => {
    const wire = new Wire().open();
    const started: string[] = [];
    wire.onServer = (event) => {
      if (event.type === 'createPipeline') started.push(event.pipelineId);
    };
    const first = wire.client.createPipeline(line);
    const second = wire.client.createPipeline(line);
    const nested = wire.client.createPipeline({ ...line, isNested: true });
    wire.run();
    expect(started).toEqual([first, nested]);
    wire.serverSees(wire.server.finish(nested, 'Completed'));
    wire.serverSees(wire.server.finish(first, 'Failed', encodeError({ message: 'thrown' })));
    wire.run();
    expect(started).toEqual([first, nested, second]);
    const failed = wire.seen.find((event) => event.type === 'pipelineState' && event.state === 'Failed');
    expect(failed?.type === 'pipelineState' && failed.error?.message).toBe('thrown');
  });

  it('stops a pipeline that waits at once', () => {
    const wire = new Wire().open();
    wire.client.createPipeline(line);
    const second = wire.client.createPipeline(line);
    wire.run();
    wire.client.stop(second);
    wire.run();
    expect(wire.client.pipelineState(second)).toBe('Stopped');
    expect(wire.types().slice(-2)).toEqual(['pipelineState', 'pipelineSignalled']);
  });

  it('answers pool calls and sends user events', () => {
    const wire = new Wire().open();
    wire.onServer = (event) => {
      const { pool } = wire.server;
      if (event.type === 'setMaxRunspaces') pool.respondAvailability(event.callId, event.count > 0);
      if (event.type === 'setMinRunspaces') pool.respondAvailability(event.callId, false);
      if (event.type === 'getAvailableRunspaces') pool.respondAvailability(event.callId, 3n);
      if (event.type === 'resetRunspaceState') pool.respondAvailability(event.callId, true);
    };
    const { client } = wire;
    const ids = [client.setMaxRunspaces(2), client.setMinRunspaces(9), client.getAvailableRunspaces()];
    ids.push(client.resetRunspaceState());
    wire.server.pool.sendUserEvent({
      eventIdentifier: 1,
      sourceIdentifier: 'Mine',
      timeGenerated: null,
      sender: null,
      sourceArgs: ['a', 1],
      messageData: dictionary([['k', 'v']]),
      computerName: null,
      runspaceId: null,
    });
    wire.run();
    const answers = wire.seen.flatMap((e) => (e.type === 'runspaceAvailability' ? [[e.callId, e.response]] : []));
    expect(answers).toEqual([
      [ids[0], true],
      [ids[1], false],
      [ids[2], 3n],
      [ids[3], true],
    ]);
    const userEvent = wire.seen.find((event) => event.type === 'userEvent');
    expect(userEvent).toMatchObject({ sourceIdentifier: 'Mine', sourceArgs: ['a', 1] });
  });

  it('asks for command metadata like a pipeline', () => {
    const wire = new Wire().open();
    wire.onServer = (event) => {
      if (event.type !== 'commandMetadata') return;
      expect(event.request).toMatchObject({ names: ['Out-Default'], commandTypes: 0x10f, namespaces: null });
      wire.server.pool.sendOutput(event.pipelineId, bag({ Count: 0 }));
      wire.serverSees(wire.server.finish(event.pipelineId, 'Completed'));
    };
    wire.client.getCommandMetadata({ names: ['Out-Default'] });
    wire.run();
    expect(wire.types().slice(-2)).toEqual(['output', 'pipelineState']);
  });

  it('closes the pool after its pipelines, which are stopped', () => {
    const wire = new Wire().open();
    wire.onServer = (event) => {
      if (event.type === 'stop') wire.serverSees(wire.server.finish(event.pipelineId, 'Stopped'));
    };
    wire.client.createPipeline(line);
    wire.run();
    wire.clientSees(wire.client.close());
    wire.run();
    expect(wire.types().slice(-4)).toEqual(['poolState', 'pipelineState', 'pipelineClosed', 'poolState']);
    expect(wire.client.state).toBe('Closed');
    expect(wire.client.close()).toEqual([]);
  });

  it('breaks when the channel ends, and fails what ran', () => {
    const wire = new Wire().open();
    wire.client.createPipeline(line);
    wire.run();
    const events = wire.client.channelEnded({ exitStatus: 1, stderr: 'killed' });
    expect(events.map((event) => (event.type === 'pipelineState' ? event.state : event.type))).toEqual([
      'Failed',
      'poolState',
    ]);
    const last = events.at(-1);
    expect(last?.type === 'poolState' && last.error?.message).toMatch(/status 1: killed/);
    expect(wire.client.channelEnded({ exitStatus: 1 })).toEqual([]);
  });

  it('opens a fresh pool on the same channel after a close', () => {
    const wire = new Wire().open();
    wire.clientSees(wire.client.close());
    wire.run();
    const again = new OutOfProcClient({ poolId: POOL, newId: () => '' });
    again.open({ hostInfo: consoleHostInfo({ cols: 1, rows: 1 }) });
    wire.serverSees(wire.server.receive(again.takeOutgoing()));
    for (const bytes of wire.server.takeOutgoing()) again.receive(bytes);
    expect(again.state).toBe('Opened');
  });

  it('lets large bodies be decoded elsewhere, and keeps the order', () => {
    const client = new OutOfProcClient({ poolId: POOL, newId: () => POOL, inlineBodyBytes: 1000 });
    const wire = new Wire();
    client.open({ hostInfo: consoleHostInfo({ cols: 80, rows: 25 }) });
    const pump = (): ClientEvent[] => {
      const events: ClientEvent[] = [];
      for (let i = 0; i < 20; i++) {
        wire.serverSees(wire.server.receive(client.takeOutgoing()));
        for (const bytes of wire.server.takeOutgoing()) events.push(...client.receive(bytes));
      }
      return events;
    };
    wire.onServer = (event) => {
      if (event.type !== 'createPipeline') return;
      wire.server.pool.sendOutput(event.pipelineId, 'y'.repeat(5000));
      wire.server.pool.sendOutput(event.pipelineId, 'after');
      wire.serverSees(wire.server.finish(event.pipelineId, 'Completed'));
    };
    pump();
    client.createPipeline(line);
    const events = pump();
    expect(events.map((event) => event.type)).toEqual(['largeBody']);
    const [large] = events;
    if (large?.type !== 'largeBody') throw new Error('no large body');
    const rest = client.supplyBody(large.message, 'y');
    expect(rest.map((event) => event.type)).toEqual(['output', 'output', 'pipelineState']);
  });
});
