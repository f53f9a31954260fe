import { describe, expect, it } from 'vitest';
import {
  bag,
  decodeBody,
  decodeMessage,
  decodePacket,
  encodeBody,
  encodeMessage,
  encodePacket,
  fragmentsOf,
  isGuid,
  messageName,
  MESSAGES,
  parseBase64,
  parseGuid,
  Reassembler,
  sealSecureString,
  toBase64,
  unpadSessionKey,
  encodePublicKey,
  decodePublicKey,
  encodeWrappedKey,
  decodeWrappedKey,
  writeCliXml,
} from './index.ts';
import type { MessageName } from './index.ts';
import { readGuid, writeGuid } from './guid.ts';

const POOL = '00112233-4455-6677-8899-aabbccddeeff';
const PIPELINE = '10213243-5465-7687-98a9-bacbdcedfe0f';
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Worked fragments of the protocol notes: what, name, object id, destination, pipeline, body, base64. */
const FRAGMENTS: readonly (readonly [MessageName, bigint, 1 | 2, string, string | null, string, string])[] = [
  [
    'SESSION_CAPABILITY',
    1n,
    1,
    '00000000-0000-0000-0000-000000000000',
    null,
    '<Obj RefId="0"><MS><Version N="protocolversion">2.3</Version><Version N="PSVersion">2.0</Version><Version N="SerializationVersion">1.1.0.1</Version></MS></Obj>',
    'AAAAAAAAAAEAAAAAAAAAAAMAAADHAQAAAAIAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADxPYmogUmVmSWQ9IjAiPjxNUz48VmVyc2lvbiBOPSJwcm90b2NvbHZlcnNpb24iPjIuMzwvVmVyc2lvbj48VmVyc2lvbiBOPSJQU1ZlcnNpb24iPjIuMDwvVmVyc2lvbj48VmVyc2lvbiBOPSJTZXJpYWxpemF0aW9uVmVyc2lvbiI+MS4xLjAuMTwvVmVyc2lvbj48L01TPjwvT2JqPg==',
  ],
  [
    'APPLICATION_PRIVATE_DATA',
    2n,
    1,
    POOL,
    null,
    '<Obj RefId="0"><MS><Nil N="ApplicationPrivateData" /></MS></Obj>',
    'AAAAAAAAAAIAAAAAAAAAAAMAAABoAQAAAAkQAgAzIhEAVUR3ZoiZqrvM3e7/AAAAAAAAAAAAAAAAAAAAADxPYmogUmVmSWQ9IjAiPjxNUz48TmlsIE49IkFwcGxpY2F0aW9uUHJpdmF0ZURhdGEiIC8+PC9NUz48L09iaj4=',
  ],
  [
    'RUNSPACEPOOL_STATE',
    3n,
    1,
    POOL,
    null,
    '<Obj RefId="0"><MS><I32 N="RunspaceState">2</I32></MS></Obj>',
    'AAAAAAAAAAMAAAAAAAAAAAMAAABkAQAAAAUQAgAzIhEAVUR3ZoiZqrvM3e7/AAAAAAAAAAAAAAAAAAAAADxPYmogUmVmSWQ9IjAiPjxNUz48STMyIE49IlJ1bnNwYWNlU3RhdGUiPjI8L0kzMj48L01TPjwvT2JqPg==',
  ],
  [
    'PIPELINE_STATE',
    4n,
    1,
    POOL,
    PIPELINE,
    '<Obj RefId="0"><MS><I32 N="PipelineState">4</I32></MS></Obj>',
    'AAAAAAAAAAQAAAAAAAAAAAMAAABkAQAAAAYQBAAzIhEAVUR3ZoiZqrvM3e7/QzIhEGVUh3aYqbrL3O3+DzxPYmogUmVmSWQ9IjAiPjxNUz48STMyIE49IlBpcGVsaW5lU3RhdGUiPjQ8L0kzMj48L01TPjwvT2JqPg==',
  ],
  [
    'PIPELINE_HOST_CALL',
    5n,
    1,
    POOL,
    PIPELINE,
    '<Obj RefId="0"><MS><I64 N="ci">-100</I64><Obj N="mi" RefId="1"><TN RefId="0"><T>System.Management.Automation.Remoting.RemoteHostMethodId</T><T>System.Enum</T><T>System.ValueType</T><T>System.Object</T></TN><ToString>WriteLine2</ToString><I32>16</I32></Obj><Obj N="mp" RefId="2"><TN RefId="1"><T>System.Collections.ArrayList</T><T>System.Object</T></TN><LST><S>hi</S></LST></Obj></MS></Obj>',
    'AAAAAAAAAAUAAAAAAAAAAAMAAAGtAQAAAAARBAAzIhEAVUR3ZoiZqrvM3e7/QzIhEGVUh3aYqbrL3O3+DzxPYmogUmVmSWQ9IjAiPjxNUz48STY0IE49ImNpIj4tMTAwPC9JNjQ+PE9iaiBOPSJtaSIgUmVmSWQ9IjEiPjxUTiBSZWZJZD0iMCI+PFQ+U3lzdGVtLk1hbmFnZW1lbnQuQXV0b21hdGlvbi5SZW1vdGluZy5SZW1vdGVIb3N0TWV0aG9kSWQ8L1Q+PFQ+U3lzdGVtLkVudW08L1Q+PFQ+U3lzdGVtLlZhbHVlVHlwZTwvVD48VD5TeXN0ZW0uT2JqZWN0PC9UPjwvVE4+PFRvU3RyaW5nPldyaXRlTGluZTI8L1RvU3RyaW5nPjxJMzI+MTY8L0kzMj48L09iaj48T2JqIE49Im1wIiBSZWZJZD0iMiI+PFROIFJlZklkPSIxIj48VD5TeXN0ZW0uQ29sbGVjdGlvbnMuQXJyYXlMaXN0PC9UPjxUPlN5c3RlbS5PYmplY3Q8L1Q+PC9UTj48TFNUPjxTPmhpPC9TPjwvTFNUPjwvT2JqPjwvTVM+PC9PYmo+',
  ],
  [
    'PIPELINE_HOST_RESPONSE',
    6n,
    2,
    POOL,
    PIPELINE,
    '<Obj RefId="0"><MS><S N="mr">yes</S><I64 N="ci">1</I64><I32 N="mi">11</I32></MS></Obj>',
    'AAAAAAAAAAYAAAAAAAAAAAMAAAB+AgAAAAERBAAzIhEAVUR3ZoiZqrvM3e7/QzIhEGVUh3aYqbrL3O3+DzxPYmogUmVmSWQ9IjAiPjxNUz48UyBOPSJtciI+eWVzPC9TPjxJNjQgTj0iY2kiPjE8L0k2ND48STMyIE49Im1pIj4xMTwvSTMyPjwvTVM+PC9PYmo+',
  ],
  [
    'GET_AVAILABLE_RUNSPACES',
    7n,
    2,
    POOL,
    null,
    '<Obj RefId="0"><MS><I64 N="ci">1</I64></MS></Obj>',
    'AAAAAAAAAAcAAAAAAAAAAAMAAABZAgAAAAcQAgAzIhEAVUR3ZoiZqrvM3e7/AAAAAAAAAAAAAAAAAAAAADxPYmogUmVmSWQ9IjAiPjxNUz48STY0IE49ImNpIj4xPC9JNjQ+PC9NUz48L09iaj4=',
  ],
  [
    'END_OF_PIPELINE_INPUT',
    1n,
    2,
    POOL,
    PIPELINE,
    '',
    'AAAAAAAAAAEAAAAAAAAAAAMAAAAoAgAAAAMQBAAzIhEAVUR3ZoiZqrvM3e7/QzIhEGVUh3aYqbrL3O3+Dw==',
  ],
];

describe('worked fragments', () => {
  it.each(FRAGMENTS)('%s decodes and encodes back', (name, objectId, destination, poolId, pipelineId, body, base64) => {
    const raw = parseBase64(base64) ?? new Uint8Array();
    const [object, ...more] = new Reassembler().receive(raw);
    expect(more).toEqual([]);
    expect(object).toMatchObject({ objectId, cut: [raw.length - 21] });
    const message = decodeMessage(object?.bytes ?? new Uint8Array());
    expect(messageName(message.messageType)).toBe(name);
    expect(message).toMatchObject({ destination, poolId, pipelineId, hasBom: false });
    expect(new TextDecoder().decode(message.body)).toBe(body);
    const value = decodeBody(message);
    expect(() => MESSAGES[name].decode(value)).not.toThrow();
    const again = encodeMessage(message, encodeBody(value));
    expect(toBase64([...fragmentsOf(objectId, again)][0] ?? new Uint8Array())).toBe(base64);
  });

  it('cuts a message as the two-fragment example does', () => {
    const header = { destination: 1, messageType: 0x00041004, poolId: POOL, pipelineId: PIPELINE };
    const message = encodeMessage(header, bytes('<S>hello world</S>'));
    const hex = [...fragmentsOf(7n, message, 66)].map((fragment) => Buffer.from(fragment).toString('hex'));
    expect(hex).toEqual([
      '00000000000000070000000000000000010000002d010000000410040033221100554477668899aabbccddeeff433221106554877698a9bacbdcedfe0f3c533e6865',
      '00000000000000070000000000000001020000000d6c6c6f20776f726c643c2f533e',
    ]);
  });

  it('marks a body with the byte order mark of Microsoft senders', () => {
    const line =
      "<Data Stream='Default' PSGuid='10213243-5465-7687-98a9-bacbdcedfe0f'>AAAAAAAAAAgAAAAAAAAAAAMAAAA3AQAAAAQQBAAzIhEAVUR3ZoiZqrvM3e7/QzIhEGVUh3aYqbrL3O3+D++7vzxJMzI+NTwvSTMyPg==</Data>";
    const packet = decodePacket(bytes(line));
    if (packet.element !== 'Data') throw new Error('no data');
    const [object] = new Reassembler().receive(packet.data);
    const message = decodeMessage(object?.bytes ?? new Uint8Array());
    expect(message.hasBom).toBe(true);
    expect(decodeBody(message)).toBe(5);
    expect(encodeMessage(message, message.body, message.hasBom)).toEqual(object?.bytes);
    expect(new TextDecoder().decode(encodePacket(packet))).toBe(`${line}\n`);
  });
});

describe('a body that is a byte order mark and nothing else', () => {
  it('comes back with the mark', () => {
    const header = { destination: 1, messageType: 0x00041004, poolId: POOL, pipelineId: PIPELINE };
    const whole = encodeMessage(header, Uint8Array.of(0xef, 0xbb, 0xbf));
    const message = decodeMessage(whole);
    expect(message).toMatchObject({ hasBom: true, body: new Uint8Array() });
    expect(encodeMessage(message, message.body, message.hasBom)).toEqual(whole);
  });
});

describe('GUIDs', () => {
  it('stand in .NET order', () => {
    const out = new Uint8Array(18);
    writeGuid(POOL, out, 1);
    expect(Buffer.from(out).toString('hex')).toBe('0033221100554477668899aabbccddeeff00');
    expect(readGuid(out, 1)).toBe(POOL);
    expect(() => {
      writeGuid('nothing', out, 0);
    }).toThrow(/no guid/);
  });

  it('are read in every form .NET reads, and no other', () => {
    const upper = POOL.toUpperCase();
    for (const form of [POOL, upper, `{${upper}}`, `(${POOL})`, POOL.replaceAll('-', ''), ` ${POOL} `]) {
      expect(parseGuid(form)).toBe(POOL);
    }
    for (const form of ['', `{${POOL}`, `${POOL}0`, POOL.slice(1), 'x'.repeat(36)]) expect(parseGuid(form)).toBeNull();
    expect(isGuid(upper)).toBe(false);
  });
});

describe('base64', () => {
  it('reads white space, and refuses what is not exact', () => {
    expect(parseBase64(' AA\n EC/w == \r\n')).toEqual(Uint8Array.of(0, 1, 2, 255));
    expect(parseBase64('')).toEqual(new Uint8Array());
    for (const bad of [
      'A',
      'AA',
      'AAA',
      'AA=',
      'AAAA=',
      'A===',
      'AB==',
      'AA==A',
      'AA-_',
      'AAA=AAAA',
      '\u00e9AAA',
      '=',
    ]) {
      expect(parseBase64(bad), bad).toBeNull();
    }
  });

  it('agrees with another implementation at every length', () => {
    for (let length = 0; length < 70; length++) {
      const raw = Uint8Array.from({ length }, (_, i) => (i * 89 + length) & 255);
      expect(toBase64(raw)).toBe(Buffer.from(raw).toString('base64'));
      expect(parseBase64(toBase64(raw))).toEqual(raw);
    }
  });
});

describe('session keys', () => {
  it('have the blobs of CAPI, and come back', () => {
    const modulus = Uint8Array.from({ length: 256 }, (_, i) => (i * 31 + 1) & 255);
    const blob = encodePublicKey({ modulus, exponent: Uint8Array.of(1, 0, 1) });
    expect(blob).toHaveLength(276);
    expect(Buffer.from(blob.subarray(0, 20)).toString('hex')).toBe('0602000000a400005253413100080000010001' + '00');
    expect(blob[20]).toBe(modulus[255]);
    expect(decodePublicKey(blob)).toEqual({ modulus, exponent: Uint8Array.of(1, 0, 1) });
    const wrapped = encodeWrappedKey(modulus);
    expect(Buffer.from(wrapped.subarray(0, 12)).toString('hex')).toBe('010200001066000000a40000');
    expect(decodeWrappedKey(wrapped)).toEqual(modulus);
    expect(() => encodePublicKey({ modulus: modulus.slice(1), exponent: Uint8Array.of(1) })).toThrow(/255 bytes/);
    expect(() => decodePublicKey(blob.slice(1))).toThrow(/RSA-2048/);
    expect(() => decodeWrappedKey(wrapped.slice(1))).toThrow(/wrong length/);
  });

  it('lose their padding only when it is right', () => {
    const block = new Uint8Array(256).fill(7);
    block[0] = 0;
    block[1] = 2;
    block[223] = 0;
    expect(unpadSessionKey(block)).toEqual(new Uint8Array(32).fill(7));
    for (const [at, value] of [
      [0, 1],
      [1, 1],
      [2, 0],
      [222, 0],
      [223, 1],
    ] as const) {
      const wrong = block.slice();
      wrong[at] = value;
      expect(() => unpadSessionKey(wrong), `byte ${at}`).toThrow(/cannot be unwrapped/);
    }
    expect(() => unpadSessionKey(block.slice(1))).toThrow(/cannot be unwrapped/);
  });

  it('seal without encryption under 2.4', () => {
    expect(writeCliXml(sealSecureString('Pass1', null))).toBe('<SS>UABhAHMAcwAxAA==</SS>');
    expect(writeCliXml(bag({ p: sealSecureString('', null) }))).toContain('<SS N="p"></SS>');
  });
});
