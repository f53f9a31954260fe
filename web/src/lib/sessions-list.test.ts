import type { SessionRow } from '@sallyport/shared/api/sessions';
import { describe, expect, it } from 'vitest';
import { groupSessions, lookOf, matchesSession, wayOf } from './sessions-list.ts';

const row = (id: string, startedAt: number, more: Partial<SessionRow> = {}): SessionRow => ({
  id,
  userId: 'u',
  userName: 'ann',
  facts: {
    targetName: 'web01',
    address: 'web01:22',
    via: [],
    weakened: [],
    isDemoTarget: false,
    identity: 'svc',
    kind: 'powershell',
    protection: '',
    remote: '',
    recording: 'strict',
    startedAt,
  },
  phase: 'ended',
  attached: false,
  detachedAt: null,
  endedAt: startedAt,
  endReason: 'exited',
  exitCode: 0,
  commandCount: 0,
  errorCount: 0,
  outputBytes: 0,
  hasRecording: true,
  ...more,
});
const DAY = 86_400_000;

describe('the list of sessions', () => {
  it.each([
    ['HTTPS, Kerberos', 'WinRM, '],
    ['HTTP, NTLM sealed (RC4)', 'WinRM, '],
    ['SSH, chacha20-poly1305', 'SSH, '],
    ['', ''],
  ])('says what a session goes over: %s', (protection, way) => {
    expect(wayOf({ ...row('a', 0).facts, protection })).toBe(way);
  });
  it('has those that were left among the open ones', () => {
    const left = row('l', 3, { phase: 'left', endedAt: null, endReason: null });
    expect(lookOf(left)).toMatchObject({ word: 'left', tone: 'off' });
    expect(groupSessions([left, row('a', 9)], true)[0]?.title).toBe('Open now');
  });

  it('has the open ones first and the others by day, newest first', () => {
    const rows = [row('a', 0), row('b', DAY), row('c', 5, { phase: 'live' }), row('d', 10)];
    expect(groupSessions(rows, true).map(({ title, rows: of }) => [title, of.map(({ id }) => id)])).toEqual([
      ['Open now', ['c']],
      ['2 Jan 1970', ['b']],
      ['1 Jan 1970', ['d', 'a']],
    ]);
  });

  it('tells a refusal, a loss and an end apart by mark and word', () => {
    const looks = ['exited', 'host_key_changed', 'target_lost', 'psrp_bad_state'].map((endReason) =>
      lookOf(row('x', 0, { endReason })),
    );
    expect(looks.map(({ icon, word }) => [icon, word])).toEqual([
      ['mark-ended', 'ended'],
      ['refused', 'refused'],
      ['mark-failed', 'target lost'],
      ['mark-failed', 'psrp bad state'],
    ]);
    expect(lookOf(row('x', 0, { phase: 'live' })).word).toBe('detached');
  });

  it('finds a row by every word of the search', () => {
    expect(matchesSession(row('a', 0), 'ANN web')).toBe(true);
    expect(matchesSession(row('a', 0), 'ann sql')).toBe(false);
    expect(matchesSession(row('a', 0), '')).toBe(true);
  });
});
