/** What Kerberos must know of the world: a configuration of its own, and how a typed name becomes a principal. */
import { SallyportError } from '../../../../errors.ts';

/** One realm. In Active Directory the DNS name of the domain in capitals. */
export interface Realm {
  readonly name: string;
  /** `dc1.corp.example` or `dc1.corp.example:88`; none = found through DNS, where that is allowed. */
  readonly kdcs: readonly string[];
  /** Domain names of hosts and of user names (`user@suffix`) that belong to it, besides its own. */
  readonly domains: readonly string[];
  /** The name before the backslash in `DOM\user`; null = none. */
  readonly netbiosName: string | null;
}

export interface KerberosSettings {
  /** The realm of a name without one; null = such names are no Kerberos names. */
  readonly defaultRealm: string | null;
  readonly realms: readonly Realm[];
  /** KDCs of realms without any in the list are looked up in DNS. */
  readonly findsKdcsInDns: boolean;
  /** A krb5.conf of the administrator's own instead of one made of the above; it must keep names uncanonicalised itself. */
  readonly configFile: string | null;
}

export const NO_REALMS: KerberosSettings = { defaultRealm: null, realms: [], findsKdcsInDns: false, configFile: null };

/** RFC 3961 names, strongest first; 17 to 20 by number. RC4 and DES are not among them. */
const ENCRYPTIONS = [
  'aes256-cts-hmac-sha1-96',
  'aes256-cts-hmac-sha384-192',
  'aes128-cts-hmac-sha256-128',
  'aes128-cts-hmac-sha1-96',
].join(' ');

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/;
const KDC = /^(?:[A-Za-z0-9][A-Za-z0-9._-]{0,254}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/;

function proven(text: string, form: RegExp, what: string): string {
  if (!form.test(text)) throw new SallyportError('config_invalid', `not ${what}: ${JSON.stringify(text)}`);
  return text;
}

/**
 * The krb5.conf of the Kerberos process. `dns_canonicalize_hostname` and `rdns` are off and short names are not completed,
 * or who answers DNS would choose the server (winrm-auth.md section 2). No realm names a primary KDC: the library would
 * try a refused password there once more.
 * @throws SallyportError config_invalid for a name that would break out of its line
 */
export function toConfiguration(settings: KerberosSettings): string {
  const lines = [
    '[libdefaults]',
    ...(settings.defaultRealm === null ? [] : [`default_realm = ${proven(settings.defaultRealm, NAME, 'a realm')}`]),
    'dns_canonicalize_hostname = false',
    'rdns = false',
    'qualify_shortname = ""',
    'dns_lookup_realm = false',
    `dns_lookup_kdc = ${settings.findsKdcsInDns}`,
    'dns_uri_lookup = false',
    'udp_preference_limit = 1',
    'ignore_acceptor_hostname = false',
    'noaddresses = true',
    'request_timeout = 15s',
    'default_ccache_name = MEMORY:none',
    `permitted_enctypes = ${ENCRYPTIONS}`,
    '[realms]',
  ];
  for (const realm of settings.realms) {
    lines.push(`${proven(realm.name, NAME, 'a realm')} = {`);
    lines.push(...realm.kdcs.map((kdc) => `kdc = ${proven(kdc, KDC, 'the address of a KDC')}`), '}');
  }
  lines.push('[domain_realm]');
  for (const { name, domains } of settings.realms)
    for (const domain of new Set([name.toLowerCase(), ...domains.map((text) => text.toLowerCase())])) {
      proven(domain, NAME, 'a domain');
      lines.push(`${domain} = ${name}`, `.${domain} = ${name}`);
    }
  return `${lines.join('\n')}\n`;
}

const same = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase();

/**
 * `DOM\user`, `user@domain` or, with a default realm, `user` as a principal. Every character with a meaning in principals
 * is quoted, so that a name stays one name.
 * @returns null when the name has no realm that is known here: a local account, for example
 */
export function toPrincipal(typed: string, settings: KerberosSettings): string | null {
  const at = typed.lastIndexOf('@');
  const slash = typed.indexOf('\\');
  const [user, realm] =
    slash >= 0
      ? [typed.slice(slash + 1), realmOfNetbios(typed.slice(0, slash), settings)]
      : at >= 0
        ? [typed.slice(0, at), realmOfDomain(typed.slice(at + 1), settings)]
        : [typed, settings.defaultRealm];
  if (user === '' || realm === null || /[\u0000-\u001f\u007f]/.test(user)) return null;
  return `${user.replace(/[\\/@]/g, (char) => `\\${char}`)}@${realm}`;
}

const realmOfNetbios = (name: string, settings: KerberosSettings): string | null =>
  settings.realms.find(({ netbiosName }) => netbiosName !== null && same(netbiosName, name))?.name ??
  realmOfDomain(name, settings, true);

/** With a configuration of the administrator's own the realms are in there: the domain in capitals is taken for one. */
function realmOfDomain(domain: string, settings: KerberosSettings, isListedOnly = false): string | null {
  const known = settings.realms.find(({ name, domains }) => same(name, domain) || domains.some((d) => same(d, domain)));
  if (known !== undefined) return known.name;
  const isOpen = !isListedOnly && (settings.configFile !== null || settings.findsKdcsInDns);
  return isOpen && NAME.test(domain) && domain.includes('.') ? domain.toUpperCase() : null;
}
