/** Crafted CLIXML: markup, objects, references and limits. */
import type { CliXmlCase } from './clixml-case.ts';

type Row = readonly [id: string, probes: string, xml: string, canonical?: string];

const goods = (family: string, rows: readonly Row[]): CliXmlCase[] =>
  rows.map(([id, probes, xml, canonical]) => ({
    id: `${family}-${id}`,
    probes,
    xml,
    code: null,
    canonical: canonical ?? null,
  }));
const bads = (family: string, code: string, rows: readonly Row[]): CliXmlCase[] =>
  rows.map(([id, probes, xml]) => ({ id: `${family}-${id}`, probes, xml, code, canonical: null }));

const markup = (): CliXmlCase[] => [
  ...goods('markup', [
    ['declaration', 'an XML declaration', '<?xml version="1.0" encoding="utf-8"?><S>x</S>', '<S>x</S>'],
    ['comment-first', 'a comment before the root', '<!-- <S>y</S> --><S>x</S>', '<S>x</S>'],
    ['comment-last', 'a comment after the root', '<S>x</S><!-- y -->', '<S>x</S>'],
    ['space', 'white space around the root', ' \r\n<S>x</S>\t ', '<S>x</S>'],
    ['objs', 'the root of a file', '<Objs Version="1.1.0.1" xmlns="http://x"><S>x</S></Objs>', '<S>x</S>'],
    ['objs-empty', 'the root of a file without content', '<Objs />', '<Nil />'],
    ['prefix', 'a namespace prefix', '<p:S>x</p:S>', '<S>x</S>'],
    [
      'prefix-objs',
      'a prefix on everything',
      '<p:Objs><p:Obj><p:MS><p:S N="a">1</p:S></p:MS></p:Obj></p:Objs>',
      '<Obj RefId="0"><MS><S N="a">1</S></MS></Obj>',
    ],
    [
      'single-quotes',
      'single quotes',
      "<Obj RefId='0'><MS><S N='a'>x</S></MS></Obj>",
      '<Obj RefId="0"><MS><S N="a">x</S></MS></Obj>',
    ],
    [
      'spaces-in-tags',
      'blanks inside tags',
      '<Obj  RefId = "0"\n><MS ><S\tN="a" >x</S ></MS ></Obj >',
      '<Obj RefId="0"><MS><S N="a">x</S></MS></Obj>',
    ],
    [
      'other-quote',
      'the other quote inside an attribute',
      `<Obj><MS><S N='a"b'>x</S></MS></Obj>`,
      '<Obj RefId="0"><MS><S N="a&quot;b">x</S></MS></Obj>',
    ],
    [
      'unknown-attribute',
      'attributes that mean nothing to us',
      '<S a="1" S="Error" xml:space="preserve">x</S>',
      '<S>x</S>',
    ],
    [
      'gt-in-attribute',
      'a raw greater sign in an attribute',
      '<Obj><MS><S N="a>b">x</S></MS></Obj>',
      '<Obj RefId="0"><MS><S N="a&gt;b">x</S></MS></Obj>',
    ],
    [
      'entity-in-attribute',
      'references in an attribute',
      '<Obj><MS><S N="a&amp;&#98;">x</S></MS></Obj>',
      '<Obj RefId="0"><MS><S N="a&amp;b">x</S></MS></Obj>',
    ],
    ['escape-in-attribute', 'an escape in a name', '<Obj RefId="0"><MS><S N="a_x000A_b">x</S></MS></Obj>'],
    ['empty-name', 'an empty name is a name', '<Obj RefId="0"><MS><S N="">x</S></MS></Obj>'],
    [
      'instruction-in-object',
      'an instruction between children',
      '<Obj RefId="0"><?x y?><MS /></Obj>',
      '<Obj RefId="0"><MS /></Obj>',
    ],
  ]),
  ...bads('markup', 'clixml_malformed', [
    ['empty', 'nothing at all', '¦'],
    ['blank', 'white space only', '  ¦'],
    ['text', 'text without markup', '¦hello'],
    ['json', 'another format', '¦{"a":1}'],
    ['end-only', 'an end tag alone', '¦</S>'],
    ['two-roots', 'two documents in one', '<S>a</S>¦<S>b</S>'],
    ['text-after', 'text after the root', '<S>a</S>¦b'],
    ['unclosed', 'the end tag is missing', '<S>abc¦'],
    ['unclosed-object', 'an object without end', '<Obj><MS><S N="a">x</S></MS>¦'],
    ['wrong-end', 'the end tag of something else', '<Obj>¦</MS></Obj>'],
    ['longer-end', 'an end tag that is longer', '<S>x¦</SB>'],
    ['shorter-end', 'an end tag that is shorter', '<SB>1¦</S>'],
    ['crossed', 'elements that cross', '<Obj><MS>¦</Obj></MS>'],
    ['no-name', 'a tag without name', '<¦>x</>'],
    ['digit-name', 'a name with a bad character', '<S¦!>x</S!>'],
    ['no-quotes', 'an attribute without quotes', '<Obj RefId=¦0></Obj>'],
    ['no-value', 'an attribute without value', '<Obj RefId¦></Obj>'],
    ['unfinished-attribute', 'an attribute without its end', '<Obj RefId=¦"0></Obj>'],
    ['lt-in-attribute', 'a raw less sign in an attribute', '<Obj><MS><S N=¦"a<b">x</S></MS></Obj>'],
    ['twice', 'one attribute twice', '<Obj RefId="0" ¦RefId="1"></Obj>'],
    ['twice-name', 'one name twice', '<Obj><MS><S N="a" ¦N="b">x</S></MS></Obj>'],
    ['glued', 'two attributes without a blank', '<Obj RefId="0"¦N="a"></Obj>'],
    ['slash', 'a slash inside a tag', '<Nil /¦ >'],
    ['comment-open', 'a comment without end', '<S>x</S>¦<!-- y'],
    ['instruction-open', 'an instruction without end', '¦<?xml version="1.0"'],
    ['bang', 'other markup', '<Obj>¦<!ELEMENT a></Obj>'],
    ['cdata-between', 'CDATA between elements', '<Obj>¦<![CDATA[x]]></Obj>'],
    ['text-in-obj', 'text in an object', '<Obj>¦x<MS /></Obj>'],
    ['text-in-ms', 'text between properties', '<Obj><MS>¦x</MS></Obj>'],
    ['text-in-list', 'text between items', '<Obj><LST><I32>1</I32>¦,<I32>2</I32></LST></Obj>'],
    ['text-in-dictionary', 'text between entries', '<Obj><DCT>¦x</DCT></Obj>'],
    ['text-in-types', 'text between type names', '<Obj><TN>¦System.Object</TN></Obj>'],
    ['objs-two', 'two values where one is asked for', '<Objs><S>a</S><S>b</S></Objs>¦'],
    ['entity-name', 'an entity in a name that nobody declared', '<Obj><MS><S N="&x;">¦y</S></MS></Obj>'],
  ]),
  ...bads('dtd', 'clixml_dtd_forbidden', [
    ['plain', 'a document type', '¦<!DOCTYPE S><S>x</S>'],
    ['laughs', 'entities that multiply', '¦<!DOCTYPE S [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><S>&b;</S>'],
    ['external', 'an external entity', '¦<!DOCTYPE S SYSTEM "file:///etc/passwd"><S>x</S>'],
    ['small', 'a document type in small letters', '¦<!doctype s><S>x</S>'],
    ['inside', 'a document type inside an object', '<Obj>¦<!DOCTYPE S></Obj>'],
    ['in-text', 'a document type inside a string', '<S>a¦<!DOCTYPE S></S>'],
    ['after', 'a document type after the root', '<S>a</S>¦<!DOCTYPE S>'],
    ['after-comment', 'a document type after a comment', '<!-- x -->¦<!DOCTYPE S><S>x</S>'],
    ['in-skipped', 'a document type inside an element that is passed over', '<Obj><Later>¦<!DOCTYPE S></Later></Obj>'],
  ]),
  ...bads('tag', 'clixml_unknown_tag', [
    ['value', 'a value of an unknown kind', '¦<X>1</X>'.replace('¦<', '<¦')],
    ['case', 'tags are case-sensitive', '<¦s>x</s>'],
    ['case-object', 'a small letter in Obj', '<¦obj></obj>'],
    ['structure', 'a structural element as a value', '<¦MS></MS>'],
    ['list', 'a container without its object', '<¦LST></LST>'],
    ['in-list', 'an unknown kind in a list', '<Obj><LST><¦Foo>1</Foo></LST></Obj>'],
    ['in-ms', 'an unknown kind of property', '<Obj><MS><¦Foo N="a">1</Foo></MS></Obj>'],
    ['long', 'a long unknown name', '<¦SemanticVersion2>1</SemanticVersion2>'],
    ['packed', 'a name whose first four letters are known', '<¦I32x>1</I32x>'],
    ['nested-objs', 'a root inside a root', '<Objs><¦Objs /></Objs>'],
  ]),
];

const TYPES = '<TN RefId="0"><T>A</T><T>System.Object</T></TN>';

const objects = (): CliXmlCase[] => [
  ...goods('object', [
    ['empty', 'nothing in it', '<Obj RefId="0"></Obj>'],
    ['empty-tag', 'an empty element', '<Obj RefId="5" />', '<Obj RefId="0"></Obj>'],
    ['no-id', 'no RefId', '<Obj><I32>1</I32></Obj>', '<Obj RefId="0"><I32>1</I32></Obj>'],
    [
      'renumbered',
      'ids are counted anew',
      '<Obj RefId="77"><MS><Ref N="a" RefId="77" /></MS></Obj>',
      '<Obj RefId="0"><MS><Ref N="a" RefId="0" /></MS></Obj>',
    ],
    [
      'order',
      'children in another order',
      `<Obj RefId="0"><MS><S N="a">1</S></MS><I32>5</I32><ToString>t</ToString>${TYPES}</Obj>`,
      `<Obj RefId="0">${TYPES}<ToString>t</ToString><I32>5</I32><MS><S N="a">1</S></MS></Obj>`,
    ],
    [
      'last-base',
      'the last base value wins',
      '<Obj RefId="0"><I32>1</I32><I32>2</I32></Obj>',
      '<Obj RefId="0"><I32>2</I32></Obj>',
    ],
    ['nil-base', 'a base that is null', '<Obj RefId="0"><Nil /></Obj>'],
    ['object-base', 'an object as base', '<Obj RefId="0"><Obj RefId="1"><I32>1</I32></Obj></Obj>'],
    [
      'unknown-child',
      'an unknown child is passed over',
      '<Obj RefId="0"><Later a="1"><S>x</S><Later /></Later><I32>1</I32></Obj>',
      '<Obj RefId="0"><I32>1</I32></Obj>',
    ],
    [
      'unknown-text',
      'an unknown child with text and references',
      '<Obj RefId="0"><Later>a &amp; b</Later></Obj>',
      '<Obj RefId="0"></Obj>',
    ],
    [
      'to-string-empty',
      'an empty ToString',
      '<Obj RefId="0"><ToString></ToString></Obj>',
      '<Obj RefId="0"><ToString /></Obj>',
    ],
    ['props-and-ms', 'both sets', '<Obj RefId="0"><Props><I32 N="a">1</I32></Props><MS><I32 N="b">2</I32></MS></Obj>'],
    [
      'same-name',
      'one name in both sets and twice in one',
      '<Obj RefId="0"><Props><I32 N="a">1</I32></Props><MS><I32 N="A">2</I32><I32 N="a">3</I32></MS></Obj>',
    ],
    ['many-same', 'one name a hundred times', `<Obj RefId="0"><MS>${'<I32 N="a">1</I32>'.repeat(100)}</MS></Obj>`],
    [
      'member-set',
      'a member set in a member set',
      '<Obj RefId="0"><MS><MS N="PSStandardMembers"><S N="x">1</S></MS></MS></Obj>',
    ],
    [
      'enum',
      'an enum',
      '<Obj RefId="0"><TN RefId="0"><T>System.DayOfWeek</T><T>System.Enum</T></TN><ToString>Monday</ToString><I32>1</I32></Obj>',
    ],
    ['noted-string', 'a string with notes', '<Obj RefId="0"><S>x</S><MS><S N="PSPath">p</S></MS></Obj>'],
    [
      'proto',
      'names of JavaScript’s prototypes',
      '<Obj RefId="0"><MS><S N="__proto__">1</S><S N="constructor">2</S><S N="toString">3</S><S N="__defineGetter__">4</S></MS></Obj>',
    ],
    [
      'proto-object',
      'a prototype’s name with an object below',
      '<Obj RefId="0"><MS><Obj N="__proto__" RefId="1"><MS><B N="polluted">true</B></MS></Obj></MS></Obj>',
    ],
    [
      'proto-dictionary',
      'a prototype’s name as a key',
      '<Obj RefId="0"><DCT><En><S N="Key">__proto__</S><S N="Value">x</S></En></DCT></Obj>',
    ],
    ['proto-type', 'a prototype’s name as a type', '<Obj RefId="0"><TN RefId="0"><T>__proto__</T></TN></Obj>'],
    ['long-name', 'a name of ten thousand letters', `<Obj RefId="0"><MS><S N="${'n'.repeat(10_000)}">x</S></MS></Obj>`],
    ['unicode-name', 'a name of another script', '<Obj RefId="0"><MS><S N="\u540d\u524d">x</S></MS></Obj>'],
    ['space-name', 'a name of blanks', '<Obj RefId="0"><MS><S N="  ">x</S></MS></Obj>'],
  ]),
  ...bads('object', 'clixml_malformed', [
    ['no-name', 'a property without name', '<Obj><MS><S>¦x</S></MS></Obj>'],
    ['no-name-props', 'a property without name in Props', '<Obj><Props><Nil />¦</Props></Obj>'],
    ['ms-twice', 'two MS', '<Obj><MS /><¦MS /></Obj>'],
    ['props-twice', 'two Props', '<Obj><Props /><¦Props /></Obj>'],
    ['bad-type', 'something else than T in TN', '<Obj><TN><S>¦x</S></TN></Obj>'],
  ]),
];

const references = (): CliXmlCase[] => [
  ...goods('ref', [
    ['self', 'an object that holds itself', '<Obj RefId="0"><MS><Ref N="me" RefId="0" /></MS></Obj>'],
    ['self-list', 'a list that holds itself', '<Obj RefId="0"><LST><Ref RefId="0" /></LST></Obj>'],
    ['self-base', 'a base that is the object itself', '<Obj RefId="0"><Ref RefId="0" /></Obj>'],
    [
      'pair',
      'two objects that hold one another',
      '<Obj RefId="0"><MS><Obj N="b" RefId="1"><MS><Ref N="a" RefId="0" /></MS></Obj></MS></Obj>',
    ],
    ['shared', 'one object in two places', '<Obj RefId="0"><LST><Obj RefId="1"></Obj><Ref RefId="1" /></LST></Obj>'],
    [
      'newest',
      'an id used twice means the newest',
      '<Obj RefId="0"><LST><Obj RefId="1"><I32>1</I32></Obj><Obj RefId="1"><I32>2</I32></Obj><Ref RefId="1" /></LST></Obj>',
      '<Obj RefId="0"><LST><Obj RefId="1"><I32>1</I32></Obj><Obj RefId="2"><I32>2</I32></Obj><Ref RefId="2" /></LST></Obj>',
    ],
    [
      'value',
      'a reference as a value of a dictionary',
      '<Obj RefId="0"><DCT><En><S N="Key">k</S><Ref N="Value" RefId="0" /></En></DCT></Obj>',
    ],
    [
      'key',
      'a reference as a key',
      '<Obj RefId="0"><DCT><En><Ref N="Key" RefId="0" /><I32 N="Value">1</I32></En></DCT></Obj>',
    ],
    [
      'long-form',
      'a reference in long form',
      '<Obj RefId="0"><LST><Ref RefId="0"></Ref></LST></Obj>',
      '<Obj RefId="0"><LST><Ref RefId="0" /></LST></Obj>',
    ],
    [
      'types',
      'type names used again',
      `<Obj RefId="0">${TYPES}<LST><Obj RefId="1"><TNRef RefId="0" /></Obj></LST></Obj>`,
    ],
    ['types-none', 'no type names', '<Obj RefId="0"><TN RefId="0"></TN></Obj>'],
    [
      'types-no-id',
      'type names without id',
      '<Obj RefId="0"><TN><T>A</T></TN></Obj>',
      '<Obj RefId="0"><TN RefId="0"><T>A</T></TN></Obj>',
    ],
    [
      'many',
      'a thousand references to one object cost no copies',
      `<Obj RefId="0"><LST>${'<Ref RefId="0" />'.repeat(1000)}</LST></Obj>`,
    ],
  ]),
  ...bads('ref', 'clixml_bad_ref', [
    ['nothing', 'a reference to nothing', '<¦Ref RefId="0" />'],
    [
      'forward',
      'a reference to what comes later',
      '<Obj RefId="0"><LST><¦Ref RefId="1" /><Obj RefId="1" /></LST></Obj>',
    ],
    ['no-id', 'a reference without id', '<Obj RefId="0"><LST><¦Ref /></LST></Obj>'],
    ['zeros', 'ids are texts: 00 is not 0', '<Obj RefId="0"><LST><¦Ref RefId="00" /></LST></Obj>'],
    ['minus', 'a negative id', '<Obj RefId="-1">¦</Obj>'],
    ['letters', 'an id of letters', '<Obj RefId="a">¦</Obj>'],
    ['empty', 'an empty id', '<Obj RefId="">¦</Obj>'],
    ['long', 'an id of eleven digits', '<Obj RefId="12345678901">¦</Obj>'],
    ['proto', 'a prototype’s name as id', '<Obj RefId="__proto__">¦</Obj>'],
    ['proto-ref', 'a prototype’s name as reference', '<¦Ref RefId="__proto__" />'],
    ['types-unknown', 'type names that nobody gave', '<Obj><¦TNRef RefId="0" /></Obj>'],
    ['types-space', 'ids of objects are not ids of type names', '<Obj RefId="3"><¦TNRef RefId="3" /></Obj>'],
    ['types-id', 'a bad id of type names', '<Obj><¦TN RefId="x"><T>A</T></TN></Obj>'],
    [
      'skipped',
      'a reference to an object inside an element that was passed over',
      '<Obj><Later><Obj RefId="1" /></Later><¦Ref RefId="1" /></Obj>',
    ],
  ]),
  ...bads('ref', 'clixml_malformed', [
    ['content', 'content in a reference', '<Obj RefId="0"><LST><Ref RefId="0">¦<S>x</S></Ref></LST></Obj>'],
    [
      'content-types',
      'content in a reference to type names',
      `<Obj RefId="0">${TYPES}<LST><Obj><TNRef RefId="0">¦x</TNRef></Obj></LST></Obj>`,
    ],
  ]),
];

const containers = (): CliXmlCase[] => {
  const pair = '<En><S N="Key">k</S><I32 N="Value">1</I32></En>';
  return [
    ...goods('container', [
      ...(['LST', 'IE', 'QUE', 'STK'] as const).map((tag): Row => [
        tag,
        `${tag} keeps order and null`,
        `<Obj RefId="0"><${tag}><I32>2</I32><Nil /><I32>1</I32></${tag}></Obj>`,
      ]),
      ...(['LST', 'IE', 'QUE', 'STK', 'DCT'] as const).map((tag): Row => [
        `${tag}-empty`,
        `an empty ${tag}`,
        `<Obj RefId="0"><${tag}></${tag}></Obj>`,
        `<Obj RefId="0"><${tag} /></Obj>`,
      ]),
      ['nested', 'a list in a list', '<Obj RefId="0"><LST><Obj RefId="1"><LST><I32>1</I32></LST></Obj></LST></Obj>'],
      [
        'ie-props',
        'an enumerable with properties',
        '<Obj RefId="0"><IE><I32>1</I32></IE><Props><I32 N="Count">1</I32></Props></Obj>',
      ],
      ['key-same', 'one key twice', `<Obj RefId="0"><DCT>${pair}${pair}</DCT></Obj>`],
      ['key-case', 'keys that differ in case', `<Obj RefId="0"><DCT>${pair}${pair.replace('>k<', '>K<')}</DCT></Obj>`],
      [
        'key-kinds',
        'keys of several kinds',
        `<Obj RefId="0"><DCT>${['<I32 N="Key">1</I32>', '<B N="Key">true</B>', '<Db N="Key">1.5</Db>', '<G N="Key">00112233-4455-6677-8899-aabbccddeeff</G>'].map((k) => `<En>${k}<Nil N="Value" /></En>`).join('')}</DCT></Obj>`,
      ],
      [
        'key-names',
        'the names Key and Value in any case',
        '<Obj RefId="0"><DCT><En><S N="key">k</S><I32 N="VALUE">1</I32></En></DCT></Obj>',
        `<Obj RefId="0"><DCT>${pair}</DCT></Obj>`,
      ],
      [
        'value-null',
        'a value that is null',
        '<Obj RefId="0"><DCT><En><S N="Key">k</S><Nil N="Value" /></En></DCT></Obj>',
      ],
      [
        'named-items',
        'names on items mean nothing',
        '<Obj RefId="0"><LST><I32 N="a">1</I32></LST></Obj>',
        '<Obj RefId="0"><LST><I32>1</I32></LST></Obj>',
      ],
      [
        'progress',
        'a progress record',
        '<PR><AV>a</AV><AI>1</AI><Nil /><PI>-1</PI><PC>40</PC><T>Processing</T><SR>-1</SR><SD>s</SD></PR>',
      ],
      [
        'progress-short',
        'a progress record with parts missing',
        '<PR><AV>a</AV></PR>',
        '<PR><AV>a</AV><AI>0</AI><Nil /><PI>-1</PI><PC>-1</PC><T></T><SR>-1</SR><SD></SD></PR>',
      ],
    ]),
    ...bads('container', 'clixml_malformed', [
      ['no-entry', 'something else than En', '<Obj><DCT><S>¦x</S></DCT></Obj>'],
      ['entry-empty', 'an empty entry', '<Obj><DCT><En />¦</DCT></Obj>'],
      ['entry-nothing', 'an entry with nothing in it', '<Obj><DCT><En>¦</En></DCT></Obj>'],
      ['no-value', 'a key alone', '<Obj><DCT><En><S N="Key">k</S>¦</En></DCT></Obj>'],
      ['no-key', 'a value alone', '<Obj><DCT><En><S N="Value">¦v</S></En></DCT></Obj>'],
      ['swapped', 'the value first', '<Obj><DCT><En><S N="Value">¦v</S><S N="Key">k</S></En></DCT></Obj>'],
      ['third', 'three parts', '<Obj><DCT><En><S N="Key">k</S><S N="Value">v</S>¦<S N="Value">w</S></En></DCT></Obj>'],
      ['unnamed', 'parts without names', '<Obj><DCT><En><S>¦k</S><S>v</S></En></DCT></Obj>'],
    ]),
    ...bads('container', 'clixml_bad_value', [
      ['key-null', 'a key that is null', '<Obj><DCT><¦En><Nil N="Key" /><I32 N="Value">1</I32></En></DCT></Obj>'],
      ['progress-empty', 'an empty progress record', '<¦PR />'],
      ['progress-number', 'a progress record with a bad number', '<PR><AI>¦x</AI></PR>'],
    ]),
    ...bads('container', 'clixml_unknown_tag', [
      ['progress-part', 'an unknown part of a progress record', '<PR><XX>¦1</XX></PR>'],
    ]),
  ];
};

/** `open` repeated, then `inner`, then `close` repeated. */
const nest = (open: string, close: string, count: number, inner: string): string =>
  open.repeat(count) + inner + close.repeat(count);

const limits = (): CliXmlCase[] => [
  ...goods('limit', [
    [
      'depth-50',
      'fifty objects, one in the other',
      nest('<Obj><LST>', '</LST></Obj>', 49, '<Obj />'),
      `${Array.from({ length: 49 }, (_, i) => `<Obj RefId="${i}"><LST>`).join('')}<Obj RefId="49"></Obj>${'</LST></Obj>'.repeat(49)}`,
    ],
    [
      'attributes-16',
      'sixteen attributes',
      `<S ${Array.from({ length: 16 }, (_, i) => `a${i}="x"`).join(' ')}>x</S>`,
      '<S>x</S>',
    ],
  ]),
  ...bads('limit', 'clixml_too_deep', [
    [
      'depth-51',
      'fifty-one objects, one in the other',
      `${'<Obj><LST>'.repeat(50)}<Obj>¦</Obj>${'</LST></Obj>'.repeat(50)}`,
    ],
    ['depth-base', 'objects as bases of objects', `${'<Obj>'.repeat(51)}¦${'</Obj>'.repeat(51)}`],
    [
      'depth-ms',
      'member sets, one in the other',
      `<Obj>${'<MS N="a">'.repeat(255)}<MS N="a">¦${'</MS>'.repeat(256)}</Obj>`,
    ],
    [
      'depth-skipped',
      'elements that are passed over, one in the other',
      `<Obj>${'<x>'.repeat(256)}¦${'</x>'.repeat(256)}</Obj>`,
    ],
    ['depth-unclosed', 'a hundred thousand start tags and no end', `${'<Obj>'.repeat(51)}¦${'<Obj>'.repeat(99_949)}`],
  ]),
  ...bads('limit', 'clixml_too_large', [
    [
      'attributes-17',
      'seventeen attributes',
      `<S ${Array.from({ length: 16 }, (_, i) => `a${i}="x"`).join(' ')} ¦a16="x">x</S>`,
    ],
    ['elements', 'half a million elements and one', `<Obj><LST>${'<Nil/>'.repeat(499_998)}¦<Nil/></LST></Obj>`],
    [
      'elements-skipped',
      'half a million elements that are passed over',
      `<Obj><x>${'<y/>'.repeat(500_000)}</x>¦</Obj>`,
    ],
    [
      'refs',
      'a hundred thousand references and one',
      `<Obj RefId="0"><LST>${'<Ref RefId="0"/>'.repeat(100_000)}<Ref RefId="0"/>¦</LST></Obj>`,
    ],
  ]),
];

/** Cases of markup, objects, references, containers and limits. */
export const structureCases = (): CliXmlCase[] => [
  ...markup(),
  ...objects(),
  ...references(),
  ...containers(),
  ...limits(),
];
