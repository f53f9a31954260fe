import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeSealedBody, encodeSealedBody, isSealedType, joinPlain, WsManProtocolError } from './index.ts';
import type { BodyPart } from './index.ts';

const SPNEGO = 'application/HTTP-SPNEGO-session-encrypted';
const CREDSSP = 'application/HTTP-CredSSP-session-encrypted';
const MAX = 2 * 1024 * 1024;
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
const part = (length: number, signature = 16): BodyPart => ({
  plainLength: length,
  signature: new Uint8Array(signature).fill(0x2d),
  sealed: new Uint8Array(length).map((_, i) => i & 255),
});
/** A record of TLS 1.3 for so many plain bytes, cut as the record layer's trailer says. */
function record(plainLength: number): BodyPart {
  const length = plainLength + 17;
  const stream = new Uint8Array(5 + length).fill(0x2d);
  stream.set([23, 3, 3, length >> 8, length & 255]);
  return { plainLength, signature: stream.subarray(0, 17), sealed: stream.subarray(17) };
}
const CONTENT_TYPE = `multipart/encrypted;protocol="${SPNEGO}";boundary="Encrypted Boundary"`;
const head = (tab: string, length: string): string =>
  `--Encrypted Boundary\r\n${tab}Content-Type: ${SPNEGO}\r\n` +
  `${tab}OriginalContent: type=application/soap+xml;charset=UTF-8;Length=${length}\r\n` +
  `--Encrypted Boundary\r\n${tab}Content-Type: application/octet-stream\r\n`;
const GOOD = `${head('\t', '3')}\x02\0\0\0ssabc--Encrypted Boundary--\r\n`;
function refusal(text: string, contentType = CONTENT_TYPE, max = MAX): string {
  try {
    decodeSealedBody(contentType, bytes(text), max);
    return 'taken';
  } catch (error) {
    if (!(error instanceof WsManProtocolError)) throw error;
    expect(error.section).not.toBe('');
    return error.message;
  }
}

describe('a sealed body', () => {
  it('has the bytes of the grammar', () => {
    const { contentType, bytes: body } = encodeSealedBody(
      [{ plainLength: 3, signature: bytes('ss'), sealed: bytes('abc') }],
      { protocol: SPNEGO },
    );
    expect(contentType).toBe(CONTENT_TYPE);
    expect(Buffer.from(body).toString('latin1')).toBe(GOOD);
  });
  it('has the length of a recorded one: 2420 bytes around 2162', () => {
    expect(encodeSealedBody([part(2162)], { protocol: SPNEGO }).bytes.length).toBe(2420);
  });
  it('is cut into pairs of parts for CredSSP and named so', () => {
    const parts = [record(16384), record(7)];
    const body = encodeSealedBody(parts, { protocol: CREDSSP });
    expect(body.contentType).toMatch(/^multipart\/x-multi-encrypted;/);
    const read = decodeSealedBody(body.contentType, body.bytes, MAX);
    expect(read.protocol).toBe(CREDSSP);
    expect(read.parts).toEqual(parts);
  });
  it('is written without the tab where the switch says so, and read with and without', () => {
    const written = encodeSealedBody([part(5)], { protocol: SPNEGO, hasTab: false });
    expect(Buffer.from(written.bytes).toString('latin1')).not.toContain('\t');
    expect(decodeSealedBody(written.contentType, written.bytes, MAX).parts).toEqual([part(5)]);
  });
  it.each([
    ['a stray space', GOOD.replaceAll('--Encrypted', '-- Encrypted')],
    ['another case', GOOD.replaceAll('Content-Type', 'content-TYPE').replace('OriginalContent', 'ORIGINALCONTENT')],
    ['another order', GOOD.replace(/(\tContent-Type.*?\r\n)(\tOriginal.*?\r\n)/, '$2$1')],
    ['no space after the colon', GOOD.replaceAll(': ', ':')],
  ])('is read with %s', (_, text) => {
    expect(refusal(text)).toBe('taken');
  });
  it('is read with a boundary that has no quotes', () => {
    expect(refusal(GOOD, `multipart/encrypted; boundary=Encrypted Boundary; protocol=${SPNEGO}`)).toBe('taken');
  });
  it('may hold its own delimiter in the sealed bytes', () => {
    const sealed = bytes('\r\n--Encrypted Boundary--\r\n');
    const body = encodeSealedBody([{ plainLength: sealed.length, signature: sealed, sealed }], { protocol: SPNEGO });
    expect(decodeSealedBody(body.contentType, body.bytes, MAX).parts[0]?.sealed).toEqual(sealed);
  });
  it('tells the type of what is sealed', () => {
    expect(decodeSealedBody(CONTENT_TYPE, bytes(GOOD), MAX)).toMatchObject({
      protocol: SPNEGO,
      originalType: 'application/soap+xml;charset=UTF-8',
    });
  });

  it.each([
    ['something before it', `x${GOOD}`, /boundary is due/],
    ['something after it', `${GOOD}x`, /bytes after its end/],
    ['no part', '--Encrypted Boundary--\r\n', /no part/],
    ['only the head of a part', head('\t', '3'), /too early/],
    ['a longer part than it says', GOOD.replace('abc', 'abcd'), /boundary is due/],
    ['a shorter part than it says', GOOD.replace('abc', 'ab'), /boundary is due/],
    ['a length beyond its end', GOOD.replace('Length=3', 'Length=999'), /too early/],
    ['a negative length', GOOD.replace('Length=3', 'Length=-3'), /no length/],
    ['no length', GOOD.replace(';Length=3', ''), /no length/],
    ['a length beyond the limit', GOOD.replace('Length=3', 'Length=2097153'), /more than 2097152/],
    ['a signature beyond the limit', GOOD.replace('\x02\0\0\0', '\x02\0\0\xff'), /signature that is too long/],
    ['a header twice', GOOD.replace(/(\tOriginal.*?\r\n)/, '$1$1'), /twice/],
    ['nine headers', GOOD.replace(/(\tOriginal.*?\r\n)/, `$1${'abcdefghi'.replace(/./g, '$&: x\r\n')}`), /too many/],
    ['an endless line', GOOD.replace('OriginalContent', 'O'.repeat(600)), /does not end/],
    ['another type of part', GOOD.replace('octet-stream', 'xml'), /another type/],
    ['the last boundary too early', GOOD.replace('--Encrypted Boundary\r\n\tContent-Type: application/octet', '--Encrypted Boundary--\r\n\tContent-Type: application/octet'), /without sealed bytes/],
    ['an empty second part', GOOD.replace('abc--Encrypted Boundary--\r\n', `abc${head('', '0')}\0\0\0\0--Encrypted Boundary--\r\n`), /empty part/],
    ['a second part of another protocol', GOOD.replace('abc--Encrypted Boundary--\r\n', `abc${GOOD.replaceAll('SPNEGO', 'Kerberos')}`), /different kinds/],
  ])('is refused with %s', (_, text, why) => {
    expect(refusal(text)).toMatch(why);
  }); // prettier-ignore
  it('is refused without a boundary in its type', () => {
    expect(refusal(GOOD, 'multipart/encrypted')).toMatch(/no boundary/);
  });
  it('counts all parts against the limit', () => {
    const body = encodeSealedBody([record(600), record(600)], { protocol: CREDSSP });
    expect(refusal(Buffer.from(body.bytes).toString('latin1'), body.contentType, 1000)).toMatch(/more than 400 bytes/);
  });
  it('of CredSSP takes nothing but TLS records', () => {
    const bad = { plainLength: 3, signature: bytes('0123456789012345'), sealed: bytes('x') };
    const body = encodeSealedBody([bad], { protocol: CREDSSP });
    expect(refusal(Buffer.from(body.bytes).toString('latin1'), body.contentType)).toMatch(/no TLS record/);
  });

  it('reads back what it writes', () => {
    const pieces = fc.record({
      signature: fc.uint8Array({ maxLength: 80 }),
      sealed: fc.uint8Array({ minLength: 1, maxLength: 200 }),
    });
    fc.assert(
      fc.property(fc.array(pieces, { minLength: 1, maxLength: 5 }), fc.boolean(), (list, hasTab) => {
        const parts = list.map(({ signature, sealed }) => ({ plainLength: sealed.length, signature, sealed }));
        const body = encodeSealedBody(parts, { protocol: SPNEGO, hasTab });
        expect(decodeSealedBody(body.contentType, body.bytes, MAX).parts).toEqual(parts);
      }),
      { numRuns: 100 },
    );
  });
});

describe('the pieces of a sealed body', () => {
  it('are put together in order', () => {
    expect(joinPlain([part(1), part(2)], [bytes('a'), bytes('bc')])).toEqual(bytes('abc'));
  });
  it('are refused when one is not as long as its part said', () => {
    expect(() => joinPlain([part(2)], [bytes('a')])).toThrow(/another length/);
    expect(() => joinPlain([part(1)], [])).toThrow(/another length/);
  });
});

describe('the type of an answer', () => {
  it.each([CONTENT_TYPE, 'multipart/x-multi-encrypted; x=y', 'Multipart/Encrypted'])('is sealed: %s', (type) => {
    expect(isSealedType(type)).toBe(true);
  });
  it.each([null, '', 'application/soap+xml', 'multipart/encrypted2', 'text/plain;multipart/encrypted'])(
    'is not sealed: %s',
    (type) => {
      expect(isSealedType(type)).toBe(false);
    },
  );
});
