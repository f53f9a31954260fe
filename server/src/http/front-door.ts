/**
 * Who may speak to this server at all: origin, header and address checks of security.md section 3 "Front door" and T2.
 * Pure functions over a request's head; the socket upgrade asks the same ones.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { SallyportError } from '../errors.ts';

/** What the http room must know of the address people type. Made by `config/front-door.ts`. */
export interface FrontDoor {
  readonly publicUrl: string;
  readonly basePath: string;
  readonly isSecure: boolean;
  readonly cookieName: string;
  readonly origins: ReadonlySet<string>;
  readonly socketOrigins: readonly string[];
  readonly isBehindProxy: boolean;
}

/** `Origin` must be there and be exactly one of ours; `null` is none. @throws SallyportError origin_refused */
export function requireOrigin(headers: IncomingHttpHeaders, door: FrontDoor): void {
  const { origin } = headers;
  if (origin === undefined || !door.origins.has(origin))
    throw new SallyportError('origin_refused', 'origin is missing or not one of this gateway');
  refuseCrossSite(headers);
}

/** Browsers say where a request comes from; `none` is a person typing the address. @throws SallyportError origin_refused */
export function refuseCrossSite(headers: IncomingHttpHeaders): void {
  const site = headers['sec-fetch-site'];
  if (site === 'cross-site' || site === 'same-site')
    throw new SallyportError('origin_refused', 'the request came from another site');
}

/** The header that only our own page can set without asking first. @throws SallyportError csrf_refused */
export function requireCsrfHeader(headers: IncomingHttpHeaders): void {
  if (headers['x-sallyport'] !== '1') throw new SallyportError('csrf_refused', 'header x-sallyport is missing');
}

/** A path of ours that can be decoded: no address of elsewhere, no `*`, no broken percent sign. */
export function isPath(target: string): boolean {
  if (!target.startsWith('/')) return false;
  try {
    decodeURIComponent(target.replace(/[?#].*$/s, ''));
    return true;
  } catch {
    return false;
  }
}

/** Headers that say who asks whom for what. Node reads the first of two, a proxy perhaps the second. */
const SINGLE = new Set(['host', 'origin', 'authorization', 'content-type', 'x-sallyport']);
/** @param rawHeaders names and values in turn. @throws SallyportError bad_request when one of `SINGLE` stands twice */
export function requireSingle(rawHeaders: readonly string[]): void {
  const seen = new Set<string>();
  rawHeaders.forEach((text, at) => {
    const name = text.toLowerCase();
    if (at % 2 !== 0 || !SINGLE.has(name)) return;
    if (seen.has(name)) throw new SallyportError('bad_request', `header ${name} stands twice`);
    seen.add(name);
  });
}

/** A token in `Authorization: Bearer`. No other site can send one, so such requests need no origin. */
export function bearerToken(headers: IncomingHttpHeaders): string | null {
  const match = /^Bearer ([A-Za-z0-9_.~+/=-]{1,512})$/i.exec(headers.authorization ?? '');
  return match?.[1] ?? null;
}

/**
 * A request with a body is exactly `application/json`; one without names no other type.
 * @throws SallyportError unsupported_media_type
 */
export function requireType(
  headers: IncomingHttpHeaders,
  wanted: 'application/json' | 'application/octet-stream',
): void {
  const type = headers['content-type'];
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  if (type === undefined ? hasBody : type.trim().toLowerCase() !== wanted)
    throw new SallyportError('unsupported_media_type', `content type is not ${wanted}`);
  if (headers['content-encoding'] !== undefined)
    throw new SallyportError('unsupported_media_type', 'a compressed body is not accepted');
}

const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip'];
/** Whether the request passed a proxy that says so. */
export const isForwarded = (headers: IncomingHttpHeaders): boolean =>
  FORWARDED.some((name) => headers[name] !== undefined);
