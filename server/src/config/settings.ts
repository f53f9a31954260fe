/** The settings, one row each: how it is written, its default, what it is for. `config check` prints this table. */
import { z } from 'zod';
import { parseListen, parseRange } from './addresses.ts';
import { parseRealm } from './realms.ts';

const text = z.string().trim().min(1).max(4096);
const range = text.refine((value) => parseRange(value) !== null, 'not an address or CIDR range');
const list = z.array(range).max(256);
/** Whoever is in such a range is believed when it says who asks: a network of ours, not the world. */
function namesProxies(text: string): boolean {
  const parsed = parseRange(text);
  return parsed !== null && parsed.prefix >= (parsed.family === 'ipv4' ? 8 : 16);
}
/** A name, or every name below one; never all. */
const HOST_RULE = /^(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*$/;
const whole = (min: number, max: number) => z.coerce.number().int().min(min).max(max);

/** Schema of the whole configuration after all sources were laid over each other. Extra keys are refused. */
export const ConfigSchema = z.strictObject({
  /** Where the database, keys, recordings and spool are. */
  dataDir: text,
  listen: text.refine((value) => parseListen(value) !== null, 'not host:port'),
  /** The address people type; decides Origin list, cookie name, socket address, links. Null: http on the loopback port. */
  publicUrl: z
    .url({ protocol: /^https?$/ })
    .refine((url) => !/[?#@]/.test(url), 'must not have a query, a fragment or a user')
    .nullable(),
  tlsCertFile: text.nullable(),
  tlsKeyFile: text.nullable(),
  /** Addresses or ranges of proxies whose forwarded headers are believed. */
  trustedProxies: z.array(range.refine(namesProxies, 'too wide to name proxies')).max(256),
  /** Ranges that targets may have, besides those of the settings page. */
  targetRanges: list,
  /** Null: `recordings` in the data directory. */
  recordingsDir: text.nullable(),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']),
  sessionsPerUser: whole(1, 1000),
  sessionOpensPerMinute: whole(1, 10_000),
  /** Sessions that one person may leave at one machine. */
  leftSessionsPerTarget: whole(0, 1000),
  /** Largest PSRP object from a target, MiB. */
  maxObjectMiB: whole(1, 200),
  /** Socket of an ssh-agent at the gateway's host; on Windows also the OpenSSH pipe, or `pageant`. Null: none is used. */
  agentSocket: text.nullable(),
  /** Realms of Kerberos: `CORP.EXAMPLE/CORP=dc1.corp.example dc2.corp.example`. */
  kerberosRealms: z.array(text.refine((value) => parseRealm(value) !== null, 'not a realm')).max(64),
  /** A krb5.conf of the administrator's own, in place of one made of the realms. */
  kerberosConfigFile: text.nullable(),
  /** The gateway's own account in Kerberos, `sallyport@CORP.EXAMPLE`, with a keytab or a ticket cache (`FILE:/run/…`). */
  gatewayPrincipal: text.nullable(),
  gatewayKeytab: text.nullable(),
  gatewayTicketCache: text.nullable(),
  /** Hosts where that account may sign in for everybody who may open a session there: names, or `*.corp.example`. */
  gatewayIdentityHosts: z.array(text.refine((value) => HOST_RULE.test(value), 'not a host name')).max(256),
  /** Directory of the built page. Null: `dist/web` beside the program. */
  webDir: text.nullable(),
});
export type Config = z.infer<typeof ConfigSchema>;
export type SettingName = keyof Config;

/** What holds when nobody says otherwise. The data directory is that of a clone; the image sets SALLYPORT_DATA. */
export const DEFAULTS: Config = {
  dataDir: './.sallyport',
  listen: '127.0.0.1:8022',
  publicUrl: null,
  tlsCertFile: null,
  tlsKeyFile: null,
  trustedProxies: [],
  targetRanges: [],
  recordingsDir: null,
  logLevel: 'info',
  sessionsPerUser: 20,
  sessionOpensPerMinute: 30,
  leftSessionsPerTarget: 5,
  maxObjectMiB: 32,
  agentSocket: null,
  kerberosRealms: [],
  kerberosConfigFile: null,
  gatewayPrincipal: null,
  gatewayKeytab: null,
  gatewayTicketCache: null,
  gatewayIdentityHosts: [],
  webDir: null,
};

/** Environment variable of each setting. Lists are separated by commas; an empty text means: not set. */
export const ENVIRONMENT: Record<SettingName, string> = {
  dataDir: 'SALLYPORT_DATA',
  listen: 'SALLYPORT_LISTEN',
  publicUrl: 'SALLYPORT_PUBLIC_URL',
  tlsCertFile: 'SALLYPORT_TLS_CERT_FILE',
  tlsKeyFile: 'SALLYPORT_TLS_KEY_FILE',
  trustedProxies: 'SALLYPORT_TRUSTED_PROXIES',
  targetRanges: 'SALLYPORT_TARGET_RANGES',
  recordingsDir: 'SALLYPORT_RECORDINGS_DIR',
  logLevel: 'SALLYPORT_LOG_LEVEL',
  sessionsPerUser: 'SALLYPORT_SESSIONS_PER_USER',
  sessionOpensPerMinute: 'SALLYPORT_SESSION_OPENS_PER_MINUTE',
  leftSessionsPerTarget: 'SALLYPORT_LEFT_SESSIONS_PER_TARGET',
  maxObjectMiB: 'SALLYPORT_MAX_OBJECT_MIB',
  agentSocket: 'SALLYPORT_AGENT_SOCKET',
  kerberosRealms: 'SALLYPORT_KERBEROS_REALMS',
  kerberosConfigFile: 'SALLYPORT_KERBEROS_CONFIG_FILE',
  gatewayPrincipal: 'SALLYPORT_GATEWAY_PRINCIPAL',
  gatewayKeytab: 'SALLYPORT_GATEWAY_KEYTAB',
  gatewayTicketCache: 'SALLYPORT_GATEWAY_TICKET_CACHE',
  gatewayIdentityHosts: 'SALLYPORT_GATEWAY_IDENTITY_HOSTS',
  webDir: 'SALLYPORT_WEB_DIR',
};

/** Variables of the command line tools, known here so that a misspelt one can be told from them. */
export const CLIENT_ENVIRONMENT: ReadonlySet<string> = new Set(['SALLYPORT_URL', 'SALLYPORT_TOKEN']);
/** Settings that `config check` prints as `[secret]`. There is none today: keys are files, and only their paths are set. */
export const SECRET_SETTINGS: ReadonlySet<SettingName> = new Set();
export const LIST_SETTINGS: ReadonlySet<SettingName> = new Set([
  'trustedProxies',
  'targetRanges',
  'kerberosRealms',
  'gatewayIdentityHosts',
]);
