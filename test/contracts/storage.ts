import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { randomId } from '../../server/src/random.ts';
import type {
  AuditRecord,
  LedgerRecord,
  KnownHostRecord,
  LoginRecord,
  RecordingRecord,
  SessionRecord,
  Storage,
  TargetRecord,
  UserRecord,
} from '../../server/src/storage/contract.ts';

const T = Date.UTC(2026, 10, 21);

export const aUser = (change: Partial<UserRecord> = {}): UserRecord => ({
  id: randomId(),
  name: `user-${randomId().slice(0, 8)}`,
  role: 'operator',
  passwordHash: 'x',
  disabled: false,
  createdAt: T,
  lastLoginAt: null,
  ...change,
});
export const aLogin = (userId: string, change: Partial<LoginRecord> = {}): LoginRecord => ({
  idHash: randomId(),
  userId,
  createdAt: T,
  lastSeenAt: T,
  expiresAt: T + 1000,
  steppedUpUntil: null,
  address: '127.0.0.1',
  agent: 'test',
  ...change,
});
export const aTarget = (change: Partial<TargetRecord> = {}): TargetRecord => ({
  id: randomId(),
  name: `web-${randomId().slice(0, 8)}`,
  transport: 'ssh',
  host: '127.0.0.1',
  port: 22,
  options: '{}',
  credentialId: null,
  viaTargetId: null,
  createdAt: T,
  lastOpenedAt: null,
  ...change,
});
export const aSession = (change: Partial<SessionRecord> = {}): SessionRecord => ({
  id: randomId(),
  userId: 'ann',
  userName: 'ann',
  targetId: null,
  facts: '{}',
  startedAt: T,
  endedAt: null,
  endReason: null,
  exitCode: null,
  commandCount: 0,
  errorCount: 0,
  outputBytes: 0,
  reopen: null,
  left: null,
  leftAt: null,
  shellId: null,
  loginHash: null,
  ...change,
});
export const aRecording = (change: Partial<RecordingRecord> = {}): RecordingRecord => ({
  sessionId: randomId(),
  path: '2026/11/x',
  startedAt: T,
  sealedKey: new Uint8Array([0, 255, 1]),
  state: 'open',
  events: 0,
  outputBytes: 2 ** 40,
  durationMs: 0,
  head: '',
  ...change,
});
export const aLedgerRow = (change: Partial<LedgerRecord> = {}): Omit<LedgerRecord, 'sequence'> => ({
  id: randomId(),
  sessionId: 's1',
  userId: 'ann',
  number: 1,
  sealedText: new Uint8Array([1, 2, 3]),
  startedAt: T,
  endedAt: null,
  state: 'running',
  errorCount: 0,
  outputBytes: 0,
  runspacePoolId: 'pool',
  pipelineId: 'pipe',
  shellId: null,
  ...change,
});
export const anAuditRow = (sequence: number, change: Partial<AuditRecord> = {}): AuditRecord => ({
  sequence,
  at: T + sequence,
  type: 'login.ok',
  body: '{"a":"ä"}',
  previousHash: `${sequence - 1}`,
  hash: `${sequence}`,
  ...change,
});

/** What every storage dialect must do. `open` gives a fresh, empty storage. */
export function storageContract(dialect: string, open: () => Promise<Storage>): void {
  describe(`storage contract: ${dialect}`, () => {
    let storage: Storage;
    beforeEach(async () => {
      storage = await open();
    });
    afterEach(async () => {
      await storage.close();
    });

    it('keeps users, with names that are unique', async () => {
      const ann = aUser({ name: 'ann', disabled: true });
      await storage.users.insert(ann);
      expect(await storage.users.byId(ann.id)).toEqual(ann);
      expect(await storage.users.byName('ann')).toEqual(ann);
      expect(await storage.users.byName('bob')).toBeNull();
      await expect(storage.users.insert(aUser({ name: 'ann' }))).rejects.toMatchObject({ code: 'name_taken' });
      await storage.users.update(ann.id, { disabled: false, lastLoginAt: T + 5 });
      await storage.users.update(ann.id, {});
      expect(await storage.users.byId(ann.id)).toEqual({ ...ann, disabled: false, lastLoginAt: T + 5 });
      await storage.users.insert(aUser({ name: 'abe' }));
      expect((await storage.users.list()).map((user) => user.name)).toEqual(['abe', 'ann']);
      expect(await storage.users.count()).toBe(2);
    });

    it('keeps logins, ends those of a user and those that expired', async () => {
      const ann = aUser();
      const bob = aUser();
      await storage.users.insert(ann);
      await storage.users.insert(bob);
      const first = aLogin(ann.id);
      const second = aLogin(ann.id, { expiresAt: T + 5000, steppedUpUntil: T + 3 });
      const other = aLogin(bob.id, { expiresAt: T + 5000 });
      for (const login of [first, second, other]) await storage.logins.insert(login);
      expect(await storage.logins.byHash(second.idHash)).toEqual(second);
      expect(await storage.logins.countByUser()).toEqual(
        new Map([
          [ann.id, 2],
          [bob.id, 1],
        ]),
      );
      expect(await storage.logins.deleteExpired(T + 1000)).toBe(1);
      await storage.logins.update(second.idHash, { lastSeenAt: T + 9 });
      expect((await storage.logins.byHash(second.idHash))?.lastSeenAt).toBe(T + 9);
      expect(await storage.logins.deleteOfUser(ann.id)).toEqual([second.idHash]);
      await storage.logins.delete(other.idHash);
      expect(await storage.logins.byHash(other.idHash)).toBeNull();
    });

    it('refuses a login of nobody', async () => {
      await expect(storage.logins.insert(aLogin('nobody'))).rejects.toMatchObject({ code: 'conflict' });
    });

    it('keeps tokens of a user', async () => {
      const ann = aUser();
      await storage.users.insert(ann);
      const token = {
        id: randomId(),
        tokenHash: randomId(),
        userId: ann.id,
        label: 'cli',
        scopes: '["session.open"]',
        createdAt: T,
        expiresAt: T + 1,
        lastUsedAt: null,
      };
      await storage.tokens.insert(token);
      expect(await storage.tokens.byHash(token.tokenHash)).toEqual(token);
      await storage.tokens.touch(token.id, T + 7);
      expect(await storage.tokens.list(ann.id)).toEqual([{ ...token, lastUsedAt: T + 7 }]);
      expect(await storage.tokens.list('other')).toEqual([]);
      expect(await storage.tokens.list(null)).toHaveLength(1);
      expect(await storage.tokens.delete(token.id)).toBe(true);
      expect(await storage.tokens.delete(token.id)).toBe(false);
    });

    it('keeps one certificate authority', async () => {
      const row = (id: string) => ({ id, sealed: new Uint8Array([1, 2]), createdAt: 7, createdBy: 'ann' });
      expect(await storage.authorities.current()).toBeNull();
      await storage.authorities.replace(row('one'));
      await storage.authorities.replace(row('two'));
      expect(await storage.authorities.current()).toEqual(row('two'));
    });

    it('keeps targets and credentials; a deleted credential leaves its targets without one', async () => {
      const credential = {
        id: randomId(),
        label: 'root at web',
        kind: 'password' as const,
        user: 'root',
        publicFacts: '',
        certificate: null,
        sealed: new Uint8Array([9, 0, 8]),
        createdAt: T,
      };
      await storage.credentials.insert(credential);
      const target = aTarget({ name: 'web01', credentialId: credential.id });
      await storage.targets.insert(target);
      expect(await storage.targets.byName('web01')).toEqual(target);
      await expect(storage.targets.insert(aTarget({ name: 'web01' }))).rejects.toMatchObject({ code: 'name_taken' });
      expect(await storage.credentials.byId(credential.id)).toEqual(credential);
      await storage.credentials.update(credential.id, { label: 'other' });
      expect((await storage.credentials.list()).map((row) => row.label)).toEqual(['other']);
      expect(await storage.credentials.delete(credential.id)).toBe(true);
      expect(await storage.targets.byId(target.id)).toEqual({ ...target, credentialId: null });
      await storage.targets.update(target.id, { port: 2222 });
      expect((await storage.targets.list())[0]?.port).toBe(2222);
      expect(await storage.targets.delete(target.id)).toBe(true);
      expect(await storage.targets.delete(target.id)).toBe(false);
    });

    it('keeps one host key per place and type', async () => {
      const pin = {
        id: randomId(),
        via: '',
        host: 'web01',
        port: 22,
        keyType: 'ssh-ed25519',
        key: 'AAAA',
        acceptedBy: 'ann',
        acceptedAt: T,
      };
      await storage.hostKeys.insert(pin);
      await expect(storage.hostKeys.insert({ ...pin, id: randomId() })).rejects.toMatchObject({ code: 'conflict' });
      await storage.hostKeys.insert({ ...pin, id: randomId(), keyType: 'ecdsa-sha2-nistp256' });
      expect(await storage.hostKeys.find('', 'web01', 22)).toHaveLength(2);
      expect(await storage.hostKeys.find('jump', 'web01', 22)).toEqual([]);
      expect(await storage.hostKeys.delete(pin.id)).toBe(true);
      expect(await storage.hostKeys.list()).toHaveLength(1);
    });

    it('keeps lines of known hosts in the order in which they came', async () => {
      const row = (n: number): KnownHostRecord => ({
        ...{ id: randomId(), marker: '' as const, hosts: `host${String(n).padStart(5, '0')}`, keyType: 'ssh-ed25519' },
        ...{ key: 'AAAA', importedBy: 'ann', importedAt: T },
      });
      const rows = Array.from({ length: 2500 }, (_, n) => row(n));
      await storage.knownHosts.insert(rows);
      await storage.knownHosts.insert([]);
      expect(await storage.knownHosts.list()).toEqual(rows);
      expect(await storage.knownHosts.delete(rows[0]?.id ?? '')).toBe(true);
      expect(await storage.knownHosts.delete('nothing')).toBe(false);
      expect(await storage.knownHosts.list()).toHaveLength(2499);
    });

    it('lists sessions newest first, of one or of all, page by page', async () => {
      for (const [index, userId] of ['ann', 'bob', 'ann'].entries())
        await storage.sessions.insert(aSession({ id: `s${index}`, userId, startedAt: T + index }));
      const ids = async (filter: Parameters<Storage['sessions']['list']>[0]): Promise<string[]> =>
        (await storage.sessions.list(filter)).map((row) => row.id);
      const beforeId = null;
      expect(await ids({ userId: null, before: null, beforeId, limit: 10 })).toEqual(['s2', 's1', 's0']);
      expect(await ids({ userId: 'ann', before: null, beforeId, limit: 10 })).toEqual(['s2', 's0']);
      expect(await ids({ userId: null, before: T + 2, beforeId, limit: 1 })).toEqual(['s1']);
      await storage.sessions.update('s1', { endedAt: T + 9, endReason: 'exited', exitCode: 3 });
      expect((await storage.sessions.unended()).map((row) => row.id)).toEqual(['s0', 's2']);
      expect(await storage.sessions.byId('s1')).toMatchObject({ endReason: 'exited', exitCode: 3 });
    });

    it('knows which session had a shell last, also when it has ended', async () => {
      const rows = [
        { id: 'older', userId: 'ann', startedAt: T, endedAt: T + 1 },
        { id: 'newer', userId: 'bob', startedAt: T + 2 },
      ];
      for (const row of rows) await storage.sessions.insert(aSession({ ...row, shellId: 'SHELL-1' }));
      expect(await storage.sessions.byShell('SHELL-1')).toMatchObject({ id: 'newer', userId: 'bob' });
      expect(await storage.sessions.byShell('SHELL-2')).toBeNull();
    });

    it('keeps recordings and finds those open and those old', async () => {
      const open = aRecording({ sessionId: 'a' });
      await storage.recordings.insert(open);
      await storage.recordings.insert(aRecording({ sessionId: 'b', state: 'closed', startedAt: T - 5 }));
      await storage.recordings.insert(aRecording({ sessionId: 'c', state: 'deleted', startedAt: T - 9 }));
      expect(await storage.recordings.open()).toEqual([open]);
      expect((await storage.recordings.olderThan(T, 9)).map((row) => row.sessionId)).toEqual(['b']);
      await storage.recordings.update('a', { state: 'recovered', events: 4 });
      expect(await storage.recordings.bySession('a')).toEqual({ ...open, state: 'recovered', events: 4 });
    });

    it('pages through sessions that started in one millisecond: each once, none left out', async () => {
      const all = Array.from({ length: 25 }, (_, n) => `p${String(n).padStart(2, '0')}`);
      for (const [n, id] of all.entries())
        await storage.sessions.insert(aSession({ id, userId: 'ann', startedAt: n < 20 ? T : T - 1 }));
      const seen: string[] = [];
      let last: { readonly startedAt: number; readonly id: string } | undefined;
      do {
        const place = { before: last?.startedAt ?? null, beforeId: last?.id ?? null };
        const rows = await storage.sessions.list({ userId: 'ann', ...place, limit: 7 });
        seen.push(...rows.map(({ id }) => id));
        last = rows.at(-1);
      } while (last !== undefined);
      expect(seen).toEqual([...all.slice(0, 20).reverse(), ...all.slice(20).reverse()]);
    });

    it('numbers ledger rows without a gap, whoever writes at the same time', async () => {
      const numbers = await Promise.all(Array.from({ length: 50 }, () => storage.ledger.insert(aLedgerRow())));
      expect([...numbers].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
    });

    it('does not spend a ledger number on a row that was refused', async () => {
      const row = aLedgerRow();
      expect(await storage.ledger.insert(row)).toBe(1);
      await expect(storage.ledger.insert(row)).rejects.toMatchObject({ code: 'conflict' });
      expect(await storage.ledger.insert(aLedgerRow())).toBe(2);
    });

    it('ends ledger rows, one by one or as lost', async () => {
      const first = aLedgerRow({ userId: 'bob' });
      const second = aLedgerRow();
      await storage.ledger.insert(first);
      await storage.ledger.insert(second);
      await storage.ledger.update(first.id, { endedAt: T + 1, state: 'completed', errorCount: 2, outputBytes: 7 });
      expect(await storage.ledger.markRunningLost('s1', T + 2)).toBe(1);
      expect((await storage.ledger.marksOfSession('s1')).map((row) => [row.state, row.endedAt])).toEqual([
        ['completed', T + 1],
        ['lost', T + 2],
      ]);
      const page = await storage.ledger.list({ userId: null, before: 2, limit: 5 });
      expect(page).toEqual([
        { ...first, sequence: 1, endedAt: T + 1, state: 'completed', errorCount: 2, outputBytes: 7 },
      ]);
      expect(await storage.ledger.list({ userId: 'ann', before: null, limit: 5 })).toHaveLength(1);
    });

    it('pages the ledger rows of one session, oldest first, and gives its marks without texts', async () => {
      const rows = Array.from({ length: 7 }, (_, index) => aLedgerRow({ number: index + 1 }));
      for (const row of rows) {
        await storage.ledger.insert(row);
        await storage.ledger.insert(aLedgerRow({ sessionId: 's2' }));
      }
      const seen: number[] = [];
      for (let after: number | null = null; ;) {
        const page: readonly LedgerRecord[] = await storage.ledger.ofSession({ sessionId: 's1', after, limit: 3 });
        seen.push(...page.map(({ number }) => number));
        after = page.at(-1)?.sequence ?? null;
        if (page.length < 3) break;
      }
      expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7]);
      const marks = await storage.ledger.marksOfSession('s1');
      expect(marks).toMatchObject(rows.map(({ id, number }, index) => ({ id, number, sequence: 2 * index + 1 })));
      for (const mark of marks) expect(mark).not.toHaveProperty('sealedText');
    });

    it('appends audit rows only in order, all of a batch or none', async () => {
      await storage.audit.append([anAuditRow(1), anAuditRow(2)]);
      await expect(storage.audit.append([anAuditRow(4)])).rejects.toMatchObject({ code: 'conflict' });
      await expect(storage.audit.append([anAuditRow(3), anAuditRow(3)])).rejects.toMatchObject({ code: 'conflict' });
      await expect(storage.audit.append([anAuditRow(2)])).rejects.toMatchObject({ code: 'conflict' });
      expect((await storage.audit.last())?.sequence).toBe(2);
      await storage.audit.append(
        Array.from({ length: 500 }, (_, index) => anAuditRow(index + 3, { type: 'session.open' })),
      );
      expect(await storage.audit.last()).toEqual(anAuditRow(502, { type: 'session.open' }));
      expect((await storage.audit.range(2, 3)).map((row) => row.sequence)).toEqual([2, 3, 4]);
      expect((await storage.audit.list({ before: 4, type: null, limit: 2 })).map((row) => row.sequence)).toEqual([
        3, 2,
      ]);
      expect(await storage.audit.list({ before: null, type: 'login.', limit: 9 })).toHaveLength(2);
      expect(await storage.audit.list({ before: null, type: 'login_', limit: 9 })).toEqual([]);
    });

    it('keeps checkpoints', async () => {
      for (const sequence of [3, 9])
        await storage.audit.addCheckpoint({ sequence, hash: 'h', at: T, signature: 'base64' });
      expect((await storage.audit.checkpoints(4)).map((row) => row.sequence)).toEqual([9]);
    });

    it('keeps named values', async () => {
      expect(await storage.values.get('x')).toBeNull();
      await storage.values.set('x', '1');
      await storage.values.set('x', '2');
      expect(await storage.values.get('x')).toBe('2');
    });

    it('takes back everything of a transaction that fails', async () => {
      const failure = new Error('stop');
      const work = storage.transaction(async (within) => {
        await within.values.set('x', '1');
        await within.ledger.insert(aLedgerRow());
        await within.audit.append([anAuditRow(1)]);
        throw failure;
      });
      await expect(work).rejects.toBe(failure);
      expect(await storage.values.get('x')).toBeNull();
      expect(await storage.ledger.insert(aLedgerRow())).toBe(1);
      expect(await storage.audit.last()).toBeNull();
    });

    it('runs transactions one after the other and gives their result', async () => {
      await storage.values.set('n', '0');
      const add = (): Promise<number> =>
        storage.transaction(async (within) => {
          const next = Number(await within.values.get('n')) + 1;
          await within.values.set('n', String(next));
          return next;
        });
      expect(await Promise.all([add(), add(), add()])).toEqual([1, 2, 3]);
    });

    it('takes text as text, whatever it holds', async () => {
      const text = `'; drop table users; -- \u0001 \u202e 😀 ${'x'.repeat(100_000)}`;
      await storage.values.set(text, text);
      expect(await storage.values.get(text)).toBe(text);
    });

    it('refuses text with a NUL rather than cut it', async () => {
      await expect(storage.values.set('x', 'a\u0000b')).rejects.toMatchObject({ code: 'bad_request' });
      expect(await storage.values.get('x')).toBeNull();
    });

    it('answers nothing after close', async () => {
      await storage.close();
      await storage.close();
      await expect(storage.values.get('x')).rejects.toThrow();
    });
  });
}
