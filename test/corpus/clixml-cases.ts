/**
 * Crafted CLIXML. `¦` in an input marks the place where its fault must be reported; it is not part of the input. Each
 * case is one probe: what it asks of the reader, the input, and what must come of it.
 */
import { bad, good } from './clixml-case.ts';
import type { CliXmlCase } from './clixml-case.ts';
import { structureCases } from './clixml-structure.ts';

const wrong = (id: string, probes: string, xml: string): CliXmlCase => bad(id, probes, xml, 'clixml_bad_value');

interface IntegerType {
  readonly tag: string;
  readonly type: string;
  readonly low: bigint;
  readonly high: bigint;
}
const INTEGERS: readonly IntegerType[] = [
  { tag: 'By', type: 'Byte', low: 0n, high: 255n },
  { tag: 'SB', type: 'SByte', low: -128n, high: 127n },
  { tag: 'I16', type: 'Int16', low: -32768n, high: 32767n },
  { tag: 'U16', type: 'UInt16', low: 0n, high: 65535n },
  { tag: 'I32', type: 'Int32', low: -2147483648n, high: 2147483647n },
  { tag: 'U32', type: 'UInt32', low: 0n, high: 4294967295n },
  { tag: 'I64', type: 'Int64', low: -9223372036854775808n, high: 9223372036854775807n },
  { tag: 'U64', type: 'UInt64', low: 0n, high: 18446744073709551615n },
  { tag: 'C', type: 'Char', low: 0n, high: 65535n },
];

function integerCases({ tag, type, low, high }: IntegerType): CliXmlCase[] {
  const element = (text: string): string => `<${tag}>${text}</${tag}>`;
  const at = (text: string): string => `<${tag}>¦${text}</${tag}>`;
  const id = (name: string): string => `${tag}-${name}`;
  const sign: CliXmlCase =
    low < 0n
      ? good(id('minus'), `${type} below zero`, element('-7'))
      : wrong(id('minus'), `${type} has no sign bit: -1 is out of range`, at('-1'));
  return [
    good(id('max'), `largest ${type}`, element(high.toString())),
    good(id('min'), `smallest ${type}`, element(low.toString())),
    wrong(id('over'), `one above the largest ${type}`, at((high + 1n).toString())),
    wrong(id('under'), `one below the smallest ${type}`, at((low - 1n).toString())),
    sign,
    good(id('plus'), `a plus sign before ${type} is read, not written`, element('+5'), element('5')),
    good(id('zeros'), `leading zeros of ${type} beyond nine digits`, element('0000000000000007'), element('7')),
    good(id('space'), `white space of XML around ${type}`, element(' \t\r\n12 '), element('12')),
    wrong(id('inner-space'), `white space inside ${type}`, at('1 2')),
    wrong(id('empty'), `an empty ${type}`, at('')),
    wrong(id('empty-tag'), `${type} as an empty element`, `<${tag}/>¦`),
    wrong(id('two-signs'), `two signs before ${type}`, at('+-1')),
    wrong(id('hex'), `hexadecimal ${type}`, at('0x1F')),
    wrong(id('fraction'), `a fraction in ${type}`, at('1.0')),
    wrong(id('exponent'), `an exponent in ${type}`, at('1e2')),
    wrong(id('separator'), `thousands separators in ${type}`, at('1,000')),
    wrong(id('digits'), `digits of another script in ${type}`, at('\u0661\u0662')),
    wrong(id('nbsp'), `a no-break space, which XML does not count as white space, before ${type}`, at('\u00a01')),
    wrong(id('endless'), `more digits than any ${type} has: refused without arithmetic on them`, at('9'.repeat(4000))),
    wrong(id('escape'), `the escape of strings has no meaning in ${type}`, at('_x0031_')),
    good(id('reference'), `a numeric reference to a digit in ${type}`, element('&#x34;&#50;'), element('42')),
  ];
}

const FLOATS = [
  ['Db', 'Double', '1.7976931348623157E+308', '5E-324'],
  ['Sg', 'Single', '3.4028235E+38', '1E-45'],
] as const;

function floatCases([tag, type, largest, smallest]: (typeof FLOATS)[number]): CliXmlCase[] {
  const element = (text: string): string => `<${tag}>${text}</${tag}>`;
  const at = (text: string): string => `<${tag}>¦${text}</${tag}>`;
  const kept = [
    ['max', `largest ${type}`, largest],
    ['min', `smallest ${type} above zero`, smallest],
    ['minus-zero', 'minus zero keeps its sign', '-0'],
    ['nan', 'not a number', 'NaN'],
    ['inf', 'infinity as XML writes it', 'INF'],
    ['minus-inf', 'minus infinity', '-INF'],
    ['infinity', 'infinity as .NET also reads it; the text is kept', 'Infinity'],
    ['small-e', 'a small e; the text is kept', '1e3'],
    ['plus', 'a plus sign; the text is kept', '+1'],
    ['point-end', 'a point without digits after it', '1.'],
    ['point-start', 'a point without digits before it', '.5'],
    ['digits', 'seventeen digits, more than are needed', '0.10000000000000001'],
  ] as const;
  const refused = [
    ['empty', `an empty ${type}`, ''],
    ['comma', 'a comma for the point', '1,5'],
    ['word', 'infinity in small letters', 'inf'],
    ['nan-word', 'NaN in small letters', 'nan'],
    ['no-exponent', 'an exponent without digits', '1e'],
    ['two-points', 'two points', '1.2.3'],
    ['hex', 'a hexadecimal float', '0x1p3'],
    ['suffix', 'a type suffix of C#', '1.0f'],
    ['point', 'a point alone', '.'],
    ['inner-space', 'white space inside', '1 .5'],
    ['endless', 'two hundred thousand digits and a letter: one walk over them', `${'1'.repeat(200_000)}x`],
  ] as const;
  return [
    ...kept.map(([id, probes, text]) => good(`${tag}-${id}`, `${type}: ${probes}`, element(text))),
    ...refused.map(([id, probes, text]) => wrong(`${tag}-${id}`, `${type}: ${probes}`, at(text))),
  ];
}

/** Rows of `[id, what, text]` for one tag; accepted ones are written back as they came. */
function scalarCases(
  tag: string,
  kept: readonly (readonly [string, string, string])[],
  refused: readonly (readonly [string, string, string])[],
): CliXmlCase[] {
  return [
    ...kept.map(([id, probes, text]) => good(`${tag}-${id}`, `${tag}: ${probes}`, `<${tag}>${text}</${tag}>`)),
    ...refused.map(([id, probes, text]) => wrong(`${tag}-${id}`, `${tag}: ${probes}`, `<${tag}>¦${text}</${tag}>`)),
  ];
}

const decimals = scalarCases(
  'D',
  [
    ['max', 'the largest: 96 bits', '79228162514264337593543950335'],
    ['min', 'the smallest', '-79228162514264337593543950335'],
    ['scale', 'a trailing zero is part of the value', '1.50'],
    ['scale28', 'the largest scale', '0.0000000000000000000000000001'],
    ['zero', 'zero with scale', '0.00'],
  ],
  [
    ['over', 'one above 96 bits', '79228162514264337593543950336'],
    ['exponent', 'an exponent', '1E5'],
    ['empty', 'empty', ''],
    ['nan', 'not a number', 'NaN'],
    ['inf', 'infinity', 'INF'],
    ['comma', 'a comma', '1,5'],
    ['long', 'thousands of digits', '1'.repeat(5000)],
    ['sign', 'a sign alone', '-'],
  ],
);

const booleans = [
  ...scalarCases(
    'B',
    [
      ['true', 'true', 'true'],
      ['false', 'false', 'false'],
    ],
    [
      ['upper', 'capitals', 'TRUE'],
      ['title', 'as .NET prints it', 'True'],
      ['empty', 'empty', ''],
      ['two', 'the number 2', '2'],
      ['word', 'another word', 'yes'],
      ['escape', 'escaped letters', '_x0074_rue'],
    ],
  ),
  good('B-one', 'B: 1 is true', '<B>1</B>', '<B>true</B>'),
  good('B-zero', 'B: 0 is false', '<B>0</B>', '<B>false</B>'),
  good('B-space', 'B: white space around', '<B>\n true </B>', '<B>true</B>'),
];

const dates = scalarCases(
  'DT',
  [
    ['utc', 'UTC', '2024-01-02T03:04:05Z'],
    ['local', 'an offset is the sender’s zone', '2024-01-02T03:04:05+02:00'],
    ['unspecified', 'no zone', '2024-01-02T03:04:05'],
    ['ticks', 'seven digits of a second', '2024-01-02T03:04:05.1234567Z'],
    ['one-digit', 'one digit of a second', '2024-01-02T03:04:05.1Z'],
    ['min', 'the first moment', '0001-01-01T00:00:00'],
    ['max', 'the last tick', '9999-12-31T23:59:59.9999999'],
    ['leap', 'the 29th of February', '2024-02-29T00:00:00'],
    ['leap400', 'a leap year by the rule of 400', '2000-02-29T00:00:00'],
    ['offset-max', 'the largest offset', '2024-01-01T00:00:00+14:00'],
    ['offset-half', 'an offset of half an hour', '2024-01-01T00:00:00-05:30'],
  ],
  [
    ['month', 'month 13', '2024-13-01T00:00:00'],
    ['month0', 'month 0', '2024-00-01T00:00:00'],
    ['day', 'the 32nd', '2024-01-32T00:00:00'],
    ['day0', 'day 0', '2024-01-00T00:00:00'],
    ['no-leap', 'the 29th of February in a common year', '2023-02-29T00:00:00'],
    ['no-leap100', 'a common year by the rule of 100', '1900-02-29T00:00:00'],
    ['year0', 'year 0', '0000-01-01T00:00:00'],
    ['year5', 'a year of five digits', '10000-01-01T00:00:00'],
    ['hour24', 'hour 24', '2024-01-01T24:00:00'],
    ['minute60', 'minute 60', '2024-01-01T00:60:00'],
    ['second60', 'a leap second', '2024-12-31T23:59:60Z'],
    ['offset15', 'an offset of 15 hours', '2024-01-01T00:00:00+15:00'],
    ['offset-minutes', 'an offset of 60 minutes', '2024-01-01T00:00:00+01:60'],
    ['eight-digits', 'eight digits of a second', '2024-01-01T00:00:00.12345678'],
    ['point', 'a point without digits', '2024-01-01T00:00:00.'],
    ['date', 'a date alone', '2024-01-01'],
    ['space', 'a blank for the T', '2024-01-01 00:00:00'],
    ['small-z', 'a small z', '2024-01-01T00:00:00z'],
    ['us', 'the American form', '1/2/2024 3:04:05 AM'],
    ['empty', 'empty', ''],
  ],
);

const spans = scalarCases(
  'TS',
  [
    ['zero', 'nothing', 'PT0S'],
    ['tick', 'one tick', 'PT0.0000001S'],
    ['minus-tick', 'minus one tick', '-PT0.0000001S'],
    ['max', 'the longest', 'P10675199DT2H48M5.4775807S'],
    ['min', 'the longest below zero, one tick longer', '-P10675199DT2H48M5.4775808S'],
    ['days', 'days are not folded into months', 'P400D'],
    ['parts', 'all parts', 'P1DT2H3M4.005S'],
    ['year', 'a year is 365 days', 'P1Y'],
    ['month', 'a month is 30 days', 'P1M'],
    ['minutes', 'more than 59 minutes', 'PT90M'],
  ],
  [
    ['over', 'one tick beyond the longest', 'P10675199DT2H48M5.4775808S'],
    ['under', 'one tick beyond the longest below zero', '-P10675199DT2H48M5.4775809S'],
    ['days-over', 'too many days', 'P10675200D'],
    ['t-alone', 'T without a part', 'PT'],
    ['p-alone', 'P without a part', 'P'],
    ['fraction', 'a fraction of a minute', 'PT1.5M'],
    ['point', 'a point alone', 'PT.S'],
    ['order', 'parts out of order', 'PT1S1M'],
    ['plus', 'a plus sign', '+PT1S'],
    ['clock', 'the form of .NET', '00:00:01'],
    ['number', 'a number', '10000000'],
    ['empty', 'empty', ''],
    ['long', 'a million digits of seconds', `PT${'9'.repeat(1_000_000)}S`],
    ['weeks', 'weeks', 'P1W'],
  ],
);

const GUID = '00112233-4455-6677-8899-aabbccddeeff';
const identifiers = [
  good('G-lower', 'G: the usual form', `<G>${GUID}</G>`),
  good('G-upper', 'G: capitals', `<G>${GUID.toUpperCase()}</G>`, `<G>${GUID}</G>`),
  good('G-braces', 'G: braces', `<G>{${GUID}}</G>`, `<G>${GUID}</G>`),
  good('G-parentheses', 'G: parentheses', `<G>(${GUID})</G>`, `<G>${GUID}</G>`),
  good('G-digits', 'G: 32 digits', `<G>${GUID.replaceAll('-', '')}</G>`, `<G>${GUID}</G>`),
  ...scalarCases(
    'G',
    [],
    [
      ['short', 'one digit missing', GUID.slice(1)],
      ['long', 'one digit more', `${GUID}0`],
      ['letter', 'a letter beyond f', GUID.replace('a', 'g')],
      ['brace', 'one brace', `{${GUID}`],
      ['mixed', 'a brace and a parenthesis', `{${GUID})`],
      ['hyphens', 'hyphens at other places', '001122334455-6677-8899-aabb-ccddeeff'],
      ['empty', 'empty', ''],
      [
        'blanks',
        'two hundred thousand blanks and a letter: not walked over again and again',
        `${' '.repeat(200_000)}x`,
      ],
    ],
  ),
];

const binary = [
  ...scalarCases(
    'BA',
    [
      ['none', 'no padding', 'AAEC'],
      ['one', 'one padding character', 'AAE='],
      ['two', 'two padding characters', 'AA=='],
      ['alphabet', 'the whole alphabet', 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'],
    ],
    [
      ['length', 'a length that base64 does not have', 'AAAAA'],
      ['unpadded', 'padding is missing', 'AA'],
      ['padded', 'too much padding', 'AAAA='],
      ['only-pad', 'padding alone', '===='],
      ['after-pad', 'text after the padding', 'AA==AAAA'],
      ['bits', 'unused bits that are not zero: two texts for one value', 'AB=='],
      ['url', 'the alphabet of URLs', 'AA-_'],
      ['letter', 'a letter that is none', 'A\u00c4AA'],
      ['escape', 'an escaped letter', '_x0041_AAA'],
    ],
  ),
  good('BA-empty', 'BA: no bytes', '<BA />'),
  good('BA-empty-text', 'BA: no bytes, long form', '<BA></BA>', '<BA />'),
  good('BA-lines', 'BA: white space between characters', '<BA>AA\r\n\tEC /w==</BA>', '<BA>AAEC/w==</BA>'),
  good('SS-cipher', 'SS: ciphertext is kept', '<SS>o0rOVLUWzWx1R9fwdVvGog==</SS>'),
  wrong('SS-plain', 'SS: text that is no base64', '<SS>¦secret!</SS>'),
  wrong('SS-length', 'SS: a length that base64 does not have', '<SS>¦AAAAA</SS>'),
];

const versions = scalarCases(
  'Version',
  [
    ['two', 'two parts', '2.0'],
    ['three', 'three parts', '5.1.19041'],
    ['four', 'four parts', '5.1.19041.1'],
    ['max', 'the largest part', '2147483647.2147483647.2147483647.2147483647'],
  ],
  [
    ['one', 'one part', '1'],
    ['five', 'five parts', '1.2.3.4.5'],
    ['minus', 'a part below zero', '1.-1'],
    ['over', 'a part beyond Int32', '2147483648.0'],
    ['semantic', 'a semantic version', '7.6.0-preview.1'],
    ['empty', 'empty', ''],
    ['dot', 'an empty part', '1..2'],
    ['letters', 'letters', 'a.b'],
  ],
);

const texts = [
  good('URI-kept', 'URI: is never judged', '<URI>http://a/b c\u00e4?x#y</URI>'),
  good('URI-script', 'URI: a scheme that a browser would run is inert text', '<URI>javascript:alert(1)</URI>'),
  good(
    'XD-doctype',
    'XD: a document type inside is text',
    '<XD>&lt;!DOCTYPE x [&lt;!ENTITY e "x"&gt;]&gt;&lt;a/&gt;</XD>',
  ),
  good('XD-empty', 'XD: empty', '<XD></XD>'),
  good('SBK-lines', 'SBK: script text', '<SBK> $a = 1_x000A_$a </SBK>'),
  good('SemanticVersion', 'SemanticVersion: kept as text', '<SemanticVersion>7.6.0-rc.1+b</SemanticVersion>'),
  good('Nil', 'Nil: null', '<Nil />'),
  good('Nil-long', 'Nil: long form', '<Nil></Nil>', '<Nil />'),
  good('Nil-space', 'Nil: white space inside', '<Nil> \n</Nil>', '<Nil />'),
  bad('Nil-text', 'Nil: text inside', '<Nil>¦x</Nil>', 'clixml_malformed'),
  bad('Nil-element', 'Nil: an element inside', '<Nil>¦<S>x</S></Nil>', 'clixml_malformed'),
];

const S = (text: string): string => `<S>${text}</S>`;
const escapes = (
  [
    ['lf', 'line feed', '_x000A_', null],
    ['small', 'small hexadecimal letters', '_x000a_', '_x000A_'],
    ['big-x', 'a capital X', '_X000A_', '_x000A_'],
    ['eight', 'eight digits: a code point', '_x0001F600_', '_xD83D__xDE00_'],
    ['surrogates', 'a pair of surrogates', '_xD83D__xDE00_', null],
    ['lone-high', 'a high surrogate alone', '_xD83D_', null],
    ['lone-low', 'a low surrogate alone', '_xDE00_', null],
    ['swapped', 'surrogates in the wrong order', '_xDE00__xD83D_', null],
    ['nul', 'NUL, escaped, is a character of a string', '_x0000_', null],
    ['literal', 'an escaped escape is not read again', '_x005F_x000A_', null],
    ['twice', 'an escape twice escaped', '_x005F_x005F_x000A_', '_x005F_x005F_x000A_'],
    ['two-digits', 'two digits are text', '_x00_', '_x005F_x00_'],
    ['five-digits', 'five digits are text', '_x00A41_', '_x005F_x00A41_'],
    ['cut', 'the text ends inside', '_x00', '_x005F_x00'],
    ['cut-at-x', 'the text ends after the x', '_x', '_x005F_x'],
    ['no-digits', 'letters that are no digits', '_x00G0_', '_x005F_x00G0_'],
    ['beyond', 'a code point beyond Unicode is text', '_x00110000_', '_x005F_x00110000_'],
    ['last', 'the last code point', '_x0010FFFF_', '_xDBFF__xDFFF_'],
    ['overlap', 'the closing underscore does not open the next', '_x0041_x0042_', 'Ax0042_'],
    ['around', 'underscores around', '__x000A__', null],
    ['capital', 'an escape of a letter that needs none', '_x0041_', 'A'],
    ['del', 'the delete character', '_x007F_', null],
    ['c1', 'a C1 control', '_x0085_', null],
    ['from-reference', 'an escape whose underscore is a numeric reference', '&#x5F;x000A_', '_x000A_'],
  ] as const
).map(([id, probes, text, canonical]) =>
  good(`S-escape-${id}`, `S: ${probes}`, S(text), canonical === null ? null : S(canonical)),
);

const strings = [
  good('S-empty', 'S: no characters', '<S></S>'),
  good('S-empty-tag', 'S: empty element', '<S/>', '<S></S>'),
  good('S-space', 'S: white space is content', '<S>  \t </S>', '<S>  _x0009_ </S>'),
  good(
    'S-raw-controls',
    'S: raw control characters, which XML 1.0 forbids and Microsoft reads',
    '<S>\u0001\u001f</S>',
    '<S>_x0001__x001F_</S>',
  ),
  good('S-raw-astral', 'S: a raw character beyond the first plane', '<S>\u{1F600}</S>', '<S>_xD83D__xDE00_</S>'),
  good('S-crlf', 'S: raw line ends are kept, not normalised', '<S>a\r\nb</S>', '<S>a_x000D__x000A_b</S>'),
  good('S-fffe', 'S: U+FFFE as PowerShell writes it', '<S>&#xFFFE;</S>'),
  good('S-ffff', 'S: U+FFFF raw', '<S>\uffff</S>', '<S>&#xFFFF;</S>'),
  good('S-entities', 'S: the five entities', '<S>&lt;&amp;&gt;&quot;&apos;</S>', `<S>&lt;&amp;&gt;"'</S>`),
  good('S-decimal', 'S: a decimal reference', '<S>&#65;</S>', '<S>A</S>'),
  good('S-hex', 'S: a hexadecimal reference with zeros', '<S>&#x00000041;</S>', '<S>A</S>'),
  good('S-ref-surrogate', 'S: a reference to a surrogate', '<S>&#xD800;</S>', '<S>_xD800_</S>'),
  good('S-ref-last', 'S: a reference to the last code point', '<S>&#x10FFFF;</S>', '<S>_xDBFF__xDFFF_</S>'),
  good('S-cdata', 'S: a CDATA section', '<S>a<![CDATA[<&]]>b</S>', '<S>a&lt;&amp;b</S>'),
  good(
    'S-cdata-escape',
    'S: an escape that begins in CDATA and ends outside',
    '<S><![CDATA[_x00]]>41_</S>',
    '<S>A</S>',
  ),
  good('S-comment', 'S: a comment inside', '<S>a<!-- <x> & -->b</S>', '<S>ab</S>'),
  good('S-instruction', 'S: an instruction inside', '<S>a<?x > ?>b</S>', '<S>ab</S>'),
  good('S-gt', 'S: a raw greater sign', '<S>a>b</S>', '<S>a&gt;b</S>'),
  good('S-cdata-end', 'S: the end of CDATA as text', '<S>]]></S>', '<S>]]&gt;</S>'),
  good('S-bom', 'S: a byte order mark inside a string', '<S>\ufeffx</S>'),
  ...(
    [
      ['ref-nul', 'a reference to NUL', '&#0;'],
      ['ref-beyond', 'a reference beyond Unicode', '&#x110000;'],
      ['ref-empty', 'a reference without digits', '&#;'],
      ['ref-hex-empty', 'a hexadecimal reference without digits', '&#x;'],
      ['ref-long', 'a reference of forty digits', `&#${'1'.repeat(40)};`],
      ['ref-minus', 'a reference below zero', '&#-1;'],
      ['entity', 'an entity that nobody declared', '&nbsp;'],
      ['entity-case', 'an entity in capitals', '&LT;'],
      ['amp', 'an ampersand alone', 'a & b'],
      ['amp-end', 'an ampersand at the end', 'a&'],
      ['unfinished', 'a reference without its semicolon', '&lt '],
    ] as const
  ).map(([id, probes, text]) => {
    const at = text.indexOf('&');
    return bad(`S-${id}`, `S: ${probes}`, `<S>${text.slice(0, at)}¦${text.slice(at)}</S>`, 'clixml_malformed');
  }),
  bad('S-nul', 'S: a raw NUL', '<S>a¦\0</S>', 'clixml_malformed'),
  bad('S-element', 'S: an element inside', '<S>a¦<I32>1</I32></S>', 'clixml_malformed'),
  bad('S-cdata-open', 'S: a CDATA section without end', '<S>¦<![CDATA[x</S>', 'clixml_malformed'),
];

/** All cases, in the order of the file. */
export const cliXmlCases: readonly CliXmlCase[] = [
  ...INTEGERS.flatMap(integerCases),
  ...FLOATS.flatMap(floatCases),
  ...decimals,
  ...booleans,
  ...dates,
  ...spans,
  ...identifiers,
  ...binary,
  ...versions,
  ...texts,
  ...escapes,
  ...strings,
  ...structureCases(),
];
