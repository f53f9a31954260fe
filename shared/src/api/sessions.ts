import { z } from 'zod';
import { CertificateText } from './certificates.ts';
import { DisplayName } from './common.ts';
import { LanguageTag } from './wsman.ts';
import { CommandMark, SessionFacts, TerminalKind } from '../wire/control.ts';

const typed = z.strictObject({
  user: z.string().trim().max(256),
  kind: z.enum(['ask', 'password', 'privateKey']),
  secret: z.string().max(64 * 1024),
  passphrase: z.string().max(1024).nullable(),
  /** Of a private key: the text of its `-cert.pub`. */
  certificate: CertificateText.nullable().default(null),
  /** Store it in the vault under this label; null = never stored. */
  saveAs: DisplayName.nullable(),
});
/** `POST /api/sessions`: opens a session; questions come over its socket. Answer: `OpenedSession`. */
export const OpenSession = z.strictObject({
  to: z.discriminatedUnion('by', [
    z.strictObject({ by: z.literal('target'), targetId: z.string() }),
    z.strictObject({
      by: z.literal('address'),
      host: z.string().max(253),
      port: z.number().int().min(1).max(65535),
      subsystem: z.string().max(64),
      /** Over WinRM and how; null = over SSH. */
      winrm: z.enum(['https', 'http']).nullable().default(null),
    }),
  ]),
  kind: TerminalKind,
  /** A vault entry, or what the person typed, or nothing: the target's own credential, else ask. */
  credential: z.discriminatedUnion('by', [
    z.strictObject({ by: z.literal('default') }),
    z.strictObject({ by: z.literal('vault'), credentialId: z.string() }),
    z.strictObject({ by: z.literal('typed'), typed }),
  ]),
  cols: z.number().int().min(1).max(1000),
  rows: z.number().int().min(1).max(500),
  /** A shell that was found at the target: goes on with that in place of opening a new one. */
  shell: z.strictObject({ shellId: z.string().min(1).max(128), poolId: z.string().min(1).max(64) }).optional(),
  /** The language of the person's browser, for targets that speak one; '' = the target's own. */
  language: LanguageTag.default(''),
});
export type OpenSession = z.infer<typeof OpenSession>;
/** `ticket` opens the session's socket once within 30 s (`attach`). */
export const OpenedSession = z.object({ sessionId: z.string(), ticket: z.string() });
export type OpenedSession = z.infer<typeof OpenedSession>;

export const SessionRow = z.object({
  id: z.string(),
  userId: z.string(),
  userName: z.string(),
  facts: SessionFacts,
  /** `left`: it goes on at its target, nobody carries it, and it can be picked up. */
  phase: z.enum(['opening', 'live', 'left', 'ended']),
  /** Whether a page is attached now. */
  attached: z.boolean(),
  detachedAt: z.number().nullable(),
  endedAt: z.number().nullable(),
  endReason: z.string().nullable(),
  exitCode: z.number().nullable(),
  commandCount: z.number(),
  errorCount: z.number(),
  outputBytes: z.number(),
  hasRecording: z.boolean(),
  /** Of a session that was left: when it is given up. */
  leftUntil: z.number().optional(),
});
export type SessionRow = z.infer<typeof SessionRow>;

/** One event of a replay, as sent by `GET /api/recordings/:id/events` (JSON lines). `data`: output bytes, base64. */
export const ReplayEvent = z.object({
  index: z.number(),
  timeMs: z.number(),
  offset: z.number(),
  type: z.enum(['output', 'resize', 'command', 'title', 'clear', 'note', 'corrupt', 'end']),
  data: z.string().optional(),
  cols: z.number().optional(),
  rows: z.number().optional(),
  number: z.number().optional(),
  state: z.string().optional(),
  text: z.string().optional(),
});
export type ReplayEvent = z.infer<typeof ReplayEvent>;
/** `GET /api/recordings/:id`. */
export const RecordingInfo = z.object({
  sessionId: z.string(),
  startedAt: z.number(),
  durationMs: z.number(),
  outputBytes: z.number(),
  cols: z.number(),
  rows: z.number(),
  live: z.boolean(),
  /** Result of checking the chain now. */
  chain: z.enum(['verified', 'broken', 'open']),
  head: z.string(),
  session: SessionRow,
  commands: z.array(CommandMark),
});
export type RecordingInfo = z.infer<typeof RecordingInfo>;
