import { z } from 'zod';

const Option = z.object({ name: z.string(), value: z.string() });
/** What an OpenSSH user certificate says; nobody but the target checks its signature. Times are UTC milliseconds. */
export const CertificateFacts = z.object({
  keyType: z.string(),
  keyId: z.string(),
  /** A number of 64 bits, so it is text. */
  serial: z.string(),
  /** Names it may sign in as, unless the target maps them; none = nobody. */
  principals: z.array(z.string()),
  /** Null: since ever, for ever. */
  validAfter: z.number().nullable(),
  validBefore: z.number().nullable(),
  criticalOptions: z.array(Option),
  extensions: z.array(Option),
  keyFingerprint: z.string(),
  authorityType: z.string(),
  authorityFingerprint: z.string(),
});
export type CertificateFacts = z.infer<typeof CertificateFacts>;

/** What a client certificate (X.509) of the vault says, for WinRM. Times are UTC milliseconds. */
export const ClientCertificateFacts = z.object({
  subject: z.string(),
  issuer: z.string(),
  /** Of its subjectAltName: the name that targets map to an account; null when there is none. */
  upn: z.string().nullable(),
  validFrom: z.number(),
  validTo: z.number(),
  /** Thumbprints, hexadecimal. */
  sha1: z.string(),
  sha256: z.string(),
  /** Its extended key usage is none, or lets clients sign in. */
  isForClients: z.boolean(),
});
export type ClientCertificateFacts = z.infer<typeof ClientCertificateFacts>;

/** Text of a `-cert.pub` file. */
export const CertificateText = z
  .string()
  .trim()
  .min(1)
  .max(16 * 1024);
/** `POST /api/certificates/read`: what a certificate says, before it is stored. */
export const CertificateBody = z.strictObject({ certificate: CertificateText });

/** The gateway's certificate authority; its private key is never given out. */
export const Authority = z.object({
  /** The line for a target's TrustedUserCAKeys file. */
  line: z.string(),
  fingerprint: z.string(),
  /** Ranges from which targets take its certificates (critical option source-address); empty = no such limit. */
  sourceAddresses: z.array(z.string()),
  createdAt: z.number(),
  createdBy: z.string(),
});
export type Authority = z.infer<typeof Authority>;
/** `GET /api/authority`. */
export const AuthorityState = z.object({ authority: Authority.nullable() });
export type AuthorityState = z.infer<typeof AuthorityState>;

const sourceAddresses = z.array(z.string().trim().min(1).max(64)).max(64);
/** `POST /api/authority` (step-up). `replaces`: fingerprint of the one there is, whose key is destroyed; null for the first. */
export const NewAuthority = z.strictObject({ replaces: z.string().nullable(), sourceAddresses });
export type NewAuthority = z.infer<typeof NewAuthority>;
/** `PUT /api/authority` (step-up). */
export const AuthorityBody = z.strictObject({ sourceAddresses });
export type AuthorityBody = z.infer<typeof AuthorityBody>;

/** `GET /api/agent`: keys of the SSH agent of the gateway's host. */
export const AgentState = z.object({
  isConfigured: z.boolean(),
  keys: z.array(
    z.object({
      type: z.string(),
      /** Of the public key, also where the agent holds a certificate of it. */
      fingerprint: z.string(),
      comment: z.string(),
      certificate: CertificateFacts.nullable(),
    }),
  ),
});
export type AgentState = z.infer<typeof AgentState>;
