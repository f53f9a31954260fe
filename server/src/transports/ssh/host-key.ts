import { createHash } from 'node:crypto';
import { SallyportError } from '../../errors.ts';
import type { HostKey } from '../contract.ts';

const MIN_RSA_BITS = 2048;

function readString(blob: Uint8Array, at: number): Uint8Array | null {
  if (at + 4 > blob.length) return null;
  const length = new DataView(blob.buffer, blob.byteOffset, blob.length).getUint32(at);
  return at + 4 + length <= blob.length ? blob.subarray(at + 4, at + 4 + length) : null;
}

/** Length of the modulus in an `ssh-rsa` blob; 0 when there is none. */
export function rsaBits(blob: Uint8Array): number {
  const exponent = readString(blob, 4 + 'ssh-rsa'.length);
  const modulus = exponent === null ? null : readString(blob, 4 + 'ssh-rsa'.length + 4 + exponent.length);
  if (modulus === null) return 0;
  const first = modulus.findIndex((byte) => byte !== 0);
  if (first < 0) return 0;
  return (modulus.length - first) * 8 - Math.clz32(modulus[first] ?? 0) + 24;
}

/** `SHA256:` and base64 without padding, as OpenSSH prints it. */
export const fingerprintOf = (blob: Uint8Array): string =>
  `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;

/**
 * What the target presented, RFC 4253 section 6.6: a blob that starts with its type.
 * @throws SallyportError ssh_protocol_error when it is no blob, ssh_algorithms for RSA below 2048 bits
 */
export function parseHostKey(host: string, port: number, blob: Uint8Array): HostKey {
  const name = readString(blob, 0);
  const type = name === null ? '' : Buffer.from(name).toString('latin1');
  if (!/^[a-z0-9@.-]{1,64}$/.test(type)) throw new SallyportError('ssh_protocol_error', 'host key has no type');
  if (type === 'ssh-rsa' && rsaBits(blob) < MIN_RSA_BITS)
    throw new SallyportError(
      'ssh_algorithms',
      `host key is RSA with ${rsaBits(blob)} bits, ${MIN_RSA_BITS} is the least`,
    );
  return { host, port, type, key: Buffer.from(blob).toString('base64'), fingerprint: fingerprintOf(blob) };
}
