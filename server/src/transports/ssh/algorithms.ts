/**
 * What we offer a target. No CBC, SHA-1, DSA, MD5, group 1 and no compression; `ssh-rsa` is SHA-1 and not offered either.
 * No group exchange either: the target would choose the prime, and nothing bounds what a prime of its choice costs us.
 * security.md section 3 SSH. AES-GCM stands first: Node's OpenSSL does it faster than ssh2 does ChaCha20-Poly1305.
 */
import type { Relaxation } from '@sallyport/shared/api/targets';
import type {
  Algorithms,
  CipherAlgorithm,
  KexAlgorithm,
  MacAlgorithm,
  NegotiatedAlgorithms,
  ServerHostKeyAlgorithm,
} from 'ssh2';
import type { Negotiated } from '../contract.ts';

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

interface Lists {
  readonly kex?: readonly KexAlgorithm[];
  readonly serverHostKey?: readonly ServerHostKeyAlgorithm[];
  readonly cipher?: readonly CipherAlgorithm[];
  readonly hmac?: readonly MacAlgorithm[];
}
/** What each relaxation adds, behind everything better. The target's settings name them one by one; shared/api/targets.ts. */
const RELAXED: Readonly<Record<Relaxation, Lists>> = {
  'no-strict-kex': {},
  'kex-sha1': { kex: ['diffie-hellman-group14-sha1'] },
  'host-key-sha1': { serverHostKey: ['ssh-rsa'] },
  'cipher-cbc': { cipher: ['aes256-cbc', 'aes192-cbc', 'aes128-cbc'] },
  'mac-sha1': { hmac: ['hmac-sha1-etm@openssh.com', 'hmac-sha1'] },
};
/**
 * CVE-2023-48795 needs ChaCha20-Poly1305 or an encrypt-then-MAC. A target without strict key exchange is offered neither, so
 * that who allows it gives up the second line of defence and not the first.
 */
const NEEDS_STRICT = /^chacha20|-etm@/;

/** RFC 8332: an `ssh-rsa` key is asked for by its signatures. */
const signaturesOf = (type: string): readonly string[] =>
  type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'] : [type];

/**
 * What we offer, with the host keys on record first: the target takes the first that it has, and a target with several
 * keys would otherwise look unknown or changed. Within each part the strongest stays first.
 * @param relaxations what the target's settings allow beside
 */
export function algorithmsFor(pinnedTypes: readonly string[], relaxations: readonly Relaxation[] = []): Algorithms {
  const pinned = new Set(pinnedTypes.flatMap(signaturesOf));
  const isPinned = (name: string): boolean => pinned.has(name);
  const isOffered = (name: string): boolean => !relaxations.includes('no-strict-kex') || !NEEDS_STRICT.test(name);
  const added = relaxations.map((name) => RELAXED[name]);
  const serverHostKey = [...ALGORITHMS.serverHostKey, ...added.flatMap((more) => more.serverHostKey ?? [])];
  return {
    kex: [...ALGORITHMS.kex, ...added.flatMap((more) => more.kex ?? [])],
    cipher: [...ALGORITHMS.cipher, ...added.flatMap((more) => more.cipher ?? [])].filter(isOffered),
    hmac: [...ALGORITHMS.hmac, ...added.flatMap((more) => more.hmac ?? [])].filter(isOffered),
    serverHostKey: [...serverHostKey.filter(isPinned), ...serverHostKey.filter((name) => !isPinned(name))],
    compress: [...ALGORITHMS.compress],
  };
}

const plain = (name: string): string => name.replace(/@.*$/, '');

/** For the facts bar: `SSH, aes128-gcm`; both directions when they differ. */
export function toProtection(negotiated: NegotiatedAlgorithms): string {
  const out = plain(negotiated.cs.cipher);
  const back = plain(negotiated.sc.cipher);
  return out === back ? `SSH, ${out}` : `SSH, ${out} / ${back}`;
}

const WEAK = /sha1|cbc|^ssh-rsa$/;
const isAead = (cipher: string): boolean => /gcm|poly1305/.test(cipher);

/** What was agreed, with what of it is weak. Only what a relaxation let in can be. */
export function toNegotiated({ kex, serverHostKey, cs, sc }: NegotiatedAlgorithms, isStrict: boolean): Negotiated {
  const ciphers = [...new Set([cs.cipher, sc.cipher])];
  // An AEAD cipher has no MAC of its own; what was agreed for it is not used.
  const macs = [...new Set([cs, sc].filter(({ cipher }) => !isAead(cipher)).map(({ mac }) => mac))];
  const weakened = [kex, serverHostKey, ...ciphers, ...macs].filter((name) => WEAK.test(name));
  return {
    ...{ kex, hostKey: serverHostKey, cipher: ciphers.join(' / '), mac: macs.join(' / '), isStrict },
    weakened: [...(isStrict ? [] : ['no strict key exchange']), ...weakened],
  };
}
