import { z } from 'zod';

/** `POST /api/invoke` (API token): run a script at one target, recorded and in the ledger like a typed line. Answer: JSON lines of `InvokeEvent`. */
export const InvokeBody = z.strictObject({
  targetId: z.string().max(128),
  script: z
    .string()
    .min(1)
    .max(128 * 1024),
  output: z.enum(['text', 'json']),
  cols: z.number().int().min(20).max(1000).default(120),
  timeoutMs: z
    .number()
    .int()
    .min(1000)
    .max(24 * 3600 * 1000)
    .default(600_000),
});
export type InvokeBody = z.infer<typeof InvokeBody>;

export const InvokeEvent = z.discriminatedUnion('type', [
  /** First of all: policy, audit and recording are settled; the session can be looked up. */
  z.object({ type: z.literal('started'), sessionId: z.string() }),
  /** Text as the console shows it. */
  z.object({ type: z.literal('text'), text: z.string() }),
  /** One output object with its properties (json mode). */
  z.object({ type: z.literal('object'), value: z.unknown() }),
  z.object({
    type: z.literal('stream'),
    stream: z.enum(['error', 'warning', 'verbose', 'debug', 'information', 'progress']),
    text: z.string(),
  }),
  z.object({
    type: z.literal('ended'),
    /** `completed`, `failed`, `stopped` or `lost`; `not_started` when the target was not reached. */
    state: z.string(),
    exitCode: z.number(),
    /** Why the session ended, when not by the end of the script. */
    code: z.string().nullable(),
    message: z.string(),
    sessionId: z.string(),
  }),
]);
export type InvokeEvent = z.infer<typeof InvokeEvent>;
