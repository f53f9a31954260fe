/**
 * T1: every door of the built gateway x every identity. What is expected stands in `test/lab/door-table.ts` and
 * nowhere else. A door without a row fails the test.
 */
import type { AuditPage } from '@sallyport/shared/api/audit';
import type { OpenedSession } from '@sallyport/shared/api/sessions';
import type { Credential, HostKeyPin, Target } from '@sallyport/shared/api/targets';
import type { CreatedApiToken } from '@sallyport/shared/api/users';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ConsolePage, openBody } from '../lab/console-page.ts';
import {
  type ObjectKind,
  type Owner,
  type Reach,
  type Row,
  TABLE,
  credentialBody,
  id,
  targetBody,
} from '../lab/door-table.ts';
import { declaredDoors } from '../lab/doors.ts';
import { LAB_PASSWORD, type LabGateway, type Person, startGateway } from '../lab/gateway.ts';
import { acceptHostKey, addLabTarget } from '../lab/journeys.ts';
import { LAB_ROLES, type LabRole, addPeople, changeDatabase, tokenOf } from '../lab/people.ts';
import { type LabSshd, startSshd } from '../lab/sshd.ts';

/** Whose names they have, and a second of each kind: the other one of the role. */
const NAMES: Record<LabRole, string> = { administrator: 'ann', operator: 'bob', auditor: 'aud' };
const OTHERS: Record<LabRole, string> = { administrator: 'amy', operator: 'bea', auditor: 'abe' };
/** Sign in for one request that ends their logins. */
const SPARES: Record<LabRole, string> = { administrator: 'zoe', operator: 'zed', auditor: 'zac' };
const PEOPLE: Readonly<Record<string, LabRole>> = {
  ...{ amy: 'administrator', idle: 'administrator', stale: 'administrator', zoe: 'administrator' },
  ...{ bob: 'operator', bea: 'operator', gone: 'operator', vic: 'operator', zed: 'operator' },
  ...{ aud: 'auditor', abe: 'auditor', zac: 'auditor' },
};
const people = new Map<string, Person>();
const person = (name: string): Person => {
  const found = people.get(name);
  if (found === undefined) throw new Error(`nobody is called ${name}`);
  return found;
};
let lab: Target;
let ids = new Map<string, string>();
let gateway: LabGateway;
let sshd: LabSshd;
let spareKeys: string[] = [];

async function liveSession(owner: Person): Promise<string> {
  const { sessionId } = await owner.post<OpenedSession>('/api/sessions', openBody(lab.id, 'pty'));
  return sessionId;
}
async function pastSession(owner: Person): Promise<string> {
  const page = await ConsolePage.open(owner, openBody(lab.id, 'pty'));
  await page.untilLive();
  // Answered when it is over in every respect; its page is told a little earlier.
  await owner.post(`/api/sessions/${page.sessionId}/terminate`);
  return page.sessionId;
}

/** First the objects and the logins that will have ended; then what only time brings about; then the gateway anew. */
async function populate(): Promise<void> {
  const first = await startGateway();
  const ann = await first.setUp();
  people.set('ann', ann);
  ids = await addPeople(ann, PEOPLE);
  for (const name of ids.keys()) if (!Object.values(SPARES).includes(name)) people.set(name, await first.signIn(name));
  people.set('old token', await tokenOf(first, ann, null));
  people.set('token of gone', await tokenOf(first, person('gone'), null));
  people.set('left', await first.signIn('amy'));
  const left = { cookie: person('left').cookie };
  await person('left').post('/api/logout', { sessions: 'detach' });
  person('left').cookie = left.cookie;
  lab = await addLabTarget(ann, sshd);
  const page = await ConsolePage.open(ann, openBody(lab.id, 'pty'));
  await acceptHostKey(page);
  await page.untilLive();
  await ann.patch(`/api/users/${ids.get('gone') ?? ''}`, { disabled: true });
  await first.terminate();
  changeDatabase(first.dataDir, [
    `UPDATE logins SET lastSeenAt = lastSeenAt - 3600000 WHERE userId = '${ids.get('idle') ?? ''}'`,
    `UPDATE logins SET steppedUpUntil = 1 WHERE userId = '${ids.get('stale') ?? ''}'`,
    `UPDATE tokens SET expiresAt = 1 WHERE userId = (SELECT id FROM users WHERE name = 'ann')`,
    ...Array.from({ length: 8 }, (_, n) => `INSERT INTO host_keys (id, via, host, port, keyType, key, acceptedBy, acceptedAt) VALUES ('${id(`pin${'bcdefgh2'[n] ?? ''}`)}', '', 'pin${String(n)}.example', 22, 'ssh-ed25519', 'AAAA', 'ann', 1)`), // prettier-ignore
  ]);
  gateway = await startGateway({ dataDir: first.dataDir, env: { SALLYPORT_SESSION_OPENS_PER_MINUTE: '1000', SALLYPORT_SESSIONS_PER_USER: '200' } }); // prettier-ignore
  for (const [name, before] of people) {
    const now = gateway.nobody();
    now.cookie = before.cookie;
    now.token = before.token;
    people.set(name, now);
  }
  spareKeys = (await person('ann').get<{ hostKeys: HostKeyPin[] }>('/api/host-keys')).hostKeys
    .filter(({ host }) => host.endsWith('.example'))
    .map((pin) => pin.id);
}

beforeAll(async () => {
  sshd = await startSshd({ subsystem: null });
  await populate();
}, 120_000);
afterAll(async () => {
  await gateway.stop();
  await sshd.stop();
});

/** A new object of that kind. Only sessions, recordings and tokens have owners. */
const OBJECTS: Readonly<Record<ObjectKind, (owner: Person) => Promise<string>>> = {
  user: () => Promise.resolve(ids.get('vic') ?? ''),
  token: async (owner) =>
    (await owner.post<CreatedApiToken>('/api/tokens', { label: 'o', scopes: [], days: 1 })).entry.id,
  target: async () => (await person('ann').post<Target>('/api/targets', targetBody())).id,
  credential: async () => (await person('ann').post<Credential>('/api/credentials', credentialBody())).id,
  hostKey: () => Promise.resolve(spareKeys.pop() ?? ''),
  live: liveSession,
  past: pastSession,
  recorded: pastSession,
};
/** Used up by who is let in; the others are shared by all cells. */
const CONSUMED: ReadonlySet<string> = new Set(['DELETE', 'POST /api/sessions/:id/terminate']);
const shared = new Map<string, Promise<string>>();
function objectOf(kind: ObjectKind, owner: string, isConsumed: boolean): Promise<string> {
  const make = OBJECTS[kind];
  if (isConsumed) return make(person(owner));
  const key = `${kind} of ${owner}`;
  const known = shared.get(key) ?? make(person(owner));
  shared.set(key, known);
  return known;
}

interface Cell {
  readonly who: string;
  readonly as: () => Promise<Person>;
  /** Status and code; null code: let in. */
  readonly expected: readonly [number, string | null];
  readonly owner: Owner | 'nobody';
  readonly ownerName: string;
}
const UNAUTHENTICATED = [401, 'unauthenticated'] as const;
const FORBIDDEN = [403, 'forbidden'] as const;
const NOT_FOUND = [404, 'not_found'] as const;

/** What a role gets from its reach, whoever it is. */
function outcome(row: Row, reach: Reach, owner: Owner): Cell['expected'] {
  if (reach === '403') return FORBIDDEN;
  if (reach === '404') return NOT_FOUND;
  return reach === 'own' && owner === 'foreign' ? NOT_FOUND : [row.ok, null];
}

const programs = new Map<string, Promise<Person>>();
/** A token of a role, with the right scope or with any other. */
function program(role: LabRole, asked: string, isRight: boolean): Promise<Person> {
  const other = asked === 'target.list' ? 'account.read' : 'target.list';
  const scope = isRight ? asked : null;
  const key = `${role} ${scope ?? `not ${asked}`}`;
  const known = programs.get(key) ?? tokenOf(gateway, person(NAMES[role]), [scope ?? other]);
  programs.set(key, known);
  return known;
}

/** Where the owner does not matter, one kind of object is enough. */
const ownersOf = (row: Row): readonly Owner[] => (row.object === undefined ? ['own'] : ['own', 'foreign']);
/** An auditor owns no session; the one of an operator is then nobody's of theirs. */
const holderOf = (row: Row, role: LabRole, owner: Owner): string =>
  owner === 'own' && !(role === 'auditor' && row.object !== 'token') ? NAMES[role] : OTHERS[role === 'auditor' && row.object !== 'token' ? 'operator' : role]; // prettier-ignore

function cellsOf(row: Row): Cell[] {
  const strangers = ['nobody', 'idle', 'gone', 'left', 'old token', 'token of gone', 'unknown token'].map(
    (who): Cell => ({
      who,
      as: () => Promise.resolve(who === 'nobody' ? gateway.nobody() : person(who)),
      expected: typeof row.may === 'string' ? [row.ok, null] : UNAUTHENTICATED,
      owner: 'nobody',
      ownerName: 'ann',
    }),
  );
  if (typeof row.may === 'string') return strangers;
  const cells = LAB_ROLES.flatMap((role, column) =>
    ownersOf(row).flatMap((owner) => cellsOfRole(row, role, row.may[column] as Reach, owner)),
  );
  return [...strangers, ...cells, ...staleCells(row)];
}

function cellsOfRole(row: Row, role: LabRole, reach: Reach, owner: Owner): Cell[] {
  const ownerName = holderOf(row, role, owner);
  const isOwn = ownerName === NAMES[role];
  const expected = outcome(row, reach, isOwn || row.object === undefined ? 'own' : 'foreign');
  const isIn = expected[1] === null;
  const noToken = row.noToken === 401 ? UNAUTHENTICATED : FORBIDDEN;
  const hidden = reach === '404' || (isHidden(row) && reach !== '403');
  const signedIn = (): Promise<Person> =>
    row.endsLogin === true && isIn ? gateway.signIn(SPARES[role]) : Promise.resolve(person(NAMES[role]));
  const asProgram = row.noToken === undefined || !isIn ? expected : noToken;
  return [
    { who: role, as: signedIn, expected, owner, ownerName },
    { who: `token of ${role}`, as: () => program(role, row.scope ?? '', true), expected: asProgram, owner, ownerName },
    {
      who: `token of ${role} for something else`,
      as: () => program(role, row.scope ?? '', false),
      expected: hidden ? NOT_FOUND : FORBIDDEN,
      owner,
      ownerName,
    },
  ];
}
/** Doors whose refusals must not say that there is such a session. */
const isHidden = ({ scope = '' }: Row): boolean =>
  /^(session\.(attach|control|terminate)|file\.(read|write)|recording\.(replay|export)|ledger\.read)$/.test(scope);

/** An administrator whose confirmed password is too long ago. */
function staleCells(row: Row): Cell[] {
  if (row.endsLogin === true) return [];
  const expected = row.stepUp === true ? ([403, 'step_up_required'] as const) : null;
  if (expected === null) return [];
  return [{ who: 'stale', as: () => Promise.resolve(person('stale')), expected, owner: 'own', ownerName: 'ann' }];
}

interface Seen {
  readonly status: number;
  readonly code: string | null;
}
async function knock(door: string, row: Row, someone: Person, object: string): Promise<Seen> {
  const [method = '', route = ''] = door.split(' ');
  const path = `${route.replace(':id', object).replace('*', 'sign-in')}${row.query ?? ''}`;
  const headers = door === 'GET /api/sessions/socket' ? { 'sec-websocket-protocol': 'sallyport.v1' } : {};
  const given = row.body?.(lab);
  const isBytes = given instanceof Uint8Array;
  const type = isBytes ? 'application/octet-stream' : 'application/json';
  const body = isBytes ? new Uint8Array(given) : JSON.stringify(given);
  const response = await fetch(`${someone.url}${path}`, {
    method,
    headers: { ...someone.headers(headers), ...(given === undefined ? {} : { 'content-type': type }) },
    ...(given === undefined ? {} : { body }),
  });
  const text = await response.text();
  const error = response.status < 400 ? null : (JSON.parse(text) as { error: { code: string } }).error;
  return { status: response.status, code: error?.code ?? null };
}

test('every door has a row, and every row a door', () => {
  expect(Object.keys(TABLE).sort()).toEqual(declaredDoors().sort());
});

/** A confirmed password holds for 5 minutes, which a busy machine may need for all of this. */
let confirmedAt = performance.now();
beforeEach(async () => {
  if (performance.now() - confirmedAt < 120_000) return;
  confirmedAt = performance.now();
  for (const name of [...Object.values(NAMES), ...Object.values(OTHERS)])
    await person(name).post('/api/step-up', { password: LAB_PASSWORD });
});

describe('door x identity', () => {
  const unknownToken = `sp_${'a'.repeat(52)}`;
  test.each(Object.entries(TABLE))('%s', async (door, row) => {
    const unknown = gateway.nobody();
    unknown.token = unknownToken;
    people.set('unknown token', unknown);
    const [method = ''] = door.split(' ');
    const wrong: string[] = [];
    for (const cell of cellsOf(row)) {
      const [status, code] = cell.expected;
      const isConsumed = code === null && (CONSUMED.has(method) || CONSUMED.has(door));
      const object = row.object === undefined ? '' : await objectOf(row.object, cell.ownerName, isConsumed);
      const seen = await knock(door, row, await cell.as(), object);
      const isRight = seen.status === status && (code === null || seen.code === code);
      if (!isRight)
        wrong.push(`${cell.who}, object of ${cell.ownerName}: ${JSON.stringify(seen)}, not ${JSON.stringify(cell.expected)}`); // prettier-ignore
    }
    expect(wrong).toEqual([]);
  });
});

test('an object of somebody else is answered like one that never was', async () => {
  const bob = person('bob');
  const foreign = {
    live: await objectOf('live', 'bea', false),
    past: await objectOf('past', 'bea', false),
    token: await objectOf('token', 'bea', true),
  };
  const doors: readonly (readonly [string, string, string])[] = [
    ['GET', '/api/sessions/:id', foreign.live],
    ['POST', '/api/sessions/:id/tickets', foreign.live],
    ['POST', '/api/sessions/:id/terminate', foreign.live],
    ['GET', '/api/recordings/:id', foreign.past],
    ['GET', '/api/recordings/:id/events', foreign.past],
    ['GET', '/api/ledger?session=:id', foreign.past],
    ['DELETE', '/api/tokens/:id', foreign.token],
  ];
  for (const [method, route, object] of doors) {
    const answers = await Promise.all(
      [object, id('never')].map(async (name) => {
        const { status, body } = await bob.request<{ error: Record<string, string> }>(method, route.replace(':id', name)); // prettier-ignore
        return { status, code: body.error['code'], message: body.error['message'] };
      }),
    );
    expect(answers[0], route).toEqual(answers[1]);
    expect(answers[0]?.status, route).toBe(404);
  }
});

test('every refusal by policy is in the audit log, with who and why', async () => {
  const aud = person('aud');
  const count = async () => (await aud.get<AuditPage>('/api/audit?limit=500&type=policy.refused')).events;
  const before = await count();
  expect((await person('bob').request('GET', '/api/users')).status).toBe(403);
  expect((await (await program('operator', 'user.list', true)).request('GET', '/api/users')).status).toBe(403);
  const foreign = await objectOf('live', 'bea', false);
  expect((await person('bob').request('GET', `/api/sessions/${foreign}`)).status).toBe(404);
  const newest = (await count()).slice(0, 3);
  expect(newest.map(({ subject, outcome: result }) => [subject, result])).toEqual([
    ['session.list', 'refused'],
    ['user.list', 'refused'],
    ['user.list', 'refused'],
  ]);
  for (const { actor, detail } of newest) {
    expect(actor).toContain('bob');
    expect(detail['why']).not.toBe('');
  }
  expect(newest.at(-1)?.sequence).toBeGreaterThan(before[0]?.sequence ?? 0);
});

describe('second ways to the same thing', () => {
  test('an operator opens no address that is not in the inventory, and uses no credential but the target’s own', async () => {
    const bob = person('bob');
    const { to, ...rest } = openBody(lab.id, 'pty');
    const address = { by: 'address', host: lab.host, port: lab.port, subsystem: '' };
    expect(await bob.request('POST', '/api/sessions', { ...rest, to: address })).toMatchObject({ status: 403 });
    const other = await person('ann').post<Credential>('/api/credentials', credentialBody());
    const using = (credentialId: string) =>
      bob.request('POST', '/api/sessions', { ...rest, to, credential: { by: 'vault', credentialId } });
    expect(await using(other.id)).toMatchObject({ status: 403, body: { error: { code: 'forbidden' } } });
    expect(await using(lab.credentialId ?? '')).toMatchObject({ status: 200 });
  });

  test('nobody points a stored credential at another place without a confirmed password', async () => {
    const { credentialId } = lab;
    const { id: targetId } = await person('ann').post<Target>('/api/targets', { ...targetBody(), credentialId });
    const code = async (who: string, method: string, route: string, body: unknown) =>
      (await person(who).request<{ error?: { code: string } }>(method, route, body)).body.error?.code;
    const moved = { ...targetBody(), credentialId, port: 2 };
    const doors: readonly (readonly [string, string, unknown])[] = [
      ['POST', '/api/targets', moved],
      ['PUT', `/api/targets/${targetId}`, { ...moved, name: `${moved.name}-2` }],
      ['POST', '/api/sessions', { ...openBody(targetId, 'pty'), to: { by: 'address', host: '127.0.0.1', port: 2, subsystem: '' }, credential: { by: 'vault', credentialId } }], // prettier-ignore
    ];
    for (const [method, route, body] of doors) {
      expect(await code('stale', method, route, body), route).toBe('step_up_required');
      expect(await code('ann', method, route, body), route).toBeUndefined();
    }
  });

  test('what is typed at connect is stored only with a confirmed password', async () => {
    const typed = { user: 'u', kind: 'password', secret: 'x', passphrase: null, saveAs: 'kept' };
    const body = { ...openBody(lab.id, 'pty'), credential: { by: 'typed', typed } };
    const code = async (someone: Person) =>
      (await someone.request<{ error?: { code: string } }>('POST', '/api/sessions', body)).body.error?.code;
    expect(await code(person('stale'))).toBe('step_up_required');
    expect(await code(person('bob'))).toBe('forbidden');
    const { credentials } = await person('ann').get<{ credentials: Credential[] }>('/api/credentials');
    expect(credentials.map(({ label }) => label)).not.toContain('kept');
    expect(await code(person('ann'))).toBeUndefined();
  });

  test('a token does not make tokens, confirm passwords, or open sockets', async () => {
    const wide = await tokenOf(gateway, person('ann'), null);
    expect(await wide.request('POST', '/api/tokens', { label: 'x', scopes: null, days: 1 })).toMatchObject({ status: 403 }); // prettier-ignore
    expect(await wide.request('POST', '/api/step-up', { password: LAB_PASSWORD })).toMatchObject({ status: 403 });
    expect(await wide.request('GET', '/api/sessions/socket')).toMatchObject({ status: 401 });
  });
});
