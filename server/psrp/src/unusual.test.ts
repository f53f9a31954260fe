import { describe, expect, it } from 'vitest';
import {
  bag,
  commandCompletion,
  consoleHostInfo,
  decodeHostCall,
  decodeHostResult,
  dictionary,
  encodeError,
  encodeHostCall,
  encodeHostResult,
  ErrorRecord,
  InformationRecord,
  list,
  MESSAGES,
  primitiveDictionary,
  PsVersion,
  readCliXml,
  serverVersion,
  typedLineCommands,
  writeCliXml,
} from './index.ts';
import type { CreatePipeline, HostInfo, PsValue, PsObject } from './index.ts';

const over = (value: PsValue | undefined): PsValue | undefined =>
  value === undefined ? undefined : readCliXml(writeCliXml(value));
const pipeline: CreatePipeline = {
  noInput: true,
  apartmentState: 2,
  remoteStreamOptions: 0,
  addToHistory: true,
  hostInfo: consoleHostInfo({ cols: 80, rows: 25 }),
  isNested: false,
  history: null,
  redirectErrors: false,
  commands: typedLineCommands('x'),
  moreStatements: [],
};

describe('enums beyond the names that are known', () => {
  it('of a pipeline keep their number', () => {
    const odd = { ...pipeline, apartmentState: 9, commands: [{ command: 'x', mergeError: 99 }] };
    const wire = over(MESSAGES.CREATE_PIPELINE.encode(odd));
    expect(MESSAGES.CREATE_PIPELINE.decode(wire)).toMatchObject({ apartmentState: 9, commands: [{ mergeError: 99 }] });
    expect(writeCliXml(wire ?? null)).toContain('<ToString>99</ToString>');
  });
  it('of stream options are written as the names of what is set', () => {
    const wire = MESSAGES.CREATE_PIPELINE.encode({ ...pipeline, remoteStreamOptions: 5 });
    expect(writeCliXml(wire ?? null)).toContain(
      '<ToString>AddInvocationInfoToErrorRecord, AddInvocationInfoToDebugRecord</ToString><I32>5</I32>',
    );
  });
  it('of a pool keep their number', () => {
    const init = {
      minRunspaces: 1,
      maxRunspaces: 1,
      threadOptions: 7,
      apartmentState: 8,
      hostInfo: consoleHostInfo({ cols: 80, rows: 25 }),
      applicationArguments: primitiveDictionary([]),
    };
    expect(MESSAGES.INIT_RUNSPACEPOOL.decode(over(MESSAGES.INIT_RUNSPACEPOOL.encode(init)))).toMatchObject({
      threadOptions: 7,
      apartmentState: 8,
    });
  });
  it('of an error are none specified', () => {
    const record = new ErrorRecord(encodeError({ message: 'm', category: 99, targetName: 't', exceptionTypes: [] }));
    expect(record.categoryMessage).toBe('NotSpecified: (t:String) [], RuntimeException');
    expect(record.message).toBe('m');
  });
});

describe('host data', () => {
  it('may lack what the client does not know', () => {
    const hostInfo: HostInfo = {
      isHostNull: false,
      isHostUiNull: false,
      isHostRawUiNull: false,
      useRunspaceHost: false,
      defaultData: { bufferSize: { width: 80, height: 25 } },
    };
    const decoded = MESSAGES.CREATE_PIPELINE.decode(over(MESSAGES.CREATE_PIPELINE.encode({ ...pipeline, hostInfo })));
    expect(decoded.hostInfo).toEqual(hostInfo);
  });
  it('have an empty title when it is no text', () => {
    const data = dictionary([[9, bag({ T: 'System.String', V: list([]) })]]);
    const host = bag({
      _isHostNull: false,
      _isHostUINull: false,
      _isHostRawUINull: false,
      _useRunspaceHost: false,
      _hostDefaultData: bag({ data }),
    });
    const body = bag({
      ...Object.fromEntries((MESSAGES.CREATE_PIPELINE.encode(pipeline) as PsObject).properties()),
      HostInfo: host,
    });
    expect(MESSAGES.CREATE_PIPELINE.decode(body).hostInfo.defaultData).toEqual({ windowTitle: '' });
  });
});

describe('host calls', () => {
  it('carry no credential, no choices and empty cells', () => {
    expect(decodeHostResult('PromptForCredential1', encodeHostResult('PromptForCredential1', null))).toBeNull();
    const cell = { character: '', foreground: 7, background: 0, bufferCellType: 2 };
    const grid = encodeHostResult('GetBufferContents', [[cell]]);
    expect(decodeHostResult('GetBufferContents', grid)).toEqual([[{ ...cell, character: '\0' }]]);
  });
  it('have no name when their method is a bare number', () => {
    const call = over(MESSAGES.PIPELINE_HOST_CALL.encode(encodeHostCall('WriteLine2', { text: 'x' }, 1n)));
    const bare = bag({ ...Object.fromEntries((call as PsObject).properties()), mi: 16 });
    const body = MESSAGES.PIPELINE_HOST_CALL.decode(bare);
    expect(body.methodName).toBe('');
    expect(decodeHostCall(body, null)).toMatchObject({ method: 'WriteLine2', parameters: { text: 'x' } });
  });
});

describe('records with something missing', () => {
  it('show the text of an error whose category has none', () => {
    const object = bag({ ErrorCategory_Message: '' });
    object.text = 'what happened';
    expect(new ErrorRecord(object).message).toBe('what happened');
  });
  it('have empty tags for what is no text', () => {
    expect(new InformationRecord(bag({ Tags: list(['PSHOST', list([])]) })).tags).toEqual(['PSHOST', '']);
  });
  it('complete to nothing where there is no text', () => {
    const matches = list([list([]), bag({ CompletionText: null, ToolTip: 't' })]);
    const completion = commandCompletion(
      bag({ CompletionMatches: matches, ReplacementIndex: 0, ReplacementLength: 1 }),
    );
    expect(completion?.matches).toEqual([
      { completionText: '', listItemText: '', resultType: 'Text', toolTip: '' },
      { completionText: '', listItemText: '', resultType: 'Text', toolTip: 't' },
    ]);
  });
  it('bring an event without arguments', () => {
    const event = {
      eventIdentifier: 1,
      sourceIdentifier: 's',
      timeGenerated: null,
      sender: null,
      sourceArgs: [],
      messageData: null,
      computerName: null,
      runspaceId: null,
    };
    const body = bag({
      ...Object.fromEntries((MESSAGES.USER_EVENT.encode(event) as PsObject).properties()),
      'PSEventArgs.SourceArgs': null,
    });
    expect(MESSAGES.USER_EVENT.decode(over(body))).toEqual(event);
  });
});

describe('the version of a server', () => {
  const tableOf = (...versions: readonly PsVersion[]): PsValue =>
    primitiveDictionary([
      [
        'PSVersionTable',
        primitiveDictionary([
          ['PSVersion', versions[0] ?? null],
          ['PSCompatibleVersions', list(versions.slice(1))],
        ]),
      ],
    ]);
  it.each([
    [[new PsVersion(2, 0), new PsVersion(1, 0), new PsVersion(5, 1, 14393, 0), new PsVersion(5, 1)], '5.1.14393.0'],
    [[new PsVersion(5, 1), new PsVersion(5, 1), new PsVersion(5, 1, 0)], '5.1'],
    [[new PsVersion(4, 0), new PsVersion(3, 0)], '4.0'],
  ])('is the highest of all that it names', (versions, highest) => {
    expect(serverVersion(tableOf(...versions))).toBe(highest);
  });
});
