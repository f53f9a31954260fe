import { z } from 'zod';

/**
 * Branded ids. Every id of ours is 256 random bits in lower-case base32 (RFC 4648, no padding): 52 characters that are
 * safe in URLs, file names and command lines (never a leading `-`). security.md section 2, rule 7.
 */
const id = <B extends string>(brand: B) =>
  z
    .string()
    .regex(/^[a-z2-7]{52}$/, 'not an id')
    .brand(brand);

export const SessionId = id('SessionId');
export type SessionId = z.infer<typeof SessionId>;
export const TargetId = id('TargetId');
export type TargetId = z.infer<typeof TargetId>;
export const UserId = id('UserId');
export type UserId = z.infer<typeof UserId>;
export const LoginId = id('LoginId');
export type LoginId = z.infer<typeof LoginId>;
export const TokenId = id('TokenId');
export type TokenId = z.infer<typeof TokenId>;
export const CredentialId = id('CredentialId');
export type CredentialId = z.infer<typeof CredentialId>;
export const HostKeyId = id('HostKeyId');
export type HostKeyId = z.infer<typeof HostKeyId>;
export const CommandId = id('CommandId');
export type CommandId = z.infer<typeof CommandId>;
