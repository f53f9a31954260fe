import { WsManProtocolError } from '../errors.ts';
import { contextTag, der, DerReader, TAG } from './der.ts';
import { utf16 } from './utf16.ts';

const SECTION = 'MS-CSSP 2.2.1 TSRequest';
/** What this client speaks; a server that says more speaks this with it. */
export const CREDSSP_VERSION = 6;
/** Since here the public key is bound by hashes with a nonce; before, it can be relayed (CVE-2018-0886). */
export const CREDSSP_MIN_VERSION = 5;
/** Length of `clientNonce`. */
export const CREDSSP_NONCE_BYTES = 32;
/** A message holds one token. */
const MAX_NEGO_TOKENS = 4;

/** One message, either way. MS-CSSP 2.2.1 TSRequest. */
export interface TsRequest {
  readonly version: number;
  readonly negoToken: Uint8Array | null;
  readonly authInfo: Uint8Array | null;
  readonly pubKeyAuth: Uint8Array | null;
  /** NTSTATUS, 32 bits without a sign. */
  readonly errorCode: number | null;
  readonly clientNonce: Uint8Array | null;
}

/** Big-endian, the shortest form that is not negative. X.690 8.3 Encoding of an integer value. */
function integer(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let left = value; left > 0 || bytes.length === 0; left = Math.floor(left / 256)) bytes.unshift(left & 255);
  return der(TAG.integer, Uint8Array.from((bytes[0] ?? 0) > 127 ? [0, ...bytes] : bytes));
}
const octets = (number: number, bytes: Uint8Array | null): Uint8Array =>
  bytes === null ? new Uint8Array() : der(contextTag(number), der(TAG.octetString, bytes));

/** MS-CSSP 2.2.1 TSRequest; only the parts that are there. */
export function encodeTsRequest(request: Partial<TsRequest>): Uint8Array {
  const { version = CREDSSP_VERSION, negoToken = null, authInfo = null, pubKeyAuth = null } = request;
  const { errorCode = null, clientNonce = null } = request;
  const tokens =
    negoToken === null
      ? new Uint8Array()
      : der(contextTag(1), der(TAG.sequence, der(TAG.sequence, octets(0, negoToken))));
  return der(
    TAG.sequence,
    der(contextTag(0), integer(version)),
    tokens,
    octets(2, authInfo),
    octets(3, pubKeyAuth),
    errorCode === null ? new Uint8Array() : der(contextTag(4), integer(errorCode)),
    octets(5, clientNonce),
  );
}

/** An integer's content as 32 bits without a sign. */
function uint32Of(reader: DerReader, content: Uint8Array): number {
  if (content.length === 0 || content.length > 5) reader.fail('an integer that is too long');
  let value = 0;
  for (const byte of content) value = (value * 256 + byte) % 0x100000000;
  return value;
}

function negoTokenOf(reader: DerReader): Uint8Array | null {
  if (!reader.isNext(contextTag(1))) return null;
  const field = reader.inside(contextTag(1));
  const list = field.inside(TAG.sequence);
  field.end();
  let first: Uint8Array | null = null;
  for (let count = 0; !list.isAtEnd; count++) {
    if (count === MAX_NEGO_TOKENS) list.fail('too many tokens');
    const item = list.inside(TAG.sequence);
    const token = item.optional(0, TAG.octetString) ?? item.fail('a token that is not there');
    item.end();
    first ??= token;
  }
  return first;
}

/** MS-CSSP 2.2.1 TSRequest. @throws WsManProtocolError wsman_malformed, wsman_too_large */
export function decodeTsRequest(bytes: Uint8Array): TsRequest {
  const outer = new DerReader(bytes, SECTION);
  const request = outer.inside(TAG.sequence);
  outer.end();
  const version = request.optional(0, TAG.integer) ?? request.fail('no version');
  const negoToken = negoTokenOf(request);
  const authInfo = request.optional(2, TAG.octetString);
  const pubKeyAuth = request.optional(3, TAG.octetString);
  const error = request.optional(4, TAG.integer);
  const clientNonce = request.optional(5, TAG.octetString);
  request.end();
  return {
    version: uint32Of(request, version),
    negoToken,
    authInfo,
    pubKeyAuth,
    errorCode: error === null ? null : uint32Of(request, error),
    clientNonce,
  };
}

/** What is handed over. MS-CSSP 2.2.1.2.1 TSPasswordCreds. */
export interface DelegatedPassword {
  readonly domain: string;
  readonly user: string;
  readonly password: string;
}

/** MS-CSSP 2.2.1.2 TSCredentials with a password (type 1). The caller wipes it. */
export function encodeTsCredentials({ domain, user, password }: DelegatedPassword): Uint8Array {
  const texts = [domain, user, password].map((text, number) => octets(number, utf16(text)));
  const inner = der(TAG.sequence, ...texts);
  const credentials = der(TAG.sequence, der(contextTag(0), integer(1)), octets(1, inner));
  for (const piece of [inner, ...texts]) piece.fill(0);
  return credentials;
}

const MAGIC = {
  client: 'CredSSP Client-To-Server Binding Hash\0',
  server: 'CredSSP Server-To-Client Binding Hash\0',
} as const;

/**
 * What each side says of the public key it sees, since version 5. MS-CSSP 3.1.5 Processing Events and Sequencing Rules.
 * @param sha256 digest of all parts together
 * @param publicKey content of the certificate's subjectPublicKey
 */
export function publicKeyBinding(
  sha256: (...parts: readonly Uint8Array[]) => Uint8Array,
  side: keyof typeof MAGIC,
  nonce: Uint8Array,
  publicKey: Uint8Array,
): Uint8Array {
  return sha256(
    Uint8Array.from(MAGIC[side], (char) => char.charCodeAt(0)),
    nonce,
    publicKey,
  );
}

/**
 * The content of `subjectPublicKey`, without its count of unused bits. RFC 5280 4.1.2.7 Subject Public Key Info.
 * @param spki DER of a SubjectPublicKeyInfo
 * @throws WsManProtocolError wsman_malformed
 */
export function subjectPublicKey(spki: Uint8Array): Uint8Array {
  const outer = new DerReader(spki, 'RFC 5280 4.1.2.7 Subject Public Key Info');
  const info = outer.inside(TAG.sequence);
  info.take(TAG.sequence);
  const bits = info.take(TAG.bitString);
  if (bits[0] !== 0) info.fail('a key of a broken number of bytes');
  return bits.subarray(1);
}

/** Length of the first DER value in these bytes with its head; null while it is not all there. */
export function derLength(bytes: Uint8Array): number | null {
  const first = bytes[1];
  if (first === undefined) return null;
  if (first < 0x80) return bytes.length >= 2 + first ? 2 + first : null;
  const count = first & 0x7f;
  if (count === 0 || count > 4) {
    throw new WsManProtocolError('wsman_malformed', 'a length of a form that is not DER', {
      section: SECTION,
      offset: 1,
    });
  }
  if (bytes.length < 2 + count) return null;
  let length = 0;
  for (let i = 0; i < count; i++) length = length * 256 + (bytes[2 + i] ?? 0);
  return bytes.length >= 2 + count + length ? 2 + count + length : null;
}
