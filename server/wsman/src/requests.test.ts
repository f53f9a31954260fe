import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  COMMAND_RESOURCE,
  encodeIdentify,
  ENVELOPE_BYTES,
  OPERATIONS,
  readRequest,
  Requests,
  resourceUri,
  SHELL_RESOURCE,
  SIGNAL,
  endpointUrl,
} from './index.ts';
import type { Operation, RequestsOptions, RequestTarget } from './index.ts';

const SHELL = 'f86510a5-1a3b-44a8-8f7e-0123456789ab';
const COMMAND = '10213243-5465-7687-98a9-bacbdcedfe0f';
const OPTIONS: RequestsOptions = {
  url: endpointUrl({ host: 'target.example', isTls: true }),
  resourceUri: resourceUri(),
  sessionId: '11112222-3333-4444-5555-666677778888',
  newId: () => '00000000-0000-0000-0000-00000000000a',
  maxEnvelopeBytes: ENVELOPE_BYTES.old,
  operationTimeoutMs: 20_000,
  locale: 'en-US',
  dataLocale: 'de-DE',
};
const requests = new Requests(OPTIONS);
const inShell: RequestTarget = { selectors: Requests.shell(SHELL) };
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** A vector without the white space between tags and inside start tags. */
const vector = (name: string): string =>
  readFileSync(new URL(`../vectors/requests/${name}.xml`, import.meta.url), 'utf8')
    .replace(/>\s+</g, '><')
    .replace(/\n\s+xmlns/g, ' xmlns')
    .trim();

interface Case {
  readonly name: string;
  readonly written: Uint8Array;
  /** What the server role reads. */
  readonly read: unknown;
  readonly request: unknown;
}
function make<Request>(
  name: string,
  operation: Operation<Request, unknown>,
  request: Request,
  target: RequestTarget = inShell,
): Case {
  const written = requests.prepare(operation, request, target).bytes;
  const { header, body } = readRequest(written);
  return { name, written, read: operation.decodeRequest(body, header.options), request };
}

const O = OPERATIONS;
const creation = {
  shellId: SHELL.toUpperCase(),
  name: 'Runspace1',
  protocolVersion: '2.3',
  creationXml: bytes(0, 1, 2, 3),
  idleTimeoutMs: null,
  bufferMode: null,
  isNoProfile: false,
};
const label = 'Get-Item "a" | ? { $_ -and 1 -lt 2 } & <x>';
const cases: readonly Case[] = [
  make('create', O.create, creation, {}),
  make(
    'create-with-options',
    O.create,
    {
      ...creation,
      name: null,
      creationXml: bytes(255),
      idleTimeoutMs: 3_600_000,
      bufferMode: 'Drop' as const,
      isNoProfile: true,
    },
    { resourceUri: resourceUri('JEA.Help&Desk') },
  ),
  make('command', O.command, { commandId: COMMAND.toUpperCase(), label, arguments: bytes(0, 1, 2) }),
  make('send-to-command', O.send, { stream: 'pr', commandId: COMMAND.toUpperCase(), bytes: bytes(0, 1, 2, 3, 4) }),
  make('send-to-pool', O.send, { stream: 'stdin', commandId: null, bytes: bytes(0, 1, 2, 3, 4) }),
  make('receive', O.receive, { commandId: null }),
  make('receive-of-command', O.receive, { commandId: COMMAND.toUpperCase() }),
  make('signal-stop', O.signal, { commandId: COMMAND.toUpperCase(), signalCode: SIGNAL.stop }),
  make('signal-terminate', O.signal, { commandId: COMMAND.toUpperCase(), signalCode: SIGNAL.terminate }),
  make('delete', O.deleteShell, null),
  make('disconnect', O.disconnect, { idleTimeoutMs: 60_000, bufferMode: 'Block' }),
  make('disconnect-as-it-is', O.disconnect, { idleTimeoutMs: null, bufferMode: null }),
  make('reconnect', O.reconnect, { commandId: null }),
  make('reconnect-command', O.reconnect, { commandId: COMMAND.toUpperCase() }),
  make('connect', O.connect, { commandId: null, protocolVersion: '2.3', connectXml: bytes(0, 1, 2) }),
  make('connect-command', O.connect, { commandId: COMMAND.toUpperCase() }),
  make('enumerate-shells', O.enumerate, { commandsOf: null }, { resourceUri: SHELL_RESOURCE }),
  make('enumerate-commands', O.enumerate, { commandsOf: SHELL.toUpperCase() }, { resourceUri: COMMAND_RESOURCE }),
  make('pull', O.pull, { context: 'uuid:CTX' }, { resourceUri: SHELL_RESOURCE }),
  make('get-shell', O.getShell, null, { ...inShell, resourceUri: SHELL_RESOURCE }),
];

describe('requests', () => {
  it.each(cases)(
    '$name is written as its vector, and the server role reads it back',
    ({ name, written, read, request }) => {
      expect(new TextDecoder().decode(written)).toBe(vector(name));
      expect(read).toEqual(request);
    },
  );

  it('have a header that the server role reads', () => {
    const { header, notUnderstood } = readRequest(requests.prepare(O.create, creation).bytes);
    expect(notUnderstood).toEqual([]);
    expect(header).toEqual({
      to: 'https://target.example:5986/wsman',
      resourceUri: 'http://schemas.microsoft.com/powershell/Microsoft.PowerShell',
      action: 'http://schemas.xmlsoap.org/ws/2004/09/transfer/Create',
      messageId: 'uuid:00000000-0000-0000-0000-00000000000A',
      maxEnvelopeBytes: 153600,
      operationTimeoutMs: 20000,
      locale: 'en-US',
      dataLocale: 'de-DE',
      sessionId: 'uuid:11112222-3333-4444-5555-666677778888',
      options: [{ name: 'protocolversion', value: '2.3', mustComply: true }],
      selectors: [],
    });
  });

  it('Identify has an empty header', () => {
    expect(encodeIdentify()).toBe(
      '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:wsmid="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><s:Header /><s:Body><wsmid:Identify /></s:Body></s:Envelope>',
    );
  });

  it('label a command with what a log can show: cut, without controls, never empty', () => {
    const labelOf = (text: string): string => {
      const request = { commandId: null, label: text, arguments: bytes() };
      const { body } = readRequest(requests.prepare(O.command, request, inShell).bytes);
      return O.command.decodeRequest(body, []).label;
    };
    expect(labelOf('')).toBe(' ');
    expect(labelOf('a\u0000b\u001b[31m\r\nc')).toBe('a b [31m  c');
    expect(labelOf('x'.repeat(1000))).toHaveLength(255);
    expect(labelOf(`${'x'.repeat(254)}\u{1F600}`)).toBe(`${'x'.repeat(254)}\ufffd`);
  });

  it('refuse what XML cannot hold where it would change a meaning', () => {
    const request = { commandId: null, signalCode: 'a\u0000b' };
    expect(() => requests.prepare(O.signal, request, inShell)).toThrow(
      expect.objectContaining({ code: 'wsman_encode' }),
    );
  });

  it('tell the server when a header must be understood and is not', () => {
    const text = new TextDecoder().decode(requests.prepare(O.deleteShell, null, inShell).bytes);
    const more = text.replace(
      '</s:Header>',
      '<x:Odd xmlns:x="urn:x" s:mustUnderstand="true"/><x:Even xmlns:x="urn:x"/></s:Header>',
    );
    expect(readRequest(new TextEncoder().encode(more)).notUnderstood).toEqual(['Odd']);
  });
});

describe('fragment size', () => {
  const longest = (maxEnvelopeBytes: number): number => {
    const size = requests.fragmentBytes(maxEnvelopeBytes);
    const request = { stream: 'stdin', commandId: COMMAND, bytes: new Uint8Array(size) } as const;
    return requests.prepare(O.send, request, inShell).bytes.length;
  };
  it.each([4096, 32_768, ENVELOPE_BYTES.old, ENVELOPE_BYTES.current])(
    '%i bytes of envelope are filled and kept',
    (most) => {
      expect(longest(most)).toBeLessThanOrEqual(most);
      expect(longest(most)).toBeGreaterThan(most - 264);
    },
  );
  it('is close to what a Windows client sends', () => {
    // 113,940 bytes in an envelope of 153,371 were seen; our header is longer by its optional parts.
    expect(requests.fragmentBytes(ENVELOPE_BYTES.old)).toBeGreaterThan(112_000);
    expect(requests.fragmentBytes(ENVELOPE_BYTES.current)).toBeGreaterThan(381_000);
  });
  it('refuses an envelope in which nothing fits', () => {
    expect(() => requests.fragmentBytes(1500)).toThrow(expect.objectContaining({ code: 'wsman_encode' }));
  });
});

describe('addresses', () => {
  it('have the default ports and application name, and take others', () => {
    expect(endpointUrl({ host: 'a', isTls: false })).toBe('http://a:5985/wsman');
    expect(endpointUrl({ host: 'fd00::1', isTls: true, port: 443, applicationName: '/x/y' })).toBe(
      'https://[fd00::1]:443/x/y',
    );
  });
  it.each([
    { host: 'a b', isTls: true },
    { host: 'a/b', isTls: true },
    { host: 'a@b', isTls: true },
    { host: 'a', isTls: true, port: 0 },
    { host: 'a', isTls: true, port: 1.5 },
    { host: 'a', isTls: true, applicationName: '../x' },
    { host: 'a', isTls: true, applicationName: 'x?y' },
    { host: 'a', isTls: true, applicationName: 'x\r\ny' },
  ])('%j is refused', (address) => {
    expect(() => endpointUrl(address)).toThrow(expect.objectContaining({ code: 'wsman_encode' }));
  });
  it('name an endpoint by its configuration, or by a whole URI', () => {
    expect(resourceUri('PowerShell.7')).toBe('http://schemas.microsoft.com/powershell/PowerShell.7');
    expect(resourceUri('https://x.example/y')).toBe('https://x.example/y');
    expect(() => resourceUri('')).toThrow(expect.objectContaining({ code: 'wsman_encode' }));
    expect(() => resourceUri('a\nb')).toThrow(expect.objectContaining({ code: 'wsman_encode' }));
  });
});
