import { joinBytes, uint64 } from './bytes.ts';
import { md4 } from './md4.ts';
import type { NtlmPrimitives } from './primitives.ts';
import { upperUnits, utf16 } from './utf16.ts';

/** What a password is worth to Windows: 16 bytes. Whoever has it needs no password. MS-NLMP 3.3.1 NTLM v1 Authentication. */
export function ntHash(password: string): Uint8Array {
  const text = utf16(password);
  const hash = md4(text);
  text.fill(0);
  return hash;
}

/** NTOWFv2; the domain keeps its case. MS-NLMP 3.3.2 NTLM v2 Authentication. */
export const responseKey = (primitives: NtlmPrimitives, hash: Uint8Array, user: string, domain: string): Uint8Array =>
  primitives.hmacMd5(hash, utf16(upperUnits(user) + domain));

/** What the proof is made over besides the server's challenge. MS-NLMP 2.2.2.7 NTLMv2_CLIENT_CHALLENGE. */
export interface ClientBlob {
  /** FILETIME. */
  readonly time: bigint;
  /** 8 bytes. */
  readonly clientChallenge: Uint8Array;
  /** Encoded pairs. */
  readonly targetInfo: Uint8Array;
}

const encodeBlob = ({ time, clientChallenge, targetInfo }: ClientBlob): Uint8Array =>
  joinBytes(
    Uint8Array.of(1, 1, 0, 0, 0, 0, 0, 0),
    uint64(time),
    clientChallenge,
    new Uint8Array(4),
    targetInfo,
    new Uint8Array(4),
  );

/** @returns the NtChallengeResponse and the key that comes of it. MS-NLMP 3.3.2 NTLM v2 Authentication */
export function ntResponse(
  primitives: NtlmPrimitives,
  key: Uint8Array,
  serverChallenge: Uint8Array,
  blob: ClientBlob,
): { readonly response: Uint8Array; readonly sessionBaseKey: Uint8Array } {
  const temp = encodeBlob(blob);
  const proof = primitives.hmacMd5(key, serverChallenge, temp);
  return { response: joinBytes(proof, temp), sessionBaseKey: primitives.hmacMd5(key, proof) };
}

/** LMv2, sent only where there is no code over all messages. MS-NLMP 3.3.2 NTLM v2 Authentication. */
export const lmResponse = (
  primitives: NtlmPrimitives,
  key: Uint8Array,
  serverChallenge: Uint8Array,
  clientChallenge: Uint8Array,
): Uint8Array => joinBytes(primitives.hmacMd5(key, serverChallenge, clientChallenge), clientChallenge);

/**
 * The pair `channelBindings` of a TLS connection: MD5 of the gss_channel_bindings_struct with null addresses.
 * MS-NLMP 2.2.2.1 AV_PAIR, RFC 2744 section 3.11.
 * @param application `tls-server-end-point:` and the hash of the certificate, RFC 5929 section 4
 */
export function channelBindingHash(primitives: NtlmPrimitives, application: Uint8Array): Uint8Array {
  const head = new Uint8Array(20);
  new DataView(head.buffer).setUint32(16, application.length, true);
  return primitives.md5(head, application);
}
