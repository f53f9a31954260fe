/** IP addresses as bytes, so that one address has one meaning however it is spelled. */
import { isIPv4, isIPv6 } from 'node:net';

/** 4 or 16 bytes. */
export type IpBytes = readonly number[];

function v6Bytes(text: string): number[] {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const tail = dotted?.[2]?.split('.').map(Number) ?? [];
  const words = dotted === null ? text : (dotted[1] ?? '').replace(/([^:]):$/, '$1');
  const [left = '', right] = words.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff]);
  const head = groups(left);
  const end = [...(right === undefined ? [] : groups(right)), ...tail];
  return [...head, ...Array.from({ length: 16 - head.length - end.length }, () => 0), ...end];
}

/** @returns null when `text` is no address in its usual form; IPv4-mapped IPv6 gives the 4 bytes that it is */
export function parseIp(text: string): IpBytes | null {
  if (isIPv4(text)) return text.split('.').map(Number);
  if (!isIPv6(text) || text.includes('%')) return null;
  const bytes = v6Bytes(text.toLowerCase());
  return startsWith(bytes, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]) ? bytes.slice(12) : bytes;
}

export const startsWith = (bytes: IpBytes, prefix: readonly number[]): boolean =>
  prefix.every((byte, at) => bytes[at] === byte);

/** One spelling for each address; IPv6 is not shortened. */
export const formatIp = (bytes: IpBytes): string =>
  bytes.length === 4
    ? bytes.join('.')
    : Array.from({ length: 8 }, (_, at) => (((bytes[2 * at] ?? 0) << 8) | (bytes[2 * at + 1] ?? 0)).toString(16)).join(
        ':',
      );

export interface IpRange {
  readonly bytes: IpBytes;
  readonly bits: number;
}

/** `10.0.0.0/8`, `fd00::/8`, or one address. @returns null when it is none */
export function parseIpRange(text: string): IpRange | null {
  const [address = '', bits, ...rest] = text.trim().split('/');
  const bytes = parseIp(address);
  if (bytes === null || rest.length > 0) return null;
  if (bits !== undefined && !/^\d{1,3}$/.test(bits)) return null;
  const all = bytes.length * 8;
  // The prefix of an IPv4-mapped range counts the 96 bits in front.
  const isMapped = bytes.length === 4 && address.includes(':');
  const given = bits === undefined ? all : Number(bits) - (isMapped ? 96 : 0);
  return given >= 0 && given <= all ? { bytes, bits: given } : null;
}

export function isInRange(bytes: IpBytes, range: IpRange): boolean {
  if (bytes.length !== range.bytes.length) return false;
  return bytes.every((byte, at) => {
    const left = range.bits - at * 8;
    if (left <= 0) return true;
    const mask = left >= 8 ? 0xff : (0xff << (8 - left)) & 0xff;
    return (byte & mask) === ((range.bytes[at] ?? 0) & mask);
  });
}

/** IPv4 addresses that a translator or tunnel reaches through this IPv6 address (NAT64, 6to4, Teredo, compatible, ISATAP). */
export function embeddedIpv4(bytes: IpBytes): IpBytes[] {
  if (bytes.length !== 16) return [];
  const found: IpBytes[] = [];
  if (startsWith(bytes, [0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0])) found.push(bytes.slice(12)); // RFC 6052
  if (startsWith(bytes, [0x00, 0x64, 0xff, 0x9b, 0, 1])) {
    // RFC 8215: for local use, of any prefix length that RFC 6052 section 2.2 has from 48 bits on. 0.x is no address.
    const forms = [
      [...bytes.slice(6, 8), ...bytes.slice(9, 11)],
      [...bytes.slice(7, 8), ...bytes.slice(9, 12)],
    ];
    const likely = [...forms, bytes.slice(9, 13), bytes.slice(12)].filter(([first]) => first !== 0);
    found.push(...(likely.length > 0 ? likely : [bytes.slice(12)]));
  }
  if (startsWith(bytes, [0x20, 0x02])) found.push(bytes.slice(2, 6)); // 6to4, RFC 3056
  if (startsWith(bytes, [0x20, 0x01, 0, 0])) {
    found.push(bytes.slice(4, 8)); // Teredo server, RFC 4380
    found.push(bytes.slice(12).map((byte) => byte ^ 0xff)); // and client
  }
  const isCompatible =
    startsWith(
      bytes,
      Array.from({ length: 12 }, () => 0),
    ) && bytes.slice(12, 15).some((byte) => byte > 0);
  if (isCompatible) found.push(bytes.slice(12));
  if (bytes[10] === 0x5e && bytes[11] === 0xfe && ((bytes[8] ?? 0) & 0xfd) === 0 && bytes[9] === 0)
    found.push(bytes.slice(12)); // ISATAP
  return found;
}
