import { describe, expect, it } from 'vitest';
import { WsManError } from '../errors.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import { XmlElement } from './element.ts';
import { readXml, readXmlBytes } from './reader.ts';
import { element, escapeXml, textElement } from './writer.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
function refusal(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (error instanceof WsManError) {
      expect(error.section).not.toBe('');
      return error.code;
    }
    throw error;
  }
  return 'ok';
}
const codeOf = (xml: string): string => refusal(() => readXmlBytes(utf8(xml)));

describe('reading', () => {
  it('compares by namespace, whatever the prefixes, and leaves nothing of inner declarations behind', () => {
    const root = readXml('<a xmlns="urn:1" xmlns:p="urn:2"><b><p:c xmlns="urn:3" p:x="1" y="2"><d/></p:c><e/></b></a>');
    const b = root.first('urn:1', 'b');
    const c = b?.first('urn:2', 'c');
    expect(c?.attributes).toEqual([
      { namespace: 'urn:2', name: 'x', value: '1' },
      { namespace: '', name: 'y', value: '2' },
    ]);
    expect(c?.first('urn:3', 'd')).toBeInstanceOf(XmlElement);
    expect(b?.first('urn:1', 'e')).toBeInstanceOf(XmlElement);
  });

  it('resolves references and joins text around comments and CDATA', () => {
    const root = readXml('<a b="&lt;&#65;&#x1F600;">x<!-- <no> -->&amp;<![CDATA[<y>]]><c/>z</a>');
    expect(root.text).toBe('x&<y>z');
    expect(root.attribute('b')).toBe('<A\u{1F600}');
  });

  it('takes a byte order mark and a declaration of UTF-8', () => {
    expect(readXmlBytes(utf8('\ufeff<?xml version="1.0" encoding="UTF-8"?>\r\n<a/>\n')).name).toBe('a');
  });

  it('reads what the writer wrote', () => {
    const text = 'a<b>&"\'\r\n\t\u{1F600}]]>';
    const root = readXml(element('x', textElement('y', text, [['z', text], ['no', null]]), [])); // prettier-ignore
    expect(root.children[0]?.text).toBe(text);
    expect(root.children[0]?.attributes).toEqual([{ namespace: '', name: 'z', value: text }]);
  });

  it.each(['\u0000', '\u001b', '\ud800', 'a\udc00', '\uffff'])('the writer refuses %j', (text) => {
    expect(() => escapeXml(text)).toThrow(expect.objectContaining({ code: 'wsman_encode' }));
  });
});

describe('hostile markup', () => {
  it.each([
    ['', 'wsman_malformed'],
    ['no markup', 'wsman_malformed'],
    ['<a>', 'wsman_malformed'],
    ['<a', 'wsman_malformed'],
    ['</a>', 'wsman_malformed'],
    ['<a></b>', 'wsman_malformed'],
    ['<a></aa>', 'wsman_malformed'],
    ['<a/><b/>', 'wsman_malformed'],
    ['<a/>text', 'wsman_malformed'],
    ['text<a/>', 'wsman_malformed'],
    ['<a b/>', 'wsman_malformed'],
    ['<a b=c/>', 'wsman_malformed'],
    ['<a b="<"/>', 'wsman_malformed'],
    ['<a b="1" b="2"/>', 'wsman_malformed'],
    ['<a b="1"c="2"/>', 'wsman_malformed'],
    ['<a xmlns:p="urn:1" xmlns:q="urn:1" p:x="1" q:x="2"/>', 'wsman_malformed'],
    ['<p:a/>', 'wsman_malformed'],
    ['<a p:b="1"/>', 'wsman_malformed'],
    ['<a xmlns:p=""/>', 'wsman_malformed'],
    ['<a xmlns:xml="urn:1"/>', 'wsman_malformed'],
    ['<a xmlns:p="http://www.w3.org/XML/1998/namespace"/>', 'wsman_malformed'],
    ['<a xmlns:xmlns="urn:1"/>', 'wsman_malformed'],
    ['<a:b:c xmlns:a="urn:1"/>', 'wsman_malformed'],
    ['<:a/>', 'wsman_malformed'],
    ['<1a/>', 'wsman_malformed'],
    ['<!DOCTYPE a><a/>', 'wsman_malformed'],
    ['<!doctype a [<!ENTITY x "y">]><a>&x;</a>', 'wsman_malformed'],
    ['<a><!ENTITY x "y"></a>', 'wsman_malformed'],
    ['<a>&x;</a>', 'wsman_malformed'],
    ['<a>&#0;</a>', 'wsman_malformed'],
    ['<a>&#xD800;</a>', 'wsman_malformed'],
    ['<a>&#x110000;</a>', 'wsman_malformed'],
    ['<a>& </a>', 'wsman_malformed'],
    ['<a><?php x?></a>', 'wsman_malformed'],
    ['<?xml version="1.0"?><?xml-stylesheet href="x"?><a/>', 'wsman_malformed'],
    ['<a><!-- </a>', 'wsman_malformed'],
    ['<a><![CDATA[</a>', 'wsman_malformed'],
    ['<![CDATA[x]]><a/>', 'wsman_malformed'],
    ['<?xml version="1.0" encoding="UTF-16"?><a/>', 'wsman_encoding_refused'],
    ['<?xml version="1.0" encoding="utf-7"?><a/>', 'wsman_encoding_refused'],
    ['<?xml version="1.0" <a/>', 'wsman_malformed'],
  ])('%s is %s', (xml, code) => {
    expect(codeOf(xml)).toBe(code);
  });

  it('UTF-16 and broken UTF-8 are refused', () => {
    expect(refusal(() => readXmlBytes(Uint8Array.of(0xff, 0xfe, 0x3c, 0)))).toBe('wsman_encoding_refused');
    expect(refusal(() => readXmlBytes(Uint8Array.of(0xfe, 0xff, 0, 0x3c)))).toBe('wsman_encoding_refused');
    expect(refusal(() => readXmlBytes(Uint8Array.of(0x3c, 0x61, 0x3e, 0xff)))).toBe('wsman_malformed');
  });

  it('tells where in bytes', () => {
    expect(() => readXml('<a>\u{1F600}&x;</a>')).toThrow(expect.objectContaining({ offset: 7 }));
  });
});

describe('limits', () => {
  const { maxDepth, maxElements, maxAttributes, maxNamespaces, maxEnvelopeBytes } = DEFAULT_LIMITS;
  const times = (count: number, make: (i: number) => string): string =>
    Array.from({ length: count }, (_, i) => make(i)).join('');
  it.each([
    ['depth', (n: number) => '<a>'.repeat(n) + '</a>'.repeat(n), maxDepth],
    ['elements', (n: number) => `<r>${'<a/>'.repeat(n - 1)}</r>`, maxElements],
    ['attributes', (n: number) => `<a${times(n, (i) => ` b${i}="1"`)}/>`, maxAttributes],
    ['namespaces', (n: number) => {
      const half = n / 2;
      return `<a${times(half, (i) => ` xmlns:b${i}="urn:x"`)}><a${times(n - half, (i) => ` xmlns:c${i}="urn:x"`)}/></a>`;
    }, maxNamespaces > 2 * (maxAttributes - 1) ? 2 * (maxAttributes - 1) : maxNamespaces],
  ] as const)('%s: the last one that fits, and one more', (name, make, most) => {
    expect(codeOf(make(most))).toBe('ok');
    if (name !== 'namespaces') expect(codeOf(make(most + 1))).toBe('wsman_too_large');
  }); // prettier-ignore

  it('declarations in force are counted over all levels, those of closed elements not', () => {
    const one = (i: number): string => `<a${times(16, (k) => ` xmlns:p${i}x${k}="urn:x"`)}>`;
    expect(codeOf(`${one(0)}${one(1)}${one(2)}${one(3)}${'</a>'.repeat(4)}`)).toBe('ok');
    expect(codeOf(`${one(0)}${one(1)}${one(2)}${one(3)}${one(4)}${'</a>'.repeat(5)}`)).toBe('wsman_too_large');
    expect(codeOf(`<r>${times(100, (i) => `${one(i)}</a>`)}</r>`)).toBe('ok');
  });

  it('bytes of an envelope', () => {
    const filled = (size: number): string => `<a>${' '.repeat(size - 7)}</a>`;
    expect(codeOf(filled(maxEnvelopeBytes))).toBe('ok');
    expect(codeOf(filled(maxEnvelopeBytes + 1))).toBe('wsman_too_large');
  });

  it.each([
    ['one text', (n: number) => `<a>${'x'.repeat(n)}</a>`],
    ['references', (n: number) => `<a>${'&#65;'.repeat(n / 5)}</a>`],
    ['ampersands', (n: number) => `<a>${'&'.repeat(n)}</a>`],
    ['comments', (n: number) => `<a>${'<!---->'.repeat(n / 7)}</a>`],
    ['open comments', (n: number) => `<a>${'<!--'.repeat(n / 4)}</a>`],
    ['CDATA', (n: number) => `<a>${'<![CDATA[x]]>'.repeat(n / 13)}</a>`],
    ['start tags', (n: number) => '<a>'.repeat(n / 3)],
    ['look-ups of the farthest prefix', (n: number) =>
      `<p:r xmlns:p="urn:1"><q${times(30, (i) => ` xmlns:c${i}="u"`)}>${'<p:a/>'.repeat(Math.min(n / 6, 40_000))}</q></p:r>`],
    ['attributes', (n: number) => `<r>${`<a${times(30, (i) => ` b${i}=""`)}/>`.repeat(n / 200)}</r>`],
    ['quotes', (n: number) => `<a b="${'x'.repeat(n)}`],
    ['long name', (n: number) => `<${'x'.repeat(n)}/>`],
    ['spaces', (n: number) => `<a${' '.repeat(n)}/>`],
    ['declaration', (n: number) => `<?xml ${'encoding='.repeat(n / 9)}?><a/>`],
  ] as const)('2 MiB of %s cost no more than 250 ms per MiB', (_, make) => {
    const bytes = utf8(make(maxEnvelopeBytes - 100));
    const start = process.cpuUsage();
    refusal(() => readXmlBytes(bytes));
    const { user } = process.cpuUsage(start);
    expect(user / 1000).toBeLessThan(500 + 200);
  }); // prettier-ignore

  it('names of prototypes are names', () => {
    const keys = Reflect.ownKeys(Object.prototype).length;
    const root = readXml('<__proto__ constructor="1"><prototype __proto__="2"/></__proto__>');
    expect(root.attribute('constructor')).toBe('1');
    expect(root.attribute('toString')).toBeNull();
    expect(Reflect.ownKeys(Object.prototype)).toHaveLength(keys);
  });
});
