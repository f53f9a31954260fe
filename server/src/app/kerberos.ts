/** Kerberos as the configuration describes it. */
import { parseRealm } from '../config/realms.ts';
import type { Config } from '../config/settings.ts';
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
