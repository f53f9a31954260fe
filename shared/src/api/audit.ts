import { z } from 'zod';
import { CommandState } from '../wire/control.ts';

/** One row of the ledger: one pipeline of a PSRP session. */
export const LedgerRow = z.object({
  id: z.string(),
  sessionId: z.string(),
  number: z.number(),
  userName: z.string(),
  targetName: z.string(),
  /** Jump hosts on the way to it, first hop first. */
  via: z.array(z.string()).default([]),
  identity: z.string(),
  /** Of its session: what protects it on the way, and what is less than it could be (CredSSP: the target has the password). */
  protection: z.string().default(''),
  weakened: z.array(z.string()).default([]),
  /** Exact text of CREATE_PIPELINE. */
  text: z.string(),
  startedAt: z.number(),
  endedAt: z.number().nullable(),
  state: CommandState,
  errorCount: z.number(),
  outputBytes: z.number(),
  runspacePoolId: z.string(),
  pipelineId: z.string(),
  /** The id that the target gave the shell; null over SSH. */
  shellId: z.string().nullable(),
});
export type LedgerRow = z.infer<typeof LedgerRow>;
export const LedgerPage = z.object({ rows: z.array(LedgerRow), next: z.number().nullable() });
export type LedgerPage = z.infer<typeof LedgerPage>;

/** One audit event as shown; texts are escaped (C0, C1, DEL, bidi). */
export const AuditEventRow = z.object({
  sequence: z.number(),
  at: z.number(),
  type: z.string(),
  actor: z.string(),
  subject: z.string(),
  outcome: z.enum(['ok', 'refused', 'failed']),
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  hash: z.string(),
  previousHash: z.string(),
});
export type AuditEventRow = z.infer<typeof AuditEventRow>;
export const AuditPage = z.object({ events: z.array(AuditEventRow), next: z.number().nullable() });
export type AuditPage = z.infer<typeof AuditPage>;

/** `POST /api/audit/verify`. */
export const AuditVerdict = z.object({
  ok: z.boolean(),
  events: z.number(),
  checkpoints: z.number(),
  head: z.string(),
  headSequence: z.number(),
  /** Events up to this one stand under a good signature. */
  signedThrough: z.number(),
  /** First bad sequence, or null. */
  firstBad: z.number().nullable(),
  problem: z.string().nullable(),
  publicKey: z.string(),
});
export type AuditVerdict = z.infer<typeof AuditVerdict>;
