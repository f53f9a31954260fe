import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  canDisconnect,
  checkAnswerHead,
  decodeIdentity,
  encodeIdentity,
  explainFault,
  FAULTS,
  hexCode,
  isIdentify,
  isRetriedAtCreate,
  encodeIdentify,
  OPERATIONS,
  Requests,
  WsManFaultError,
  writeAnswer,
  writeFault,
} from './index.ts';
import type { Operation, ShellInfo } from './index.ts';

const SHELL = 'F86510A5-1A3B-44A8-8F7E-0123456789AB';
const COMMAND = '10213243-5465-7687-98A9-BACBDCEDFE0F';
const requests = new Requests({
  url: 'https://target.example:5986/wsman',
  resourceUri: 'http://schemas.microsoft.com/powershell/Microsoft.PowerShell',
  sessionId: '11112222-3333-4444-5555-666677778888',
  newId: () => '00000000-0000-0000-0000-00000000000a',
  maxEnvelopeBytes: 153_600,
  operationTimeoutMs: 20_000,
  locale: 'en-US',
  dataLocale: 'en-US',
});
const O = OPERATIONS;
const creation = {
  shellId: SHELL,
  name: null,
  protocolVersion: '2.3',
  creationXml: new Uint8Array(),
  idleTimeoutMs: null,
  bufferMode: null,
  isNoProfile: false,
} as const;
const prepared = {
  create: requests.prepare(O.create, creation),
  receive: requests.prepare(O.receive, { commandId: COMMAND }),
};
const vector = (name: string): Uint8Array => readFileSync(new URL(`../vectors/answers/${name}.xml`, import.meta.url));
const changed = (name: string, from: string | RegExp, to: string): Uint8Array =>
  new TextEncoder().encode(new TextDecoder().decode(vector(name)).replace(from, to));

function faultOf(read: () => unknown): WsManFaultError {
  try {
    read();
  } catch (error) {
    if (error instanceof WsManFaultError) return error;
    throw error;
  }
  throw new Error('no fault');
}

describe('answers', () => {
  it('to Create tell the shell; its id is upper case', () => {
    const answer = requests.read(prepared.create, vector('create'));
    expect(answer).toMatchObject({
      shellId: SHELL,
      address: 'https://target.example:5986/wsman',
      resourceUri: 'http://schemas.microsoft.com/powershell/Microsoft.PowerShell',
      selectors: [{ name: 'ShellId', value: SHELL.toLowerCase() }],
    });
    expect(answer.shell).toMatchObject({
      shellId: SHELL,
      owner: 'LAB\\ann',
      processId: 42,
      idleTimeoutMs: 7_200_000,
      maxIdleTimeoutMs: 2_147_483_647,
      bufferMode: 'Block',
      state: 'Connected',
      runTimeMs: 93_784_000,
      name: null,
      memoryUsed: null,
    });
    expect(canDisconnect(answer.shell)).toBe(true);
  });

  it('of an old server have an id of their own and no shell', () => {
    const answer = requests.read(prepared.create, vector('create-old'));
    expect(answer.shellId).toBe('ABCDEF01-2345-6789-ABCD-EF0123456789');
    expect(answer.shell).toBeNull();
    expect(canDisconnect(answer.shell)).toBe(false);
  });

  it('to Receive bring streams in order, and Done', () => {
    expect(requests.read(prepared.receive, vector('receive-done'))).toEqual({
      streams: [
        { name: 'stdout', commandId: COMMAND, bytes: Uint8Array.of(0, 1, 2, 3) },
        { name: 'stdout', commandId: COMMAND, bytes: Uint8Array.of(4, 5, 6) },
      ],
      commandState: { commandId: COMMAND, state: 'Done', exitCode: 0 },
    });
  });

  it('to Receive may be Pending, or nothing but a sign of life', () => {
    expect(requests.read(prepared.receive, vector('receive-pending'))).toEqual({
      streams: [{ name: 'stdout', commandId: COMMAND, bytes: Uint8Array.of(0, 1, 2) }],
      commandState: { commandId: COMMAND, state: 'Pending', exitCode: null },
    });
    expect(requests.read(prepared.receive, vector('receive-keepalive'))).toEqual({
      streams: [{ name: 'stdout', commandId: null, bytes: new Uint8Array() }],
      commandState: null,
    });
  });

  it('to another request are refused, faults too', () => {
    const other = 'uuid:00000000-0000-0000-0000-00000000000B';
    for (const name of ['receive-done', 'fault-timeout']) {
      const bytes = changed(name, /uuid:0{8}-[0-9A-]*A/, other);
      expect(() => requests.read(prepared.receive, bytes)).toThrow(
        expect.objectContaining({ code: 'wsman_malformed' }),
      );
    }
    const unrelated = changed('receive-done', /<a:RelatesTo>.*<\/a:RelatesTo>/, '');
    expect(() => requests.read(prepared.receive, unrelated)).toThrow(
      expect.objectContaining({ code: 'wsman_malformed' }),
    );
  });

  it('are ours whatever the case of the id, with or without its prefix', () => {
    const lower = changed('receive-keepalive', /uuid:0{8}-[0-9A-]*A/, '00000000-0000-0000-0000-00000000000a');
    expect(requests.read(prepared.receive, lower).streams).toHaveLength(1);
  });

  it('with the action of another operation are refused', () => {
    expect(() => requests.read(prepared.create, vector('receive-done'))).toThrow(
      expect.objectContaining({ code: 'wsman_malformed', section: 'MS-WSMV 3.1.4.5 Create' }),
    );
  });

  it.each([
    ['receive-done', 'AAEC\n        Aw==', 'AAE'],
    ['receive-done', 'CommandState/Done', 'CommandState/Odd'],
    ['receive-done', '<r:Stream Name="stdout"', '<r:Stream'],
    ['receive-done', 'r:ReceiveResponse', 'r:OtherResponse'],
  ])('%s with %j as %j is malformed', (name, from, to) => {
    const bytes = changed(name, new RegExp(from, 'g'), to);
    expect(() => requests.read(prepared.receive, bytes)).toThrow(
      expect.objectContaining({ code: 'wsman_malformed', section: 'MS-WSMV 3.1.4.14 Receive' }),
    );
  });
});

describe('faults', () => {
  it('2150858793 on Receive means: ask again', () => {
    const error = faultOf(() => requests.read(prepared.receive, vector('fault-timeout')));
    expect(error).toMatchObject({ isTimeout: true, number: 2150858793, code: 'wsman_fault' });
    expect(error.activityId).toBe('60D161C2-02EC-0001-EF8D-D160EC02D401');
    expect(error.fault).toMatchObject({ value: 'Receiver', subcode: 'TimedOut', machine: 'TARGET' });
  });

  it('2150858843 is a shell that is gone', () => {
    const error = faultOf(() => requests.read(prepared.receive, vector('fault-gone')));
    expect(error).toMatchObject({ code: 'target_shell_gone', number: 2150858843, isTimeout: false });
    expect(error.fault).toMatchObject({ faultDetail: 'UnexpectedSelectors', message: 'No such shell <&>.' });
    expect(error.explanation.kind).toBe('gone');
  });

  it('quotas have a code of their own', () => {
    expect(faultOf(() => requests.read(prepared.create, vector('fault-quota'))).code).toBe('target_quota');
  });

  it('of a plugin tell the plugin, the text inside and both numbers', () => {
    const { fault, number } = faultOf(() => requests.read(prepared.create, vector('fault-of-provider')));
    expect(number).toBe(2152992672);
    expect(fault).toMatchObject({
      provider: 'microsoft.powershell',
      innerCode: 2147942405,
      message: 'No room for a pool.',
    });
  });

  it('of a redirection tell the address, and nothing else is taken for one', () => {
    const { fault, explanation } = faultOf(() => requests.read(prepared.create, vector('fault-redirect')));
    expect(explanation.kind).toBe('redirect');
    expect(fault.redirectTo).toBe('https://other.example:5986/wsman');
    expect(faultOf(() => requests.read(prepared.create, vector('fault-gone'))).fault.redirectTo).toBeNull();
  });

  it('without a number count by their subcode', () => {
    const error = faultOf(() => requests.read(prepared.create, vector('fault-without-number')));
    expect(error).toMatchObject({ number: 5 });
    expect(error.explanation.kind).toBe('access');
  });

  it('of a server that could not read the request need no RelatesTo', () => {
    const bytes = changed('fault-without-number', /<a:RelatesTo>.*<\/a:RelatesTo>/, '');
    expect(faultOf(() => requests.read(prepared.create, bytes)).number).toBe(5);
  });

  it('keep at most 4096 characters of the server', () => {
    const bytes = changed('fault-timeout', /The operation timed out\./g, 'x'.repeat(10_000));
    expect(faultOf(() => requests.read(prepared.receive, bytes)).fault.message).toHaveLength(4096);
  });

  it('have a sentence for a person each; unknown numbers too', () => {
    for (const number of [...FAULTS.keys(), 1, 2152991680]) {
      expect(explainFault(number).text, hexCode(number)).toMatch(/^[A-Z].*\.$/);
    }
    expect(explainFault(2152991680).kind).toBe('our_fault');
    expect(hexCode(2150858793)).toBe('0x80338029');
    expect(isRetriedAtCreate(995)).toBe(true);
    expect(isRetriedAtCreate(5)).toBe(false);
  });
});

describe('heads of HTTP answers', () => {
  const head = {
    status: 200,
    contentType: 'application/soap+xml;charset=UTF-8',
    contentEncoding: null,
    location: null,
  };
  it.each([
    head,
    { ...head, status: 500 },
    { ...head, status: 400, contentType: 'Application/SOAP+XML; charset="utf-8"' },
    { ...head, contentEncoding: 'identity' },
  ])('%j may have an envelope', (each) => {
    checkAnswerHead(each);
  });
  it.each([
    [{ ...head, contentEncoding: 'gzip' }, 'wsman_encoding_refused'],
    [{ ...head, contentType: 'application/soap+xml;charset=UTF-16' }, 'wsman_encoding_refused'],
    [{ ...head, status: 302, location: 'http://other/' }, 'wsman_redirect_refused'],
    [{ ...head, contentType: 'text/html' }, 'wsman_malformed'],
    [{ ...head, contentType: null }, 'wsman_malformed'],
  ])('%j is refused: %s', (each, code) => {
    expect(() => { checkAnswerHead(each); }).toThrow(expect.objectContaining({ code })); // prettier-ignore
  });
  it.each([
    [404, 2150859027],
    [413, 2150858790],
    [503, 2150859026],
    [500, 2150859120],
    [400, 2150859121],
    [401, 5],
  ])('status %i without an envelope is fault %i', (status, number) => {
    const read = (): void => {
      checkAnswerHead({ ...head, status, contentType: 'text/html' });
    };
    expect(faultOf(read).number).toBe(number);
  });
});

describe('the server role', () => {
  const ids = {
    relatesTo: prepared.create.messageId,
    messageId: '22222222-0000-0000-0000-000000000002',
    activityId: 'AAAAAAAA-0000-0000-0000-000000000003',
  };
  const shell: ShellInfo = {
    shellId: SHELL, name: 'a<b', resourceUri: 'http://x/', owner: 'LAB\\ann', clientIp: '127.0.0.1', processId: 7,
    idleTimeoutMs: 7_200_000, maxIdleTimeoutMs: 2_147_483_647, inputStreams: 'stdin pr', outputStreams: 'stdout',
    locale: 'en-US', dataLocale: 'en-US', compressionMode: 'NoCompression', profileLoaded: 'Yes', encoding: 'UTF8',
    bufferMode: 'Block', state: 'Connected', runTimeMs: 93_784_000, inactivityMs: 0, memoryUsed: '51MB', childProcesses: 0,
  }; // prettier-ignore
  function roundTrip<Request, Response>(
    operation: Operation<Request, Response>,
    request: Request,
    response: Response,
  ): void {
    const question = requests.prepare(operation, request, { selectors: Requests.shell(SHELL) });
    const text = writeAnswer(operation, { ...ids, relatesTo: question.messageId }, response);
    expect(requests.read(question, new TextEncoder().encode(text))).toEqual(response);
  }

  it.each(['a b', 'a\nb', 'a\u202eb', 'a\u200bb', '\u0131'])('takes no id that may look like another: %j', (id) => {
    const given = { shellId: id, selectors: [{ name: 'ShellId', value: id }], resourceUri: null, address: null, shell: null };
    expect(() => roundTrip(O.create, creation, given)).toThrow(expect.objectContaining({ code: 'wsman_malformed' }) as Error);
  }); // prettier-ignore

  it('is held to ids and names of a length: they go into every later request, and into logs', () => {
    const long = 'A'.repeat(5000);
    const answered = (given: Partial<typeof good>): void => roundTrip(O.create, creation, { ...good, ...given });
    const good = { shellId: SHELL, selectors: [{ name: 'ShellId', value: SHELL }], resourceUri: null as string | null, address: null, shell: shell as ShellInfo | null };
    answered({});
    for (const bad of [
      { shellId: long, selectors: [{ name: 'ShellId', value: long }] },
      { selectors: [...good.selectors, { name: 'x', value: long }] },
      { selectors: Array.from({ length: 20 }, () => ({ name: 'ShellId', value: SHELL })) },
      { resourceUri: `http://${long}` },
      { shell: { ...shell, owner: long } },
    ])
      expect(() => answered(bad)).toThrow(expect.objectContaining({ code: 'wsman_malformed' }) as Error);
    const command = { commandId: null, label: '', arguments: new Uint8Array() };
    expect(() => roundTrip(O.command, command, { commandId: long })).toThrow(expect.objectContaining({ code: 'wsman_malformed' }) as Error);
    const commands = [{ commandId: long, label: '', state: null }];
    expect(() => roundTrip(O.enumerate, { commandsOf: SHELL }, { shells: [], commands, context: null })).toThrow(expect.objectContaining({ code: 'wsman_malformed' }) as Error);
  }); // prettier-ignore

  it('answers every operation so that the client reads the same', () => {
    const selectors = [{ name: 'ShellId', value: SHELL }];
    roundTrip(O.create, creation, { shellId: SHELL, selectors, resourceUri: 'http://x/', address: 'http://y/', shell });
    roundTrip(O.create, creation, { shellId: SHELL, selectors, resourceUri: null, address: null, shell: null });
    roundTrip(O.command, { commandId: null, label: '', arguments: new Uint8Array() }, { commandId: COMMAND });
    roundTrip(O.send, { stream: 'stdin', commandId: null, bytes: new Uint8Array() }, null);
    const streams = [
      { name: 'stdout', commandId: COMMAND, bytes: Uint8Array.of(0, 1, 2, 255) },
      { name: 'stdout', commandId: null, bytes: new Uint8Array() },
    ];
    roundTrip(O.receive, { commandId: null }, { streams, commandState: null });
    roundTrip(
      O.receive,
      { commandId: COMMAND },
      { streams: [], commandState: { commandId: COMMAND, state: 'Done', exitCode: -1 } },
    );
    roundTrip(O.signal, { commandId: COMMAND, signalCode: 'x' }, null);
    roundTrip(O.deleteShell, null, null);
    roundTrip(O.disconnect, { idleTimeoutMs: null, bufferMode: null }, null);
    roundTrip(O.reconnect, { commandId: null }, null);
    const answer = { connectResponseXml: Uint8Array.of(1, 2), inputStreams: 'stdin pr', outputStreams: 'stdout' };
    roundTrip(O.connect, { commandId: null, protocolVersion: '2.3', connectXml: new Uint8Array() }, answer);
    roundTrip(O.connect, { commandId: COMMAND }, { connectResponseXml: null, inputStreams: null, outputStreams: null });
    const commands = [{ commandId: COMMAND, label: 'Get-Date', state: 'Running' }];
    roundTrip(O.enumerate, { commandsOf: null }, { shells: [shell, shell], commands: [], context: null });
    roundTrip(O.enumerate, { commandsOf: SHELL }, { shells: [], commands, context: 'more' });
    roundTrip(O.pull, { context: 'more' }, { shells: [], commands, context: null });
    roundTrip(O.pull, { context: 'more' }, { shells: [shell], commands: [], context: 'x' });
    roundTrip(O.getShell, null, shell);
    roundTrip(O.getConfig, null, { maxEnvelopeBytes: 512_000, maxTimeoutMs: 60_000 });
  });

  it('refuses with faults that the client reads', () => {
    const fault = {
      value: 'Receiver',
      subcode: 'wsman:TimedOut',
      wsmanCode: 2150858793,
      message: 'not <now>',
      machine: 'LAB',
      faultDetail: 'UnexpectedSelectors',
    } as const;
    const bytes = new TextEncoder().encode(writeFault(ids, fault));
    expect(faultOf(() => requests.read(prepared.create, bytes))).toMatchObject({
      isTimeout: true,
      activityId: ids.activityId,
      fault: { message: 'not <now>', machine: 'LAB', subcode: 'TimedOut', faultDetail: 'UnexpectedSelectors' },
    });
  });

  it('answers Identify', () => {
    const identity = { protocolVersion: 'http://x/', productVendor: 'Microsoft Corporation', productVersion: null };
    const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
    expect(decodeIdentity(utf8(encodeIdentity(identity)))).toEqual(identity);
    expect(isIdentify(utf8(encodeIdentify()))).toBe(true);
    expect(isIdentify(prepared.create.bytes)).toBe(false);
  });
});
