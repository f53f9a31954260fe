import { z } from 'zod';

/**
 * How the gateway signs in over WS-Management. `default`: Negotiate, with the rules for addresses; `negotiate-implicit`: the
 * gateway's own identity.
 */
export const WSMAN_METHODS = [
  'default',
  'negotiate',
  'kerberos',
  'basic',
  'digest',
  'credssp',
  'certificate',
  'negotiate-implicit',
] as const;
export const WsManMethod = z.enum(WSMAN_METHODS);
export type WsManMethod = z.infer<typeof WsManMethod>;

const KIB = 1024;
const MAX_CA_PEM = 64 * KIB;

/** A language tag (BCP 47), or nothing. */
export const LanguageTag = z.union([z.literal(''), z.string().regex(/^[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}$/)]);

/** Whom the gateway takes for the target, over HTTPS. The strongest that is given decides. */
export const TlsTrust = z.strictObject({
  /** SHA-256 of the certificate that must be shown, 64 hex digits; it needs no chain and no name then. '' = none. */
  pin: z.union([z.literal(''), z.string().regex(/^[0-9a-f]{64}$/)]).default(''),
  /** Certificates of a private CA, PEM, taken beside those of the system. */
  ca: z.string().max(MAX_CA_PEM).default(''),
  /** The chain is not verified (SkipCACheck). Shown in the bar and audited; no Basic and no Digest then. */
  skipCaCheck: z.boolean().default(false),
  /** The name is not compared (SkipCNCheck). As above. */
  skipCnCheck: z.boolean().default(false),
});
export type TlsTrust = z.infer<typeof TlsTrust>;

/** A name and a text that a session at the target can read. */
export const ApplicationArgument = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/)
    .refine((name) => name.toLowerCase() !== 'psversiontable'),
  value: z.string().regex(/^[^\u0000-\u001f\u007f]{0,256}$/),
});
const hasNamesOnce = (all: readonly { readonly name: string }[]): boolean =>
  new Set(all.map(({ name }) => name.toLowerCase())).size === all.length;

/** What a target over WS-Management has beside host, port and credential. docs/wsman.md */
export const WsManSettings = z.strictObject({
  /** HTTPS; else HTTP with sealed bodies, for the methods that seal. */
  tls: z.boolean().default(true),
  trust: TlsTrust.default(TlsTrust.parse({})),
  /** The path of the address. */
  applicationName: z
    .string()
    .trim()
    .regex(/^[A-Za-z0-9_~-][A-Za-z0-9_.~/-]{0,254}$/)
    .default('wsman'),
  /** The endpoint: a configuration name, or a whole resource URI. */
  configurationName: z
    .string()
    .trim()
    .regex(/^[^\u0000-\u001f\u007f]{1,255}$/)
    .default('Microsoft.PowerShell'),
  method: WsManMethod.default('default'),
  /**
   * For the method `certificate`: SHA-1 or SHA-256 of the client certificate in the vault, hexadecimal; '' = the credential
   * of the target.
   */
  certificateThumbprint: z.union([z.literal(''), z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/)]).default(''),
  /** NTLM may be spoken although the target is not authenticated (plain HTTP, or TLS with skipped checks). */
  isTrustedForNtlm: z.boolean().default(false),
  /** CredSSP may hand the password to this target. */
  isTrustedForDelegation: z.boolean().default(false),
  /**
   * Whether Kerberos gives the target a ticket to act as the user elsewhere (unconstrained delegation): never, to a server
   * that the domain marks for it (`policy`), or always.
   */
  ticketDelegation: z.enum(['never', 'policy', 'always']).default('never'),
  /** Redirects are followed, at most 5, each shown and audited. */
  redirects: z.boolean().default(false),
  /** Bodies are sealed inside TLS too. */
  alwaysSeal: z.boolean().default(false),
  /** Headers of sealed parts begin with a tab, as published; some servers other than Windows refuse it. */
  partHeaderTab: z.boolean().default(true),
  /** For Kerberos: `HTTP/host` unless it says otherwise. */
  spn: z
    .strictObject({
      service: z.enum(['HTTP', 'WSMAN', 'HOST']).default('HTTP'),
      /** Inside CredSSP: the delegation policies of Windows name WSMAN; some servers other than Windows have HTTP alone. */
      credSspService: z.enum(['HTTP', 'WSMAN', 'HOST']).default('WSMAN'),
      /** In place of the target's host; '' = that. */
      host: z
        .union([
          z.literal(''),
          z
            .string()
            .trim()
            .regex(/^[A-Za-z0-9._-]{1,253}$/),
        ])
        .default(''),
      includePort: z.boolean().default(false),
    })
    .default({ service: 'HTTP', credSspService: 'WSMAN', host: '', includePort: false }),
  /** Language of messages (UICulture) and of numbers and dates (Culture); '' = that of the person's browser. */
  locale: LanguageTag.default(''),
  dataLocale: LanguageTag.default(''),
  noMachineProfile: z.boolean().default(false),
  outputBuffering: z.enum(['None', 'Block', 'Drop']).default('None'),
  /** How long the shell lives without the gateway; null = the target's own. */
  idleTimeoutMs: z.number().int().min(60_000).max(2_147_483_647).nullable().default(null),
  /** How long a request is held at the target before it answers that there is nothing yet. */
  operationTimeoutMs: z.number().int().min(1000).max(600_000).default(60_000),
  /**
   * From the first byte until the pool is open, questions to the person not counted (OpenTimeout); null = the connect time-out
   * until it is signed in, then 30 seconds.
   */
  openTimeoutMs: z.number().int().min(1000).max(600_000).nullable().default(null),
  /**
   * How long a line that was stopped may take to end, before its session is ended, and how long the end of a shell is waited
   * for (CancelTimeout); null = a stop as long as it takes, an end 2 seconds.
   */
  cancelTimeoutMs: z.number().int().min(1000).max(600_000).nullable().default(null),
  /** Of one object, in bytes (MaximumReceivedObjectSize); at most that of the gateway, which counts without one. */
  maxObjectBytes: z
    .number()
    .int()
    .min(64 * KIB)
    .max(200 * KIB * KIB)
    .nullable()
    .default(null),
  /** Received for one line, in bytes (MaximumReceivedDataSizePerCommand); beyond it the line is ended. null = no limit. */
  maxCommandBytes: z
    .number()
    .int()
    .min(64 * KIB)
    .max(KIB ** 4)
    .nullable()
    .default(null),
  /**
   * How often a poll whose connection broke is made again, and a Create that is refused for now (MaxConnectionRetryCount);
   * null = for four minutes, and 5 times.
   */
  maxConnectionRetries: z.number().int().min(0).max(100).nullable().default(null),
  /** For `$PSSenderInfo.ApplicationArguments` at the target, beside PSVersionTable. Nothing secret. */
  applicationArguments: z.array(ApplicationArgument).max(16).refine(hasNamesOnce).default([]),
  /** Largest envelope in both directions, in KiB (MaxEnvelopeSizekb); null = what the target is found to take. */
  maxEnvelopeKb: z.number().int().min(32).max(2048).nullable().default(null),
});
export type WsManSettings = z.infer<typeof WsManSettings>;
