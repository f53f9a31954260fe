import { describe, expect, it } from 'vitest';
import {
  bag,
  CliXmlError,
  CliXmlReader,
  displayText,
  double,
  list,
  parseBase64,
  PsDateTime,
  PsDecimal,
  PsDictionary,
  PsList,
  PsMemberSet,
  PsObject,
  PsrpEncodeError,
  PsSecureString,
  PsTimeSpan,
  PsVersion,
  readCliXml,
  toBase64,
  toText,
  writeCliXml,
} from '../index.ts';
import type { PsValue } from '../index.ts';
import { parseGuid } from '../guid.ts';

const codeOf = (document: string): string => {
  try {
    readCliXml(document);
  } catch (error) {
    if (error instanceof CliXmlError) return error.code;
    throw error;
  }
  return 'ok';
};
const progress = (inside: string): string => `<PR>${inside}</PR>`;
/** An object around something. */
function around(base: PsObject['base']): PsObject {
  const object = new PsObject();
  object.base = base;
  return object;
}

describe('numbers are written as PowerShell 7.6.5 writes them', () => {
  it.each([
    [1e15, '1000000000000000'],
    [1234567890123456, '1234567890123456'],
    [-12345678901234568, '-12345678901234568'],
    [1500000000000000.5, '1500000000000000.5'],
    [1e17 - 16, '99999999999999980'],
    [1e17, '1E+17'],
    [1.2345678901234568e17, '1.2345678901234568E+17'],
    [0.0001234567890123456, '0.0001234567890123456'],
    [0.00001234567890123456, '1.234567890123456E-05'],
    [5e-324, '5E-324'],
    [-0, '-0'],
  ])('%d', (value, text) => {
    expect(double(value).wireText).toBe(text);
  });

  it('an integer beyond 64 bits is a decimal, one beyond 96 bits has no form', () => {
    const largest = 2n ** 96n - 1n;
    for (const value of [largest, -largest]) {
      expect(writeCliXml(value)).toBe(`<D>${value}</D>`);
      expect(readCliXml(writeCliXml(value))).toEqual(new PsDecimal(value.toString()));
    }
    for (const value of [largest + 1n, -largest - 1n, 10n ** 40n])
      expect(() => writeCliXml(value)).toThrow(PsrpEncodeError);
  });

  it('a decimal needs no digit before its point', () => {
    expect(readCliXml('<D>-.50</D>')).toEqual(new PsDecimal('-.50'));
    expect(codeOf('<D>.</D>')).toBe('clixml_bad_value');
  });

  it('a version has two to four parts, none above the largest Int32', () => {
    expect(readCliXml('<Version>1.2</Version>')).toEqual(new PsVersion(1, 2));
    expect(readCliXml('<Version>1.2.3</Version>')).toEqual(new PsVersion(1, 2, 3));
    expect(readCliXml('<Version>1.2.3.2147483647</Version>')).toEqual(new PsVersion(1, 2, 3, 2147483647));
    for (const text of ['1', '1.2.3.4.5', '1.2147483648', '1.2.3.2147483648'])
      expect(codeOf(`<Version>${text}</Version>`)).toBe('clixml_bad_value');
  });
});

describe('every day of the calendar', () => {
  it('has the ticks that a Date has', () => {
    const from = Date.UTC(1896, 0, 1);
    for (let day = 0; day < 366 * 130; day += 1) {
      const date = new Date(from + day * 86_400_000);
      const parsed = PsDateTime.parse(`${date.toISOString().slice(0, 10)}T00:00:00Z`);
      if (parsed?.toDate().getTime() !== date.getTime()) expect(parsed?.text).toBe(date.toISOString());
    }
  });

  it.each([
    '2023-02-29',
    '1900-02-29',
    '2024-02-30',
    '2024-04-31',
    '2024-01-32',
    '2024-13-01',
    '2024-00-01',
    '0000-01-01',
  ])('%s is none', (day) => {
    expect(PsDateTime.parse(`${day}T00:00:00`)).toBeNull();
  });

  it.each([
    ['0001-01-01T00:00:00', 0n],
    ['9999-12-31T23:59:59.9999999Z', 3_155_378_975_999_999_999n],
    ['2000-02-29T00:00:00', 630_873_792_000_000_000n],
  ])('%s has %d ticks', (text, ticks) => {
    expect(PsDateTime.parse(text)?.ticks).toBe(ticks);
  });

  it('a text that is no date has no ticks and no zone, one that is no duration is zero', () => {
    const none = new PsDateTime('yesterday');
    expect([none.ticks, none.kind, none.offsetMinutes]).toEqual([0n, 'unspecified', null]);
    expect(new PsDateTime('2024-05-17T12:30:00').toDate().toISOString()).toBe('2024-05-17T12:30:00.000Z');
    expect(new PsTimeSpan('long').ticks).toBe(0n);
  });
});

describe('base64 and guids', () => {
  it('come back whatever the length, at any place of a buffer', () => {
    const source = Uint8Array.from({ length: 300 }, (_, i) => (i * 89 + 7) & 255);
    for (let from = 0; from < 4; from++) {
      for (let length = 0; length < 90; length++) {
        const bytes = source.subarray(from, from + length);
        expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'));
        expect(parseBase64(toBase64(bytes))).toEqual(new Uint8Array(bytes));
      }
    }
  });

  it('white space may stand anywhere, padding only at the end', () => {
    expect(parseBase64(' A\tA E\r\nC\n')).toEqual(new Uint8Array([0, 1, 2]));
    expect(parseBase64('AA = = ')).toEqual(new Uint8Array([0]));
    for (const text of ['AA=', 'AA==A', 'A', 'A===', 'AB==', 'AAF=', 'AA=A', '====', 'AA*A', 'AAAé'])
      expect(parseBase64(text), text).toBeNull();
  });

  it.each(['', 'a\nb', '{00112233-4455-6677-8899-aabbccddeeff', '00112233-4455-6677-8899-aabbccddeefg'])(
    '%j is no guid',
    (text) => {
      expect(parseGuid(text)).toBeNull();
    },
  );
});

describe('text for people', () => {
  it('shows a list of what has no text by its length only', () => {
    const inner = list([1]);
    expect(displayText(list([inner, 'a', null, inner, inner]))).toBe('{, a, , …}');
    expect(displayText(around(new PsDictionary([inner, 'k'], [1, 2])))).toBe('{, k}');
  });
  it('shows an object without properties by its type', () => {
    const object = new PsObject();
    expect(displayText(object)).toBe('');
    object.wireTypeNames = ['Deserialized.System.Empty'];
    expect(displayText(object)).toBe('System.Empty');
    expect(displayText(bag({ a: list([]), b: false }))).toBe('@{a=; b=False}');
  });
  it('shows a progress record by its activity and never a secret', () => {
    expect(displayText(readCliXml(progress('<AV>Copy</AV>')))).toBe('Copy');
    expect(displayText(new PsSecureString('c2VjcmV0'))).toBe('System.Security.SecureString');
    expect(toText(false)).toBe('False');
    expect(displayText(null)).toBe('');
  });
});

describe('what is rarely sent', () => {
  it('a progress record holds scalars of its own only', () => {
    expect(codeOf(progress('<Nil />'))).toBe('ok');
    expect(codeOf(progress('<Nil></Nil>'))).toBe('ok');
    expect(codeOf(progress('<Nil><S>x</S></Nil>'))).toBe('clixml_malformed');
    expect(codeOf(progress('<S><Obj /></S>'))).toBe('clixml_malformed');
    expect(codeOf(progress('<Obj RefId="0" />'))).toBe('clixml_unknown_tag');
  });
  it('an object around a value with a long tag', () => {
    const wire = '<Obj RefId="0"><Version>1.2</Version></Obj>';
    expect(readCliXml(wire)).toEqual(around(new PsVersion(1, 2)));
    expect(writeCliXml(readCliXml(wire))).toBe(wire);
  });
  it('an empty list of type names', () => {
    const object = readCliXml('<Obj RefId="0"><TN RefId="0" /></Obj>');
    expect(object instanceof PsObject && object.wireTypeNames).toEqual([]);
  });
  it('a secret, and a member set without members', () => {
    const set = new PsMemberSet();
    expect(writeCliXml(bag({ p: new PsSecureString('AAEC'), m: set }))).toBe(
      '<Obj RefId="0"><MS><SS N="p">AAEC</SS><MS N="m" /></MS></Obj>',
    );
    expect(readCliXml('<SS>AAEC</SS>')).toEqual(new PsSecureString('AAEC'));
  });
  it('a text that ends behind a comment, attributes in another order or one too many', () => {
    expect(codeOf('<S>a<!-- x -->b')).toBe('clixml_malformed');
    const known = '<Obj RefId="0"><MS><S N="a">1</S></MS></Obj>';
    const reader = new CliXmlReader();
    reader.read(known);
    for (const extra of ['<S N="a" RefId="1" N="a">1</S>', '<S N="a" RefId="1" RefId="1">1</S>'])
      expect(() => reader.read(`<Obj RefId="0"><MS>${extra}</MS></Obj>`)).toThrow(CliXmlError);
    expect(reader.read('<Obj RefId="0"><MS><S N="a" RefId="1" x="y">1</S></MS></Obj>')).toEqual(reader.read(known));
  });
  it('member sets in member sets are written to the depth that every receiver reads, no deeper', () => {
    const nested = (depth: number): PsValue => {
      let set: PsValue = 1;
      for (let i = 0; i < depth; i++) {
        const next = new PsMemberSet();
        next.extended = bag({ m: set }).extended;
        set = next;
      }
      return bag({ m: set });
    };
    expect(writeCliXml(nested(49))).toContain('<I32 N="m">1</I32>');
    expect(() => writeCliXml(nested(50))).toThrow(PsrpEncodeError);
  });
});

describe('a reader of many messages', () => {
  it('starts its memory of names anew when a peer fills it, and reads on', () => {
    const reader = new CliXmlReader();
    const many = (from: number): string =>
      `<Obj RefId="0"><MS>${Array.from({ length: 12_000 }, (_, i) => `<I32 N="n${from + i}">${i}</I32>`).join('')}</MS></Obj>`;
    for (const from of [0, 12_000, 24_000]) {
      const value = reader.read(many(from));
      expect(value instanceof PsObject && value.getNumber(`N${from + 11_999}`)).toBe(11_999);
    }
  });
});

describe('a writer of many documents', () => {
  it('numbers the objects of each from 0, whatever was written before', () => {
    const shared = bag({ a: 1 });
    const both = around(new PsList('LST', [shared, shared]));
    const wire = '<Obj RefId="0"><LST><Obj RefId="1"><MS><I32 N="a">1</I32></MS></Obj><Ref RefId="1" /></LST></Obj>';
    expect(writeCliXml(both)).toBe(wire);
    expect(writeCliXml(shared)).toBe('<Obj RefId="0"><MS><I32 N="a">1</I32></MS></Obj>');
    expect(writeCliXml(both)).toBe(wire);
    expect(writeCliXml(Object.freeze(shared) as PsObject)).toBe(writeCliXml(bag({ a: 1 })));
  });
  it('refuses what is no value by name', () => {
    for (const value of [undefined, {}, new Date(0), Symbol('x')])
      expect(() => writeCliXml(bag({ a: list([value as unknown as PsValue]) }))).toThrow(PsrpEncodeError);
  });
  it('forgets a document that could not be written', () => {
    const good = bag({ a: 1 });
    const bad = bag({ good, tooLarge: 10n ** 40n });
    expect(() => writeCliXml(bad)).toThrow(PsrpEncodeError);
    expect(writeCliXml(good)).toBe('<Obj RefId="0"><MS><I32 N="a">1</I32></MS></Obj>');
  });
});
