import { WsManEncodeError } from './errors.ts';
import { DEFAULT_CONFIGURATION, POWERSHELL_RESOURCE } from './soap/namespaces.ts';

/** Ports of a service that nobody moved. */
export const DEFAULT_PORT = { http: 5985, https: 5986 } as const;
/** The application name of a service that nobody moved. */
export const DEFAULT_APPLICATION = 'wsman';

/** Where a service listens. */
export interface EndpointAddress {
  /** A name or an address that was checked by the caller; an IPv6 address without brackets. */
  readonly host: string;
  readonly isTls: boolean;
  /** null = 5985 or 5986. */
  readonly port?: number | null;
  /** null = `wsman`. */
  readonly applicationName?: string | null;
}

const HOST = /^[A-Za-z0-9_.:-]{1,255}$/;
const APPLICATION = /^[A-Za-z0-9_.~/-]{0,255}$/;
const CONFIGURATION = /^[^\u0000-\u001f\u007f]{1,255}$/;

/** The address as it stands in the header `To` and is sent requests to. @throws WsManEncodeError */
export function endpointUrl({ host, isTls, port, applicationName }: EndpointAddress): string {
  if (!HOST.test(host)) throw new WsManEncodeError('a bad host name');
  const name = (applicationName ?? DEFAULT_APPLICATION).replace(/^\/{1,8}/, '');
  if (!APPLICATION.test(name) || name.split('/').includes('..')) throw new WsManEncodeError('a bad application name');
  const number = port ?? (isTls ? DEFAULT_PORT.https : DEFAULT_PORT.http);
  if (!Number.isInteger(number) || number < 1 || number > 65535) throw new WsManEncodeError('a bad port');
  return `${isTls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${number}/${name}`;
}

/**
 * The resource of an endpoint: a configuration name, or a whole URI as `New-PSSession` takes it too.
 * @throws WsManEncodeError
 */
export function resourceUri(configurationName: string | null = null): string {
  const name = configurationName ?? DEFAULT_CONFIGURATION;
  if (!CONFIGURATION.test(name)) throw new WsManEncodeError('a bad configuration name');
  return name.includes('://') ? name : POWERSHELL_RESOURCE + name;
}
