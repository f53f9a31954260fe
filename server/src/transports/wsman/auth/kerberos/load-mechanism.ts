/** Which Kerberos a machine has: MIT's through GSSAPI, or that of Windows. */
import { SecurityContext, lifetimeOf } from './context.ts';
import { loadLibrary } from './library.ts';
import type { Mechanism } from './mechanism.ts';
import { loadSspi, sspiMechanism } from './sspi.ts';
import { getTickets } from './tickets.ts';

/** MIT Kerberos. */
function gssapiMechanism(configuration: string): Mechanism {
  const library = loadLibrary(configuration);
  return {
    async getTickets(source, password) {
      const tickets = await getTickets(library, source, password);
      return {
        lifetimeS: lifetimeOf(library, tickets.cache),
        begin: (options) => new SecurityContext(library, { ...options, cache: tickets.cache }),
        forget: () => tickets.forget(),
      };
    },
  };
}

const LOADERS = { gssapi: gssapiMechanism, sspi: () => sspiMechanism(loadSspi()) } as const;

/** Which of them speaks Kerberos on a platform. */
export const mechanismOf = (platform: NodeJS.Platform): keyof typeof LOADERS =>
  platform === 'win32' ? 'sspi' : 'gssapi';

/** @param configuration text of a krb5.conf, for GSSAPI alone; Windows has its own @throws Error that says what is missing */
export const loadMechanism = (configuration: string): Mechanism =>
  LOADERS[mechanismOf(process.platform)](configuration);
