/** What signing in needs of the platform. MD5 and HMAC-MD5 throw where the platform forbids them (FIPS). */
export interface NtlmPrimitives {
  /** Digest of all parts together, 16 bytes. */
  md5(...parts: readonly Uint8Array[]): Uint8Array;
  /** HMAC-MD5 of all parts together, 16 bytes. */
  hmacMd5(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array;
  /** So many bytes nobody can foretell. */
  random(length: number): Uint8Array;
  /** The time now in 100 ns since 1601-01-01 UTC. MS-DTYP 2.3.3 FILETIME. */
  fileTime(): bigint;
}

const EPOCH_MS = 11_644_473_600_000;
/** Milliseconds since 1970 as a FILETIME. */
export const toFileTime = (ms: number): bigint => BigInt(Math.floor(ms) + EPOCH_MS) * 10_000n;
