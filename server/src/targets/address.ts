/** The grammar of `user@host:port`, strict on purpose: what is refused here never reaches a resolver or a socket. */
import { isIPv4, isIPv6 } from 'node:net';

export interface TargetAddress {
  /** Lower case; IPv6 without brackets. */
  readonly host: string;
  /** Null when none was written. */
  readonly port: number | null;
  /** As written (`ann`, `CONTOSO\ann`, `ann@contoso.test`); empty when none was. */
  readonly user: string;
}
export type Parsed<T> =
  { readonly value: T; readonly problem: null } | { readonly value: null; readonly problem: string };

const MAX_HOST_CHARS = 253;
const MAX_USER_CHARS = 256;
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
/** What inet_aton reads as a number, so that no resolver turns `0x7f.1` or `2130706433` into an address. */
const NUMBER_LABEL = /^(?:0x[0-9a-f]*|\d+)$/;
const USER_PART = /^[\p{L}\p{N}_.$+][\p{L}\p{N}\p{M}_.$+ -]*$/u;

const refused = (problem: string): { value: null; problem: string } => ({ value: null, problem });
const accepted = <T>(value: T): { value: T; problem: null } => ({ value, problem: null });

/** A DNS name, an IPv4 address in its one usual spelling, or an IPv6 address (with or without brackets). */
export function parseHost(text: string): Parsed<string> {
  const host = text.toLowerCase();
  if (host === '') return refused('there is no host name');
  if (host.startsWith('-')) return refused('a host name does not start with "-"');
  const inner = /^\[(.*)\]$/.exec(host)?.[1] ?? (isIPv6(host) ? host : null);
  if (inner !== null)
    return isIPv6(inner) && !inner.includes('%') ? accepted(inner) : refused('that is no IPv6 address');
  if (isIPv4(host)) return accepted(host);
  if (host.length > MAX_HOST_CHARS) return refused('the host name is too long');
  if (/[^\x20-\x7e]/.test(host)) return refused('write the name in its ASCII form (xn--...)');
  const labels = host.split('.');
  if (NUMBER_LABEL.test(labels.at(-1) ?? ''))
    return refused('write an IPv4 address as four decimal numbers, like 192.0.2.7');
  if (!labels.every((label) => LABEL.test(label))) return refused('that is no host name');
  return accepted(host);
}

/** `user`, `DOMAIN\user` or `user@domain`; letters, digits and `. _ $ + -` and inner blanks, not starting with `-`. */
export function parseUser(text: string): Parsed<string> {
  if (text.length > MAX_USER_CHARS) return refused('the user name is too long');
  if (text.startsWith('-')) return refused('a user name does not start with "-"');
  if (text.includes(':')) return refused('do not write a password here; it is asked for later');
  const parts = text.split(/[\\@]/);
  if (parts.length > 2) return refused('that is no user name');
  if (!parts.every((part) => USER_PART.test(part) && !part.endsWith(' '))) return refused('that is no user name');
  return accepted(text);
}

export function parsePort(text: string): Parsed<number> {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65535 ? accepted(port) : refused('a port is a number from 1 to 65535');
}

function splitPort(text: string): Parsed<{ host: string; port: string | null }> {
  if (isIPv6(text)) return accepted({ host: text, port: null });
  const match = /^(\[[^\]]*\]|[^:[\]]*)(?::(.*))?$/.exec(text);
  if (match === null) return refused('write an IPv6 address in brackets, like [2001:db8::7]:22');
  return accepted({ host: match[1] ?? '', port: match[2] ?? null });
}

/** `host`, `user@host`, `host:port`, `DOMAIN\user@[2001:db8::7]:2222`, also after `ssh://`. */
export function parseAddress(text: string): Parsed<TargetAddress> {
  const authority = text.trim().replace(/^ssh:\/\//i, '').replace(/\/$/, ''); // prettier-ignore
  if (/[\s\u0000-\u001f\u007f]/.test(authority.slice(authority.lastIndexOf('@') + 1)))
    return refused('an address has no blanks');
  const at = authority.lastIndexOf('@');
  const user = at < 0 ? accepted('') : parseUser(authority.slice(0, at));
  if (user.problem !== null) return user;
  const split = splitPort(authority.slice(at + 1));
  if (split.problem !== null) return split;
  const host = parseHost(split.value.host);
  if (host.problem !== null) return host;
  if (split.value.port === null) return accepted({ host: host.value, port: null, user: user.value });
  const port = parsePort(split.value.port);
  return port.problem === null ? accepted({ host: host.value, port: port.value, user: user.value }) : port;
}
