/** A target that sends elsewhere. winrm-auth.md section 9 "Redirection". */
import type { WsManSettings } from '@sallyport/shared/api/wsman';
import { visibleText } from '@sallyport/shared/terminal-output/visible-text';
import { encodeIdentify, endpointUrl, WsManFaultError, WsManRedirectError } from '@sallyport/wsman';
import { placed, SallyportError } from '../../errors.ts';
import type { Redirection, WsManConnectRequest, WsManPort } from './contract.ts';
import { toWsManTransportError } from './errors.ts';
import type { SignedConnection } from './signed-connection.ts';

/** Followed at most. */
export const MAX_REDIRECTS = 5;

/** An error is wrapped once per border between rooms. */
const MAX_CAUSES = 8;

/** Asks who is there, so that a target that sends elsewhere does it now. @throws WsManRedirectError, SallyportError */
export async function meetsRedirect(connection: SignedConnection, timeoutMs: number): Promise<void> {
  try {
    await connection.post(new TextEncoder().encode(encodeIdentify()), timeoutMs);
  } catch (error) {
    const isFault = error instanceof WsManFaultError;
    // Every other fault says that it does not tell.
    if (isFault && error.explanation.kind !== 'redirect') return;
    connection.close();
    throw isFault ? new WsManRedirectError(error.fault.redirectTo) : error;
  }
}

/** The redirection in an error or among its causes; null when there is none. */
export function redirectIn(error: unknown): WsManRedirectError | null {
  let at = error;
  for (let depth = 0; at instanceof Error && depth < MAX_CAUSES; depth++, at = at.cause) {
    if (at instanceof WsManRedirectError) return at;
    if (at instanceof WsManFaultError && at.explanation.kind === 'redirect')
      return new WsManRedirectError(at.fault.redirectTo);
  }
  return null;
}

/** With where it leads, escaped. */
export const refusedRedirect = (why: string, to = ''): SallyportError =>
  new SallyportError('wsman_redirect_refused', `redirect refused: ${why}`, { peerText: visibleText(to, 1000) });

/** What is between the scheme and the last `@` of the authority is nobody's business. */
export const withoutUser = (location: string | null): string =>
  (location ?? '').replace(/^([a-z][a-z0-9+.-]*:)?[\\/]*[^\\/?#]*@/i, '$1//');

/** The place that `Location` names. @param from where it was said @throws SallyportError wsman_redirect_refused */
export function readRedirect(location: string | null, from: Pick<Redirection, 'host' | 'port' | 'isTls'>): Redirection {
  if (location === null || !URL.canParse(location, endpointUrl(from))) throw refusedRedirect('no address');
  const url = new URL(location, endpointUrl(from));
  if (!/^https?:$/.test(url.protocol)) throw refusedRedirect('no address');
  if (url.username !== '' || url.password !== '')
    throw refusedRedirect('an address with a user', withoutUser(location));
  const isTls = url.protocol === 'https:';
  if (from.isTls && !isTls) throw refusedRedirect('from HTTPS to HTTP', location);
  const port = url.port === '' ? (isTls ? 443 : 80) : Number(url.port);
  const applicationName = url.pathname.slice(1) === '' ? 'wsman' : url.pathname.slice(1);
  const query = /^\?PSVersion=[0-9.]{1,20}$/i.test(url.search) ? url.search : '';
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port, isTls, applicationName, query };
}

/** Where it leads, or why nobody goes there. @param hops that were followed before */
export function followed(
  { location }: WsManRedirectError,
  hops: number,
  isGranted: boolean,
  from: Parameters<typeof readRedirect>[1],
): Redirection | SallyportError {
  try {
    if (!isGranted) throw refusedRedirect('not granted for this target', withoutUser(location));
    if (hops >= MAX_REDIRECTS) throw refusedRedirect(`more than ${String(MAX_REDIRECTS)} redirections`);
    return readRedirect(location, from);
  } catch (refusal) {
    if (refusal instanceof SallyportError) return refusal;
    throw refusal;
  }
}

/** The settings there: what was said of one machine is not said of another. */
export const settingsAt = (settings: WsManSettings, to: Redirection, isElsewhere: boolean): WsManSettings => ({
  ...settings,
  ...{ tls: to.isTls, applicationName: to.applicationName },
  ...(isElsewhere
    ? {
        trust: { ...settings.trust, pin: '', skipCaCheck: false, skipCnCheck: false },
        ...{
          isTrustedForNtlm: false,
          isTrustedForDelegation: false,
          ticketDelegation: 'never',
          spn: { ...settings.spn, host: '' },
        },
      }
    : {}),
});

/**
 * What to connect with first: not the target's own place when the shell is elsewhere. That counts as a redirection like
 * every other. @throws SallyportError
 */
export async function startOf(asked: WsManConnectRequest, port: WsManPort): Promise<WsManConnectRequest> {
  const { at, ...request } = asked;
  if (at === undefined || at === '') return request;
  const led = redirected(new WsManRedirectError(at), request, request.redirects ?? 0, port);
  return { ...(await orRefuse(led, asked)), redirects: (request.redirects ?? 0) + 1 };
}

/** A refusal closes the way. @throws SallyportError */
export function orRefuse<T>(work: Promise<T>, { through, place }: WsManConnectRequest): Promise<T> {
  return work.catch(async (refusal: unknown) => {
    await through?.close();
    throw placed(toWsManTransportError(refusal), place ?? '');
  });
}

/** What to connect with next. @throws what was thrown, unless it is a redirection that may be followed */
export async function redirected(
  error: unknown,
  request: WsManConnectRequest,
  hops: number,
  port: WsManPort,
): Promise<WsManConnectRequest> {
  const { settings, endpoint } = request;
  if (!(error instanceof WsManRedirectError)) throw error;
  const from = { host: endpoint.host, port: endpoint.port, isTls: settings.tls };
  const to = followed(error, hops, settings.redirects, from);
  if (to instanceof SallyportError) {
    await port.redirectRefused(withoutUser(error.location));
    throw to;
  }
  const isElsewhere = to.host.toLowerCase() !== endpoint.host.toLowerCase();
  return {
    ...request,
    endpoint: await port.redirected(to, isElsewhere),
    settings: settingsAt(settings, to, isElsewhere),
    query: to.query,
  };
}
