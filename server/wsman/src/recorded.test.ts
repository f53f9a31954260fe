/** Traffic of real Windows servers, read in place where it is installed. */
import { describe, expect, it } from 'vitest';
import {
  badEnvelopes,
  NO_WINDOWS_CAPTURES,
  recordedExchanges,
  windowsCaptures,
  windowsFile,
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
import type { AnswerCodec, Operation, Prepared, ReceivedRequest, ReceiveResponse } from './index.ts';

const exchanges = recordedExchanges();
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const isText = (exchange: RecordedExchange): boolean => exchange.request.includes(`${SHELL_RESOURCE}/cmd<`);
/** There the client asks on purpose with a time-out that is none. */
const BAD_TIMEOUT = 'psrp_is_alive_other_wsman_error 3';
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

describe('recorded answers', () => {
  it.for(powerShell.length === 0 ? [null] : [...new Set(powerShell.map(actionOf))])(
    'to %s tell what is on the wire',
    (action, ctx) => {
      ctx.skip(action === null, NO_WINDOWS_CAPTURES);
      for (const exchange of powerShell.filter((each) => actionOf(each) === action && each.response !== null)) {
        const text = exchange.response ?? '';
        let answer: unknown;
        try {
          answer = anyClient.read(preparedFor(exchange), utf8(text));
        } catch (error) {
          if (!(error instanceof WsManFaultError)) throw error;
          expect(error.number, exchange.id).toBe(Number(/ Code="([0-9]+)"/.exec(text)?.[1]));
          expect(error.fault.message).not.toBe('');
          continue;
        }
        expect(exchange.status, exchange.id).toBe(200);
        if (action === OPERATIONS.receive.action) checkReceived(answer, text, exchange.id);
        if (action === OPERATIONS.create.action) checkCreated(answer, text, exchange.id);
        if (action === OPERATIONS.command.action) {
          expect(answer, exchange.id).toEqual({ commandId: /<rsp:CommandId>([^<]*)</.exec(text)?.[1] });
        }
        if (action === OPERATIONS.enumerate.action) checkListed(answer, text, exchange.id);
        if (action === OPERATIONS.connect.action) {
          const xml = /connectResponseXml[^>]*>([^<]*)</.exec(text)?.[1] ?? null;
          const bytes = xml === null ? null : new Uint8Array(Buffer.from(xml, 'base64'));
          expect(answer, exchange.id).toMatchObject({ connectResponseXml: bytes });
        }
      }
    },
  );

  it('of text shells decode too', (ctx) => {
    ctx.skip(windowsCaptures === null, NO_WINDOWS_CAPTURES);
    // One answer there belongs to another run: its RelatesTo names no recorded request.
    const texts = exchanges.filter((each) => isText(each) && each.id !== 'winrs_unicode 4');
    for (const exchange of texts) {
      try {
        anyClient.read(preparedFor(exchange), utf8(exchange.response ?? ''));
      } catch (error) {
        if (!(error instanceof WsManFaultError)) throw error;
        expect(error.number, exchange.id).toBe(Number(/ Code="([0-9]+)"/.exec(exchange.response ?? '')?.[1]));
      }
    }
    expect(texts.length).toBeGreaterThan(50);
  });

  it('give the size of envelopes, and time-outs as what they are', (ctx) => {
    ctx.skip(windowsCaptures === null, NO_WINDOWS_CAPTURES);
    const of = (id: string): RecordedExchange => exchanges.find((each) => each.id === id) ?? never(id);
    const answerTo = (id: string): unknown => anyClient.read(preparedFor(of(id)), utf8(of(id).response ?? ''));
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

function checkReceived(answer: unknown, text: string, id: string): void {
  const streams = all(text, /<rsp:Stream [^>]*>([^<]*)</g);
  const state = /CommandState\/(\w+)"/.exec(text)?.[1];
  const { streams: got, commandState } = answer as ReceiveResponse;
  expect(
    got.map(({ bytes }) => Buffer.from(bytes).toString('base64')),
    id,
  ).toEqual(streams);
  if (state === undefined) expect(commandState, id).toBeNull();
  else expect(commandState, id).toMatchObject({ state, exitCode: state === 'Done' ? 0 : null });
}

function checkCreated(answer: unknown, text: string, id: string): void {
  const field = (name: string): string | undefined => new RegExp(`<rsp:${name}>([^<]*)<`).exec(text)?.[1];
  expect(answer, id).toMatchObject({ shellId: /Selector Name="ShellId">([^<]*)</.exec(text)?.[1] });
  const shell = text.includes('<rsp:Shell')
    ? {
        state: field('State'),
        owner: field('Owner'),
        processId: Number(field('ProcessId')),
        shellId: field('ShellId'),
        profileLoaded: field('ProfileLoaded'),
      }
    : null;
  if (shell === null) expect(answer, id).toMatchObject({ shell });
  else expect(answer, id).toMatchObject({ shell: { ...shell, maxIdleTimeoutMs: 2_147_483_647, runTimeMs: 0 } });
}

function checkListed(answer: unknown, text: string, id: string): void {
  expect(answer, id).toMatchObject({
    shells: all(text, /<rsp:ShellId>([^<]*)</g).map((shellId) => ({ shellId, state: 'Disconnected' })),
    commands: all(text, /<rsp:CommandId>([^<]*)</g).map((commandId) => ({ commandId, label: '', state: 'Running' })),
    context: null,
  });
}

describe('recorded requests', () => {
  it.for(powerShell.length === 0 ? [null] : [...new Set(powerShell.map(actionOf))])(
    '%s has the same headers and shape from us',
    (action, ctx) => {
      ctx.skip(action === null, NO_WINDOWS_CAPTURES);
      for (const exchange of powerShell.filter((each) => actionOf(each) === action && each.id !== BAD_TIMEOUT)) {
        const { header, body, notUnderstood } = readRequest(utf8(exchange.request));
        expect(notUnderstood, exchange.id).toEqual([]);
        const operation = operationOf(exchange);
        const request = operation.decodeRequest(body, header.options);
        const ours = clientOf(header, idOf(exchange.request)).prepare(operation, request, {
          selectors: header.selectors,
        });
        expect(shapeOf(new TextDecoder().decode(ours.bytes)), exchange.id).toEqual(shapeOf(exchange.request));
      }
    },
  );

  it('are for PowerShell, shells or the configuration', (ctx) => {
    ctx.skip(windowsCaptures === null, NO_WINDOWS_CAPTURES);
    const resources = new Set(powerShell.map(({ request }) => /ResourceURI[^>]*>([^<]*)</.exec(request)?.[1] ?? ''));
    for (const each of resources) {
      expect(each.startsWith(POWERSHELL_RESOURCE) || each.startsWith(SHELL_RESOURCE) || each === CONFIG_RESOURCE).toBe(
        true,
      );
    }
    expect(powerShell.length).toBeGreaterThan(250);
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
