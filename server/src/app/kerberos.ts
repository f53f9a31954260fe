/** Kerberos as the configuration describes it. */
import { parseRealm } from '../config/realms.ts';
import type { Config } from '../config/settings.ts';
import { SallyportError } from '../errors.ts';
import type { GatewayAccount } from '../transports/wsman/auth/methods.ts';
import type { KerberosSettings } from '../transports/wsman/auth/kerberos/realms.ts';

/** A name without a realm is a local account: there is no realm for such names. */
export function kerberosSettings(config: Pick<Config, 'kerberosRealms' | 'kerberosConfigFile'>): KerberosSettings {
  const realms = config.kerberosRealms.map(parseRealm).filter((realm) => realm !== null);
  return {
    defaultRealm: null,
    realms,
    findsKdcsInDns: realms.some(({ kdcs }) => kdcs.length === 0),
    configFile: config.kerberosConfigFile,
  };
}

type AccountSettings = Pick<
  Config,
  'gatewayPrincipal' | 'gatewayKeytab' | 'gatewayTicketCache' | 'gatewayIdentityHosts'
>;

/** Whether a rule, a name or `*.suffix`, is for the host as it was typed. */
function isMeant(rule: string, host: string): boolean {
  const [wanted, given] = [rule.toLowerCase(), host.toLowerCase().replace(/\.$/, '')];
  return wanted.startsWith('*.') ? given.endsWith(wanted.slice(1)) && given !== wanted.slice(2) : given === wanted;
}

/** The gateway's own account; null where none is configured. @throws SallyportError config_invalid */
export function gatewayAccount(config: AccountSettings): GatewayAccount | null {
  const { gatewayPrincipal: principal, gatewayKeytab: keytab, gatewayTicketCache: cache } = config;
  const { gatewayIdentityHosts: hosts } = config;
  if (keytab === null && cache === null) {
    if (principal === null && hosts.length === 0) return null;
    throw new SallyportError('config_invalid', 'the account of the gateway needs gatewayKeytab or gatewayTicketCache');
  }
  if (keytab !== null && cache !== null)
    throw new SallyportError('config_invalid', 'gatewayKeytab and gatewayTicketCache: give one of them');
  if (principal === null)
    throw new SallyportError('config_invalid', 'the account of the gateway needs gatewayPrincipal');
  return {
    name: principal,
    identity: cache === null ? { kind: 'keytab', principal, file: keytab ?? '' } : { kind: 'ccache', name: cache },
    mayUse: (host) => hosts.some((rule) => isMeant(rule, host)),
  };
}
