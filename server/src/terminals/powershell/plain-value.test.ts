import type { PsObject } from '@sallyport/psrp';
import { bag, list, PsDecimal, PsDateTime, PsSecureString, readCliXml } from '@sallyport/psrp';
import { describe, expect, it } from 'vitest';
import { plainValue } from './plain-value.ts';

describe('plainValue', () => {
  it('keeps what JSON can hold and gives the rest as text', () => {
    expect([null, true, 'a', 1, 2n, 2n ** 60n].map(plainValue)).toEqual([null, true, 'a', 1, 2, '1152921504606846976']);
    expect(plainValue(new Uint8Array([1, 2]))).toBe('AQI=');
    expect(plainValue(new PsDecimal('1.5'))).toBe(1.5);
    expect(plainValue(new PsDecimal('0.10000000000000000000001'))).toBe('0.10000000000000000000001');
    expect(plainValue(PsDateTime.fromDate(new Date(0)))).toBe('1970-01-01T00:00:00Z');
    expect(plainValue(new PsSecureString('canary'))).toBe('[secret]');
    expect(JSON.stringify(plainValue(bag({ A: 1, __proto: list(['x', null]) })))).toBe('{"A":1,"__proto":["x",null]}');
  });

  it('takes a number that is none, an enumeration and a string with notes', () => {
    const read = (xml: string) => plainValue(readCliXml(xml));
    expect(read('<Db>NaN</Db>')).toBe('NaN');
    expect(read('<Obj RefId="0"><ToString>Monday</ToString><I32>1</I32></Obj>')).toBe('Monday');
    expect(read('<Obj RefId="0"><S>line</S><MS><S N="PSPath">p</S></MS></Obj>')).toBe('line');
    expect(read('<Obj RefId="0"><ToString>shown</ToString></Obj>')).toBe('shown');
    const proto = read('<Obj RefId="0"><MS><S N="__proto__">p</S></MS></Obj>');
    expect(JSON.stringify(proto)).toBe('{"__proto__":"p"}');
  });

  it('ends on cycles and on objects that stand in many places', () => {
    const loop = list([]);
    (loop.base as { items: unknown[] }).items.push(loop);
    expect(JSON.stringify(plainValue(loop))).toMatch(/^\[{16}/);
    let wide: PsObject = list(['leaf']);
    for (let i = 0; i < 12; i++) wide = list(Array.from({ length: 8 }, () => wide));
    expect(JSON.stringify(plainValue(wide)).length).toBeLessThan(20_000_000);
  });
});
