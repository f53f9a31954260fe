import { z } from 'zod';

/** `GET /api/settings`: what an administrator may change at run time (the rest is configuration). */
export const Settings = z.object({
  /** CIDR ranges that targets may have, besides those of the configuration. */
  targetRanges: z.array(z.string()),
  /** Hours a detached session lives, 0 to 24. */
  detachedHours: z.number(),
  idleMinutes: z.number(),
  absoluteHours: z.number(),
  /** Days recordings are kept; null = for ever. */
  retentionDays: z.number().nullable(),
});
export type Settings = z.infer<typeof Settings>;
/** `PUT /api/settings` (step-up). */
export const SettingsBody = z.strictObject({
  targetRanges: z.array(z.string().max(64)).max(256),
  detachedHours: z.number().min(0).max(24),
  idleMinutes: z.number().int().min(1).max(240),
  absoluteHours: z.number().min(1).max(24),
  retentionDays: z.number().int().min(1).max(36500).nullable(),
});
export type SettingsBody = z.infer<typeof SettingsBody>;
