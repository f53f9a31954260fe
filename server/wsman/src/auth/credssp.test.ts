import { createHash, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeTsRequest,
  derLength,
  encodeTsCredentials,
  encodeTsRequest,
  publicKeyBinding,
  subjectPublicKey,
  WsManProtocolError,
} from '../index.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const from = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));
const sha256 = (...parts: readonly Uint8Array[]): Uint8Array =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
const NONCE = Uint8Array.from({ length: 32 }, (_, i) => i);
const refused = (token: string): string => {
  try {
    decodeTsRequest(from(token));
    return 'taken';
  } catch (error) {
    if (!(error instanceof WsManProtocolError)) throw error;
    return error.code;
  }
};

describe('CredSSP: known answers', () => {
  it('binds the public key both ways', () => {
    const key = from('3082010a0282010100');
    expect(hex(publicKeyBinding(sha256, 'client', NONCE, key))).toBe(
      '1a7ed6cd335fea493357f1f7e39a360c6af9b060be0cfcdf4cee25d9349a687a',
    );
    expect(hex(publicKeyBinding(sha256, 'server', NONCE, key))).toBe(
      'c5aa3672cd9b4fe54e6afd0403cdbf741ed6c70763de2d0651fb9c6d114524f7',
    );
  });
  it('writes its messages', () => {
    expect(hex(encodeTsRequest({ negoToken: from('010203') }))).toBe('3012a003020106a10b30093007a0050403010203');
    expect(hex(encodeTsRequest({ pubKeyAuth: from('aabb'), clientNonce: NONCE }))).toBe(
      `302fa003020106a3040402aabba5220420${hex(NONCE)}`,
    );
    expect(hex(encodeTsRequest({ errorCode: 0xc000006d }))).toBe('300ea003020106a407020500c000006d');
  });
  it('reads an error in both forms', () => {
    for (const token of ['300ea003020106a407020500c000006d', '300da003020106a4060204c000006d'])
      expect(decodeTsRequest(from(token))).toMatchObject({ version: 6, errorCode: 0xc000006d });
  });
  it('writes a password', () => {
    expect(hex(encodeTsCredentials({ domain: 'DOM', user: 'user', password: 'pw' }))).toBe(
      '3029a003020101a1220420301ea008040644004f004d00a10a04087500730065007200a206040470007700',
    );
  });
});

describe('CredSSP: messages', () => {
  it('read back', () => {
    const bytes = fc.option(fc.uint8Array({ maxLength: 300 }));
    fc.assert(
      fc.property(
        fc.record({
          version: fc.integer({ min: 0, max: 300 }),
          negoToken: bytes,
          authInfo: bytes,
          pubKeyAuth: bytes,
          errorCode: fc.option(fc.nat(0xffffffff)),
          clientNonce: bytes,
        }),
        (request) => {
          const encoded = encodeTsRequest(request);
          expect(decodeTsRequest(encoded)).toEqual(request);
          expect(derLength(encoded)).toBe(encoded.length);
          expect(derLength(encoded.subarray(0, encoded.length - 1))).toBeNull();
        },
      ),
      { numRuns: 100 },
    );
  });
  it.each([
    ['no version', '3000'],
    ['a version that is too long', '300aa0080206010203040506'],
    ['a token list with something else', '300ca003020106a1053003020101'],
    ['more tokens than anybody sends', `3028a003020106a121301f${'3005a003040100'.repeat(5).slice(0, 62)}`],
    ['bytes after the end', '3005a00302010600'],
    ['nothing', ''],
  ])('are refused with %s', (_, token) => {
    expect(refused(token)).toBe('wsman_malformed');
  });
  it('take the first of several tokens', () => {
    const list = '3005a003040101' + '3005a003040102';
    expect(hex(decodeTsRequest(from(`3017a003020106a110300e${list}`)).negoToken ?? new Uint8Array())).toBe('01');
  });
  it('find their end by their length', () => {
    expect([derLength(from('30')), derLength(from('3003')), derLength(from('308201')), derLength(from('3000ff'))]).toEqual([
      null, null, null, 2,
    ]); // prettier-ignore
    expect(() => derLength(from('3080'))).toThrow(WsManProtocolError);
  });
});

describe('CredSSP: the public key', () => {
  it('is the content of the certificate\'s own, for every type of key', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
    expect(subjectPublicKey(rsa.export({ type: 'spki', format: 'der' }))).toEqual(
      rsa.export({ type: 'pkcs1', format: 'der' }),
    );
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
    expect(subjectPublicKey(ec.export({ type: 'spki', format: 'der' })).length).toBe(65);
  }); // prettier-ignore
});
