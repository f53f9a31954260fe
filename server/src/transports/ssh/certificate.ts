/**
 * OpenSSH user certificates: what they say, and how one is written. Format: OpenSSH PROTOCOL.certkeys, section "New public
 * key formats". Nothing here decides who may sign in; the target does.
 */
import { sign, type KeyObject } from 'node:crypto';
import { SallyportError } from '../../errors.ts';
import { fingerprintOf } from './host-key.ts';
import { sshString, uint32, uint64, WireReader } from './wire.ts';

const MAX_CERTIFICATE_CHARS = 16 * 1024;
/** OpenSSH itself stops at 256 principals. */
const MAX_PRINCIPALS = 256;
const MAX_OPTIONS = 64;
const USER_CERTIFICATE = 1;
/** "For ever", in seconds. */
const FOREVER = 0xffff_ffff_ffff_ffffn;
const SUFFIX = '-cert-v01@openssh.com';

/** How many fields of the public key stand between nonce and serial, for each type of key that can sign here. */
const KEY_FIELDS: ReadonlyMap<string, number> = new Map([
  ['ssh-ed25519', 1],
  ['ecdsa-sha2-nistp256', 2],
  ['ecdsa-sha2-nistp384', 2],
  ['ecdsa-sha2-nistp521', 2],
  ['ssh-rsa', 2],
]);

/** A name with its data; for options with a text in it, the text. */
export interface CertificateOption {
  readonly name: string;
  readonly value: string;
}
/** What a certificate says. Nobody has checked its signature: the target does. */
export interface UserCertificate {
  /** The whole certificate, as it is offered. */
  readonly blob: Buffer;
  /** For example `ssh-ed25519`, the key's own type. */
  readonly keyType: string;
  /** The public key blob inside, to be compared with the private key's. */
  readonly publicBlob: Buffer;
  readonly keyId: string;
  readonly serial: bigint;
  /** Empty: for nobody, as sshd reads it. */
  readonly principals: readonly string[];
  /** UTC milliseconds; null: since ever. */
  readonly validAfter: number | null;
  /** UTC milliseconds, the first at which it is no more valid; null: for ever. */
  readonly validBefore: number | null;
  readonly criticalOptions: readonly CertificateOption[];
  readonly extensions: readonly CertificateOption[];
  readonly authorityType: string;
  readonly authorityFingerprint: string;
}

const unreadable = (why: string): SallyportError => new SallyportError('certificate_unreadable', `certificate: ${why}`);
const reader = (bytes: Uint8Array): WireReader => new WireReader(bytes, () => unreadable('it is cut off'));

function readList<T>(bytes: Buffer, limit: number, item: (from: WireReader) => T): T[] {
  const from = reader(bytes);
  const items: T[] = [];
  while (!from.isDone) {
    if (items.length >= limit) throw unreadable(`more than ${limit} entries`);
    items.push(item(from));
  }
  return items;
}

const readOptions = (bytes: Buffer): CertificateOption[] =>
  readList(bytes, MAX_OPTIONS, (from) => {
    const name = from.text();
    const data = from.string();
    return { name, value: data.length === 0 ? '' : reader(data).text() };
  });

/** Seconds to milliseconds; what lies beyond a clock's reach is null. */
function toTime(seconds: bigint, none: bigint): number | null {
  if (seconds === none) return null;
  const ms = Number(seconds) * 1000;
  return ms > 8.64e15 ? null : ms;
}

/** @throws SallyportError certificate_unreadable */
export function readCertificateBlob(blob: Buffer): UserCertificate {
  const from = reader(blob);
  const type = from.text();
  const keyType = type.endsWith(SUFFIX) ? type.slice(0, -SUFFIX.length) : '';
  const fields = KEY_FIELDS.get(keyType);
  if (fields === undefined) throw unreadable('its type is not supported');
  from.string(); // nonce
  const key = Array.from({ length: fields }, () => sshString(from.string()));
  const serial = from.uint64();
  if (from.uint32() !== USER_CERTIFICATE) throw unreadable('it is for a host, not for a user');
  const keyId = from.text();
  const principals = readList(from.string(), MAX_PRINCIPALS, (list) => list.text());
  const [after, before] = [from.uint64(), from.uint64()];
  const criticalOptions = readOptions(from.string());
  const extensions = readOptions(from.string());
  from.string(); // reserved
  const authority = from.string();
  from.string(); // signature
  if (!from.isDone) throw unreadable('there is more than a certificate');
  return {
    ...{ blob, keyType, keyId, serial, principals, criticalOptions, extensions },
    publicBlob: Buffer.concat([sshString(keyType), ...key]),
    validAfter: toTime(after, 0n),
    validBefore: toTime(before, FOREVER),
    authorityType: reader(authority).text(),
    authorityFingerprint: fingerprintOf(authority),
  };
}

/**
 * @param line the text of a `…-cert.pub` file: type, base64, comment
 * @throws SallyportError certificate_unreadable
 */
export function parseCertificate(line: string): UserCertificate {
  if (line.length > MAX_CERTIFICATE_CHARS) throw unreadable('it is too long');
  const [type = '', base64 = ''] = line.trim().split(/\s+/);
  if (line.trim().split(/\r?\n/).length > 1) throw unreadable('there is more than one line');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) throw unreadable('it is not the text of a -cert.pub file');
  const certificate = readCertificateBlob(Buffer.from(base64, 'base64'));
  if (type !== `${certificate.keyType}${SUFFIX}`) throw unreadable('its two types differ');
  return certificate;
}

/** The line of a `-cert.pub` file. */
export const certificateLine = (blob: Buffer, comment: string): string =>
  `${reader(blob).text()} ${blob.toString('base64')} ${comment}`;

/** @throws SallyportError certificate_not_valid_now, before anything is sent */
export function checkValidNow({ validAfter, validBefore }: UserCertificate, now: number): void {
  const time = (at: number): string => new Date(at).toISOString();
  if (validAfter !== null && now < validAfter)
    throw new SallyportError('certificate_not_valid_now', `certificate is valid from ${time(validAfter)} on`);
  if (validBefore !== null && now >= validBefore)
    throw new SallyportError('certificate_not_valid_now', `certificate was valid until ${time(validBefore)}`);
}

/** What a new certificate is to say; times in UTC milliseconds, rounded to seconds outwards. */
export interface CertificateWish {
  /** An Ed25519 public key. */
  readonly publicKey: KeyObject;
  readonly nonce: Uint8Array;
  readonly serial: bigint;
  readonly keyId: string;
  /** At least one: sshd takes none for nobody, older ones took it for everybody. */
  readonly principals: readonly string[];
  readonly validAfter: number;
  readonly validBefore: number;
  /** CIDR ranges from which the target takes it; empty: no such limit. */
  readonly sourceAddresses: readonly string[];
  /** Names of extensions, without data; only what is named is allowed. */
  readonly extensions: readonly string[];
}

/** The raw 32 bytes. RFC 8032. */
const rawEd25519 = (key: KeyObject): Buffer => Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url');

/** The public key blob of an Ed25519 key, RFC 8709 section 4. */
export const ed25519Blob = (key: KeyObject): Buffer =>
  Buffer.concat([sshString('ssh-ed25519'), sshString(rawEd25519(key))]);

const packed = (parts: readonly Buffer[]): Buffer => sshString(Buffer.concat(parts));
/** Names in order of their bytes, each once: PROTOCOL.certkeys demands it of options. */
const ordered = (names: readonly string[]): string[] => [...new Set(names)].sort((a, b) => (a < b ? -1 : 1));

/**
 * Writes and signs a user certificate over an Ed25519 key.
 * @param authority the authority's private key, Ed25519
 * @param authorityKey its public half
 */
export function writeCertificate(wish: CertificateWish, authority: KeyObject, authorityKey: KeyObject): Buffer {
  if (wish.principals.length === 0 || wish.principals.includes(''))
    throw new SallyportError('internal', 'a certificate needs principals');
  const sources = wish.sourceAddresses.join(',');
  const critical = sources === '' ? [] : [sshString('source-address'), sshString(sshString(sources))];
  const body = Buffer.concat([
    sshString(`ssh-ed25519${SUFFIX}`),
    sshString(wish.nonce),
    sshString(rawEd25519(wish.publicKey)),
    uint64(wish.serial),
    uint32(USER_CERTIFICATE),
    sshString(wish.keyId),
    packed(wish.principals.map(sshString)),
    uint64(BigInt(Math.floor(wish.validAfter / 1000))),
    uint64(BigInt(Math.ceil(wish.validBefore / 1000))),
    packed(critical),
    packed(ordered(wish.extensions).flatMap((name) => [sshString(name), sshString('')])),
    sshString(''),
    sshString(ed25519Blob(authorityKey)),
  ]);
  const signature = Buffer.concat([sshString('ssh-ed25519'), sshString(sign(null, body, authority))]);
  return Buffer.concat([body, sshString(signature)]);
}
