/** The ways to offer a private key, with its certificate when it has one. */
import type { ParsedKey } from 'ssh2';
import { SallyportError } from '../../errors.ts';
import type { UserCertificate } from './certificate.ts';
import { toSsh2Key } from './offered-key.ts';
import { sshString, WireReader } from './wire.ts';

/** A key that signs in one way. ssh2 takes `type` for the algorithm's name when it does not know it as a type of key. */
const signingAs = (key: ParsedKey, type: string, hash: string | undefined, signing: () => void): ParsedKey =>
  new Proxy(key, {
    get(target, name): unknown {
      if (name === 'type') return type;
      if (name !== 'sign') return Reflect.get(target, name, target);
      return (data: Buffer | string): Buffer => {
        signing();
        return target.sign(data, hash);
      };
    },
  });

/** Algorithms of a type of key, with the hash that ssh2 wants told. RFC 8332: never SHA-1. */
export const signaturesOf = (
  type: string,
): readonly (readonly [algorithm: string, hash: 'sha256' | 'sha512' | undefined])[] =>
  type === 'ssh-rsa'
    ? [
        ['rsa-sha2-512', 'sha512'],
        ['rsa-sha2-256', 'sha256'],
      ]
    : [[type, undefined]];

/** ECDSA: from SEQUENCE { r, s } (RFC 3279 section 2.2.3) to two mpints (RFC 5656 section 3.1.2). */
function toSshEcdsa(der: Buffer): Buffer {
  const at = (der[1] ?? 0) > 0x80 ? 3 : 2;
  const r = der.subarray(at + 2, at + 2 + (der[at + 1] ?? 0));
  const rest = der.subarray(at + 2 + r.length);
  return Buffer.concat([sshString(r), sshString(rest.subarray(2, 2 + (rest[1] ?? 0)))]);
}

function withCertificate(key: ParsedKey, { blob, keyType }: UserCertificate, signing: () => void): ParsedKey[] {
  return signaturesOf(keyType).map(([algorithm, hash]) =>
    toSsh2Key({
      algorithm: `${algorithm}-cert-v01@openssh.com`,
      blob,
      sign: (data) => {
        signing();
        const raw = key.sign(data, hash);
        if ((raw as unknown) instanceof Error) throw new SallyportError('internal', 'the private key did not sign');
        const signature = algorithm.startsWith('ecdsa-') ? toSshEcdsa(raw) : raw;
        return Promise.resolve(Buffer.concat([sshString(algorithm), sshString(signature)]));
      },
    }),
  );
}

/**
 * The ways to offer a key, to be tried in turn until the target wants a signature. RFC 8332 and security.md: never
 * SHA-1, so an RSA key is offered as rsa-sha2-512 and rsa-sha2-256 only; ssh2 would offer just one of them.
 * @param certificate offered in place of the bare key
 * @param signing called before each signature; may throw
 * @throws SallyportError certificate_unreadable when it is another key's
 */
export function toOffers(key: ParsedKey, certificate: UserCertificate | null, signing: () => void): ParsedKey[] {
  if (certificate === null)
    return signaturesOf(key.type).map(([algorithm, hash]) => signingAs(key, algorithm, hash, signing));
  if (!certificate.publicBlob.equals(key.getPublicSSH()))
    throw new SallyportError('certificate_unreadable', 'certificate: it is for another private key');
  return withCertificate(key, certificate, signing);
}

/** The type that a public key or certificate blob starts with. */
export const typeOfBlob = (blob: Uint8Array): string =>
  new WireReader(blob, () => new SallyportError('key_unreadable', 'public key is cut off')).text();
