/**
 * Which addresses the gateway may connect to (security.md section 3 "Target connections", T5). A name is resolved once,
 * at the moment of use; every address is checked; the one that was checked is connected to.
 */
import { lookup as dnsLookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { SallyportError } from '../errors.ts';
import { parseHost } from './address.ts';
import { embeddedIpv4, formatIp, isInRange, parseIp, parseIpRange, type IpBytes, type IpRange } from './ip.ts';

/** A range of addresses that targets may have; with a port it opens just that one (the demo's target). */
export interface AllowedRange {
  readonly range: string;
  readonly port: number | null;
}
/** An address of ours that is never a target: a listener, the database, the broker. `0.0.0.0` and `::` mean all our own. */
export interface OwnListener {
  readonly host: string;
  readonly port: number;
}
export interface AddressRules {
  readonly allowed: readonly AllowedRange[];
  readonly own: readonly OwnListener[];
}

export type RefusalReason =
  | 'not-an-address'
  | 'unspecified'
  | 'multicast'
  | 'broadcast'
  | 'link-local'
  | 'metadata'
  | 'own-listener'
  | 'loopback'
  | 'outside-ranges';

const range = (text: string): IpRange => {
  const parsed = parseIpRange(text);
  if (parsed === null) throw new Error(`${text} is no range`);
  return parsed;
};
/** Whatever is configured, these are refused. 240.0.0.0/4 holds the limited broadcast address and nothing in use. */
const ALWAYS: readonly (readonly [RefusalReason, IpRange])[] = [
  ['unspecified', range('0.0.0.0/8')],
  ['unspecified', range('::/128')],
  ['multicast', range('224.0.0.0/4')],
  ['multicast', range('ff00::/8')],
  ['broadcast', range('240.0.0.0/4')],
  ['link-local', range('169.254.0.0/16')],
  ['link-local', range('fe80::/10')],
  ['metadata', range('fd00:ec2::254/128')],
];
const LOOPBACK = [range('127.0.0.0/8'), range('::1/128')];

const isLoopback = (bytes: IpBytes): boolean => LOOPBACK.some((loopback) => isInRange(bytes, loopback));
const isSame = (a: IpBytes, b: IpBytes): boolean => a.length === b.length && a.every((byte, at) => byte === b[at]);

function isOwn(bytes: IpBytes, port: number, own: readonly OwnListener[], interfaces: readonly string[]): boolean {
  return own.some((listener) => {
    if (listener.port !== port) return false;
    const host = parseIp(listener.host);
    if (host === null) return listener.host === 'localhost' && isLoopback(bytes);
    if (host.some((byte) => byte !== 0)) return isSame(host, bytes);
    return isLoopback(bytes) || interfaces.some((text) => isSame(parseIp(text) ?? [], bytes));
  });
}

/** Loopback is opened only by a range that lies in loopback: `0.0.0.0/0` does not mean the gateway's own machine. */
function isAllowed(bytes: IpBytes, port: number, allowed: readonly AllowedRange[]): boolean {
  return allowed.some((rule) => {
    const parsed = parseIpRange(rule.range);
    if (parsed === null || (rule.port !== null && rule.port !== port) || !isInRange(bytes, parsed)) return false;
    return (
      !isLoopback(bytes) ||
      LOOPBACK.some((loopback) => isInRange(parsed.bytes, loopback) && parsed.bits >= loopback.bits)
    );
  });
}

const ownInterfaces = (): string[] =>
  Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));

/**
 * Judges one address. IPv4 inside IPv6 (mapped, NAT64, 6to4, Teredo, ISATAP) is judged as the IPv4 address that it reaches.
 * @returns null when it may be connected to
 */
export function refusalOf(
  ip: string,
  port: number,
  rules: AddressRules,
  interfaces: readonly string[] = ownInterfaces(),
): RefusalReason | null {
  const bytes = parseIp(ip);
  if (bytes === null) return 'not-an-address';
  const inner = embeddedIpv4(bytes);
  for (const address of [bytes, ...inner]) {
    const always = ALWAYS.find(([, denied]) => isInRange(address, denied));
    if (always !== undefined) return always[0];
    if (isOwn(address, port, rules.own, interfaces)) return 'own-listener';
  }
  for (const address of inner.length > 0 ? inner : [bytes])
    if (!isAllowed(address, port, rules.allowed)) return isLoopback(address) ? 'loopback' : 'outside-ranges';
  return null;
}

export interface AddressGateOptions {
  /** Asked at each use, so that a changed setting counts at once. */
  readonly rules: () => AddressRules;
  /** Told (and waited for) before the refusal is given: the audit event `ssrf.refused`. */
  readonly refused: (refusal: {
    host: string;
    port: number;
    ip: string;
    reason: RefusalReason;
  }) => Promise<void> | void;
  /** All addresses of a name, for tests; the system's resolver otherwise. */
  readonly lookup?: (host: string) => Promise<readonly string[]>;
  readonly interfaces?: () => readonly string[];
}

/** Fits `Endpoint` of transports/contract.ts. */
export interface CheckedEndpoint {
  readonly host: string;
  readonly port: number;
  /** Each call resolves and checks anew; connect to what it gives. */
  resolve(signal: AbortSignal): Promise<string>;
}

/** More than any honest name has. */
const MAX_ADDRESSES = 64;
const systemLookup = async (host: string): Promise<readonly string[]> =>
  (await dnsLookup(host, { all: true, verbatim: true })).map(({ address }) => address);

/** Ends with the signal, also when the resolver does not. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new SallyportError('cancelled', 'resolving was cancelled'));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** The only maker of endpoints. */
export function createAddressGate(options: AddressGateOptions): (host: string, port: number) => CheckedEndpoint {
  const lookup = options.lookup ?? systemLookup;
  const addressesOf = async (host: string): Promise<readonly string[]> => {
    if (parseIp(host) !== null) return [host];
    try {
      return (await lookup(host)).slice(0, MAX_ADDRESSES);
    } catch (cause) {
      throw new SallyportError('target_name_unresolved', 'name of the target could not be resolved', { cause });
    }
  };
  const check = async (written: string, port: number): Promise<string> => {
    const refuse = async (ip: string, reason: RefusalReason): Promise<never> => {
      await options.refused({ host: written, port, ip, reason });
      throw new SallyportError('target_address_refused', `target address is refused: ${reason}`);
    };
    const host = parseHost(written);
    if (host.problem !== null) return refuse('', 'not-an-address');
    const interfaces = (options.interfaces ?? ownInterfaces)();
    const judged = (await addressesOf(host.value)).map((ip) => ({
      ip,
      reason: refusalOf(ip, port, options.rules(), interfaces),
    }));
    // A name that also gives a forbidden address is not trusted; one that also gives an unlisted address is only narrowed.
    const forbidden = judged.find(
      ({ reason }) => reason !== null && reason !== 'outside-ranges' && reason !== 'loopback',
    );
    if (forbidden?.reason) return refuse(forbidden.ip, forbidden.reason);
    const good = judged.find(({ reason }) => reason === null);
    const bytes = good === undefined ? null : parseIp(good.ip);
    if (bytes !== null) return formatIp(bytes);
    const [first] = judged;
    if (first?.reason) return refuse(first.ip, first.reason);
    throw new SallyportError('target_name_unresolved', 'name of the target has no address');
  };
  return (host, port) => ({ host, port, resolve: (signal) => orAborted(check(host, port), signal) });
}

/** Names that mean the machine which resolves them. RFC 6761 section 6.3; the rest are usual in `/etc/hosts`. */
const LOOPBACK_NAME = /(?:^|\.)localhost\.?$|^(?:localhost|ip6-localhost|ip6-loopback|loopback)(?:\.localdomain)?\.?$/;

/**
 * Judges a place behind a jump host. The connection is made there, and a name means what that host takes it for: the gateway
 * does not resolve it, and the host's own `PermitOpen` has the last word. What is written as an address is judged as
 * everywhere, but for our own listeners, which are not there; a name for loopback needs a loopback range.
 */
export function farRefusalOf(written: string, port: number, rules: AddressRules): RefusalReason | null {
  const host = parseHost(written);
  if (host.problem !== null) return 'not-an-address';
  const isLiteral = parseIp(host.value) !== null;
  if (!isLiteral && !LOOPBACK_NAME.test(host.value)) return null;
  return refusalOf(isLiteral ? host.value : '127.0.0.1', port, { ...rules, own: [] }, []);
}

/** Endpoints behind a jump host: `resolve` gives what that host is to be asked for. */
export function createFarGate({
  rules,
  refused,
}: Pick<AddressGateOptions, 'rules' | 'refused'>): (host: string, port: number) => CheckedEndpoint {
  const check = async (host: string, port: number): Promise<string> => {
    const reason = farRefusalOf(host, port, rules());
    const spelled = parseHost(host).value ?? host;
    if (reason === null) return spelled;
    await refused({ host, port, ip: parseIp(spelled) === null ? '' : spelled, reason });
    throw new SallyportError('target_address_refused', `target address is refused: ${reason}`);
  };
  return (host, port) => ({ host, port, resolve: (signal) => orAborted(check(host, port), signal) });
}
