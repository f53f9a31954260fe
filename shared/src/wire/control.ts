import { z } from 'zod';
import { MAX_CONTROL_BYTES } from './credit.ts';
import { Answer, Question } from './questions.ts';

/** Control messages of `sallyport.v1`: JSON text frames. docs/wire.md section 4. Extra keys are refused. */
export { SUBPROTOCOL } from './subprotocol.ts';

export const TerminalKind = z.enum(['powershell', 'pty']);
export type TerminalKind = z.infer<typeof TerminalKind>;

const cols = z.number().int().min(1).max(1000);
const rows = z.number().int().min(1).max(500);
const offset = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const lineId = z.number().int().min(1).max(0xffffffff);

export const ClientMessage = z.discriminatedUnion('type', [
  /**
   * First message of every socket. `ticket`: single use, from `POST /api/sessions/:id/tickets`. `offset`: absolute
   * output bytes that this page already has; null = from the tail. `takeOver`: become the controller although another page is.
   */
  z.strictObject({
    type: z.literal('attach'),
    ticket: z.string().max(128),
    cols,
    rows,
    offset: offset.nullable(),
    takeOver: z.boolean(),
  }),
  /** The same page again within 120 s: exact missing bytes, no new login. Single use. */
  z.strictObject({ type: z.literal('resume'), token: z.string().max(128), offset, cols, rows }),
  /** Absolute output offset up to which the page has drawn. */
  z.strictObject({ type: z.literal('ack'), offset }),
  z.strictObject({ type: z.literal('resize'), cols, rows }),
  /** A finished PowerShell line, in parts; nothing runs before `last`. */
  z.strictObject({
    type: z.literal('submit'),
    lineId,
    part: z.number().int().min(0).max(4096),
    last: z.boolean(),
    text: z.string(),
  }),
  /** Ctrl+C: stop the running pipeline, or send INTR to the PTY. */
  z.strictObject({ type: z.literal('stop') }),
  z.strictObject({ type: z.literal('answer'), id: z.number().int().nonnegative(), answer: Answer }),
  /** Tab completion (TabExpansion2): UTF-16 cursor in `text`. */
  z.strictObject({
    type: z.literal('complete'),
    reqId: z.number().int().nonnegative(),
    text: z.string(),
    cursor: z.number().int().nonnegative(),
  }),
  /** Leave the session running without a page. */
  z.strictObject({ type: z.literal('detach') }),
  /** End the session. */
  z.strictObject({ type: z.literal('close') }),
  z.strictObject({ type: z.literal('ping'), t: z.number() }),
]);
export type ClientMessage = z.infer<typeof ClientMessage>;
export type ClientMessageType = ClientMessage['type'];

export const ProgressItem = z.object({
  id: z.string(),
  parentId: z.string().nullable(),
  activity: z.string(),
  status: z.string(),
  operation: z.string(),
  /** 0-100, or null when unknown. */
  percent: z.number().nullable(),
  secondsRemaining: z.number().nullable(),
});
export type ProgressItem = z.infer<typeof ProgressItem>;

export const CommandState = z.enum(['running', 'stopping', 'completed', 'failed', 'stopped', 'lost']);
export type CommandState = z.infer<typeof CommandState>;

/** One row of the gutter: the number is the ledger's. `offset` is where its echo starts in the output stream. */
export const CommandMark = z.object({
  number: z.number().int().positive(),
  offset,
  state: CommandState,
  errorCount: z.number().int(),
  startedAt: z.number(),
  endedAt: z.number().nullable(),
});
export type CommandMark = z.infer<typeof CommandMark>;

/** What the facts bar shows; in-band data never changes it. */
export const SessionFacts = z.object({
  targetName: z.string(),
  /** `host:port` as connected. */
  address: z.string(),
  /** True for the built-in ssh server of the demo. */
  isDemoTarget: z.boolean(),
  identity: z.string(),
  kind: TerminalKind,
  /** Jump hosts on the way, first hop first: "bastion (10.0.0.1:22)". Empty for a direct connection. */
  via: z.array(z.string()).default([]),
  /** Weak algorithms in use because the target's settings allow them, in words. */
  weakened: z.array(z.string()).default([]),
  /** For example "SSH, chacha20-poly1305". Empty until connected. */
  protection: z.string(),
  /** For example "PowerShell 7.6.5". Empty when unknown. */
  remote: z.string(),
  recording: z.enum(['strict', 'best-effort']),
  startedAt: z.number(),
  /** It can be left running at the target, which keeps it so long; null = as long as the target's own settings say. */
  leavable: z.object({ keptMs: z.number().nullable() }).optional(),
});
export type SessionFacts = z.infer<typeof SessionFacts>;

export const CompletionMatch = z.object({ text: z.string(), list: z.string(), kind: z.string(), toolTip: z.string() });
export type CompletionMatch = z.infer<typeof CompletionMatch>;

export const ServerMessage = z.discriminatedUnion('type', [
  /** Answer to `attach` and `resume`. Output bytes that follow start at `offset`. */
  z.object({
    type: z.literal('attached'),
    sessionId: z.string(),
    role: z.enum(['controller', 'viewer']),
    offset,
    /** Bytes before `offset` that this page was not given (it attached at the tail). */
    skipped: offset,
    resumeToken: z.string(),
    cols,
    rows,
    phase: z.enum(['opening', 'live', 'ended']),
    facts: SessionFacts,
    commands: z.array(CommandMark),
  }),
  z.object({ type: z.literal('resumeToken'), token: z.string() }),
  z.object({ type: z.literal('phase'), phase: z.enum(['opening', 'live']), step: z.string() }),
  z.object({ type: z.literal('facts'), facts: SessionFacts }),
  z.object({ type: z.literal('question'), question: Question }),
  z.object({ type: z.literal('questionEnded'), id: z.number() }),
  /** PowerShell is ready for a line. `lineId` must come back with `submit`. */
  z.object({ type: z.literal('prompt'), lineId, text: z.string() }),
  /** The line was not run. `incomplete`: the target wants more lines (interactive.md section 3). */
  z.object({ type: z.literal('refused'), lineId, code: z.string(), message: z.string() }),
  z.object({ type: z.literal('incomplete'), lineId, text: z.string() }),
  z.object({ type: z.literal('command'), command: CommandMark }),
  z.object({ type: z.literal('progress'), items: z.array(ProgressItem) }),
  z.object({
    type: z.literal('completion'),
    reqId: z.number(),
    index: z.number(),
    length: z.number(),
    matches: z.array(CompletionMatch),
    more: z.number(),
  }),
  z.object({ type: z.literal('title'), text: z.string() }),
  /** Clear the screen and scrollback (Clear-Host). */
  z.object({ type: z.literal('clear') }),
  z.object({ type: z.literal('resized'), cols, rows }),
  z.object({ type: z.literal('watchers'), count: z.number() }),
  z.object({ type: z.literal('notice'), level: z.enum(['info', 'warning']), code: z.string(), text: z.string() }),
  z.object({ type: z.literal('pong'), t: z.number() }),
  /** Sent before the close frame. `message`: what happened and what to do, in our words; `detail`: escaped peer text, target's voice. */
  z.object({
    type: z.literal('ended'),
    reason: z.string(),
    message: z.string(),
    detail: z.string(),
    /** The jump host at which it happened; empty when it was the target itself. */
    at: z.string().default(''),
    exitCode: z.number().nullable(),
    requestId: z.string(),
    /** The session goes on at its target: whoever attaches again picks it up. */
    isLeft: z.boolean().optional(),
    /** Our words on what the target told, where there are more than those of `message`. */
    explanation: z.string().optional(),
  }),
]);
export type ServerMessage = z.infer<typeof ServerMessage>;

/** The JSON text of a control message that a page sends. @throws RangeError over MAX_CONTROL_BYTES */
export function encodeClientMessage(message: ClientMessage): string {
  const text = JSON.stringify(message);
  if (text.length * 3 > MAX_CONTROL_BYTES && new TextEncoder().encode(text).length > MAX_CONTROL_BYTES)
    throw new RangeError('control message over 16 KiB');
  return text;
}
