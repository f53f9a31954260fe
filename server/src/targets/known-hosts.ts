/**
 * OpenSSH's `known_hosts`, sshd(8) "SSH_KNOWN_HOSTS FILE FORMAT": reading lines, matching names as OpenSSH does, writing
 * lines. Compared with `ssh-keygen -F` on the same files. What somebody else wrote is bounded here before it is kept.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { rsaBitsOf } from './host-keys.ts';

export type KnownHostMarker = '' | 'revoked' | 'cert-authority';
export interface KnownHostLine {
  readonly marker: KnownHostMarker;
  /** Names as they stand: patterns joined with commas, or one hashed name. */
  readonly hosts: string;
  readonly keyType: string;
  /** Public key blob, base64. */
  readonly key: string;
}
/** A line that is not taken, and why, for the person who gave the file. */
export interface LineProblem {
  /** From 1. */
  readonly line: number;
  readonly why: string;
}
export interface ReadKnownHosts {
  readonly lines: readonly (KnownHostLine & { readonly line: number })[];
  /** At most MAX_PROBLEMS; `problemCount` has them all. */
  readonly problems: readonly LineProblem[];
  readonly problemCount: number;
}

const MAX_LINE_CHARS = 16 * 1024;
const MAX_PATTERNS = 128;
const MAX_PATTERN_CHARS = 1023;
const MAX_PROBLEMS = 50;
const MIN_RSA_BITS = 2048;
const KEY_TYPES = /^(?:ssh-ed25519|ecdsa-sha2-nistp(?:256|384|521)|ssh-rsa)$/;
const HASHED = /^\|1\|([A-Za-z0-9+/]{27}=)\|([A-Za-z0-9+/]{27}=)$/;
const MARKERS: ReadonlyMap<string, KnownHostMarker> = new Map([
  ['@revoked', 'revoked'],
  ['@cert-authority', 'cert-authority'],
]);

/** The name a key is kept under: the host, with another port than 22 as `[host]:port`. */
export const knownHostName = (host: string, port: number): string => (port === 22 ? host : `[${host}]:${port}`);

export const isHashedName = (hosts: string): boolean => hosts.startsWith('|');

/** The type that a key blob says it has; null when it is no blob. */
function typeInside(blob: Buffer): string | null {
  const length = blob.length >= 4 ? blob.readUInt32BE(0) : 0;
  return length > 0 && length <= 64 && blob.length > 4 + length ? blob.toString('latin1', 4, 4 + length) : null;
}

/** @returns why the key is not taken; null when it is */
function keyProblem(marker: KnownHostMarker, keyType: string, key: string): string | null {
  const blob = Buffer.from(key, 'base64');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(key) || blob.toString('base64').replace(/=+$/, '') !== key.replace(/=+$/, ''))
    return 'the key is not base64';
  if (typeInside(blob) !== keyType) return 'the key is not of the type that the line says';
  // What is revoked is revoked, of whatever kind; the key of an authority is kept for the day that it can be used.
  if (marker !== '') return null;
  if (!KEY_TYPES.test(keyType)) return `keys of type ${keyType.slice(0, 64)} are not supported`;
  if (keyType === 'ssh-rsa' && rsaBitsOf(blob) < MIN_RSA_BITS) return `RSA below ${MIN_RSA_BITS} bits is not taken`;
  return null;
}

function hostsProblem(hosts: string): string | null {
  if (isHashedName(hosts)) return HASHED.test(hosts) ? null : 'the hashed name is malformed';
  if (/[^\x21-\x7e]/.test(hosts)) return 'the names hold characters that no host name has';
  const patterns = hosts.split(',');
  if (patterns.length > MAX_PATTERNS) return `more than ${MAX_PATTERNS} names`;
  if (patterns.some((one) => one.length > MAX_PATTERN_CHARS)) return 'a name is too long';
  return null;
}

/** @returns the line, why not, or null for a comment */
function readLine(text: string): KnownHostLine | string | null {
  if (text.length > MAX_LINE_CHARS) return 'the line is too long';
  const trimmed = text.replace(/^[ \t]+/, '').replace(/[ \t\r]+$/, '');
  if (trimmed === '' || trimmed.startsWith('#')) return null;
  const words = trimmed.split(/[ \t]+/, 4);
  const [first = ''] = words;
  const marker = first.startsWith('@') ? MARKERS.get(first) : '';
  if (marker === undefined) return 'there is no such marker';
  const [hosts, keyType, key] = marker === '' ? words : words.slice(1);
  if (hosts === undefined || keyType === undefined || key === undefined) return 'there is no key';
  const problem = hostsProblem(hosts) ?? keyProblem(marker, keyType, key);
  return problem ?? { marker, hosts, keyType, key };
}

/** Reads a file. Never throws: what is not taken is in `problems`. */
export function readKnownHosts(text: string): ReadKnownHosts {
  const lines: (KnownHostLine & { line: number })[] = [];
  const problems: LineProblem[] = [];
  let problemCount = 0;
  for (const [index, each] of text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .entries()) {
    const read = readLine(each);
    if (read === null) continue;
    if (typeof read !== 'string') lines.push({ ...read, line: index + 1 });
    else if (++problemCount <= MAX_PROBLEMS) problems.push({ line: index + 1, why: read });
  }
  return { lines, problems, problemCount };
}

/** `*` and `?` only, without the doubling of work that a pattern of many stars asks for: each star is left but once. */
function matchesPattern(name: string, pattern: string): boolean {
  let at = 0;
  let inPattern = 0;
  let star = -1;
  let resume = 0;
  while (at < name.length) {
    if (pattern[inPattern] === '*') {
      star = inPattern++;
      resume = at;
    } else if (inPattern < pattern.length && (pattern[inPattern] === '?' || pattern[inPattern] === name[at])) {
      at++;
      inPattern++;
    } else if (star >= 0) {
      inPattern = star + 1;
      at = ++resume;
    } else return false;
  }
  while (pattern[inPattern] === '*') inPattern++;
  return inPattern === pattern.length;
}

const hashOf = (name: string, salt: Buffer): string => createHmac('sha1', salt).update(name).digest('base64');

/** Does the line speak of this name? A negated pattern that matches wins over all others. */
export function matchesHost(hosts: string, name: string): boolean {
  const wanted = name.toLowerCase();
  const hashed = HASHED.exec(hosts);
  if (hashed !== null) return hashOf(wanted, Buffer.from(hashed[1] ?? '', 'base64')) === hashed[2];
  let isFound = false;
  for (const pattern of hosts.toLowerCase().split(',')) {
    const isNegated = pattern.startsWith('!');
    if (!matchesPattern(wanted, isNegated ? pattern.slice(1) : pattern)) continue;
    if (isNegated) return false;
    isFound = true;
  }
  return isFound;
}

/** One line, as `ssh` reads it. */
export const writeLine = ({ marker, hosts, keyType, key }: KnownHostLine): string =>
  `${marker === '' ? '' : `@${marker} `}${hosts} ${keyType} ${key}`;

/** The name as nobody can read it back, for files that leave the gateway. */
export function hashName(name: string): string {
  const salt = randomBytes(20);
  return `|1|${salt.toString('base64')}|${hashOf(name.toLowerCase(), salt)}`;
}
