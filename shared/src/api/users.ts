import { z } from 'zod';
import { DisplayName, NewPassword, Role, UserName } from './common.ts';

export const User = z.object({
  id: z.string(),
  name: z.string(),
  role: Role,
  disabled: z.boolean(),
  createdAt: z.number(),
  lastLoginAt: z.number().nullable(),
  liveLogins: z.number(),
});
export type User = z.infer<typeof User>;
export const UserList = z.object({ users: z.array(User) });
/** `POST /api/users` (step-up). */
export const NewUser = z.strictObject({ name: UserName, role: Role, password: NewPassword });
export type NewUser = z.infer<typeof NewUser>;
/** `PATCH /api/users/:id` (step-up). A changed role or password, or disabling, ends that person's logins and closes their sockets. */
export const UserPatch = z.strictObject({
  role: Role.optional(),
  disabled: z.boolean().optional(),
  password: NewPassword.optional(),
});
export type UserPatch = z.infer<typeof UserPatch>;

export const ApiToken = z.object({
  id: z.string(),
  label: z.string(),
  userName: z.string(),
  /** Policy actions; null = everything the role may. */
  scopes: z.array(z.string()).nullable(),
  createdAt: z.number(),
  expiresAt: z.number(),
  lastUsedAt: z.number().nullable(),
});
export type ApiToken = z.infer<typeof ApiToken>;
export const ApiTokenList = z.object({ tokens: z.array(ApiToken) });
/** `POST /api/tokens` (step-up). The token itself is in the answer once and never again. */
export const NewApiToken = z.strictObject({
  label: DisplayName,
  scopes: z.array(z.string()).max(64).nullable(),
  days: z.number().int().min(1).max(365),
});
export type NewApiToken = z.infer<typeof NewApiToken>;
export const CreatedApiToken = z.object({ token: z.string(), entry: ApiToken });
export type CreatedApiToken = z.infer<typeof CreatedApiToken>;
