import { z } from 'zod';

/** Lines of all imported files together; each connection looks at all of them. */
export const MAX_KNOWN_HOST_LINES = 10_000;

/** A line of an imported `known_hosts` file. */
export const KnownHostRow = z.object({
  id: z.string(),
  /** `cert-authority` is kept, and not used: ssh2 knows no host certificates. */
  marker: z.enum(['', 'revoked', 'cert-authority']),
  /** As it stood; a hashed name cannot be read back. */
  hosts: z.string(),
  isHashed: z.boolean(),
  keyType: z.string(),
  fingerprint: z.string(),
  importedBy: z.string(),
  importedAt: z.number(),
});
export type KnownHostRow = z.infer<typeof KnownHostRow>;

/** `POST /api/host-keys/known-hosts` (step-up): a whole file, or a part of it that ends at a line. */
export const ImportKnownHosts = z.strictObject({ text: z.string().max(200 * 1024) });
export const KnownHostsReport = z.object({
  imported: z.number(),
  /** Lines that were there already. */
  known: z.number(),
  revoked: z.number(),
  /** `@cert-authority` lines: kept, not used. */
  unsupported: z.number(),
  /** The first 50; `problemCount` counts all. */
  problems: z.array(z.object({ line: z.number(), why: z.string() })),
  problemCount: z.number(),
});
export type KnownHostsReport = z.infer<typeof KnownHostsReport>;
/** `GET /api/host-keys/known-hosts/file?hashed=1`: every pin and line, as `ssh` reads them. */
export const KnownHostsFile = z.object({ text: z.string() });
