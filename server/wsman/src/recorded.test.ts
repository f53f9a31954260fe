/** Traffic of real Windows servers, read in place where it is installed. */
import { describe, expect, it } from 'vitest';
import {
  badEnvelopes,
  NO_WINDOWS_CAPTURES,
  recordedExchanges,
  recordedScenarios,
  windowsCaptures,
  windowsFile,
  windowsFiles,
} from '../../../test/lab/windows-captures.ts';
import { shapeOf } from '../../../test/lab/recorded-shape.ts';
import type { RecordedExchange } from '../../../test/lab/windows-captures.ts';
import {
  OPERATIONS,
  readRequest,
  Requests,
  WsManError,
  WsManFaultError,
  CONFIG_RESOURCE,
  POWERSHELL_RESOURCE,
  SHELL_RESOURCE,
} from './index.ts';
import type { AnswerCodec, Operation, Prepared, ReceivedRequest, ReceiveResponse, ShellInfo } from './index.ts';

const exchanges = recordedExchanges();
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const isText = (exchange: RecordedExchange): boolean => exchange.request.includes(`${SHELL_RESOURCE}/cmd<`);
const powerShell = exchanges.filter((exchange) => !isText(exchange));
const actionOf = ({ request }: RecordedExchange): string => /Action[^>]*>([^<]*)</.exec(request)?.[1] ?? '';

/** Which of our operations a request is. */
function operationOf(exchange: RecordedExchange): Operation<unknown, unknown> {
  const action = actionOf(exchange);
  const isConfig = exchange.request.includes(`>${CONFIG_RESOURCE}<`);
  const found = Object.values(OPERATIONS).find(
    (each) => each.action === action && (each === OPERATIONS.getConfig) === isConfig,
  );
  if (found === undefined) throw new Error(`no operation ${action}`);
  return found;
}

const idOf = (text: string): string => /MessageID>([^<]*)</.exec(text)?.[1] ?? '';
const clientOf = (header: ReceivedRequest['header'], messageId: string): Requests =>
  new Requests({
    url: header.to,
    resourceUri: header.resourceUri,
    sessionId: (header.sessionId ?? '').replace(/^uuid:/, ''),
    newId: () => messageId.replace(/^uuid:/, ''),
    maxEnvelopeBytes: header.maxEnvelopeBytes ?? 0,
    operationTimeoutMs: header.operationTimeoutMs ?? 0,
    locale: header.locale ?? '',
    dataLocale: header.dataLocale ?? '',
  });
const anyClient = clientOf(readRequest(utf8(REQUEST())).header, 'uuid:0');
function REQUEST(): string {
  return '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><s:Header><a:To>x</a:To><w:ResourceURI>x</w:ResourceURI><a:Action>x</a:Action><a:MessageID>x</a:MessageID></s:Header><s:Body/></s:Envelope>';
}
const preparedFor = (exchange: RecordedExchange): Prepared<unknown> => ({
  operation: operationOf(exchange),
  messageId: idOf(exchange.request),
  bytes: new Uint8Array(),
});

/** Every match of an expression's first group: an independent look at the wire. */
const all = (text: string, expression: RegExp): string[] =>
  [...text.matchAll(expression)].map((found) => found[1] ?? '');

/** Not answers to what was asked there. */
const NOT_DECODED: ReadonlyMap<string, string> = new Map([
  ['psrp_is_alive_http_error 4', 'there was none: the connection was lost'],
  ['winrs_unicode 4', 'it belongs to another run: its RelatesTo names no recorded request'],
]);
/** Not asked by us. */
const NOT_COMPARED: ReadonlyMap<string, string> = new Map([
  ['psrp_is_alive_other_wsman_error 3', 'that client asks on purpose with a time-out that is none'],
]);
/** Requests for a text shell (cmd) are another protocol, which our client does not speak: their answers are decoded only. */
const TEXT_SHELLS_ONLY = [
  ...['client_execute_cmd', 'winrs_bad_cmd_id', 'winrs_environment', 'winrs_extra_opts', 'winrs_fail_poll_process'],
  ...['winrs_no_cmd_shell', 'winrs_noprofile', 'winrs_open_already_opened', 'winrs_send', 'winrs_standard'],
  'winrs_unicode',
];
/** There PowerShell has done its part when the text shells come. */
const TEXT_SHELLS_TOO = ['client_copy_file', 'client_copy_file_empty', 'client_copy_file_warning'];

const scenarios = recordedScenarios();
const of = (scenario: string, from = exchanges): RecordedExchange[] =>
  from.filter(({ id }) => id.startsWith(`${scenario} `));

describe('recorded answers', () => {
  it.for(scenarios.length === 0 ? [null] : scenarios)('of %s tell what is on the wire', (scenario, ctx) => {
    ctx.skip(scenario === null, NO_WINDOWS_CAPTURES);
    const all = of(scenario ?? '');
    const answers = all.filter(({ id }) => !NOT_DECODED.has(id));
    expect(answers.length).toBeGreaterThan(0);
    expect(all.filter(({ response }) => response === null).every(({ id }) => NOT_DECODED.has(id))).toBe(true);
    for (const exchange of answers) checkAnswer(exchange);
  });

  it('give the size of envelopes, and time-outs as what they are', (ctx) => {
    ctx.skip(windowsCaptures === null, NO_WINDOWS_CAPTURES);
    const one = (id: string): RecordedExchange => exchanges.find((each) => each.id === id) ?? never(id);
    const answerTo = (id: string): unknown => anyClient.read(preparedFor(one(id)), utf8(one(id).response ?? ''));
    expect(answerTo('wsman_update_envelope_size_4096 0')).toEqual({
      maxEnvelopeBytes: 4_194_304,
      maxTimeoutMs: 60_000,
    });
    expect(() => answerTo('psrp_long_running_cmdlet 5')).toThrow(expect.objectContaining({ isTimeout: true }));
    expect(() => answerTo('psrp_receive_failure 3')).toThrow(expect.objectContaining({ code: 'target_shell_gone' }));
    expect(answerTo('psrp_run_protocol_version_2.1 0')).toMatchObject({ shell: null });
  });
});

function never(id: string): never {
  throw new Error(`no exchange ${id}`);
}

function checkAnswer(exchange: RecordedExchange): void {
  const { id } = exchange;
  const text = exchange.response ?? '';
  let answer: unknown;
  try {
    answer = anyClient.read(preparedFor(exchange), utf8(text));
  } catch (error) {
    if (!(error instanceof WsManFaultError)) throw error;
    expect(error.number, id).toBe(Number(/ Code="([0-9]+)"/.exec(text)?.[1]));
    expect(error.fault.message, id).not.toBe('');
    return;
  }
  expect(exchange.status, id).toBe(200);
  const operation = operationOf(exchange);
  if (ACKNOWLEDGED.has(operation)) expect(answer, id).toBeNull();
  else (CHECKS.get(operation) ?? never(id))(answer, text, id);
}

const O = OPERATIONS;
/** The answer says nothing more. */
const ACKNOWLEDGED: ReadonlySet<unknown> = new Set([O.send, O.signal, O.disconnect, O.reconnect, O.deleteShell]);
type Check = (answer: unknown, text: string, id: string) => void;
const CHECKS: ReadonlyMap<unknown, Check> = new Map<unknown, Check>([
  [O.receive, checkReceived],
  [O.create, checkCreated],
  [O.enumerate, checkListed],
  [O.getShell, (answer, text, id) => expect(answer, id).toEqual(shellsOf(text)[0])],
  [O.getConfig, (answer, text, id) => expect(answer, id).toEqual({ maxEnvelopeBytes: Number(textOf(text, 'MaxEnvelopeSizekb')) * 1024, maxTimeoutMs: Number(textOf(text, 'MaxTimeoutms')) })],
  [O.command, (answer, text, id) => expect(answer, id).toEqual({ commandId: textOf(text, 'CommandId') })],
  [O.connect, (answer, text, id) => {
    const xml = textOf(text, 'connectResponseXml');
    const bytes = xml === null ? null : new Uint8Array(Buffer.from(xml, 'base64'));
    expect(answer, id).toMatchObject({ connectResponseXml: bytes });
  }],
]); // prettier-ignore

const textOf = (text: string, name: string): string | null =>
  new RegExp(`<(?:\\w+:)?${name}(?: [^>]*)?>([^<]*)<`).exec(text)?.[1] ?? null;
const asNumber = (text: string): number => Number(text);
function asTime(text: string): number {
  const [, days = 0, hours = 0, minutes = 0, seconds = 0] =
    /^P(?:(\d+)D)?T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?$/.exec(text) ?? never(text);
  return Math.round((((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000);
}
const SHELL_FIELDS: Readonly<Record<keyof ShellInfo, readonly [string, ((text: string) => number)?]>> = {
  shellId: ['ShellId'],
  name: ['Name'],
  resourceUri: ['ResourceUri'],
  owner: ['Owner'],
  clientIp: ['ClientIP'],
  processId: ['ProcessId', asNumber],
  idleTimeoutMs: ['IdleTimeOut', asTime],
  maxIdleTimeoutMs: ['MaxIdleTimeOut', asTime],
  inputStreams: ['InputStreams'],
  outputStreams: ['OutputStreams'],
  locale: ['Locale'],
  dataLocale: ['DataLocale'],
  compressionMode: ['CompressionMode'],
  profileLoaded: ['ProfileLoaded'],
  encoding: ['Encoding'],
  bufferMode: ['BufferMode'],
  state: ['State'],
  runTimeMs: ['ShellRunTime', asTime],
  inactivityMs: ['ShellInactivity', asTime],
  memoryUsed: ['MemoryUsed'],
  childProcesses: ['ChildProcesses', asNumber],
};
/** What an answer says of shells, each field. */
const shellsOf = (text: string): object[] =>
  all(text, /<rsp:Shell(?: [^>]*)?>(.*?)<\/rsp:Shell>/gs).map((shell) =>
    Object.fromEntries(
      Object.entries(SHELL_FIELDS).map(([field, [name, convert]]) => {
        const found = textOf(shell, name);
        return [field, found === null || convert === undefined ? found : convert(found)];
      }),
    ),
  );

function checkReceived(answer: unknown, text: string, id: string): void {
  const streams = [...text.matchAll(/<rsp:Stream [^>]*Name="(\w+)"[^>]*?(?:\/>|>([^<]*)<)/g)];
  const state = /CommandState\/(\w+)"/.exec(text)?.[1];
  const exitCode = textOf(text, 'ExitCode');
  const { streams: got, commandState } = answer as ReceiveResponse;
  expect(
    got.map(({ name, bytes }) => [name, Buffer.from(bytes).toString('base64')]),
    id,
  ).toEqual(streams.map(([, name, bytes]) => [name, bytes ?? '']));
  if (state === undefined) expect(commandState, id).toBeNull();
  else expect(commandState, id).toMatchObject({ state, exitCode: exitCode === null ? null : Number(exitCode) });
}

function checkCreated(answer: unknown, text: string, id: string): void {
  expect(answer, id).toMatchObject({
    shellId: /Selector Name="ShellId">([^<]*)</.exec(text)?.[1],
    shell: shellsOf(text)[0] ?? null,
  });
}

function checkListed(answer: unknown, text: string, id: string): void {
  expect(answer, id).toMatchObject({
    shells: shellsOf(text),
    commands: all(text, /<rsp:CommandId>([^<]*)</g).map((commandId) => ({ commandId, label: '', state: 'Running' })),
    context: null,
  });
}

describe('recorded requests', () => {
  const asking = scenarios.filter((scenario) => of(scenario, powerShell).length > 0);

  it.for(asking.length === 0 ? [null] : asking)('of %s have the same headers and shape from us', (scenario, ctx) => {
    ctx.skip(scenario === null, NO_WINDOWS_CAPTURES);
    for (const exchange of of(scenario ?? '', powerShell)) {
      if (NOT_COMPARED.has(exchange.id)) continue;
      const { header, body, notUnderstood } = readRequest(utf8(exchange.request));
      expect(notUnderstood, exchange.id).toEqual([]);
      const operation = operationOf(exchange);
      const request = operation.decodeRequest(body, header.options);
      const ours = clientOf(header, idOf(exchange.request)).prepare(operation, request, {
        selectors: header.selectors,
      });
      expect(shapeOf(new TextDecoder().decode(ours.bytes)), exchange.id).toEqual(shapeOf(exchange.request));
    }
  });

  it('that are not compared are for text shells', (ctx) => {
    ctx.skip(windowsCaptures === null, NO_WINDOWS_CAPTURES);
    expect(scenarios.filter((scenario) => !asking.includes(scenario))).toEqual(TEXT_SHELLS_ONLY);
    const both = asking.filter((scenario) => of(scenario, powerShell).length < of(scenario).length);
    expect(both).toEqual(TEXT_SHELLS_TOO);
    const ids = exchanges.map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining([...NOT_DECODED.keys(), ...NOT_COMPARED.keys()]));
  });

  it('have every operation of ours but Pull, which no list there was long enough for', (ctx) => {
    ctx.skip(windowsCaptures === null, NO_WINDOWS_CAPTURES);
    const compared = new Set(powerShell.map(operationOf));
    const missing = Object.entries(OPERATIONS).filter(([, operation]) => !compared.has(operation));
    expect(missing.map(([name]) => name)).toEqual(['pull']);
  });

  it('are for PowerShell, shells or the configuration', (ctx) => {
    ctx.skip(windowsCaptures === null, NO_WINDOWS_CAPTURES);
    const resources = new Set(powerShell.map(({ request }) => /ResourceURI[^>]*>([^<]*)</.exec(request)?.[1] ?? ''));
    for (const each of resources) {
      expect(each.startsWith(POWERSHELL_RESOURCE) || each.startsWith(SHELL_RESOURCE) || each === CONFIG_RESOURCE).toBe(
        true,
      );
    }
  });
});

describe('other recorded files', () => {
  const read = (name: string, operation: AnswerCodec<unknown>, relatesTo: string): unknown =>
    anyClient.read({ operation, messageId: relatesTo, bytes: new Uint8Array() }, utf8(windowsFile(name) ?? ''));

  it('an answer to a client of PowerShell 7.4, indented', (ctx) => {
    ctx.skip(windowsCaptures === null, NO_WINDOWS_CAPTURES);
    expect(read('resource_created.xml', OPERATIONS.create, 'uuid:622D032A-F9B3-498D-B447-1359C3BB14F3')).toMatchObject({
      shellId: '07936B27-7752-4325-8B0D-E7A1E9448320',
      resourceUri: 'http://schemas.microsoft.com/powershell/Microsoft.PowerShell',
      shell: { owner: 'Administrator', dataLocale: 'en-CA', compressionMode: 'XpressCompression', processId: 6228 },
    });
    const relatesTo = /RelatesTo>\s*([^<\s]*)/.exec(windowsFile('receive_response.xml') ?? '')?.[1] ?? '';
    expect(read('receive_response.xml', OPERATIONS.receive, relatesTo)).toMatchObject({
      streams: [{ name: 'stdout' }],
    });
  });

  it('are read, or named here', (ctx) => {
    ctx.skip(windowsCaptures === null, NO_WINDOWS_CAPTURES);
    const notRead = [
      'LICENSE-ironPosh-MIT.txt',
      // Messages of PSRP by themselves, which this package carries and does not read.
      ...['command_completion_get_ser.xml', 'creationXml', 'error_record.xml'],
      // Sealed with a key that nobody has.
      'real_encrypted_soap.txt',
    ];
    const readHere = ['error_response.xml', 'receive_response.xml', 'resource_created.xml'];
    expect(windowsFiles()).toEqual([...notRead, ...readHere].sort());
  });

  it('a fault about our form', (ctx) => {
    ctx.skip(windowsCaptures === null, NO_WINDOWS_CAPTURES);
    expect(() => read('error_response.xml', OPERATIONS.receive, 'uuid:bead0162-a67d-424d-9e22-4a18b6aefea8')).toThrow(
      expect.objectContaining({
        number: 2150858817,
        explanation: expect.objectContaining({ kind: 'our_fault' }) as unknown,
      }),
    );
  });

  it.for(badEnvelopes().length === 0 ? [null] : badEnvelopes())(
    'the bad envelope %s is refused by name',
    (name, ctx) => {
      ctx.skip(name === null, NO_WINDOWS_CAPTURES);
      expect(() => read(`malformed/${name ?? ''}`, OPERATIONS.receive, 'uuid:0')).toThrow(WsManError);
    },
  );
});
