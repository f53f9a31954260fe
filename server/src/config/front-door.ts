/** What `publicUrl`, `listen`, TLS and proxies together mean. security.md section 3 "Front door". */
import { SallyportError } from '../errors.ts';
import { isLoopbackHost, parseListen, type ListenAddress } from './addresses.ts';
import type { Config } from './settings.ts';

/** Decided once the port is known; everything that depends on the address people type reads it here. */
export interface FrontDoor {
  /** Without a trailing slash, for example `https://gate.example/shell`. */
  readonly publicUrl: string;
  /** Path prefix of page, API and socket: empty, or `/shell`. */
  readonly basePath: string;
  readonly isSecure: boolean;
  readonly cookieName: '__Host-sallyport' | 'sallyport-loopback';
  /** Exact origins whose pages may write and open sockets. */
  readonly origins: ReadonlySet<string>;
  /** The page may connect its socket here (CSP connect-src). */
  readonly socketOrigins: readonly string[];
  /** TLS ends at a proxy: requests from any other address are refused. */
  readonly isBehindProxy: boolean;
}

const refuse = (message: string): never => {
  throw new SallyportError('insecure_listen', message);
};

/**
 * Refuses what would put the gateway in reach of others without TLS. Called before anything is opened.
 * @throws SallyportError insecure_listen, config_invalid
 */
export function checkFrontDoor(config: Config): ListenAddress {
  const listen = parseListen(config.listen);
  if (listen === null) throw new SallyportError('config_invalid', 'listen: not host:port');
  if ((config.tlsCertFile === null) !== (config.tlsKeyFile === null))
    throw new SallyportError('config_invalid', 'tlsCertFile and tlsKeyFile: give both or none');
  const hasTls = config.tlsCertFile !== null;
  const hasProxy = config.trustedProxies.length > 0;
  const url = config.publicUrl === null ? null : new URL(config.publicUrl);
  if (url?.protocol === 'http:') {
    if (!isLoopbackHost(url.hostname)) refuse('publicUrl is http for an address that is not loopback');
    if (hasTls) throw new SallyportError('config_invalid', 'publicUrl is http but a TLS certificate is given');
  }
  if (url?.protocol === 'https:' && !hasTls && !hasProxy)
    refuse('publicUrl is https but there is neither certificate and key nor a trusted proxy');
  if (!isLoopbackHost(listen.host)) {
    if (!hasTls && !hasProxy)
      refuse(`listen is ${config.listen}, not loopback, without TLS and without a trusted proxy`);
    if (url?.protocol !== 'https:') refuse(`listen is ${config.listen}, not loopback, so publicUrl must be https`);
  }
  return listen;
}

const inUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host);

/** @param port the one that is really listened on */
export function openFrontDoor(config: Config, port: number): FrontDoor {
  const listen = checkFrontDoor(config);
  const hasTls = config.tlsCertFile !== null;
  const url = new URL(config.publicUrl ?? `${hasTls ? 'https' : 'http'}://${inUrl(listen.host)}:${port}`);
  const basePath = url.pathname.replace(/\/+$/, '');
  const isSecure = url.protocol === 'https:';
  const origins = new Set([url.origin]);
  // Nobody chose a name, so the other usual spelling of the same loopback door is as good.
  if (config.publicUrl === null && isLoopbackHost(listen.host))
    origins.add(`${url.protocol}//localhost:${port}`).add(`${url.protocol}//127.0.0.1:${port}`);
  return {
    publicUrl: `${url.origin}${basePath}`,
    basePath,
    isSecure,
    cookieName: isSecure ? '__Host-sallyport' : 'sallyport-loopback',
    origins,
    socketOrigins: [...origins].map((origin) => origin.replace(/^http/, 'ws')),
    isBehindProxy: isSecure && !hasTls,
  };
}
