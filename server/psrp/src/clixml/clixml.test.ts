import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bag,
  CliXmlError,
  CliXmlReader,
  customObject,
  dictionary,
  displayText,
  double,
  enumValue,
  integer,
  list,
  listItems,
  PsChar,
  PsDateTime,
  PsDecimal,
  PsDictionary,
  PsGuid,
  PsList,
  PsMemberSet,
  PsNumber,
  PsObject,
  PsProgress,
  PsScriptBlock,
  PsTimeSpan,
  PsUri,
  PsVersion,
  PsXml,
  readCliXml,
  toBigInt,
  toBoolean,
  toNumber,
  toText,
  writeCliXml,
} from '../index.ts';
import type { PsValue } from '../index.ts';
import { decodeEscapes, encodeText } from './escape.ts';

const FIXTURE =
  '<Obj RefId="0"><TN RefId="0"><T>System.Management.Automation.PSCustomObject</T><T>System.Object</T></TN><MS><S N="name">a_x000A_b</S><I64 N="big">9007199254740993</I64><Db N="inf">-INF</Db><DT N="when">2024-01-02T03:04:05.1234567Z</DT><TS N="span">-PT1.5S</TS><C N="ch">233</C><D N="dec">1.50</D><BA N="bytes">AAEC/w==</BA><G N="id">00112233-4455-6677-8899-aabbccddeeff</G><Version N="v">5.1.19041.1</Version><Nil N="none" /><Obj N="list" RefId="1"><TN RefId="1"><T>System.Object[]</T><T>System.Array</T><T>System.Object</T></TN><LST><I32>1</I32><Ref RefId="0" /></LST></Obj><Obj N="map" RefId="2"><TN RefId="2"><T>System.Collections.Hashtable</T><T>System.Object</T></TN><DCT><En><S N="Key">k</S><B N="Value">true</B></En></DCT></Obj></MS></Obj>';

const object = (value: PsValue): PsObject => {
  if (!(value instanceof PsObject)) throw new Error('no object');
  return value;
};

describe('a document', () => {
  it('comes back byte by byte, cycle included', () => {
    const value = object(readCliXml(FIXTURE));
    expect(writeCliXml(value)).toBe(FIXTURE);
    expect(listItems(value.get('LIST'))?.[1]).toBe(value);
    expect(value.get('big')).toBe(9007199254740993n);
    expect(value.getString('name')).toBe('a\nb');
    expect(value.get('bytes')).toEqual(Uint8Array.of(0, 1, 2, 255));
    expect(value.typeName).toBe('System.Management.Automation.PSCustomObject');
    expect(value.isOfType('System.Object')).toBe(true);
    expect(displayText(value)).toContain('name=a\nb');
  });

  it('may have an Objs root, a declaration, comments, a namespace prefix and white space', () => {
    const reader = new CliXmlReader();
    const root =
      '<?xml version="1.0"?><!-- x --><p:Objs xmlns:p="http://x" Version="1.1.0.1">\n <p:S>a</p:S> <I32>1</I32></p:Objs><!-- y -->\n';
    expect(reader.readAll(root)).toEqual(['a', 1]);
    expect(reader.readAll('<Objs />')).toEqual([]);
    expect(readCliXml('<Objs></Objs>')).toBeNull();
    expect(() => readCliXml(root)).toThrow(/more than one/);
  });

  it('may mix comments, instructions and CDATA into a text', () => {
    expect(readCliXml('<S>a<!-- x -->b<?p q?>c<![CDATA[<&_x0041_]]>d</S>')).toBe('abc<&Ad');
  });

  it('may have single quotes and attributes in any order', () => {
    const value = object(readCliXml("<Obj  RefId = '0' ><MS ><S  N='a&amp;b'>1</S ></MS></Obj>"));
    expect(value.get('a&b')).toBe('1');
    expect(
      object(readCliXml('<Obj RefId="7"><MS><Obj RefId="8" N="x"><I32>1</I32></Obj></MS></Obj>')).getNumber('x'),
    ).toBe(1);
  });

  it('skips and counts unknown children of an object', () => {
    const reader = new CliXmlReader();
    const value = object(reader.read('<Obj><Foo><Bar/><Foo>t</Foo></Foo><Later2/><I32>1</I32></Obj>'));
    expect(value.base).toBe(1);
    expect(reader.notes.skippedElements).toBe(2);
  });

  it('keeps nested member sets in their place', () => {
    const xml =
      '<Obj RefId="0"><MS><MS N="PSStandardMembers"><Obj N="DefaultDisplayPropertySet" RefId="1"><LST><S>Id</S></LST></Obj></MS><I32 N="a">1</I32><MS N="Empty" /></MS></Obj>';
    const value = object(readCliXml(xml));
    expect(value.get('PSStandardMembers')).toBeInstanceOf(PsMemberSet);
    expect(value.getObject('PSStandardMembers')?.getList('DefaultDisplayPropertySet')).toEqual(['Id']);
    expect(writeCliXml(value)).toBe(xml);
  });

  it('gives the same shapes to alike objects of many messages', () => {
    const reader = new CliXmlReader();
    const one = object(reader.read('<Obj><Props><I32 N="Id">1</I32><S N="Name">a</S></Props></Obj>'));
    const two = object(reader.read('<Obj><Props><I32 N="Id">2</I32><S N="Name">b</S></Props></Obj>'));
    expect(one.adapted?.names).toBe(two.adapted?.names);
    expect(two.getString('NAME')).toBe('b');
    const long = Array.from({ length: 20 }, (_, i) => `<I32 N="P${i}">${i}</I32>`).join('');
    const many = object(reader.read(`<Obj><Props>${long}<I32 N="p3">99</I32></Props></Obj>`));
    expect(many.get('p3')).toBe(3);
    expect(many.get('nope')).toBeUndefined();
  });

  it('looks in MS before Props, and takes the first of a name', () => {
    const value = object(
      readCliXml(
        '<Obj><Props><I32 N="a">1</I32><I32 N="b">5</I32></Props><MS><I32 N="A">2</I32><I32 N="a">3</I32></MS></Obj>',
      ),
    );
    expect(value.get('a')).toBe(2);
    expect(value.get('b')).toBe(5);
    expect([...value.properties()]).toHaveLength(4);
  });

  it('stores names of the prototype as data', () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
    const xml = `<Obj RefId="0"><MS>${names.map((n) => `<S N="${n === '__proto__' ? '__proto__' : n}">x</S>`).join('')}</MS></Obj>`;
    const value = object(readCliXml(xml));
    for (const name of names) expect(value.get(name)).toBe('x');
    expect(Object.prototype).not.toHaveProperty('x');
    expect(value.get('valueOf')).toBeUndefined();
  });

  it('reads containers of every kind, duplicate keys too', () => {
    for (const tag of ['LST', 'IE', 'QUE', 'STK'] as const) {
      const xml = `<Obj RefId="0"><${tag}><I32>1</I32><Nil /><S>x</S></${tag}></Obj>`;
      expect(object(readCliXml(xml)).base).toEqual(new PsList(tag, [1, null, 'x']));
      expect(writeCliXml(readCliXml(xml))).toBe(xml);
      expect(writeCliXml(readCliXml(`<Obj><${tag}></${tag}></Obj>`))).toBe(`<Obj RefId="0"><${tag} /></Obj>`);
    }
    const xml =
      '<Obj RefId="0"><DCT><En><S N="key">K</S><I32 N="value">1</I32></En><En><S N="Key">k</S><I32 N="Value">2</I32></En></DCT></Obj>';
    const table = object(readCliXml(xml)).base;
    if (!(table instanceof PsDictionary)) throw new Error('no dictionary');
    expect([table.get('k'), table.get('K'), table.get('x')]).toEqual([2, 1, undefined]);
    expect(new PsDictionary(['Key'], [3]).get('kEY')).toBe(3);
    expect(writeCliXml(dictionary([]))).toContain('<DCT />');
  });

  it('reads a progress record', () => {
    const xml =
      '<PR N="Record"><AV>Copying</AV><AI>1</AI><Nil /><PI>-1</PI><PC>40</PC><T>Processing</T><SR>-1</SR><SD>file.txt</SD></PR>';
    const value = readCliXml(xml);
    expect(value).toBeInstanceOf(PsProgress);
    expect(writeCliXml(value)).toBe(xml.replace(' N="Record"', ''));
    expect(writeCliXml(readCliXml(xml.replace('<Nil />', '<S>op</S>')))).toContain('<S>op</S>');
  });
});

const VALUES: readonly (readonly [string, PsValue])[] = [
  ['<B>true</B>', true],
  ['<B>false</B>', false],
  ['<I32>-2147483648</I32>', -2147483648],
  ['<I64>-9223372036854775808</I64>', -9223372036854775808n],
  ['<I64>1234567890</I64>', 1234567890n],
  ['<By>255</By>', integer('By', 255)],
  ['<SB>-128</SB>', integer('SB', -128)],
  ['<I16>-32768</I16>', integer('I16', -32768)],
  ['<U16>65535</U16>', integer('U16', 65535)],
  ['<U32>4294967295</U32>', integer('U32', 4294967295)],
  ['<U64>18446744073709551615</U64>', integer('U64', 18446744073709551615n)],
  ['<C>97</C>', new PsChar(97)],
  ['<Db>1.5</Db>', double(1.5)],
  ['<Db>1E-05</Db>', double(0.00001)],
  ['<Db>0.0001</Db>', double(0.0001)],
  ['<Db>1000000000000000</Db>', double(1e15)],
  ['<Db>10000000000000000</Db>', double(1e16)],
  ['<Db>1E+21</Db>', double(1e21)],
  ['<Db>1.2345678901234568E+17</Db>', double(123456789012345680)],
  ['<Db>5E-324</Db>', double(5e-324)],
  ['<Db>1.7976931348623157E+308</Db>', double(Number.MAX_VALUE)],
  ['<Db>-0</Db>', double(-0)],
  ['<Db>NaN</Db>', double(NaN)],
  ['<Db>INF</Db>', double(Infinity)],
  ['<Db>-INF</Db>', double(-Infinity)],
  ['<Sg>3.4028235E+38</Sg>', new PsNumber('Sg', 3.4028235e38, '3.4028235E+38')],
  ['<D>79228162514264337593543950335</D>', new PsDecimal('79228162514264337593543950335')],
  ['<D>-0.00000001</D>', new PsDecimal('-0.00000001')],
  ['<BA>AAEC/w==</BA>', Uint8Array.of(0, 1, 2, 255)],
  ['<BA />', new Uint8Array()],
  ['<G>00112233-4455-6677-8899-aabbccddeeff</G>', new PsGuid('00112233-4455-6677-8899-aabbccddeeff')],
  ['<URI>http://a/b c d</URI>', new PsUri('http://a/b c d')],
  ['<Version>2.0</Version>', new PsVersion(2, 0)],
  ['<Version>5.1.19041.1</Version>', new PsVersion(5, 1, 19041, 1)],
  ['<XD>&lt;a&gt;&lt;!DOCTYPE x&gt;&lt;/a&gt;</XD>', new PsXml('<a><!DOCTYPE x></a>')],
  ['<SBK> 1 + 1 </SBK>', new PsScriptBlock(' 1 + 1 ')],
  ['<DT>9999-12-31T23:59:59.9999999</DT>', new PsDateTime('9999-12-31T23:59:59.9999999')],
  ['<TS>P10675199DT2H48M5.4775807S</TS>', new PsTimeSpan('P10675199DT2H48M5.4775807S')],
  ['<S></S>', ''],
  ['<Nil />', null],
];

describe('primitives', () => {
  it.each(VALUES)('%s', (xml, value) => {
    expect(readCliXml(xml)).toEqual(value);
    expect(writeCliXml(value)).toBe(xml);
  });

  it('are read in every form .NET takes', () => {
    const forms: [string, PsValue][] = [
      ['<B> 1 </B>', true],
      ['<B>0</B>', false],
      ['<I32> +5 </I32>', 5],
      ['<I32>-0</I32>', 0],
      ['<I32>0000000000000007</I32>', 7],
      ['<I64>+12</I64>', 12n],
      ['<Db>1e3</Db>', new PsNumber('Db', 1000, '1e3')],
      ['<Db>Infinity</Db>', new PsNumber('Db', Infinity, 'Infinity')],
      ['<G>{00112233-4455-6677-8899-AABBCCDDEEFF}</G>', new PsGuid('00112233-4455-6677-8899-aabbccddeeff')],
      ['<BA> AA EC\n/w== </BA>', Uint8Array.of(0, 1, 2, 255)],
      ['<S/>', ''],
      ['<Nil></Nil>', null],
    ];
    for (const [xml, value] of forms) expect(readCliXml(xml), xml).toEqual(value);
  });

  const BAD = [
    '<B>TRUE</B>',
    '<B></B>',
    '<By>256</By>',
    '<By>-1</By>',
    '<SB>128</SB>',
    '<I32>2147483648</I32>',
    '<I32>1,000</I32>',
    '<I32 />',
    '<I32>1.0</I32>',
    '<I32>0x1</I32>',
    '<I64>9223372036854775808</I64>',
    '<U64>-1</U64>',
    '<C>65536</C>',
    '<C>a</C>',
    '<Db>1,5</Db>',
    '<Db></Db>',
    '<Db>inf</Db>',
    '<Db>1e</Db>',
    '<Sg>3.5E+38</Sg>',
    '<D>1E5</D>',
    '<D>79228162514264337593543950336</D>',
    '<Version>1</Version>',
    '<Version>1.2.3.4.5</Version>',
    '<Version>-1.0</Version>',
    '<Version>2147483648.0</Version>',
    '<G>00112233</G>',
    '<BA>A</BA>',
    '<BA>!!!!</BA>',
    '<SS>x</SS>',
    '<DT>2024-13-01T00:00:00</DT>',
    '<DT>2023-02-29T00:00:00</DT>',
    '<DT>2024-01-01</DT>',
    '<DT>2024-01-01T24:00:00</DT>',
    '<DT>2024-01-01T00:00:00+15:00</DT>',
    '<DT>0000-01-01T00:00:00</DT>',
    '<TS>PT</TS>',
    '<TS>P</TS>',
    '<TS>PT1.5M</TS>',
    '<TS>P10675200D</TS>',
    '<TS>1</TS>',
    '<TS>PT.S</TS>',
  ];
  it.each(BAD)('refuses %s', (xml) => {
    const read = (): PsValue => readCliXml(xml);
    expect(read).toThrow(CliXmlError);
    expect(read).toThrow(expect.objectContaining({ code: 'clixml_bad_value' }));
  });

  it('refuses a value that has no form', () => {
    expect(() => integer('By', 256)).toThrow(/does not fit/);
    expect(writeCliXml(1n << 70n)).toBe('<D>1180591620717411303424</D>');
    expect(writeCliXml(2 ** 40)).toBe('<I64>1099511627776</I64>');
    expect(writeCliXml(0.5)).toBe('<Db>0.5</Db>');
    expect(writeCliXml(2 ** 60)).toBe('<Db>1.152921504606847E+18</Db>');
  });
});

describe('times', () => {
  it('have ticks, a kind and an offset', () => {
    const utc = new PsDateTime('2024-01-02T03:04:05.1234567Z');
    expect([utc.kind, utc.offsetMinutes, utc.ticks]).toEqual(['utc', 0, 638397614451234567n]);
    expect(utc.toDate().toISOString()).toBe('2024-01-02T03:04:05.123Z');
    const local = new PsDateTime('2024-01-02T03:04:05-05:30');
    expect([local.kind, local.offsetMinutes]).toEqual(['local', -330]);
    expect(local.toDate().toISOString()).toBe('2024-01-02T08:34:05.000Z');
    const plain = new PsDateTime('0001-01-01T00:00:00');
    expect([plain.kind, plain.offsetMinutes, plain.ticks]).toEqual(['unspecified', null, 0n]);
    expect(PsDateTime.fromDate(new Date(0)).text).toBe('1970-01-01T00:00:00Z');
  });

  it.each([
    ['PT0S', 0n],
    ['PT0.0000001S', 1n],
    ['-PT0.0000001S', -1n],
    ['-PT1.5S', -15000000n],
    ['P1DT2H3M4.005S', 937840050000n],
    ['PT1M30S', 900000000n],
    ['P1DT12H', 1296000000000n],
    ['P400D', 345600000000000n],
    ['-P10675199DT2H48M5.4775808S', -9223372036854775808n],
  ] as const)('%s is %s ticks', (text, ticks) => {
    expect(new PsTimeSpan(text).ticks).toBe(ticks);
    expect(PsTimeSpan.fromTicks(ticks).text).toBe(text);
  });

  it('read years and months as 365 and 30 days', () => {
    expect(new PsTimeSpan('P1Y').ticks).toBe(new PsTimeSpan('P365D').ticks);
    expect(new PsTimeSpan('P1M').ticks).toBe(new PsTimeSpan('P30D').ticks);
    expect(new PsTimeSpan('PT1.5S').milliseconds).toBe(1500);
  });
});

describe('escapes', () => {
  it.each([
    ['a\nb', 'a_x000A_b'],
    ['_x000A_', '_x005F_x000A_'],
    ['\u{1F600}', '_xD83D__xDE00_'],
    ['\u001b[31m', '_x001B_[31m'],
    ['my_xml', 'my_x005F_xml'],
    ['a_b', 'a_b'],
    ['<&>"', '&lt;&amp;&gt;"'],
    ['\ufffe', '&#xFFFE;'],
    ['\u0085', '_x0085_'],
    ['_X', '_x005F_X'],
  ])('%j is %s', (text, wire) => {
    expect(encodeText(text)).toBe(wire);
    expect(readCliXml(`<S>${wire}</S>`)).toBe(text);
  });

  it.each([
    ['_x000a_', '\n'],
    ['_X000A_', '\n'],
    ['_x0001F600_', '\u{1F600}'],
    ['_x005F_x000A_', '_x000A_'],
    ['_x00_', '_x00_'],
    ['__x000A__', '_\n_'],
    ['_x0', '_x0'],
    ['_x00110000_', '_x00110000_'],
    ['_xD83D_', '\ud83d'],
  ])('%s reads as %j', (wire, text) => {
    expect(decodeEscapes(wire)).toBe(text);
  });

  it('bring back every string, as value, as name and as type name', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 40 }),
        fc.array(fc.integer({ min: 0, max: 65535 })),
        (a, codes) => {
          const text = a + String.fromCharCode(...codes);
          const sent = customObject([[text, text]]);
          sent.text = text;
          sent.wireTypeNames = [text];
          const back = object(readCliXml(writeCliXml(sent)));
          expect([...back.properties()]).toEqual([[text, text]]);
          expect([back.text, back.typeNames]).toEqual([text, [text]]);
        },
      ),
    );
  });

  it('accept raw control characters but no NUL, and numeric references', () => {
    expect(readCliXml('<S>a\u0001\tb&#10;&#xD800;&#x1F600;</S>')).toBe('a\u0001\tb\n\ud800\u{1F600}');
    expect(() => readCliXml('<S>a\0</S>')).toThrow(/NUL/);
  });
});

const leaf = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.string(),
  fc.integer(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.double().map((value) => double(value)),
  fc.uint8Array({ maxLength: 20 }),
  fc.integer({ min: 0, max: 65535 }).map((c) => new PsChar(c)),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((ticks) => PsTimeSpan.fromTicks(ticks)),
  fc
    .date({ noInvalidDate: true, min: new Date('0001-01-01'), max: new Date('9999-12-31') })
    .map((date) => PsDateTime.fromDate(date)),
);
const tree = fc.letrec<{ value: PsValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('value'), { maxLength: 4 }).map((items) => list(items)),
    fc.array(fc.tuple(fc.string(), tie('value')), { maxLength: 4 }).map((entries) => bag(entries)),
    fc.array(fc.tuple(fc.string(), tie('value')), { maxLength: 4 }).map((entries) => dictionary(entries)),
  ),
}));

describe('round trips', () => {
  it('write what reads back alike and writes alike', () => {
    fc.assert(
      fc.property(tree.value, (value) => {
        const wire = writeCliXml(value);
        const back = readCliXml(wire);
        expect(writeCliXml(back)).toBe(wire);
      }),
    );
  });

  it('never give anything but a value or a named error for mutated input', () => {
    fc.assert(
      fc.property(
        fc.nat(FIXTURE.length),
        fc.nat(20),
        fc.string({ unit: fc.constantFrom(...Array.from('<>/&;"\'=_x0 NObjRefTMS[]!-?')), maxLength: 12 }),
        (at, cut, put) => {
          const source = FIXTURE.slice(0, at) + put + FIXTURE.slice(at + cut);
          try {
            readCliXml(source);
          } catch (error) {
            expect(error).toBeInstanceOf(CliXmlError);
            expect(error).toMatchObject({ code: expect.stringMatching(/^clixml_/) as string });
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('conversions', () => {
  it('see through enums, notes and switches', () => {
    const day = enumValue('System.DayOfWeek', 'Monday', 1);
    expect([toNumber(day), toText(day), displayText(day)]).toEqual([1, 'Monday', 'Monday']);
    const noted = bag({ Extra: 'e' });
    noted.base = 5;
    expect([toNumber(noted), toBigInt(noted)]).toEqual([5, 5n]);
    const present = new PsObject();
    present.adapted = bag({ IsPresent: true }).extended;
    expect([toBoolean(present), toBoolean('x'), toNumber('x'), toBigInt(1.5)]).toEqual([true, null, null, null]);
    expect(toNumber(integer('U64', 2n ** 63n))).toBeNull();
    expect([toNumber(new PsChar(7)), toNumber(new PsDecimal('1.5')), toText(true)]).toEqual([7, 1.5, 'True']);
    expect(displayText(list([1, 2, 3, 4, 5]))).toBe('{1, 2, 3, 4…}');
    expect(displayText(dictionary([['a', 1]]))).toBe('{a}');
    expect(displayText(null)).toBe('');
  });
});
