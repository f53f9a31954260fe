/** Messages of signing in and sealed bodies, made field by field: mostly right, with one or two things that are not. */
import { encodeNegTokenInit, encodeNegTokenResp, encodeSealedBody, encodeTsRequest, MECHANISM, NTLM_FLAG } from '@sallyport/wsman'; // prettier-ignore
import type { Random } from './random.ts';

const ALL_FLAGS = Object.values(NTLM_FLAG).reduce((sum, flag) => (sum | flag) >>> 0, 0);
/** What a client insists on. */
const GOOD_FLAGS = ALL_FLAGS & ~NTLM_FLAG.oem;
const utf16 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'utf16le'));

const bytesOf = (random: Random, most: number): Uint8Array =>
  Uint8Array.from({ length: random.below(most) }, () => random.below(256));
const sometimes = <T>(random: Random, make: () => T): T | null => (random.oneIn(3) ? null : make());
const join = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

function numbers(random: Random, value: number, bits: 16 | 32): number {
  if (!random.oneIn(12)) return value;
  const most = bits === 16 ? 0xffff : 0xffffffff;
  return random.pick([0, 1, value + 1, Math.max(0, value - 1), most, most - 1, 0x8000, random.next()]) & most;
}
function little(value: number, size: 2 | 4): Uint8Array {
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  if (size === 2) view.setUint16(0, value & 0xffff, true);
  else view.setUint32(0, value >>> 0, true);
  return out;
}

/** Length, room and offset. MS-NLMP 2.2.1 */
const field = (random: Random, length: number, at: number): Uint8Array =>
  join(little(numbers(random, length, 16), 2), little(length, 2), little(numbers(random, at, 32), 4));

/** Pairs of a server: names, flags, time, and what else there may be. */
function pairs(random: Random): Uint8Array {
  const out: Uint8Array[] = [];
  const ids = [2, 1, 4, 3, 5, 6, 7, 9, 10].filter(() => !random.oneIn(4));
  if (random.oneIn(10)) ids.push(random.pick(ids.length === 0 ? [1] : ids));
  if (random.oneIn(30)) for (let i = 0; i < 80; i++) ids.push(11 + i);
  for (const id of ids) {
    const value = id === 7 ? new Uint8Array(8) : id === 6 ? little(random.below(8), 4) : id === 10 ? new Uint8Array(16) : utf16(random.pick(['LAB', 'SRV', 'srv.lab.test', 'ß', '\u{1f600}', '']));
    const isOdd = random.oneIn(15);
    out.push(little(id, 2), little(numbers(random, value.length, 16), 2), isOdd ? bytesOf(random, 20) : value);
  }
  return random.oneIn(15) ? join(...out) : join(...out, little(0, 4));
} // prettier-ignore

function flags(random: Random): number {
  if (!random.oneIn(4)) return GOOD_FLAGS;
  return random.oneIn(3) ? random.next() : GOOD_FLAGS & ~random.pick(Object.values(NTLM_FLAG));
}

function challenge(random: Random): Uint8Array {
  const name = utf16(random.pick(['LAB', '', 'A'.repeat(200)]));
  const info = pairs(random);
  const head = join(
    ...[Buffer.from('NTLMSSP\0'), little(numbers(random, 2, 32), 4), field(random, name.length, 56), little(flags(random), 4)],
    ...[new Uint8Array(8).fill(7), new Uint8Array(8), field(random, info.length, 56 + name.length), new Uint8Array(8)],
  );
  return join(head, name, info);
} // prettier-ignore

/** @param own a good one, of which single fields are changed: nobody could guess its proof */
function authenticate(random: Random, own: Uint8Array): Uint8Array {
  const out = own.slice();
  const from = Buffer.from(out).indexOf('NTLMSSP\0');
  if (from < 0) return out;
  for (let count = random.below(3); count > 0; count--) {
    const at = from + random.pick([12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60, 72, 88, 100]) + random.below(4);
    if (at < out.length) out[at] = random.oneIn(2) ? random.pick([0, 1, 0xff, 0x7f]) : random.below(256);
  }
  return out;
}

function answer(random: Random, inner: Uint8Array | null): Uint8Array {
  return encodeNegTokenResp({
    state: random.oneIn(3) ? random.pick([null, 0, 1, 2, 3, 3]) : 1,
    supportedMech: random.oneIn(3) ? random.pick([null, ...Object.values(MECHANISM)]) : MECHANISM.ntlm,
    responseToken: inner,
    mechListMic: random.oneIn(4) ? bytesOf(random, 32) : null,
  });
}

function init(random: Random): Uint8Array {
  const list = Array.from({ length: 1 + random.below(random.oneIn(8) ? 20 : 4) }, () => random.pick(Object.values(MECHANISM))); // prettier-ignore
  return encodeNegTokenInit({
    mechanisms: list,
    mechToken: sometimes(random, () => bytesOf(random, 80)),
    mechListMic: random.oneIn(4) ? bytesOf(random, 20) : null,
  });
}

function tsRequest(random: Random, token: Uint8Array): Uint8Array {
  return encodeTsRequest({
    version: random.oneIn(3) ? random.pick([0, 2, 4, 5, 7, 255, 0x7fffffff]) : 6,
    negoToken: sometimes(random, () => token),
    authInfo: random.oneIn(4) ? bytesOf(random, 200) : null,
    pubKeyAuth: random.oneIn(2) ? bytesOf(random, 64) : null,
    errorCode: random.oneIn(4) ? random.pick([0xc000006d, 0, 1, 0xffffffff]) : null,
    clientNonce: random.oneIn(3) ? new Uint8Array(random.oneIn(4) ? random.below(64) : 32) : null,
  });
}

const PROTOCOLS = ['SPNEGO', 'Kerberos', 'CredSSP'].map((name) => `application/HTTP-${name}-session-encrypted`);

/** A TLS record, whole. */
const record = (random: Random): Uint8Array => {
  const inside = bytesOf(random, 60);
  const type = random.oneIn(10) ? random.below(256) : 23;
  return join(Uint8Array.of(type, 3, 3, 0, numbers(random, inside.length, 16) & 255), inside);
};

function body(random: Random): Uint8Array {
  const protocol = random.pick(PROTOCOLS);
  const isTls = protocol.includes('CredSSP');
  const parts = Array.from({ length: isTls ? 1 + random.below(random.oneIn(10) ? 60 : 4) : 1 }, () => {
    const sealed = isTls ? record(random) : bytesOf(random, random.oneIn(20) ? 4000 : 60);
    const signature = isTls ? sealed.subarray(0, Math.min(17, sealed.length)) : bytesOf(random, 72);
    const rest = isTls ? sealed.subarray(signature.length) : sealed;
    return { signature, sealed: rest, plainLength: isTls ? 1 + random.below(40) : rest.length };
  });
  const { bytes } = encodeSealedBody(parts, { protocol, hasTab: !random.oneIn(3) });
  if (random.oneIn(2)) return bytes;
  let text = Buffer.from(bytes).toString('latin1');
  const [from, to] = random.pick(TEXT_CHANGES);
  text = text.replace(from, to);
  return new Uint8Array(Buffer.from(text, 'latin1'));
}
/** What servers write otherwise, and what none should. */
const TEXT_CHANGES: readonly (readonly [string | RegExp, string])[] = [
  ['--Encrypted', '-- Encrypted'], [/Content-Type/g, 'CONTENT-TYPE'], ['\r\n', '\n'], [/;Length=\d+/, ';Length=0'], [/;Length=\d+/, ';Length=4294967296'],
  [/;Length=(\d+)/, ';Length=$1;Length=1'], ['charset=UTF-8', 'charset=UTF-16'], ['OriginalContent', 'X: y\r\nOriginalContent'], ['OriginalContent', 'Content-Type'],
  ['octet-stream', 'x-stream'], ['--Encrypted Boundary--', '--Encrypted Boundary'], [/$/, 'x'], ['type=', 'type="a;b";x='], ['--Encrypted Boundary\r\n', ''],
]; // prettier-ignore

/** One input. @param own a good last message of a client */
export function authMessage(random: Random, own: Uint8Array): Uint8Array {
  const inner = (): Uint8Array => (random.oneIn(6) ? bytesOf(random, 64) : challenge(random));
  switch (random.below(8)) {
    case 0:
      return challenge(random);
    case 1:
    case 2:
      return answer(random, inner());
    case 3:
      return authenticate(random, own);
    case 4:
      return init(random);
    case 5:
      return tsRequest(random, random.oneIn(2) ? answer(random, inner()) : init(random));
    default:
      return body(random);
  }
}
