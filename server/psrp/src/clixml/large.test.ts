import { describe, expect, it } from 'vitest';
import { CliXmlReader, list, PsList, PsObject, readCliXml, writeCliXml } from '../index.ts';

const itemsOf = (value: unknown): readonly unknown[] =>
  value instanceof PsObject && value.base instanceof PsList ? value.base.items : [];

describe('long lists and texts', () => {
  it('are read whole, lists within lists across many blocks too', () => {
    const inner = Array.from({ length: 5000 }, (_, i) => i);
    const value = list([...inner, list(inner), ...inner, list([1, list(inner)])]);
    const wire = writeCliXml(value);
    const reader = new CliXmlReader();
    for (let turn = 0; turn < 2; turn++) {
      const read = reader.read(wire);
      expect(itemsOf(read)).toHaveLength(10_002);
      expect(itemsOf(itemsOf(read)[5000])).toEqual(inner);
      expect(writeCliXml(read as PsObject)).toBe(wire);
    }
  });

  it('have as many escapes and references as they like', () => {
    for (const [wire, one] of [
      ['a_x000A_', 'a\n'],
      ['&amp;b', '&b'],
      ['a<!-- x -->', 'a'],
      ['<![CDATA[<]]>', '<'],
    ] as const) {
      expect(readCliXml(`<S>${wire.repeat(20_000)}</S>`), wire).toBe(one.repeat(20_000));
    }
  });

  it('remember so many type lists, and read on with others', () => {
    const reader = new CliXmlReader();
    const document = (i: number): string =>
      `<Obj RefId="0"><TN RefId="0"><T>Type${i}</T><T>System.Object</T></TN><MS /></Obj>`;
    for (let turn = 0; turn < 3; turn++) {
      for (let i = 0; i < 200; i++) {
        const read = reader.read(document(i));
        expect(read instanceof PsObject && read.typeName).toBe(`Type${i}`);
      }
    }
    const odd = '<Obj RefId="0"><TN RefId="0"><T>A</T></TN ><MS /></Obj>';
    for (let i = 0; i < 2; i++) expect((reader.read(odd) as PsObject).typeName).toBe('A');
    const long = `<Obj RefId="0"><TN RefId="0"><T>${'L'.repeat(2000)}</T></TN><MS /></Obj>`;
    for (let i = 0; i < 2; i++) expect((reader.read(long) as PsObject).typeName).toHaveLength(2000);
  });
});

describe('RefIds', () => {
  const refers = (id: string): string =>
    `<Obj RefId="9"><LST><Obj RefId="${id}"><S>x</S></Obj><Ref RefId="${id}" /></LST></Obj>`;

  it.each(['0', '1', '7', '007', '999999999', '9999999999'])('may be %s, and stand for what has them', (id) => {
    const [first, second] = itemsOf(readCliXml(refers(id)));
    expect(first).toBeInstanceOf(PsObject);
    expect(second).toBe(first);
  });

  it('are told apart by their text, and the newest counts', () => {
    expect(() => readCliXml('<Obj RefId="7"><LST><Ref RefId="07" /></LST></Obj>')).toThrow(/to nothing/);
    expect(() => readCliXml('<Obj RefId="07"><LST><Ref RefId="7" /></LST></Obj>')).toThrow(/to nothing/);
    const twice =
      '<Obj RefId="0"><LST><Obj RefId="1"><I32>1</I32></Obj><Obj RefId="1"><I32>2</I32></Obj><Ref RefId="1" /></LST></Obj>';
    const items = itemsOf(readCliXml(twice));
    expect(items[2]).toBe(items[1]);
    const far =
      '<Obj RefId="5"><LST><Obj RefId="9"><S>a</S></Obj><Obj RefId="9"><S>b</S></Obj><Ref N="x" RefId=\'9\'/></LST></Obj>';
    const others = itemsOf(readCliXml(far));
    expect(others[2]).toBe(others[1]);
  });

  it.each(['', ' 1', '-1', '1a', '12345678901', '+1'])('are refused when they are none: "%s"', (id) => {
    expect(() => readCliXml(refers(id))).toThrow(expect.objectContaining({ code: 'clixml_bad_ref' }));
    expect(() => readCliXml(`<Obj><TN RefId="${id}"><T>A</T></TN></Obj>`)).toThrow(
      expect.objectContaining({ code: 'clixml_bad_ref' }),
    );
  });
});
