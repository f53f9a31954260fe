/**
 * What we offer a target. No CBC, SHA-1, DSA, MD5, group 1 and no compression; `ssh-rsa` is SHA-1 and not offered either.
 * No group exchange either: the target would choose the prime, and nothing bounds what a prime of its choice costs us.
 * security.md section 3 SSH. AES-GCM stands first: Node's OpenSSL does it faster than ssh2 does ChaCha20-Poly1305.
 */
import type { Algorithms, NegotiatedAlgorithms } from 'ssh2';

export const ALGORITHMS = {
  kex: [
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
    'diffie-hellman-group16-sha512',
    'diffie-hellman-group18-sha512',
    'diffie-hellman-group14-sha256',
  ],
  serverHostKey: [
    'ssh-ed25519',
    'ecdsa-sha2-nistp256',
    'ecdsa-sha2-nistp384',
    'ecdsa-sha2-nistp521',
    'rsa-sha2-512',
    'rsa-sha2-256',
  ],
  cipher: [
    'aes128-gcm@openssh.com',
    'aes256-gcm@openssh.com',
    'chacha20-poly1305@openssh.com',
    'aes128-ctr',
    'aes192-ctr',
    'aes256-ctr',
  ],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'],
  compress: ['none'],
} as const satisfies Algorithms;

/** RFC 8332: an `ssh-rsa` key is asked for by its signatures. */
const signaturesOf = (type: string): readonly string[] =>
  type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [type];

/**
 * What we offer, with the host keys on record first: the target takes the first that it has, and a target with several
 * keys would otherwise look unknown or changed. Within each part the strongest stays first.
 */
export function algorithmsFor(pinnedTypes: readonly string[]): Algorithms {
  const pinned = new Set(pinnedTypes.flatMap(signaturesOf));
  const isPinned = (name: string): boolean => pinned.has(name);
  const { serverHostKey } = ALGORITHMS;
  const ordered = [...serverHostKey.filter(isPinned), ...serverHostKey.filter((name) => !isPinned(name))];
  return { ...ALGORITHMS, serverHostKey: ordered };
}

const plain = (name: string): string => name.replace(/@.*$/, '');

/** For the facts bar: `SSH, aes128-gcm`; both directions when they differ. */
export function toProtection(negotiated: NegotiatedAlgorithms): string {
  const out = plain(negotiated.cs.cipher);
  const back = plain(negotiated.sc.cipher);
  return out === back ? `SSH, ${out}` : `SSH, ${out} / ${back}`;
}
