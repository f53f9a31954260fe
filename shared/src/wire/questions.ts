import { z } from 'zod';

/**
 * Questions that a session puts to its controller, and the answers. A question is either the gateway's own (host key,
 * credential while opening) or the target's (`from: 'target'`: a PSRP host call); a page shows the target's words only
 * in the target's voice (design.md section 1, rule 2). psrp.md section 8, interactive.md section 8.
 */
const Field = z.object({
  name: z.string(),
  label: z.string(),
  help: z.string(),
  /** How to ask: `secure` and `credential` never echo. `list` is asked until empty. */
  kind: z.enum(['text', 'secure', 'credential', 'boolean', 'list']),
  typeName: z.string(),
  mandatory: z.boolean(),
  defaultText: z.string().nullable(),
});
export type QuestionField = z.infer<typeof Field>;

const Choice = z.object({ label: z.string(), hotKey: z.string().nullable(), help: z.string() });
export type QuestionChoice = z.infer<typeof Choice>;

/** A certificate as it is shown to who may accept it. */
const CertificateInChain = z.object({
  subject: z.string().max(1024),
  issuer: z.string().max(1024),
  /** DNS names and addresses it is for. */
  names: z.string().max(4096),
  /** UTC milliseconds. */
  validFrom: z.number(),
  validTo: z.number(),
  /** SHA-256, hex. */
  fingerprint: z.string().max(64),
});
export type CertificateInChain = z.infer<typeof CertificateInChain>;

const base = { id: z.number().int().nonnegative(), from: z.enum(['gateway', 'target']), fromName: z.string() };

export const Question = z.discriminatedUnion('kind', [
  /** Unknown SSH host key, or certificate of a target over HTTPS (`keyType` x509). Answered with `accept` by who may; security.md section 3 SSH. */
  z.object({
    ...base,
    kind: z.literal('hostKey'),
    host: z.string(),
    port: z.number(),
    /** Jump hosts in front of it, `host:port` joined with commas; empty for a direct connection. */
    via: z.string().default(''),
    keyType: z.string(),
    fingerprint: z.string(),
    /** Of a certificate: why it is not trusted by itself, in words, and what was shown, the target's own first. */
    problem: z.string().default(''),
    chain: z.array(CertificateInChain).max(16).default([]),
    mayAccept: z.boolean(),
  }),
  /** Credential for the target, while opening: a password, a key's passphrase. */
  z.object({
    ...base,
    kind: z.literal('secret'),
    purpose: z.enum(['password', 'passphrase']),
    user: z.string(),
    message: z.string(),
  }),
  /** SSH keyboard-interactive: the target's own prompts. */
  z.object({
    ...base,
    kind: z.literal('keyboard'),
    title: z.string(),
    instructions: z.string(),
    prompts: z.array(z.object({ text: z.string(), echo: z.boolean() })).max(16),
  }),
  /** ReadLine (host call 11) or a one-field Prompt (23): asked on the terminal line. */
  z.object({ ...base, kind: z.literal('line'), prompt: z.string(), secure: z.boolean() }),
  z.object({
    ...base,
    kind: z.literal('prompt'),
    caption: z.string(),
    message: z.string(),
    fields: z.array(Field).max(64),
  }),
  z.object({
    ...base,
    kind: z.literal('credential'),
    caption: z.string(),
    message: z.string(),
    user: z.string(),
    mayUseVault: z.boolean(),
  }),
  z.object({
    ...base,
    kind: z.literal('choice'),
    caption: z.string(),
    message: z.string(),
    /** Of the gateway's own: what it is about, fact by fact. */
    facts: z.array(z.object({ name: z.string(), value: z.string() })).optional(),
    choices: z.array(Choice).max(256),
    /** Indexes; empty when there is no default. */
    defaults: z.array(z.number()),
    multiple: z.boolean(),
  }),
  /** ReadKey (46). */
  z.object({ ...base, kind: z.literal('key'), noEcho: z.boolean() }),
]);
export type Question = z.infer<typeof Question>;
/** A question before the session has numbered it. */
export type NewQuestion = DistributiveOmit<Question, 'id'>;
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

const credential = z.strictObject({ user: z.string().max(1024), password: z.string().max(8192) });
export const Answer = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('accept') }),
  z.strictObject({ kind: z.literal('text'), text: z.string().max(16_000) }),
  z.strictObject({ kind: z.literal('texts'), texts: z.array(z.string().max(8192)).max(16) }),
  z.strictObject({
    kind: z.literal('fields'),
    /** In the order of the question's fields; `null` takes the default. */
    values: z
      .array(z.union([z.null(), z.string().max(8192), z.boolean(), z.array(z.string().max(8192)).max(256), credential]))
      .max(64),
  }),
  z.strictObject({ kind: z.literal('credential'), ...credential.shape }),
  z.strictObject({ kind: z.literal('choice'), indexes: z.array(z.number().int().nonnegative()).max(256) }),
  z.strictObject({
    kind: z.literal('key'),
    virtualKeyCode: z.number().int().min(0).max(255),
    character: z.number().int().min(0).max(65535),
    controlKeyState: z.number().int().min(0).max(511),
  }),
  /** Sets the question aside for good: opening ends, a host call stops its pipeline, Get-Credential returns nothing. */
  z.strictObject({ kind: z.literal('cancel') }),
]);
export type Answer = z.infer<typeof Answer>;
