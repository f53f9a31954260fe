import { z } from 'zod';
import { NewPassword, Role, UserName } from './common.ts';

/** `GET /api/state`: what the page must know before anyone is signed in. Reveals no more than the page itself. */
export const GatewayState = z.object({
  needsSetup: z.boolean(),
  version: z.string(),
  signedIn: z.boolean(),
});
export type GatewayState = z.infer<typeof GatewayState>;

/** `POST /api/setup`: token from the fragment of the set-up link. Creates the first administrator and signs in. */
export const SetupBody = z.strictObject({ token: z.string().max(128), name: UserName, password: NewPassword });
export type SetupBody = z.infer<typeof SetupBody>;

/** `POST /api/login`. */
export const LoginBody = z.strictObject({ name: z.string().max(64), password: z.string().max(1024) });
export type LoginBody = z.infer<typeof LoginBody>;

/** `POST /api/step-up`: confirms the password before a sensitive act; good for 5 minutes. */
export const StepUpBody = z.strictObject({ password: z.string().max(1024) });
/** `POST /api/account/password`. */
export const ChangePasswordBody = z.strictObject({ current: z.string().max(1024), next: NewPassword });
/** `POST /api/logout`: what to do with live sessions. */
export const LogoutBody = z.strictObject({ sessions: z.enum(['detach', 'end']) });

/** `GET /api/account`. */
export const Account = z.object({
  userId: z.string(),
  name: z.string(),
  role: Role,
  /** What this person may do at all, for showing and hiding; every act is decided again at the gateway. */
  actions: z.array(z.string()),
  loginExpiresAt: z.number(),
  steppedUpUntil: z.number().nullable(),
  /** Room for recordings, told to administrators: below 20 % free `warning`, below 5 % `refused` (no new session). */
  recordingSpace: z.enum(['ok', 'warning', 'refused']).optional(),
});
export type Account = z.infer<typeof Account>;
