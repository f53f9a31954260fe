import { describe, expect, it } from 'vitest';
import { ACTIONS, ROLES, decide } from './policy.ts';

const subject = (role: (typeof ROLES)[number], tokenScopes: (typeof ACTIONS)[number][] | null = null) => ({
  userId: 'me',
  role,
  tokenScopes,
});

describe('policy', () => {
  it('lets nobody replay the recording of another person by administrator role alone', () => {
    expect(decide(subject('administrator'), 'recording.replay', { ownerId: 'other' })).toMatchObject({
      allowed: false,
      code: 'not_found',
    });
    expect(decide(subject('administrator'), 'recording.replay', { ownerId: 'me' })).toEqual({ allowed: true });
    expect(decide(subject('auditor'), 'recording.replay', { ownerId: 'other' })).toEqual({ allowed: true });
  });

  it('never lets a token do what it is not scoped for, nor what its role may not', () => {
    for (const role of ROLES)
      for (const action of ACTIONS) {
        expect(decide(subject(role, []), action, null).allowed).toBe(false);
        expect(decide(subject(role, [action]), action, null)).toEqual(decide(subject(role), action, null));
      }
  });

  it('hides the demo target from everybody but administrators', () => {
    expect(decide(subject('operator'), 'session.open', { ownerId: null, administratorOnly: true })).toMatchObject({
      code: 'not_found',
    });
  });
});
