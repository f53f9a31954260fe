import { beforeEach, expect, it } from 'vitest';
import type { Credential, Target } from '@sallyport/shared/api/targets';
import type { NewAuditEvent } from '../audit/contract.ts';
import { SallyportError } from '../errors.ts';
import type { Caller } from '../http/route.ts';
import type { Role } from '../policy.ts';
import { Secret } from '../secret.ts';
import type { OpenedCredential } from '../vault/credentials.ts';
import { type LendingDeps, lenderOf } from './lending.ts';

const line = { runspacePoolId: 'pool', pipelineId: 'pipeline' };
const credential = (id: string, label: string, kind: Credential['kind'] = 'password', user = 'svc'): Credential => ({
  ...{ id, label, kind, user, publicFacts: '', certificate: null, clientCertificate: null, createdAt: 0 },
});
const entries = [
  credential('1', 'Adm'),
  credential('2', 'key', 'privateKey'),
  credential('3', 'twin'),
  credential('4', 'TWIN'),
  credential('5', 'bare', 'password', ''),
  credential('6', 'elsewhere'),
];
let events: NewAuditEvent[];
let role: Role | null;
let named: string[];
let isAuditAway: boolean;
let openedIds: string[];
let secrets: Secret[];
beforeEach(() => {
  [events, role, isAuditAway, openedIds, secrets] = [[], 'operator', false, [], []];
  named = ['1', '2', '3', '4', '5', 'gone'];
});

function lend(
  names: readonly string[],
  scopes: Caller['subject']['tokenScopes'] = null,
  targetId: string | null = 't',
) {
  const actor = { name: 'ann' } as unknown as Caller['actor'];
  const subject = { userId: 'u', role: 'administrator', tokenScopes: scopes } as const;
  const deps: LendingDeps = {
    audit: {
      append: (event) => {
        if (isAuditAway) return Promise.reject(new SallyportError('audit_unavailable', 'away'));
        events.push(event);
        return Promise.resolve({ detail: {}, ...event, sequence: 1, at: 0, hash: '', previousHash: '' });
      },
    },
    credentials: {
      byId: (id: string) => Promise.resolve(entries.find((one) => one.id === id) ?? null),
      open: (id: string): Promise<OpenedCredential> => {
        openedIds.push(id);
        const password = new Secret('canary');
        secrets.push(password);
        return Promise.resolve({ kind: 'password', user: `user ${id}`, password });
      },
    } as unknown as LendingDeps['credentials'],
    inventory: {
      byId: (id) =>
        Promise.resolve(id === 't' ? ({ usingCredentials: named, credentialId: '6' } as unknown as Target) : null),
    },
    subjectOf: (userId) => Promise.resolve(role === null ? null : { userId, role, tokenScopes: null }),
  };
  const place = { caller: { subject, actor } as Caller, sessionId: 's', targetId, targetName: 'web01' };
  return lenderOf(place, deps)(names, line);
}

it('opens what was named at the target, in any case of letters, and audits each', async () => {
  const [lent] = await lend(['adm']);
  expect([lent?.userName, lent?.password.reveal()]).toEqual(['user 1', 'canary']);
  expect(events).toEqual([
    {
      ...{ type: 'credential.used', actor: { name: 'ann' }, subject: 'credential:1', outcome: 'ok' },
      detail: { name: 'Adm', target: 'web01', session: 's', command: 'pipeline' },
    },
  ]);
});

it('tells a name that is not there and one that was not named here apart for nobody', async () => {
  const there = 'there is Adm, key, twin, TWIN, bare';
  await expect(lend(['nothing'])).rejects.toMatchObject({ code: 'using_unknown', message: `nothing; ${there}` });
  await expect(lend(['elsewhere'])).rejects.toMatchObject({ code: 'using_unknown', message: `elsewhere; ${there}` });
  const none = { code: 'using_unknown', message: 'adm; there is none here' };
  await expect(lend(['adm'], null, null)).rejects.toMatchObject(none);
  named = [];
  await expect(lend(['adm'])).rejects.toMatchObject(none);
});

it('opens none when one of them cannot be had', async () => {
  for (const unfit of ['key', 'twin', 'bare'])
    await expect(lend(['adm', unfit])).rejects.toMatchObject({ code: 'using_unfit' });
  expect([openedIds, events]).toEqual([[], []]);
});

it('asks for the role of this moment and the scopes of the token', async () => {
  role = 'auditor';
  await expect(lend(['adm'])).rejects.toMatchObject({ code: 'forbidden' });
  role = null;
  await expect(lend(['adm'])).rejects.toMatchObject({ code: 'forbidden' });
  role = 'operator';
  await expect(lend(['adm'], ['session.open'])).rejects.toMatchObject({ code: 'forbidden' });
  expect(events.map(({ type, outcome }) => [type, outcome])).toEqual(Array(3).fill(['policy.refused', 'refused']));
  expect(await lend(['adm'], ['credential.use'])).toHaveLength(1);
});

it('gives nothing that is not audited', async () => {
  isAuditAway = true;
  await expect(lend(['adm'])).rejects.toMatchObject({ code: 'audit_unavailable' });
  expect(openedIds).toEqual([]);
});
