/**
 * Is the presented host key the one on record? security.md section 3 SSH: pins are kept by (hop chain, host, port, key
 * type); a weaker type than a pinned one is a change; there is no "trust once".
 */
import { createHash } from 'node:crypto';
import { SallyportError } from '../errors.ts';

export interface PinnedKey {
  readonly keyType: string;
  /** Public key blob, base64. */
  readonly key: string;
}
/** What a target showed. Fits `HostKey` of transports/contract.ts. */
export interface PresentedKey {
  readonly host: string;
  readonly port: number;
  readonly type: string;
  readonly key: string;
  readonly fingerprint: string;
}

export type HostKeyVerdict =
  | { readonly kind: 'known' }
  /** `others`: fingerprints pinned for this address under weaker types; a person should see them. */
  | { readonly kind: 'unknown'; readonly others: readonly string[] }
  | { readonly kind: 'changed'; readonly expected: readonly string[] }
  | { readonly kind: 'revoked' };

const STRENGTH: Readonly<Record<string, number>> = {
  'ssh-ed25519': 4,
  'ecdsa-sha2-nistp521': 3,
  'ecdsa-sha2-nistp384': 3,
  'ecdsa-sha2-nistp256': 2,
  'ssh-rsa': 1,
};
const strengthOf = (type: string): number => (Object.hasOwn(STRENGTH, type) ? (STRENGTH[type] ?? 0) : 0);

/** Length of the modulus in an `ssh-rsa` blob, RFC 4253 section 6.6; 0 when there is none. */
export function rsaBitsOf(blob: Buffer): number {
  const parts: Buffer[] = [];
  for (let at = 0; at + 4 <= blob.length && parts.length < 3;) {
    const end = at + 4 + blob.readUInt32BE(at);
    if (end > blob.length) return 0;
    parts.push(blob.subarray(at + 4, end));
    at = end;
  }
  const hex = parts[2]?.toString('hex').replace(/^0+/, '') ?? '';
  return hex === '' ? 0 : (hex.length - 1) * 4 + (32 - Math.clz32(parseInt(hex[0] ?? '0', 16)));
}

/** `SHA256:` and base64 without padding, as OpenSSH prints it. */
export const fingerprintOf = (key: string): string =>
  `SHA256:${createHash('sha256').update(Buffer.from(key, 'base64')).digest('base64').replace(/=+$/, '')}`;

/** What imported files say of a machine. */
export interface ListedKeys {
  readonly keys: readonly PinnedKey[];
  /** Key blobs, base64. */
  readonly revoked: readonly string[];
}
const NOTHING_LISTED: ListedKeys = { keys: [], revoked: [] };

/**
 * @param accepted those of the same hop chain, host and port that somebody accepted here. Where there is one of the type
 * that is shown, it decides; imported lines speak where there is none.
 */
export function judgeHostKey(
  presented: { type: string; key: string },
  accepted: readonly PinnedKey[],
  listed: ListedKeys = NOTHING_LISTED,
): HostKeyVerdict {
  if (listed.revoked.includes(presented.key)) return { kind: 'revoked' };
  const isDecided = accepted.some((pin) => pin.keyType === presented.type);
  const pins = isDecided ? accepted : [...accepted, ...listed.keys];
  const ofType = pins.filter((pin) => pin.keyType === presented.type);
  if (ofType.some((pin) => pin.key === presented.key)) return { kind: 'known' };
  const isWeaker = pins.some((pin) => strengthOf(pin.keyType) > strengthOf(presented.type));
  const fingerprints = (list: readonly PinnedKey[]): string[] => list.map((pin) => fingerprintOf(pin.key));
  if (ofType.length > 0) return { kind: 'changed', expected: fingerprints(ofType) };
  if (isWeaker) return { kind: 'changed', expected: fingerprints(pins) };
  return { kind: 'unknown', others: fingerprints(pins) };
}

/** The target's host key is not the one on record. No credential has been sent. */
export class HostKeyChangedError extends SallyportError {
  readonly expected: readonly string[];
  readonly actual: string;
  constructor(expected: readonly string[], actual: string) {
    // The page shows both, in this order.
    const peerText = [actual, ...expected].join(' ').slice(0, 4000);
    super('host_key_changed', `host key is ${actual}, on record is ${expected.join(', ')}`, { peerText });
    this.expected = expected;
    this.actual = actual;
  }
}

/** What is needed of storage. */
export interface HostKeyPins {
  find(via: string, host: string, port: number): Promise<readonly PinnedKey[]>;
  /** What imported files say. */
  listed(via: string, host: string, port: number): Promise<ListedKeys>;
}
/** Shows the key to somebody who may accept it, writes the event and pins it. Resolves to false when nobody did. */
export type AcceptHostKey = (key: PresentedKey, others: readonly string[]) => Promise<boolean>;

/**
 * Resolves when the key is pinned, before or now.
 * @param via hop chain in front; empty for a direct target
 * @throws HostKeyChangedError; SallyportError host_key_unknown, host_key_revoked
 */
export async function verifyHostKey(
  key: PresentedKey,
  via: string,
  pins: HostKeyPins,
  accept: AcceptHostKey,
): Promise<void> {
  const { host, port } = key;
  const verdict = judgeHostKey(key, await pins.find(via, host, port), await pins.listed(via, host, port));
  if (verdict.kind === 'known') return;
  if (verdict.kind === 'revoked')
    throw new SallyportError('host_key_revoked', `host key ${key.fingerprint} is revoked`);
  if (verdict.kind === 'changed') throw new HostKeyChangedError(verdict.expected, key.fingerprint);
  if (!(await accept(key, verdict.others)))
    throw new SallyportError('host_key_unknown', `host key ${key.fingerprint} is not on record`);
}
