import { z } from 'zod';
import { TargetId } from '../ids.ts';
import { CertificateFacts, CertificateText, ClientCertificateFacts } from './certificates.ts';
import { DisplayName } from './common.ts';
import { WsManSettings } from './wsman.ts';

/** How a target is reached. */
export const TransportKind = z.enum(['ssh', 'wsman']);
export type TransportKind = z.infer<typeof TransportKind>;

const host = z.string().trim().min(1).max(253);
const port = z.number().int().min(1).max(65535);
/**
 * What an old device may need beside what is offered to everybody; each is off unless chosen for the target, shown in the
 * bar when it was really used, and audited. Never to be had: DSA, MD5, RC4, 3DES, group 1.
 */
export const RELAXATIONS = ['no-strict-kex', 'kex-sha1', 'host-key-sha1', 'cipher-cbc', 'mac-sha1'] as const;
export const Relaxation = z.enum(RELAXATIONS);
export type Relaxation = z.infer<typeof Relaxation>;
/** Jump hosts in front of a target, at most. */
export const MAX_HOPS = 4;

/** Vault entries that commands at one target may have. */
export const MAX_USING = 16;

const subsystem = z
  .string()
  .trim()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);

/** Whether files may be moved in sessions at a target: not, from it, or both ways. */
export const FileGrant = z.enum(['off', 'read', 'readWrite']);
export type FileGrant = z.infer<typeof FileGrant>;

export const Target = z.object({
  id: z.string(),
  name: z.string(),
  transport: TransportKind,
  host: z.string(),
  port: z.number(),
  /** PowerShell subsystem name. */
  subsystem: z.string(),
  /** What may be opened here. */
  offers: z.array(z.enum(['powershell', 'pty'])),
  /** Vault entry used by default; null = asked at connect. */
  credentialId: z.string().nullable(),
  /** User name suggested when asked. */
  user: z.string(),
  connectTimeoutMs: z.number(),
  /** The target that this one is reached through (a jump host, which may have one itself); null = directly. */
  viaTargetId: z.string().nullable(),
  relaxations: z.array(Relaxation),
  files: FileGrant,
  /** Vault entries that commands here may have with `$using:vault:NAME`. */
  usingCredentials: z.array(z.string()).default([]),
  /** Set exactly when the transport is `wsman`. */
  wsman: WsManSettings.nullable(),
  notes: z.string(),
  isDemo: z.boolean(),
  /** In-process demo target: administrators only. */
  administratorOnly: z.boolean(),
  /** What was found when it was last looked for; shown as "PowerShell not found here". */
  powershellMissing: z.boolean(),
  createdAt: z.number(),
  lastOpenedAt: z.number().nullable(),
});
export type Target = z.infer<typeof Target>;
export const TargetList = z.object({ targets: z.array(Target) });

const targetBody = z.strictObject({
  name: DisplayName,
  transport: TransportKind,
  host,
  port,
  subsystem,
  offers: z
    .array(z.enum(['powershell', 'pty']))
    .min(1)
    .max(2),
  credentialId: z.string().nullable(),
  user: z.string().trim().max(256),
  connectTimeoutMs: z.number().int().min(5000).max(180_000),
  viaTargetId: z.string().nullable().default(null),
  relaxations: z.array(Relaxation).max(RELAXATIONS.length).default([]),
  files: FileGrant.default('off'),
  usingCredentials: z.array(z.string().min(1).max(64)).max(MAX_USING).default([]),
  wsman: WsManSettings.nullable().default(null),
  notes: z.string().max(4000),
});
/** What only one of the transports has. @returns what is wrong, null when nothing is */
function misfit({ transport, wsman, offers, relaxations }: z.infer<typeof targetBody>): string | null {
  if (transport === 'ssh') return wsman === null ? null : 'wsman: not for SSH';
  if (wsman === null) return 'wsman: needed';
  if (wsman.certificateThumbprint !== '' && wsman.method !== 'certificate')
    return 'certificateThumbprint: for the method certificate only';
  if (offers.length !== 1 || offers[0] !== 'powershell') return 'offers: PowerShell alone over WinRM';
  return relaxations.length > 0 ? 'relaxations: for SSH only' : null;
}
/** `POST /api/targets`, `PUT /api/targets/:id`. */
export const TargetBody = targetBody.superRefine((body, context) => {
  const message = misfit(body);
  if (message !== null) context.addIssue({ code: 'custom', message });
});
export type TargetBody = z.infer<typeof TargetBody>;

/**
 * `agent`: a key that stays in the SSH agent of the gateway's host. `signed`: a key made for each session, with a
 * certificate of the gateway's own authority. `certificate`: a client certificate (X.509) with its key, for WinRM.
 */
export const CredentialKind = z.enum(['password', 'privateKey', 'agent', 'signed', 'certificate']);
export type CredentialKind = z.infer<typeof CredentialKind>;

/** A vault entry, never its secret. */
export const Credential = z.object({
  id: z.string(),
  label: z.string(),
  kind: CredentialKind,
  /** For `signed`, empty means: the person's own name here. */
  user: z.string(),
  /** For keys: type and SHA-256 fingerprint of the public key; empty for passwords. */
  publicFacts: z.string(),
  /** Of the private key; null when there is none. */
  certificate: CertificateFacts.nullable(),
  /** For `certificate`; null for the other kinds. */
  clientCertificate: ClientCertificateFacts.nullable(),
  createdAt: z.number(),
});
export type Credential = z.infer<typeof Credential>;
const secretIsGiven = ({ kind, secret }: { kind: CredentialKind; secret: string }): boolean =>
  kind === 'signed' ? secret === '' : secret !== '';
/**
 * `POST /api/credentials` (step-up). `secret`: the password, or the private key's text (OpenSSH or PEM), or for `agent` the
 * fingerprint of its key, or nothing for `signed`. For `certificate`: the chain and its private key as PEM in one text, or a
 * PKCS #12 file in base64; `passphrase` opens either.
 */
export const NewCredential = z
  .strictObject({
    label: DisplayName,
    kind: CredentialKind,
    user: z.string().trim().max(256),
    secret: z.string().max(64 * 1024),
    passphrase: z.string().max(1024).nullable(),
    certificate: CertificateText.nullable().default(null),
  })
  .refine(secretIsGiven, { path: ['secret'], message: 'a secret for every kind but signed' });
export type NewCredential = z.input<typeof NewCredential>;

export const HostKeyPin = z.object({
  id: z.string(),
  /** Jump hosts in front, `host:port` in the order of the way, joined with commas; empty for a direct connection. */
  via: z.string(),
  host: z.string(),
  port: z.number(),
  keyType: z.string(),
  fingerprint: z.string(),
  acceptedBy: z.string(),
  acceptedAt: z.number(),
});
export type HostKeyPin = z.infer<typeof HostKeyPin>;

/** `POST /api/where-to`: reads one line ("web01", "ann@web01:2222", "Enter-PSSession -HostName ..."). Connects to nothing. */
export const WhereToBody = z.strictObject({ line: z.string().trim().min(1).max(1024) });
export const WhereTo = z.object({
  /** Known targets that the line may mean, best first. */
  targets: z.array(Target),
  address: z
    .object({
      host: z.string(),
      port: z.number(),
      user: z.string(),
      kind: z.enum(['powershell', 'pty']).nullable(),
      subsystem: z.string(),
      /** Over WinRM and how; null = over SSH, or the line does not say. */
      winrm: z.enum(['https', 'http']).nullable().default(null),
    })
    .nullable(),
  /** Parts of the line that cannot be honoured, each with the reason. */
  notHonoured: z.array(z.object({ part: z.string(), why: z.string() })),
  /** Why the line is no address; null when it is. */
  problem: z.string().nullable(),
});
export type WhereTo = z.infer<typeof WhereTo>;

/**
 * `POST /api/probe`: how far a connection comes, one station per step; sends no credential there. Of a target that is kept:
 * with its relaxations, and over its jump hosts, which are signed in to with what the vault has for them.
 */
export const ProbeBody = z.union([z.strictObject({ host, port, subsystem }), z.strictObject({ targetId: TargetId })]);
export type ProbeBody = z.infer<typeof ProbeBody>;
export const ProbeStation = z.object({
  /** `hop`: a jump host, there may be several. Over WinRM `tls` and `winrm` stand for `ssh`, and the host key is the certificate. */
  step: z.enum(['hop', 'resolve', 'policy', 'tcp', 'ssh', 'tls', 'host-key', 'winrm', 'sign-in', 'powershell']),
  state: z.enum(['ok', 'failed', 'not-tried']),
  detail: z.string(),
});
export const ProbeResult = z.object({
  stations: z.array(ProbeStation),
  /** The machine that the remedies are for: a jump host's name, or empty for the target. */
  at: z.string(),
  hostKey: z
    .object({ type: z.string(), fingerprint: z.string(), state: z.enum(['pinned', 'unknown', 'changed']) })
    .nullable(),
  /** Numbered remedies; `lines` are to be copied as they are. `system` e.g. "Linux", "Windows". */
  remedies: z.array(z.object({ title: z.string(), system: z.string(), lines: z.array(z.string()) })),
});
export type ProbeResult = z.infer<typeof ProbeResult>;

/** `POST /api/probe/ports`: which of the usual doors of a machine are open. Nothing is sent through them. */
export const ProbePortsBody = z.strictObject({ host });
export const ProbedPort = z.object({
  way: z.enum(['ssh', 'https', 'http']),
  port: z.number(),
  /** `silent`: no answer in time, as behind a firewall; `refused`: not an address that the gateway connects to. */
  state: z.enum(['open', 'closed', 'silent', 'refused']),
});
export type ProbedPort = z.infer<typeof ProbedPort>;
export const ProbedPorts = z.object({ ports: z.array(ProbedPort) });
export type ProbedPorts = z.infer<typeof ProbedPorts>;

/** One row of `GET /api/targets/:id/shells`: a PowerShell shell that the target keeps for whoever signed in there. */
export const TargetShellRow = z.object({
  shellId: z.string(),
  poolId: z.string(),
  name: z.string().nullable(),
  owner: z.string().nullable(),
  configurationName: z.string(),
  /** `Connected`: some client holds it now. */
  state: z.enum(['Connected', 'Disconnected']),
  clientIp: z.string().nullable(),
  /** It is ended after so long without a client; null = not told. */
  idleTimeoutMs: z.number().nullable(),
  inactivityMs: z.number().nullable(),
  runTimeMs: z.number().nullable(),
  /** Lines that run there, or wait to be fetched; null = not told. */
  running: z.number().nullable(),
  /** Whose it is here: of a session of this gateway, of another person's, or of nobody here. */
  belongs: z.enum(['session', 'other', 'nobody']),
  /** The person's own session that has it. */
  sessionId: z.string().nullable(),
});
export type TargetShellRow = z.infer<typeof TargetShellRow>;
