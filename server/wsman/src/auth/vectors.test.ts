import { createHash, createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  channelBindingHash,
  clientTargetInfo,
  decodeChallenge,
  decodeTargetInfo,
  encodeMechanisms,
  encodeNegotiate,
  encodeNegTokenInit,
  lmResponse,
  md4,
  MECHANISM,
  NtlmClient,
  NtlmSession,
  ntHash,
  ntResponse,
  Rc4,
  responseKey,
  utf16,
} from '../index.ts';
import type { NtlmPrimitives } from '../index.ts';

/** Known answers: MS-NLMP 4.2.4, RFC 1320 A.5, RFC 6229, and a whole sign-in that was computed apart from this code. */
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const from = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replace(/\s/g, ''), 'hex'));
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

const known: NtlmPrimitives = {
  md5: (...parts) => new Uint8Array(parts.reduce((hash, part) => hash.update(part), createHash('md5')).digest()),
  hmacMd5: (key, ...parts) =>
    new Uint8Array(parts.reduce((mac, part) => mac.update(part), createHmac('md5', key)).digest()),
  random: (length) => filled(length, length === 8 ? 0xaa : 0x55),
  fileTime: () => 0n,
};
const ESK = filled(16, 0x55);
const SERVER_CHALLENGE = from('0123456789abcdef');
const PAIRS = '02000c0044006f006d00610069006e0001000c0053006500720076006500720000000000';
const hash = ntHash('Password');
const key = responseKey(known, hash, 'User', 'Domain');

describe('MD4', () => {
  it.each([
    ['', '31d6cfe0d16ae931b73c59d7e0c089c0'],
    ['a', 'bde52cb31de33e46245e05fbdbd6fb24'],
    ['abc', 'a448017aaf21d8525fc10ae87aa6729d'],
    ['message digest', 'd9130a8164549fe818874806e1c7014b'],
    ['ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789', '043f8582f241db351ce627e153e7f0e4'],
    ['1234567890'.repeat(8), 'e33b4ddc9c38f2199c3e7b164fcc0536'],
  ])('of %j', (text, digest) => {
    expect(hex(md4(bytes(text)))).toBe(digest);
  });
  it('of a password', () => {
    expect(hex(hash)).toBe('a4f49c406510bdcab6824ee7c30fd852');
  });
});

describe('RC4', () => {
  it.each([
    ['0102030405', 'b2396305f03dc027ccc3524a0a1118a8'],
    ['0102030405060708090a0b0c0d0e0f10', '9ac7cc9a609d1ef7b2932899cde41b97'],
  ])('with the key %s', (rc4Key, stream) => {
    expect(hex(new Rc4(from(rc4Key)).update(new Uint8Array(16)))).toBe(stream);
  });
  it('goes on where it was', () => {
    const cipher = new Rc4(from('0102030405'));
    expect(hex(cipher.update(new Uint8Array(5))) + hex(cipher.update(new Uint8Array(11)))).toBe(
      'b2396305f03dc027ccc3524a0a1118a8',
    );
  });
});

describe('the published NTLMv2 example', () => {
  it('gives its keys and responses', () => {
    expect(hex(key)).toBe('0c868a403bfd7a93a3001ef22ef02e3f');
    const clientChallenge = filled(8, 0xaa);
    const blob = { time: 0n, clientChallenge, targetInfo: from(PAIRS) };
    const { response, sessionBaseKey } = ntResponse(known, key, SERVER_CHALLENGE, blob);
    expect(hex(response)).toBe(
      `68cd0ab851e51c96aabc927bebef6a1c01010000000000000000000000000000aaaaaaaaaaaaaaaa00000000${PAIRS}00000000`,
    );
    expect(response.length).toBe(16 + 68);
    expect(hex(lmResponse(known, key, SERVER_CHALLENGE, clientChallenge))).toBe(
      '86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa',
    );
    expect(hex(sessionBaseKey)).toBe('8de40ccadbc14a82f15cb0ad0de95ca3');
    expect(hex(new Rc4(sessionBaseKey).update(ESK))).toBe('c5dad2544fc9799094ce1ce90bc9d03e');
  });
  it('seals as published, message after message and both ways', () => {
    const client = new NtlmSession(known, ESK, 'client');
    const server = new NtlmSession(known, ESK, 'server');
    const text = utf16('Plaintext');
    const first = client.seal(text);
    expect([hex(first.sealed), hex(first.signature)]).toEqual([
      '54e50165bf1936dc996020c1811b0f06fb5f',
      '010000007fb38ec5c55d497600000000',
    ]);
    const second = client.seal(text);
    expect([hex(second.sealed), hex(second.signature)]).toEqual([
      '64c308e09ea236e7f4232553c94a01e700fa',
      '01000000255405955d31d8c401000000',
    ]);
    const back = server.seal(bytes('<response/>'));
    expect([hex(back.sealed), hex(back.signature)]).toEqual([
      '7a7a78c421d5739a4deb19',
      '01000000fef9420fdef39a2100000000',
    ]);
    expect(server.unseal(first)).toEqual(text);
    expect(server.unseal(second)).toEqual(text);
    expect(client.unseal(back)).toEqual(bytes('<response/>'));
  });
});

describe('a whole sign-in', () => {
  const TYPE_2 = from(
    `4e544c4d53535000020000000c000c003800000035828ae20123456789abcdef000000000000000030003000440000000a0063450000000f530065007200760065007200
     02000c0044006f006d00610069006e0001000c00530065007200760065007200070008000090d336b734c30100000000`,
  ); // prettier-ignore
  const PROOF = 'cb514ea50ea2c6965255b7bb9e9b4601';
  const TYPE_3 =
    `4e544c4d53535000030000001800180058000000900090007000000` +
    `00c000c0000010000080008000c0100001000100014010000100010002401000035828ae20a0063450000000f214baf9920f1505ea633b15031583458` +
    `${'00'.repeat(24)}${PROOF}01010000000000000090d336b734c301aaaaaaaaaaaaaaaa00000000` +
    '02000c0044006f006d00610069006e0001000c0053006500720076006500720007000800' +
    '0090d336b734c30106000400020000000a001000000000000000000000000000000000000900100048005400540050002f0073007200760000000000' +
    `00000000${hex(utf16('DomainUserCOMPUTER'))}5df7112eabed57a99e31e7b0aa30cde3`;
  const options = {
    user: 'User',
    domain: 'Domain',
    workstation: 'COMPUTER',
    targetName: 'HTTP/srv',
    bindingHash: new Uint8Array(16),
    isInSpnego: true,
  };
  const MECHANISMS = encodeMechanisms([MECHANISM.ntlm]);

  it('begins with the negotiation', () => {
    const type1 = '4e544c4d5353500001000000378208e2000000000000000000000000000000000a0063450000000f';
    expect(hex(encodeNegotiate())).toBe(type1);
    expect(
      hex(encodeNegTokenInit({ mechanisms: [MECHANISM.ntlm], mechToken: encodeNegotiate(), mechListMic: null })),
    ).toBe(`604806062b0601050502a03e303ca00e300c060a2b06010401823702020aa22a0428${type1}`);
    expect(hex(MECHANISMS)).toBe('300c060a2b06010401823702020a');
  });
  it('reads the challenge', () => {
    const { flags, targetInfo } = decodeChallenge(TYPE_2);
    expect(flags).toBe(0xe28a8235);
    expect([...decodeTargetInfo(targetInfo).keys()]).toEqual([2, 1, 7]);
  });
  it('ends with the proof, its code and the key', () => {
    const { message } = new NtlmClient(known, options).authenticate(TYPE_2, hash);
    expect(hex(message)).toBe(TYPE_3);
    expect(message.length).toBe(308);
  });
  it('signs the list of mechanisms, then seals with a cipher begun anew', () => {
    const { session } = new NtlmClient(known, options).authenticate(TYPE_2, hash);
    expect(hex(session.sign(MECHANISMS))).toBe('0100000022a3984fefbb9c3200000000');
    session.resetOutgoing();
    session.verify(MECHANISMS, from('010000007dd6da05648a73ae00000000'));
    session.resetIncoming();
    const { sealed, signature } = session.seal(bytes('<a/>'));
    expect([hex(sealed), hex(signature)]).toEqual(['3884425b', '010000005528f0eeb39a096801000000']);
  });
  it('has the pairs of the server and its own', () => {
    const info = clientTargetInfo(decodeTargetInfo(decodeChallenge(TYPE_2).targetInfo), {
      hasMic: false,
      bindingHash: null,
      targetName: utf16('HTTP/srv'),
    });
    expect([...decodeTargetInfo(info).keys()]).toEqual([2, 1, 7, 9]);
  });
});

describe('channel bindings', () => {
  it('are hashed as a structure without addresses', () => {
    const certificateHash = createHash('sha256').update('certificate').digest();
    const application = new Uint8Array(Buffer.concat([Buffer.from('tls-server-end-point:'), certificateHash]));
    expect(hex(channelBindingHash(known, application))).toBe('a8398e96473163fef6cae76013e8ab5a');
  });
});
