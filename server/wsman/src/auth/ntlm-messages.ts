import { joinBytes, uint16, uint32 } from './bytes.ts';
import { TokenReader } from './token-reader.ts';

/** NegotiateFlags. MS-NLMP 2.2.2.5 NEGOTIATE. */
export const NTLM_FLAG = {
  unicode: 0x00000001,
  oem: 0x00000002,
  requestTarget: 0x00000004,
  sign: 0x00000010,
  seal: 0x00000020,
  ntlm: 0x00000200,
  alwaysSign: 0x00008000,
  targetTypeDomain: 0x00010000,
  targetTypeServer: 0x00020000,
  extendedSessionSecurity: 0x00080000,
  targetInfo: 0x00800000,
  version: 0x02000000,
  key128: 0x20000000,
  keyExchange: 0x40000000,
  key56: 0x80000000,
} as const;

/** What this client offers, always. */
export const CLIENT_FLAGS = 0xe2088237;

/** 8 bytes: NTLMSSP and a zero. */
const SIGNATURE = Uint8Array.from('NTLMSSP\0', (char) => char.charCodeAt(0));
/** Windows 10.0, build 17763, NTLMSSP revision 15. MS-NLMP 2.2.2.10 VERSION. Only logs look at it. */
const VERSION = Uint8Array.of(0x0a, 0, 0x63, 0x45, 0, 0, 0, 0x0f);
/** Where the payload of an AUTHENTICATE_MESSAGE begins, and where its code stands. */
const AUTHENTICATE_HEADER = 88;
const MIC_AT = 72;
const MIC_BYTES = 16;

const field = (length: number, offset: number): Uint8Array => joinBytes(uint16(length), uint16(length), uint32(offset));

/** Is this a message of NTLM, without SPNEGO around it? */
export const isNtlm = (token: Uint8Array): boolean =>
  token.length >= 12 && SIGNATURE.every((byte, i) => token[i] === byte);

function open(token: Uint8Array, type: number, section: string): TokenReader {
  const reader = new TokenReader(token, section);
  if (!isNtlm(token)) reader.fail('a token that is no NTLM message', 0);
  if (reader.uint32(8) !== type) reader.fail(`NTLM message ${reader.uint32(8)} where ${type} is due`, 8);
  return reader;
}

/** The first message. MS-NLMP 2.2.1.1 NEGOTIATE_MESSAGE. @returns 40 bytes */
export const encodeNegotiate = (flags: number = CLIENT_FLAGS): Uint8Array =>
  joinBytes(SIGNATURE, uint32(1), uint32(flags), new Uint8Array(16), VERSION);

/** @returns its flags. MS-NLMP 2.2.1.1 NEGOTIATE_MESSAGE */
export const decodeNegotiate = (token: Uint8Array): number =>
  open(token, 1, 'MS-NLMP 2.2.1.1 NEGOTIATE_MESSAGE').uint32(12);

/** The server's answer. Offsets: 12 name, 20 flags, 24 challenge, 32 reserved, 40 target info, 48 version, 56 payload. */
export interface Challenge {
  readonly flags: number;
  /** 8 bytes. */
  readonly serverChallenge: Uint8Array;
  /** UTF-16LE. */
  readonly targetName: Uint8Array;
  /** Pairs as they came, for `decodeTargetInfo`; empty when there are none. */
  readonly targetInfo: Uint8Array;
}

/** MS-NLMP 2.2.1.2 CHALLENGE_MESSAGE. @throws WsManProtocolError wsman_malformed, wsman_too_large */
export function decodeChallenge(token: Uint8Array): Challenge {
  const reader = open(token, 2, 'MS-NLMP 2.2.1.2 CHALLENGE_MESSAGE');
  return {
    flags: reader.uint32(20),
    serverChallenge: reader.take(24, 8),
    targetName: reader.field(12),
    targetInfo: reader.field(40),
  };
}

/** MS-NLMP 2.2.1.2 CHALLENGE_MESSAGE. */
export function encodeChallenge({ flags, serverChallenge, targetName, targetInfo }: Challenge): Uint8Array {
  return joinBytes(
    SIGNATURE,
    uint32(2),
    field(targetName.length, 56),
    uint32(flags),
    serverChallenge,
    new Uint8Array(8),
    field(targetInfo.length, 56 + targetName.length),
    VERSION,
    targetName,
    targetInfo,
  );
}

/** The client's proof. Texts are UTF-16LE. */
export interface Authenticate {
  readonly flags: number;
  readonly lmResponse: Uint8Array;
  readonly ntResponse: Uint8Array;
  readonly domain: Uint8Array;
  readonly user: Uint8Array;
  readonly workstation: Uint8Array;
  readonly encryptedSessionKey: Uint8Array;
}

/**
 * MS-NLMP 2.2.1.3 AUTHENTICATE_MESSAGE, with room for the code over all messages.
 * @returns the message; put the code in with `setMic` when all of it is known
 */
export function encodeAuthenticate(message: Authenticate): Uint8Array {
  const { lmResponse, ntResponse, domain, user, workstation, encryptedSessionKey } = message;
  const payload = [lmResponse, ntResponse, domain, user, workstation, encryptedSessionKey];
  // In the header the names stand before the key as here, so the order of fields and payload is one.
  const fields: Uint8Array[] = [];
  let at = AUTHENTICATE_HEADER;
  for (const part of payload) {
    fields.push(field(part.length, at));
    at += part.length;
  }
  return joinBytes(
    SIGNATURE,
    uint32(3),
    ...fields,
    uint32(message.flags),
    VERSION,
    new Uint8Array(MIC_BYTES),
    ...payload,
  );
}

/** Writes the code into a message of `encodeAuthenticate`. */
export const setMic = (message: Uint8Array, mic: Uint8Array): void => message.set(mic, MIC_AT);

/** MS-NLMP 2.2.1.3 AUTHENTICATE_MESSAGE. @throws WsManProtocolError wsman_malformed, wsman_too_large */
export function decodeAuthenticate(token: Uint8Array): Authenticate & { readonly mic: Uint8Array } {
  const reader = open(token, 3, 'MS-NLMP 2.2.1.3 AUTHENTICATE_MESSAGE');
  return {
    lmResponse: reader.field(12),
    ntResponse: reader.field(20),
    domain: reader.field(28),
    user: reader.field(36),
    workstation: reader.field(44),
    encryptedSessionKey: reader.field(52),
    flags: reader.uint32(60),
    mic: reader.take(MIC_AT, MIC_BYTES),
  };
}

/** The message as the code was made over it: with zeros in its place. */
export function withoutMic(message: Uint8Array): Uint8Array {
  // Not `slice`: that of Node's Buffer is a view.
  const copy = new Uint8Array(message);
  copy.fill(0, MIC_AT, MIC_AT + MIC_BYTES);
  return copy;
}
