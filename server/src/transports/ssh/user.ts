/**
 * The user name as it goes to the target: `DOMAIN\user` becomes `user@DOMAIN`, as PowerShell's own SSH client sends it
 * and as every Windows OpenSSH takes it; `user` and `user@domain` stay. Grammar: targets/address.ts.
 */
export function toSentUser(user: string): string {
  const [, domain, name] = /^([^\\@]+)\\([^\\@]+)$/.exec(user) ?? [];
  return domain === undefined || name === undefined ? user : `${name}@${domain}`;
}
