import type { Migration } from 'kysely';
import * as first from './0001-first.ts';
import * as jumpHosts from './0002-jump-hosts.ts';
import * as certificates from './0003-certificates.ts';
import * as knownHosts from './0004-known-hosts.ts';
import * as shellIds from './0005-shell-ids.ts';
import * as leftSessions from './0006-left-sessions.ts';
import * as shellOwners from './0007-shell-owners.ts';

/** Every migration in order. Append only; an applied migration never changes. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-first': first,
  '0002-jump-hosts': jumpHosts,
  '0003-certificates': certificates,
  '0004-known-hosts': knownHosts,
  '0005-shell-ids': shellIds,
  '0006-left-sessions': leftSessions,
  '0007-shell-owners': shellOwners,
};
