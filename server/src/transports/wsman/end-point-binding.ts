/** Channel bindings of TLS by the certificate of the server. RFC 5929 section 4, `tls-server-end-point`. */
import { createHash } from 'node:crypto';

const PREFIX = new TextEncoder().encode('tls-server-end-point:');
const SEQUENCE = 0x30;
const OID = 0x06;

/** A tag with what it holds. */
export interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
  /** Where the next one begins. */
  readonly end: number;
}

/** One DER element; null when there is none. X.690 section 8.1. */
export function elementAt(bytes: Uint8Array, at: number): Element | null {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined) return null;
  const more = first < 0x80 ? 0 : first & 0x7f;
  if (more > 4) return null;
  let length = more === 0 ? first : 0;
  for (let i = 0; i < more; i++) length = length * 256 + (bytes[at + 2 + i] ?? 0);
  const from = at + 2 + more;
  return from + length > bytes.length
    ? null
    : { tag, content: bytes.subarray(from, from + length), end: from + length };
}

/** Hashes by the object identifiers of signature algorithms (hex); all others, MD5 and SHA-1 among them, mean SHA-256. */
const HASHES: ReadonlyMap<string, 'sha384' | 'sha512'> = new Map([
  ['2a864886f70d01010c', 'sha384'], // sha384WithRSAEncryption
  ['2a864886f70d01010d', 'sha512'], // sha512WithRSAEncryption
  ['2a8648ce3d040303', 'sha384'], // ecdsa-with-SHA384
  ['2a8648ce3d040304', 'sha512'], // ecdsa-with-SHA512
]);
const RSA_PSS = '2a864886f70d01010a';
/** id-sha384 and id-sha512, within the parameters of RSASSA-PSS. */
const PSS_HASHES: readonly (readonly [string, 'sha384' | 'sha512'])[] = [
  ['608648016503040202', 'sha384'],
  ['608648016503040203', 'sha512'],
];

/** The hash of a certificate's signature, as the bindings want it. RFC 5280 section 4.1.1.2 signatureAlgorithm. */
export function bindingHash(certificate: Uint8Array): 'sha256' | 'sha384' | 'sha512' {
  const whole = elementAt(certificate, 0);
  const signed = whole?.tag === SEQUENCE ? elementAt(whole.content, 0) : null;
  const algorithm = whole === null || signed === null ? null : elementAt(whole.content, signed.end);
  const id = algorithm?.tag === SEQUENCE ? elementAt(algorithm.content, 0) : null;
  if (algorithm === null || id?.tag !== OID) return 'sha256';
  const name = Buffer.from(id.content).toString('hex');
  if (name !== RSA_PSS) return HASHES.get(name) ?? 'sha256';
  // The first of the parameters is the hash of the signature; the one of MGF1 comes after it.
  const first = elementAt(elementAt(algorithm.content, id.end)?.content ?? new Uint8Array(), 0);
  const parameters = first?.tag === 0xa0 ? Buffer.from(first.content).toString('hex') : '';
  return PSS_HASHES.find(([hash]) => parameters.includes(hash))?.[1] ?? 'sha256';
}

/** What both sides of a sign-in bind it to. @param certificate the server's own, DER */
export function endPointBinding(certificate: Uint8Array): Uint8Array {
  const hash = createHash(bindingHash(certificate)).update(certificate).digest();
  const binding = new Uint8Array(PREFIX.length + hash.length);
  binding.set(PREFIX);
  binding.set(hash, PREFIX.length);
  return binding;
}
