import { z } from 'zod';

/** Every refusal over HTTP. security.md section 4. */
export const ErrorBody = z.object({
  error: z.object({ code: z.string(), message: z.string(), requestId: z.string() }),
});
export type ErrorBody = z.infer<typeof ErrorBody>;

export const Role = z.enum(['administrator', 'operator', 'auditor']);
export type Role = z.infer<typeof Role>;

/** A name people give: 1-128 characters, no controls, no bidi overrides. */
export const DisplayName = z
  .string()
  .trim()
  .min(1)
  .max(128)
  .regex(/^[^\p{Cc}\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+$/u, 'holds characters that are not allowed');
export const UserName = z
  .string()
  .trim()
  .toLowerCase()
  .regex(/^[a-z0-9][a-z0-9._@-]{0,63}$/, 'letters, digits, dot, dash, underscore, @; at most 64');
export const NewPassword = z.string().min(12).max(1024);

/** Newest first; `before` is the last seen sequence or time of the page before. */
export const Page = z.strictObject({
  before: z.coerce.number().int().nonnegative().optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
});
/** The same for sessions, of which many may start in one millisecond: start and id of the last one seen. */
export const SessionPage = Page.extend({ beforeId: z.string().max(128).optional() });
