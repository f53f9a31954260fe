import { describe, expect, it } from 'vitest';
import { codeOf } from '../../../../errors.ts';
import { KerberosConnection } from './connection.ts';
import type { ContextState } from './messages.ts';
import type { KerberosRun } from './process.ts';
import { bare } from './wrapping.ts';

/** mutual 2, replay 4, sequence 8, confidentiality 16, integrity 32. */
const ALL = 62;
const AES_256 = 18;

/** What signing in comes to when the library ends with this state, and what the process was told after it. */
async function signedIn({
  isComplete = true,
  ...state
}: Omit<ContextState, 'isComplete'> & Partial<ContextState>): Promise<{ code: string; told: string[] }> {
  const told: string[] = [];
  const run = {
    newHandle: () => 1,
    tell: ({ op }: { op: string }) => void told.push(op),
    request: ({ op }: { op: string }) =>
      Promise.resolve({
        answer: { id: 1, state: op === 'begin' ? { isComplete: false, flags: ALL, encryption: 0 } : { isComplete, ...state } },
        body: op === 'begin' ? Uint8Array.of(1) : new Uint8Array(),
      }),
  } as unknown as KerberosRun; // prettier-ignore
  const connection = new KerberosConnection({
    ...{
      scheme: 'Kerberos',
      wrapping: bare(),
      service: 'HTTP@win01',
      delegation: 'never',
      isTls: false,
      binding: null,
    },
    ...{ deadlineMs: 1000, identify: () => Promise.resolve({ run, identity: 1, freshUntil: Infinity }) },
  });
  const { signal } = new AbortController();
  try {
    await connection.next(null, signal);
    const step = await connection.next({ status: 200, challenges: ['Kerberos AQID'] }, signal);
    return { code: step.kind === 'done' ? (step.session.sealing?.label ?? '') : step.kind, told };
  } catch (error) {
    return { code: codeOf(error), told };
  }
}

describe('a context that came out complete', () => {
  it.each([
    [17, 'AES-128'],
    [18, 'AES-256'],
    [19, 'AES-128, SHA-2'],
    [20, 'AES-256, SHA-2'],
  ])('seals with encryption %i', async (encryption, name) => {
    expect(await signedIn({ flags: ALL, encryption })).toEqual({ code: `Kerberos sealed (${name})`, told: [] });
  });

  it.each([
    ['proof of the server', 2],
    ['confidentiality', 16],
    ['integrity', 32],
  ])('is worth nothing without %s', async (_, flag) => {
    expect(await signedIn({ flags: ALL - flag, encryption: AES_256 })).toEqual({
      ...{ code: 'wsman_server_unproven', told: ['end'] },
    });
  });

  it('is due when the server says that all is well', async () => {
    expect(await signedIn({ isComplete: false, flags: ALL, encryption: AES_256 })).toEqual({
      ...{ code: 'wsman_server_unproven', told: ['end'] },
    });
  });

  it.each([0, 1, 3, 16, 23, 24])('is refused with encryption %i: DES, 3DES, RC4, or none', async (encryption) => {
    expect(await signedIn({ flags: ALL, encryption })).toEqual({ code: 'kerberos_failed', told: ['end'] });
  });
});
