import { joinBytes, uint16, uint32 } from './bytes.ts';
import { TokenReader } from './token-reader.ts';

const SECTION = 'MS-NLMP 2.2.2.1 AV_PAIR';
/** A server sends seven at most. */
const MAX_PAIRS = 64;

/** Ids of what a server tells of itself, and a client of its sign-in. MS-NLMP 2.2.2.1 AV_PAIR. */
export const AV = {
  end: 0,
  computer: 1,
  domain: 2,
  dnsComputer: 3,
  dnsDomain: 4,
  dnsTree: 5,
  flags: 6,
  timestamp: 7,
  singleHost: 8,
  targetName: 9,
  channelBindings: 10,
} as const;

/** Bit of the flags: the sign-in carries a code over all its messages. */
const HAS_MIC = 2;

/** Pairs in the order of the wire, without the end. No id twice. */
export type TargetInfo = ReadonlyMap<number, Uint8Array>;

/** @throws WsManProtocolError wsman_malformed */
export function decodeTargetInfo(bytes: Uint8Array): TargetInfo {
  const reader = new TokenReader(bytes, SECTION);
  const pairs = new Map<number, Uint8Array>();
  for (let at = 0; pairs.size <= MAX_PAIRS;) {
    const id = reader.uint16(at);
    const value = reader.take(at + 4, reader.uint16(at + 2));
    if (id === AV.end) return pairs;
    if (pairs.has(id)) reader.fail(`pair ${id} twice`, at);
    const length = id === AV.timestamp ? 8 : id === AV.flags ? 4 : id === AV.channelBindings ? 16 : null;
    if (length !== null && value.length !== length) reader.fail(`pair ${id} of ${value.length} bytes`, at);
    pairs.set(id, value);
    at += 4 + value.length;
  }
  return reader.fail('too many pairs', bytes.length);
}

/** Pairs of id and value as they stand in a challenge, the end mark added. */
export function encodeTargetInfo(pairs: Iterable<readonly [number, Uint8Array]>): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [id, value] of pairs) parts.push(uint16(id), uint16(value.length), value);
  return joinBytes(...parts, uint32(0));
}

const flagsOf = (info: TargetInfo): number => {
  const value = info.get(AV.flags);
  return value === undefined ? 0 : new DataView(value.buffer, value.byteOffset, 4).getUint32(0, true);
};
/** Does the client say that it sends a code over all messages? Then one must be there. */
export const claimsMic = (info: TargetInfo): boolean => (flagsOf(info) & HAS_MIC) !== 0;

/** What a client adds to what the server told. */
export interface OwnInfo {
  readonly hasMic: boolean;
  /** MD5 of the channel bindings, 16 bytes; null without TLS. */
  readonly bindingHash: Uint8Array | null;
  /** UTF-16LE of the service's name, for example `HTTP/server`. */
  readonly targetName: Uint8Array;
}

/** The server's pairs with the client's own: what a client signs. MS-NLMP 3.1.5.1.2 Client Receives a CHALLENGE_MESSAGE. */
export function clientTargetInfo(server: TargetInfo, own: OwnInfo): Uint8Array {
  const replaced: readonly number[] = [AV.flags, AV.targetName, AV.channelBindings];
  const pairs = [...server].filter(([id]) => !replaced.includes(id));
  if (own.hasMic) pairs.push([AV.flags, uint32(flagsOf(server) | HAS_MIC)]);
  if (own.bindingHash !== null) pairs.push([AV.channelBindings, own.bindingHash]);
  pairs.push([AV.targetName, own.targetName]);
  return encodeTargetInfo(pairs);
}
