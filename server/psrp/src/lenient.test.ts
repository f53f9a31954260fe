import { describe, expect, it } from 'vitest';
import {
  bag,
  CliXmlError,
  consoleHostInfo,
  decodeHostCall,
  decodeHostResult,
  dictionary,
  encodeHostResult,
  list,
  MESSAGES,
  NULL_HOST,
  PsChar,
  PsGuid,
  PsObject,
  PsSecureString,
  readCliXml,
  RUNSPACE_HOST,
  typedLineCommands,
  writeCliXml,
} from './index.ts';
import type { CreatePipeline, HostMethodName, MessageName, PsValue } from './index.ts';

const over = (value: PsValue | undefined): PsValue | undefined =>
  value === undefined ? undefined : readCliXml(writeCliXml(value));

describe('host values of other senders', () => {
  const call = (methodId: number, parameters: readonly PsValue[]): unknown =>
    decodeHostCall({ callId: 1n, methodId, methodName: '', parameters: [...parameters] }, null).parameters;

  it('have defaults for what a prompt leaves out', () => {
    expect(call(23, ['c', 'm', list([new PsObject()])])).toMatchObject({
      fields: [
        {
          name: '',
          label: '',
          parameterTypeName: 'String',
          parameterTypeFullName: 'System.String',
          parameterAssemblyFullName: '',
          helpMessage: '',
          isMandatory: false,
          defaultValue: null,
        },
      ],
    });
    expect(call(26, ['c', 'm', list([new PsObject()]), 0])).toMatchObject({
      choices: [{ label: '', helpMessage: '' }],
    });
    expect(call(56, ['c', 'm', list([]), null])).toMatchObject({ choices: [] });
    expect(call(56, ['c', 'm', list([]), list([1, 2])])).toMatchObject({ choices: [] });
  });

  it.each<[HostMethodName, PsValue, unknown]>([
    ['GetInstanceId', new PsGuid('00112233-4455-6677-8899-aabbccddeeff'), '00112233-4455-6677-8899-aabbccddeeff'],
    ['GetInstanceId', '00112233-4455-6677-8899-aabbccddeeff', '00112233-4455-6677-8899-aabbccddeeff'],
    ['PromptForCredential1', null, null],
    [
      'ReadKey',
      bag({ virtualKeyCode: 37, character: new PsChar(0), controlKeyState: 0, keyDown: true }),
      { virtualKeyCode: 37, character: '', controlKeyState: 0, keyDown: true },
    ],
    [
      'ReadKey',
      bag({ virtualKeyCode: 65, character: 'A', controlKeyState: 16, keyDown: false }),
      { virtualKeyCode: 65, character: 'A', controlKeyState: 16, keyDown: false },
    ],
  ])('of %s are taken', (method, wire, value) => {
    expect(decodeHostResult(method, wire)).toEqual(value);
  });

  it.each<[HostMethodName, PsValue]>([
    ['GetVersion', 'x'],
    ['ReadLineAsSecureString', 'plain'],
    ['PromptForCredential1', bag({ UserName: 'u', Password: 'plain' })],
    ['PromptForCredential1', bag({ UserName: 'u' })],
    ['PromptForCredential1', bag({ Password: new PsSecureString('AAAA') })],
    ['PromptForChoice', 'x'],
    ['ReadKey', bag({ virtualKeyCode: 1, character: 1, controlKeyState: 0, keyDown: true })],
    ['GetBufferContents', bag({ mae: list([]), mal: list([0]) })],
    ['GetCursorPosition', 'x'],
  ])('of %s are refused when they are something else', (method, wire) => {
    expect(() => decodeHostResult(method, wire)).toThrow(CliXmlError);
  });

  it('are a grid only when its rows are equally wide', () => {
    const cell = { character: 'x', foreground: 7, background: 0, bufferCellType: 0 };
    expect(() => encodeHostResult('GetBufferContents', [[cell], [cell, cell]])).toThrow(CliXmlError);
    expect(decodeHostResult('GetBufferContents', encodeHostResult('GetBufferContents', []))).toEqual([]);
    const empty = encodeHostResult('ReadKey', { virtualKeyCode: 37, character: '', controlKeyState: 0, keyDown: true });
    expect(decodeHostResult('ReadKey', empty)).toMatchObject({ character: '' });
  });
});

describe('messages', () => {
  const pipeline: CreatePipeline = {
    noInput: true,
    apartmentState: 2,
    remoteStreamOptions: 15,
    addToHistory: true,
    hostInfo: consoleHostInfo({ cols: 80, rows: 25 }),
    isNested: true,
    history: 'h',
    redirectErrors: true,
    commands: typedLineCommands('x'),
    moreStatements: [
      typedLineCommands('y'),
      [
        {
          command: 'z',
          parameters: [
            { name: null, value: 1 },
            { name: 'N', value: null },
          ],
        },
      ],
    ],
  };

  it('of a pipeline come back, several statements too', () => {
    const decoded = MESSAGES.CREATE_PIPELINE.decode(over(MESSAGES.CREATE_PIPELINE.encode(pipeline)));
    expect(decoded).toMatchObject({ history: 'h', isNested: true, redirectErrors: true, remoteStreamOptions: 15 });
    expect(decoded.moreStatements.map((commands) => commands.map(({ command }) => command))).toEqual([
      ['y', 'Out-Default'],
      ['z'],
    ]);
    expect(decoded.moreStatements[1]?.[0]?.parameters).toEqual([
      { name: null, value: 1 },
      { name: 'N', value: null },
    ]);
    const old = MESSAGES.CREATE_PIPELINE.decode(
      over(MESSAGES.CREATE_PIPELINE.encode({ ...pipeline, protocolMinor: 1 })),
    );
    expect(old.isNested).toBe(false);
  });

  it.each([NULL_HOST, RUNSPACE_HOST, { ...consoleHostInfo({ cols: 80, rows: 25 }), isHostRawUiNull: true }])(
    'carry a host without a screen',
    (hostInfo) => {
      const decoded = MESSAGES.CREATE_PIPELINE.decode(over(MESSAGES.CREATE_PIPELINE.encode({ ...pipeline, hostInfo })));
      expect(decoded.hostInfo).toEqual({ ...hostInfo, defaultData: null });
    },
  );

  it('take host data with keys that nobody knows, and refuse what is none', () => {
    const host = (data: PsValue): PsValue =>
      bag({
        _isHostNull: false,
        _isHostUINull: false,
        _isHostRawUINull: false,
        _useRunspaceHost: false,
        _hostDefaultData: bag({ data }),
      });
    const init = (hostInfo: PsValue): unknown =>
      MESSAGES.INIT_RUNSPACEPOOL.decode(
        bag({
          MinRunspaces: 1,
          MaxRunspaces: 1,
          PSThreadOptions: 0,
          ApartmentState: 2,
          HostInfo: hostInfo,
          ApplicationArguments: null,
        }),
      );
    const odd = dictionary([
      [0, bag({ T: 'System.ConsoleColor', V: 7 })],
      [9, bag({ T: 'System.String', V: 'title' })],
      [77, bag({ T: 'x', V: 1 })],
      ['x', bag({ T: 'x', V: 1 })],
      [1, 'no bag'],
      [4, bag({ T: 'System.Int32', V: null })],
    ]);
    expect(init(host(odd))).toMatchObject({ hostInfo: { defaultData: { foregroundColor: 7, windowTitle: 'title' } } });
    expect(() => init(host('no dictionary'))).toThrow(CliXmlError);
    expect(() => init(host(dictionary([[0, bag({ T: 'x', V: 'no number' })]])))).toThrow(CliXmlError);
  });

  it('of GET_COMMAND_METADATA carry every filter, and their flags by name', () => {
    const full = {
      names: ['a*'],
      commandTypes: 0,
      namespaces: ['Ns'],
      fullyQualifiedModules: ['M'],
      argumentList: [1],
    };
    expect(MESSAGES.GET_COMMAND_METADATA.decode(over(MESSAGES.GET_COMMAND_METADATA.encode(full)))).toEqual(full);
    const none = { names: null, commandTypes: 0x177, namespaces: null, argumentList: null };
    expect(MESSAGES.GET_COMMAND_METADATA.decode(over(MESSAGES.GET_COMMAND_METADATA.encode(none)))).toEqual(none);
    const odd = bag({ Name: list([new PsObject()]), CommandType: 1 });
    expect(MESSAGES.GET_COMMAND_METADATA.decode(odd).names).toEqual(['']);
  });

  it('without content have none', () => {
    for (const name of ['CLOSE_SESSION', 'STOP_PIPELINE', 'END_OF_PIPELINE_INPUT'] as const) {
      expect(MESSAGES[name].encode(null), name).toBeUndefined();
      expect(MESSAGES[name].decode(undefined), name).toBeNull();
    }
    expect(MESSAGES.PUBLIC_KEY_REQUEST.decode(over(MESSAGES.PUBLIC_KEY_REQUEST.encode(null)))).toBeNull();
    for (const name of [
      'DEBUG_RECORD',
      'VERBOSE_RECORD',
      'WARNING_RECORD',
      'ERROR_RECORD',
      'INFORMATION_RECORD',
    ] as const) {
      const record = bag({ a: 1 });
      expect(MESSAGES[name].decode(MESSAGES[name].encode({ record })).record, name).toBe(record);
    }
    expect(MESSAGES.PIPELINE_INPUT.decode(undefined)).toEqual({ value: null });
    expect(MESSAGES.PIPELINE_OUTPUT.decode(undefined)).toEqual({ value: null });
    expect(MESSAGES.CONNECT_RUNSPACEPOOL.decode('')).toEqual({ minRunspaces: null, maxRunspaces: null });
  });

  it.each<MessageName>([
    'INIT_RUNSPACEPOOL', 'CREATE_PIPELINE', 'PUBLIC_KEY', 'ENCRYPTED_SESSION_KEY', 'SET_MAX_RUNSPACES', 'SET_MIN_RUNSPACES', 'RUNSPACE_AVAILABILITY',
    'RUNSPACEPOOL_STATE', 'GET_AVAILABLE_RUNSPACES', 'USER_EVENT', 'GET_COMMAND_METADATA', 'RUNSPACEPOOL_INIT_DATA', 'RESET_RUNSPACE_STATE',
    'RUNSPACEPOOL_HOST_CALL', 'RUNSPACEPOOL_HOST_RESPONSE', 'PIPELINE_STATE', 'PIPELINE_HOST_CALL', 'PIPELINE_HOST_RESPONSE', 'SESSION_CAPABILITY',
  ])('of %s are refused without their content', (name) => {
    for (const body of ['text', new PsObject(), undefined]) expect(() => MESSAGES[name].decode(body), name).toThrow(CliXmlError);
  }); // prettier-ignore

  it.each(['PUBLIC_KEY', 'ENCRYPTED_SESSION_KEY'] as const)('of %s hold base64', (name) => {
    const property = name === 'PUBLIC_KEY' ? 'PublicKey' : 'EncryptedSessionKey';
    expect(() => MESSAGES[name].decode(bag({ [property]: '*' }))).toThrow(CliXmlError);
  });
});
