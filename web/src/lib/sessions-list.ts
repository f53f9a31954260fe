import type { SessionRow } from '@sallyport/shared/api/sessions';
import type { IconName } from './components/icons.ts';
import { formatDay } from './time.ts';

/** State of a session as mark, colour and word. */
export interface SessionLook {
  readonly icon: IconName;
  readonly tone: 'live' | 'off' | 'bad' | 'warn';
  readonly word: string;
}
const CALM: ReadonlySet<string> = new Set(['exited', 'closed_by_user', 'cancelled', 'target_closed']);
const WORDS: Readonly<Record<string, string>> = {
  exited: 'ended',
  closed_by_user: 'ended',
  target_closed: 'ended by the target',
  cancelled: 'not opened',
  terminated: 'terminated',
  target_lost: 'target lost',
  gateway_lost: 'gateway lost',
  detached_too_long: 'left too long',
  host_key_changed: 'refused',
  host_key_unknown: 'refused',
  tls_certificate_changed: 'refused',
  tls_certificate_untrusted: 'refused',
  target_auth_failed: 'refused',
};
const REFUSED: ReadonlySet<string> = new Set([
  'host_key_changed',
  'host_key_unknown',
  'tls_certificate_changed',
  'tls_certificate_untrusted',
  'target_auth_failed',
  'target_address_refused',
]);

/** How the state of a session is shown. */
export function lookOf({ phase, attached, endReason }: SessionRow): SessionLook {
  if (phase === 'opening') return { icon: 'mark-waiting', tone: 'warn', word: 'opening' };
  if (phase === 'live')
    return attached
      ? { icon: 'mark-live', tone: 'live', word: 'live' }
      : { icon: 'mark-detached', tone: 'off', word: 'detached' };
  if (phase === 'left') return { icon: 'mark-detached', tone: 'off', word: 'left' };
  const reason = endReason ?? 'exited';
  const word = WORDS[reason] ?? reason.replace(/^wsman/, 'WinRM').replaceAll('_', ' ');
  if (CALM.has(reason)) return { icon: 'mark-ended', tone: 'off', word };
  return { icon: REFUSED.has(reason) ? 'refused' : 'mark-failed', tone: 'bad', word };
}

/** "WinRM, " or "SSH, ", as its protection tells; nothing for a session that came to no connection. */
export const wayOf = ({ protection }: SessionRow['facts']): string =>
  protection.startsWith('HTTP') ? 'WinRM, ' : protection.startsWith('SSH') ? 'SSH, ' : '';

/** Rows under one heading. */
export interface SessionGroup {
  readonly title: string;
  readonly rows: readonly SessionRow[];
}

/** Live sessions first, then the ended ones by the day they began, newest first. */
export function groupSessions(rows: readonly SessionRow[], utc: boolean): SessionGroup[] {
  const sorted = rows.toSorted((a, b) => b.facts.startedAt - a.facts.startedAt);
  const groups = new Map<string, SessionRow[]>();
  for (const row of sorted) {
    const title = row.phase === 'ended' ? formatDay(row.facts.startedAt, utc) : 'Open now';
    const group = groups.get(title) ?? [];
    group.push(row);
    groups.set(title, group);
  }
  const all = [...groups].map(([title, of]) => ({ title, rows: of }));
  return all.toSorted((a, b) => Number(b.title === 'Open now') - Number(a.title === 'Open now'));
}

/** Whether a row fits what is searched for, word by word. */
export function matchesSession(row: SessionRow, search: string): boolean {
  const text = `${row.userName} ${row.facts.targetName} ${row.facts.address} ${row.facts.identity} ${lookOf(row).word} ${row.endReason ?? ''}`;
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.toLowerCase().includes(word));
}
