import { describe, expect, it } from 'vitest';
import { consoleHostInfo, decodePacket, encodePacket, OutOfProcClient, OutOfProcServer } from '../index.ts';
import type { ClientEvent } from '../index.ts';

const POOL = '00112233-4455-6677-8899-aabbccddeeff';
const PIPELINE = '10213243-5465-7687-98a9-bacbdcedfe0f';
const ZERO = '00000000-0000-0000-0000-000000000000';
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function opening(): OutOfProcClient {
  const client = new OutOfProcClient({ poolId: POOL, newId: () => PIPELINE });
  client.open({ hostInfo: consoleHostInfo({ cols: 80, rows: 25 }) });
  return client;
}
function opened(): { client: OutOfProcClient; server: OutOfProcServer } {
  const client = opening();
  const server = new OutOfProcServer();
  server.receive(client.takeOutgoing());
  server.pool.opened(null);
  for (const line of server.takeOutgoing()) client.receive(line);
  expect(client.state).toBe('Opened');
  return { client, server };
}
const told = (events: readonly ClientEvent[]): string[] =>
  events.map((event) => (event.type === 'failed' ? event.error.code : event.type));

describe('a client', () => {
  it.each(['Command', 'Signal', 'Close'] as const)('fails on %s, which only a client sends', (element) => {
    const { client } = opened();
    expect(told(client.receive(encodePacket({ element, pipelineId: PIPELINE })))).toEqual([
      'oop_bad_packet',
      'poolState',
    ]);
  });

  it('drops acknowledgements for what it does not know', () => {
    const { client } = opened();
    for (const element of ['DataAck', 'CommandAck', 'SignalAck', 'CloseAck'] as const)
      expect(client.receive(encodePacket({ element, pipelineId: PIPELINE }))).toEqual([]);
    for (const element of ['CommandAck', 'SignalAck'] as const)
      expect(client.receive(encodePacket({ element, pipelineId: null }))).toEqual([]);
  });

  it('stops a pipeline when what was sent of it is acknowledged, before what waits', () => {
    const { client } = opened();
    const out = (): string[] =>
      new TextDecoder()
        .decode(client.takeOutgoing())
        .split('\n')
        .map((line) => line.slice(1, line.indexOf(' ')))
        .filter((name) => name !== '');
    const answer = (element: 'CommandAck' | 'DataAck'): void => {
      client.receive(encodePacket({ element, pipelineId: PIPELINE }));
    };
    client.createPipeline({ commands: [{ command: 'x'.repeat(40_000), isScript: true }], noInput: false });
    client.sendInput(PIPELINE, 'waits');
    client.stop(PIPELINE);
    expect(out()).toEqual(['Command']);
    answer('CommandAck');
    expect(out()).toEqual(['Data']);
    answer('DataAck');
    expect(out()).toEqual(['Data']);
    answer('DataAck');
    expect(out()).toEqual(['Signal', 'Data']);
  });

  it('takes a refusal as the end of its opening, and as a note later', () => {
    const refused = bytes('__NamedPipeError__:Remote transport error: The maximum pool size cannot be less than 1.\n');
    const first = opening();
    expect(told(first.receive(refused))).toEqual(['errorLine', 'poolState']);
    expect(told(opening().receive(bytes('__NamedPipeError__:Remote transport error: \n')))).toEqual([
      'errorLine',
      'poolState',
    ]);
    const { client } = opened();
    expect(client.receive(refused)).toEqual([
      { type: 'errorLine', text: 'The maximum pool size cannot be less than 1.', isFatal: false },
    ]);
    expect(client.state).toBe('Opened');
  });

  it('ends on a fatal line and passes over its trace', () => {
    const { client } = opened();
    const fatal = bytes('__NAMEDPIPEERROR__:bad   at X\n   at System.Y\n   at System.Z\n');
    expect(told(client.receive(fatal))).toEqual(['errorLine', 'poolState']);
    expect(client.receive(bytes('<more\n'))).toEqual([]);
  });

  it('keeps text before the first packet as noise, a trace or markup among it, and refuses it later', () => {
    const client = opening();
    expect(told(client.receive(bytes('welcome\n<b>banner</b>\n   at home\n')))).toEqual(['noise', 'noise', 'noise']);
    expect(told(opening().receive(bytes('<Data Stream=\n')))).toEqual(['oop_bad_packet', 'poolState']);
    const { client: later } = opened();
    expect(told(later.receive(bytes('text between\n')))).toEqual(['oop_bad_packet', 'poolState']);
  });

  it('ends with its channel, with all that is known, and quietly while it closes', () => {
    const message = (events: readonly ClientEvent[]): string | undefined => {
      const last = events.at(-1);
      return last?.type === 'poolState' ? last.error?.message : undefined;
    };
    expect(message(opened().client.channelEnded({ exitStatus: null }))).toMatch(/ended$/);
    expect(message(opened().client.channelEnded({ exitStatus: 127, stderr: '' }))).toMatch(/ended with status 127$/);
    const { client } = opened();
    client.close();
    expect(client.channelEnded({ exitStatus: 160 })).toMatchObject([{ type: 'poolState', state: 'Closed' }]);
    expect(client.fail('late')).toEqual([]);
  });
});

describe('a server', () => {
  it.each(['DataAck', 'CommandAck', 'SignalAck', 'CloseAck'] as const)(
    'exits on %s, which only a server sends',
    (element) => {
      const { server } = opened();
      expect(server.receive(encodePacket({ element, pipelineId: PIPELINE })).map(({ type }) => type)).toEqual([
        'failed',
        'exit',
      ]);
      expect(server.hasExited).toBe(true);
      expect(server.receive(bytes('anything\n'))).toEqual([]);
      expect(server.end()).toEqual([]);
    },
  );

  it.each(['Command', 'Signal'] as const)('exits on %s for the session', (element) => {
    expect(
      opened()
        .server.receive(encodePacket({ element, pipelineId: null }))
        .at(-1),
    ).toEqual({ type: 'exit', status: 160 });
  });

  it('exits on text, on an empty line as at the end of input', () => {
    expect(
      opened()
        .server.receive(bytes('hello\n'))
        .map(({ type }) => type),
    ).toEqual(['failed', 'exit']);
    expect(
      opened()
        .server.receive(bytes('\n'))
        .map(({ type }) => type),
    ).toEqual(['closed', 'exit']);
    expect(
      opened()
        .server.end()
        .map(({ type }) => type),
    ).toEqual(['closed', 'exit']);
  });

  it('acknowledges what is for nobody', () => {
    const { server } = opened();
    server.takeOutgoing();
    const answer = (line: Uint8Array): string => {
      expect(server.receive(line)).toEqual([]);
      return server
        .takeOutgoing()
        .map((each) => new TextDecoder().decode(each))
        .join('');
    };
    const data = Uint8Array.of(1, 2, 3);
    expect(answer(encodePacket({ element: 'Data', priority: 'default', pipelineId: PIPELINE, data }))).toContain(
      '<DataAck ',
    );
    expect(answer(encodePacket({ element: 'Signal', pipelineId: PIPELINE }))).toContain('<SignalAck ');
    expect(answer(encodePacket({ element: 'Close', pipelineId: PIPELINE }))).toContain('<CloseAck ');
  });
});

describe('a packet', () => {
  it.each([
    ['an element that nobody knows', `<Hello PSGuid='${ZERO}' />`],
    ['no element', 'hello'],
    ['no GUID', '<DataAck />'],
    ['a bad GUID', `<DataAck PSGuid='1' />`],
    ['Data with a bad GUID', `<Data Stream='Default' PSGuid='${'x'.repeat(36)}'>AAAA</Data>`],
    ['an attribute without quotes', `<DataAck PSGuid=${ZERO} />`],
    ['an attribute twice', `<DataAck PSGuid='${ZERO}' PSGuid='${ZERO}' />`],
    ['an attribute too many', `<DataAck PSGuid='${ZERO}' Stream='Default' />`],
    ['content where there is none', `<DataAck PSGuid='${ZERO}'>x</DataAck>`],
    ['Data without stream', `<Data PSGuid='${ZERO}'>AAAA</Data>`],
    ['Data without content', `<Data Stream='Default' PSGuid='${ZERO}'></Data>`],
    ['Data that is empty', `<Data Stream='Default' PSGuid='${ZERO}' />`],
    ['Data that is not base64', `<Data Stream='Default' PSGuid='${ZERO}'>A*AA</Data>`],
    ['Data without an end', `<Data Stream='Default' PSGuid='${ZERO}'>AAAA`],
    ['something after the end', `<Data Stream='Default' PSGuid='${ZERO}'>AAAA</Data>x`],
  ])('is refused: %s', (_, line) => {
    expect(() => decodePacket(bytes(line))).toThrow(expect.objectContaining({ code: 'oop_bad_packet' }));
  });

  it('may have double quotes, any order, any case of the stream and space before the end', () => {
    const forms = [
      `<Data PSGuid="${PIPELINE}" Stream="PROMPTRESPONSE">AAAA</Data>`,
      `<Data  Stream = 'promptresponse'  PSGuid = '${PIPELINE.toUpperCase()}' >AA AA</Data>`,
    ];
    for (const form of forms)
      expect(decodePacket(bytes(form)), form).toMatchObject({ priority: 'promptResponse', pipelineId: PIPELINE });
    expect(decodePacket(bytes(`<Data Stream='Other' PSGuid='${ZERO}'>AAAA</Data>`))).toMatchObject({
      priority: 'default',
      pipelineId: null,
    });
    expect(decodePacket(bytes(`<CloseAck PSGuid="${PIPELINE}"/>`))).toEqual({
      element: 'CloseAck',
      pipelineId: PIPELINE,
    });
  });
});
