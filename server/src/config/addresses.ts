/** Addresses as configuration writes them: `host:port` to listen on, and CIDR ranges. */
import { BlockList, isIP } from 'node:net';

/** Where the gateway listens. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:8022`, `[::1]:8022`, `localhost:0`. @returns null when it is none */
export function parseListen(text: string): ListenAddress | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || host.startsWith('-') || port > 65535) return null;
  if (match?.[1] !== undefined && isIP(host) !== 6) return null;
  return { host, port };
}

/** `10.0.0.0/8`, `fd00::/8`, or a single address. @returns null when it is none */
export function parseRange(text: string): { address: string; prefix: number; family: 'ipv4' | 'ipv6' } | null {
  const [address = '', bits, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return null;
  const most = version === 4 ? 32 : 128;
  if (bits !== undefined && !/^\d{1,3}$/.test(bits)) return null;
  const prefix = bits === undefined ? most : Number(bits);
  return prefix > most ? null : { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' };
}

/** Says whether an address lies in one of the ranges; IPv4-mapped IPv6 counts as the IPv4 address that it is. */
export function rangeMatcher(ranges: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const text of ranges) {
    const range = parseRange(text);
    if (range !== null) list.addSubnet(range.address, range.prefix, range.family);
  }
  return (address) => {
    const plain = address.toLowerCase().startsWith('::ffff:') ? address.slice(7) : address;
    const version = isIP(plain);
    return version !== 0 && list.check(plain, version === 4 ? 'ipv4' : 'ipv6');
  };
}

const inLoopback = rangeMatcher(['127.0.0.0/8', '::1']);

/** `localhost`, 127.0.0.0/8, `::1` (with or without brackets). security.md section 3 "Front door". */
export const isLoopbackHost = (host: string): boolean =>
  host.toLowerCase() === 'localhost' || inLoopback(host.replace(/^\[|\]$/g, ''));
