/** What tests of the broker share: pages' ends, people, a broker over real recordings and a terminal in the test's hand. */
import { randomBytes } from 'node:crypto';
import type { ServerMessage } from '@sallyport/shared/wire/control';
import { parseServerFrame } from '@sallyport/shared/wire/frames';
import type { NewAuditEvent } from '../../server/src/audit/contract.ts';
import { createBroker } from '../../server/src/broker/broker.ts';
import type { OpenRequest, Requester, SessionSocket } from '../../server/src/broker/contract.ts';
import type { BrokerDeps, ShellEnd, StoredSession } from '../../server/src/broker/deps.ts';
import { systemClock } from '../../server/src/clock.ts';
import type { LedgerEntry } from '../../server/src/ledger/contract.ts';
import { SallyportError, toError } from '../../server/src/errors.ts';
import { silentLog } from '../../server/src/log/log.ts';
import type { Role } from '../../server/src/policy.ts';
import type { RecordingFiles } from '../../server/src/recording/files.ts';
import { createRecordings } from '../../server/src/recording/recordings.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeTerminal } from './fake-terminal.ts';
import { memoryCatalogue } from './memory-catalogue.ts';

/** Somebody who asks. */
export const requester = (userId: string, login = `${userId}-1`, role: Role = 'operator'): Requester => ({
  subject: { userId, role, tokenScopes: null },
  userName: userId,
  loginHash: login,
  actor: { userId, name: userId, address: '', via: 'login' },
});
export const ann = requester('ann');
export const request = (kind: 'powershell' | 'pty'): OpenRequest => ({
  targetId: 't1',
  targetName: 'web01',
  address: 'web01:22',
  via: [],
  isDemoTarget: false,
  administratorOnly: false,
  identity: 'ann',
  kind,
  cols: 80,
  rows: 24,
  mayStay: () => Promise.resolve(true),
  reopen: '{"to":"web01"}',
  keptMs: null,
});

/** A page's end: keeps what arrives, and lets a test wait for it. */
export class FakeSocket implements SessionSocket {
  readonly bufferedAmount = 0;
  readonly controls: ServerMessage[] = [];
  readonly order: string[] = [];
  bytes = Buffer.alloc(0);
  echoes: number[] = [];
  largest = 0;
  closed: [number, string] | null = null;
  #waiters: { test: () => boolean; resolve: () => void }[] = [];

  send(frame: Uint8Array): void {
    this.largest = Math.max(this.largest, frame.length);
    const parsed = parseServerFrame(frame);
    if (parsed === null) throw new Error('no frame of ours');
    if (parsed.kind === 'echo') this.echoes.push(parsed.lineId);
    this.bytes = Buffer.concat([this.bytes, parsed.bytes]);
    this.order.push(`bytes ${Buffer.from(parsed.bytes.subarray(0, 20)).toString()}`);
    this.#changed();
  }
  sendControl(message: ServerMessage): void {
    this.controls.push(message);
    this.order.push(message.type);
    this.#changed();
  }
  close(code: number, reason: string): void {
    this.closed ??= [code, reason];
    this.#changed();
  }
  until(test: () => boolean): Promise<void> {
    if (test()) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ test, resolve }));
  }
  has(type: ServerMessage['type']): Promise<void> {
    return this.until(() => this.order.includes(type));
  }
  find<T extends ServerMessage['type']>(type: T): Extract<ServerMessage, { type: T }> {
    const found = this.controls.find((message) => message.type === type);
    if (found === undefined) throw new Error(`no ${type}`);
    return found as Extract<ServerMessage, { type: T }>;
  }
  #changed(): void {
    for (const { test, resolve } of this.#waiters) if (test()) resolve();
  }
}

/** What outlives a gateway: its tables, files, keys. */
const newWorld = () => ({
  clock: new FakeClock(),
  rows: new Map<string, StoredSession>(),
  audited: [] as NewAuditEvent[],
  ledgered: [] as string[],
  entries: new Map<string, LedgerEntry>(),
  catalogue: memoryCatalogue(),
  key: randomBytes(32),
});
type World = ReturnType<typeof newWorld>;

/** A broker over real recordings; the rest is in memory and in the test's hand. */
export function brokerIn(
  directory: string,
  limits: Partial<BrokerDeps['limits']> = {},
  change: {
    readonly files?: RecordingFiles;
    readonly audit?: () => void;
    readonly insert?: () => Promise<void>;
    /** What a gateway of before had written down. */
    readonly world?: World;
  } = {},
) {
  const world = change.world ?? newWorld();
  const { clock, rows, audited, ledgered, entries, catalogue, key } = world;
  const roles = new Map<string, Role>();
  /** Disabled. */
  const gone = new Set<string>();
  const recordings = createRecordings({
    directory,
    catalogue,
    keys: { create: () => ({ key, sealed: Buffer.from('sealed') }), open: () => key },
    clock: systemClock,
    ...(change.files && { files: change.files }),
  });
  /** What the target of a left session was asked, what it says, and whether such sessions may go on waiting. */
  const shells = {
    ended: [] as { id: string; shellId: string; reopen: string }[],
    answer: () => Promise.resolve<ShellEnd>('deleted'),
    mayWait: true,
  };
  const broker = createBroker({
    leftShells: {
      mayWait: () => Promise.resolve(shells.mayWait),
      end: async ({ id, reopen }, { shellId }, signal) => {
        shells.ended.push({ id, shellId, reopen });
        const stopped = new Promise<never>((_, reject) =>
          signal.addEventListener('abort', () => reject(toError(signal.reason))),
        );
        return Promise.race([shells.answer(), stopped]);
      },
    },
    recordings,
    ledger: {
      start: (entry) => {
        const id = `${ledgered.push(`start ${entry.number} ${entry.text}`)}`;
        const open = { endedAt: null, state: 'running', errorCount: 0, outputBytes: 0 };
        entries.set(id, { ...entry, ...open, id, sequence: entries.size + 1, startedAt: clock.now() });
        return Promise.resolve(id);
      },
      end: async (id, end) => {
        ledgered.push(`end ${id} ${end.state}`);
        const entry = entries.get(id);
        if (entry !== undefined) entries.set(id, { ...entry, ...end, endedAt: clock.now() });
      },
      ofSession: () => Promise.resolve([]),
      rowsOfSession: (id) => Promise.resolve([...entries.values()].filter(({ sessionId }) => sessionId === id)),
      list: () => Promise.resolve([]),
    },
    audit: {
      append: async (event) => {
        change.audit?.();
        audited.push(event);
        return {
          ...event,
          detail: event.detail ?? {},
          sequence: 1,
          at: 0,
          previousHash: '',
          hash: '',
        };
      },
    },
    sessions: {
      insert: async (row) => {
        await change.insert?.();
        rows.set(row.id, row);
      },
      byId: (id) => Promise.resolve(rows.get(id) ?? null),
      update: async (id, change) => {
        const row = rows.get(id);
        if (row !== undefined) rows.set(id, { ...row, ...change });
      },
      list: ({ userId }) => Promise.resolve([...rows.values()].filter((row) => (userId ?? row.userId) === row.userId)),
      byShell: (shellId) => Promise.resolve([...rows.values()].findLast((row) => row.shellId === shellId) ?? null),
      unended: () => Promise.resolve([...rows.values()].filter(({ endedAt }) => endedAt === null)),
    },
    clock,
    log: silentLog(),
    limits: { sessionsPerUser: 20, opensPerMinute: 30, leftPerTarget: 5, ...limits },
    detachedHours: () => 8,
    subjectOf: (userId) =>
      Promise.resolve(gone.has(userId) ? null : { userId, role: roles.get(userId) ?? 'operator', tokenScopes: null }),
    hasRecording: () => Promise.resolve(true),
  });
  async function open(kind: 'powershell' | 'pty' = 'pty', who = ann) {
    const terminal = new FakeTerminal(kind);
    const { sessionId } = await broker.open(who, request(kind), terminal.open);
    return { terminal, sessionId };
  }
  async function attach(sessionId: string, offset: number | null = null, takeOver = false, who = ann) {
    const socket = new FakeSocket();
    const page = await broker.attach(who, sessionId, { cols: 80, rows: 24, offset, takeOver }, socket);
    return { page, socket };
  }
  /** Looks after each turn of the event loop. */
  async function until(test: () => boolean) {
    while (!test()) await new Promise((resolve) => setImmediate(resolve));
  }
  return {
    shells,
    until,
    broker,
    world,
    clock,
    rows,
    catalogue,
    audited,
    ledgered,
    roles,
    gone,
    recordings,
    open,
    attach,
  };
}
/** The code that a promise is refused with. */
export const code = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof SallyportError ? error.code : String(error)),
  );
export const never = () => new AbortController().signal;
