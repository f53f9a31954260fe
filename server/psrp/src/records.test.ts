import { describe, expect, it } from 'vitest';
import { captureFiles, readCapture, rowsOf } from '../../../test/lab/captures.ts';
import {
  asCredential,
  asErrorRecord,
  bag,
  CliXmlReader,
  commandCompletion,
  dictionary,
  displayText,
  encodeCredential,
  encodeError,
  encodeInformation,
  encodeInformational,
  ErrorRecord,
  hostInformationMessage,
  InformationalRecord,
  InformationRecord,
  list,
  MESSAGES,
  primitiveDictionary,
  PsDateTime,
  PsObject,
  PsSecureString,
  PsVersion,
  readCliXml,
  serverVersion,
  versionTable,
  writeCliXml,
} from './index.ts';
import type { MessageName, PsValue } from './index.ts';

const all = captureFiles.flatMap(({ scenario, version }) =>
  readCapture(rowsOf(scenario, version)).messages.map((each) => ({ ...each, scenario, version })),
);
const of = (name: MessageName): typeof all => all.filter((each) => each.name === name);

describe('error records', () => {
  it('of every recording show message, category, position', () => {
    const records = of('ERROR_RECORD').map(({ value }) => new ErrorRecord(MESSAGES.ERROR_RECORD.decode(value).record));
    expect(records.length).toBeGreaterThan(20);
    for (const record of records) {
      expect(record.message).not.toBe('');
      expect(record.fullyQualifiedErrorId).not.toBe('');
      expect(record.categoryName).toMatch(/^[A-Z][A-Za-z]+$/);
      expect(record.categoryMessage).toContain(record.reason);
      expect([record.activity, record.targetName, record.targetType].every((text) => typeof text === 'string')).toBe(
        true,
      );
    }
    const known = {
      trace: records.some((record) => record.scriptStackTrace !== null),
      exception: records.some((record) => record.exceptionType.endsWith('Exception')),
      target: records.some((record) => record.targetObject !== null),
    };
    expect(known).toEqual({ trace: true, exception: true, target: true });
  });

  it('fall back step by step where something is missing', () => {
    const record = new ErrorRecord(new PsObject());
    expect([record.message, record.exceptionType, record.fullyQualifiedErrorId, record.category]).toEqual([
      '',
      '',
      '',
      0,
    ]);
    expect([record.activity, record.reason, record.targetName, record.targetType, record.categoryMessage]).toEqual(
      Array(5).fill(''),
    );
    expect([
      record.targetObject,
      record.recommendedAction,
      record.scriptStackTrace,
      record.positionMessage,
      record.line,
    ]).toEqual(Array(5).fill(null));
    const category = bag({ ErrorCategory_Message: 'only the category', ErrorCategory_Category: 99 });
    expect(new ErrorRecord(category).message).toBe('only the category');
    expect(new ErrorRecord(category).categoryName).toBe('99');
    const details = bag({ ErrorDetails_Message: 'details first', Exception: bag({ Message: 'then this' }) });
    expect(new ErrorRecord(details).message).toBe('details first');
    expect(new ErrorRecord(bag({ Exception: bag({ Message: 'then this' }) })).message).toBe('then this');
    const invocation = bag({ InvocationInfo: bag({ PositionMessage: 'At line:7' }) });
    expect(new ErrorRecord(invocation).positionMessage).toBe('At line:7');
  });

  it('are found in merged streams, and nowhere else', () => {
    const made = encodeError({
      message: 'm',
      fullyQualifiedErrorId: 'Mine',
      category: 5,
      reason: 'ArgumentException',
      exceptionTypes: ['System.ArgumentException', 'System.Exception', 'System.Object'],
      activity: 'Get-It',
      targetObject: 'x',
      targetName: 'x',
      targetType: 'String',
    });
    const record = asErrorRecord(readCliXml(writeCliXml(made)));
    expect(record?.message).toBe('m');
    expect(record?.categoryMessage).toBe('InvalidArgument: (x:String) [Get-It], ArgumentException');
    expect(record?.exceptionType).toBe('System.ArgumentException');
    expect(asErrorRecord(bag({ a: 1 }))).toBeNull();
    expect(asErrorRecord('text')).toBeNull();
  });
});

describe('records of the other streams', () => {
  it('of every recording have a text', () => {
    for (const name of ['WARNING_RECORD', 'VERBOSE_RECORD', 'DEBUG_RECORD'] as const) {
      const records = of(name).map(({ value }) => new InformationalRecord(MESSAGES[name].decode(value).record));
      expect(records.length, name).toBeGreaterThan(0);
      expect(records.some((record) => record.message !== '')).toBe(true);
      expect(records.every((record) => record.positionMessage === null || record.positionMessage !== '')).toBe(true);
    }
    const records = of('INFORMATION_RECORD').map(
      ({ value }) => new InformationRecord(MESSAGES.INFORMATION_RECORD.decode(value).record),
    );
    expect(records.some((record) => record.isHostOutput)).toBe(true);
    expect(records.some((record) => record.source !== '' && record.user !== '' && record.computer !== '')).toBe(true);
    expect(records.every((record) => record.timeGenerated !== null)).toBe(true);
    for (const { value } of of('PROGRESS_RECORD'))
      expect(MESSAGES.PROGRESS_RECORD.decode(value).record.activity).not.toBe('');
  });

  it('come back from what our server writes, and have defaults', () => {
    const time = new PsDateTime('2024-01-02T03:04:05Z');
    const made = encodeInformation({
      messageData: hostInformationMessage('hello', true, ['Red', 'Black']),
      source: 's',
      tags: ['PSHOST'],
      timeGenerated: time,
      user: 'u',
      computer: 'c',
      processId: 7,
    });
    const record = new InformationRecord(readCliXml(writeCliXml(made)) as PsObject);
    expect([record.message, record.isHostOutput, record.source, record.user, record.computer]).toEqual([
      'hello',
      true,
      's',
      'u',
      'c',
    ]);
    expect(record.timeGenerated?.text).toBe(time.text);
    const empty = new InformationRecord(new PsObject());
    expect([empty.messageData, empty.message, empty.tags, empty.source, empty.user, empty.computer, empty.timeGenerated]).toEqual([
      null, '', [], '', '', '', null,
    ]); // prettier-ignore
    expect(new InformationalRecord(encodeInformational('debug', 'd')).message).toBe('d');
    expect(new InformationalRecord(new PsObject()).message).toBe('');
    const withPlace = bag({ InformationalRecord_Message: 'm', InvocationInfo_PositionMessage: 'At line:1' });
    expect(new InformationalRecord(withPlace).positionMessage).toBe('At line:1');
  });
});

describe('typed views of output', () => {
  it('show completions of the recordings, and null for anything else', () => {
    const completions = all
      .filter(({ name, scenario }) => name === 'PIPELINE_OUTPUT' && scenario === 'tab-completion')
      .flatMap(({ value }) => commandCompletion(value ?? null) ?? []);
    expect(completions.length).toBeGreaterThan(3);
    const [first] = completions.filter(({ matches }) => matches.length > 0);
    expect(first?.matches[0]?.completionText).not.toBe('');
    expect(first?.matches[0]?.resultType).toMatch(/^[A-Z]/);
    expect(commandCompletion('x')).toBeNull();
    expect(commandCompletion(bag({ ReplacementIndex: 1 }))).toBeNull();
    const own = bag({
      CompletionMatches: list(['plain', bag({ CompletionText: 'Get-It' })]),
      ReplacementIndex: 0,
      ReplacementLength: 2,
    });
    expect(commandCompletion(own)).toMatchObject({
      currentMatchIndex: -1,
      matches: [
        { completionText: 'plain', resultType: 'Text' },
        { completionText: 'Get-It', listItemText: 'Get-It', resultType: 'Text', toolTip: '' },
      ],
    });
  });

  it('show the version of a server, the highest that it names', () => {
    for (const { value, version } of of('APPLICATION_PRIVATE_DATA'))
      expect(serverVersion(MESSAGES.APPLICATION_PRIVATE_DATA.decode(value).data)).toContain(version);
    const old = primitiveDictionary([
      [
        'PSVersionTable',
        primitiveDictionary([
          ['PSVersion', new PsVersion(2, 0)],
          ['PSCompatibleVersions', list([new PsVersion(1, 0), new PsVersion(4, 0), new PsVersion(3, 0)])],
        ]),
      ],
    ]);
    expect(serverVersion(old)).toBe('4.0');
    expect(serverVersion(null)).toBeNull();
    expect(serverVersion(dictionary([['a', 1]]))).toBeNull();
    expect(serverVersion(primitiveDictionary([['PSVersionTable', primitiveDictionary([])]]))).toBeNull();
    expect(serverVersion(versionTable(new PsVersion(5, 1)))).toBe('5.1');
  });

  it('show any value as text', () => {
    const reader = new CliXmlReader();
    const texts: [string, string][] = [
      ['<Nil />', ''],
      ['<B>true</B>', 'True'],
      ['<C>97</C>', 'a'],
      ['<BA>AAEC</BA>', 'byte[3]'],
      ['<SS>AA==</SS>', 'System.Security.SecureString'],
      ['<Db>1.5</Db>', '1.5'],
      ['<Obj RefId="0"><ToString>shown</ToString><Props /></Obj>', 'shown'],
    ];
    for (const [wire, text] of texts) expect(displayText(reader.read(wire)), wire).toBe(text);
    const deep: PsValue = reader.read('<Obj RefId="0"><LST><I32>1</I32><S>b</S></LST></Obj>');
    expect(displayText(deep)).not.toBe('');
    expect(
      displayText(reader.read('<Obj RefId="0"><DCT><En><S N="Key">k</S><I32 N="Value">1</I32></En></DCT></Obj>')),
    ).not.toBeNull();
    expect(displayText(reader.read('<Obj RefId="0"><MS><S N="a">b</S></MS></Obj>'))).not.toBeNull();
  });
});

describe('credentials', () => {
  it('of recorded output have a name and a sealed password, empty ones are none', () => {
    const shown = of('PIPELINE_OUTPUT').flatMap(({ value, scenario }) => {
      const credential = value === undefined ? null : asCredential(value);
      return credential === null ? [] : [`${scenario} ${credential.userName} ${credential.password.constructor.name}`];
    });
    expect(shown).toEqual(['secure-values srv PsSecureString', 'secure-values srv PsSecureString']);
    expect(asCredential('srv')).toBeNull();
    expect(asCredential(bag({ UserName: 'srv' }))).toBeNull();
  });
  it('come back as they were sent', () => {
    const credential = { userName: 'ann', password: new PsSecureString('AAEC') };
    expect(asCredential(readCliXml(writeCliXml(encodeCredential(credential))))).toEqual(credential);
  });
});
