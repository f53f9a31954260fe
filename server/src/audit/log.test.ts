import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/contracts/fake-clock.ts';
import { SallyportError } from '../errors.ts';
import type { CheckpointRecord, Storage } from '../storage/contract.ts';
import { openStorage } from '../storage/sqlite/open.ts';
import { GATEWAY_ACTOR } from './contract.ts';
import type { AuditEvent, NewAuditEvent } from './contract.ts';
import { openAuditLog } from './log.ts';
import type { AuditLogOptions, OpenAuditLog } from './log.ts';
import { verifyAudit } from './verify.ts';
import { allCheckpoints, allEvents, createAuditView, escapeForView, toAuditEventRow } from './view.ts';

let directory: string;
let storage: Storage;
let clock: FakeClock;
let heads: CheckpointRecord[];
const open: OpenAuditLog[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-audit-'));
  storage = await openStorage({ file: join(directory, 'sallyport.db') });
  clock = new FakeClock();
  heads = [];
});
afterEach(async () => {
  for (const log of open.splice(0)) await log.close();
  await storage.close();
  rmSync(directory, { recursive: true, force: true });
});

async function start(change: Partial<AuditLogOptions> = {}): Promise<OpenAuditLog> {
  const log = await openAuditLog({
    storage,
    keyDirectory: join(directory, 'keys'),
    spoolFile: join(directory, 'spool', 'audit.jsonl'),
    clock,
    onCheckpoint: (head) => heads.push(head),
    ...change,
  });
  open.push(log);
  return log;
}
const anEvent = (change: Partial<NewAuditEvent> = {}): NewAuditEvent => ({
  type: 'session.open',
  actor: GATEWAY_ACTOR,
  subject: 'target:web01',
  outcome: 'ok',
  ...change,
});
const check = async (log: OpenAuditLog): ReturnType<typeof verifyAudit> =>
  verifyAudit({ events: allEvents(storage), checkpoints: allCheckpoints(storage), publicKey: log.publicKey });
const many = (log: OpenAuditLog, count: number): Promise<AuditEvent[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => log.append(anEvent({ subject: `s${index}` }))));

/** A storage whose audit table can be taken away. */
function breakable(inner: Storage): { storage: Storage; away: { is: boolean; appends: number } } {
  const away = { is: false, appends: 0 };
  const guard = (): void => {
    if (away.is) throw new SallyportError('dependency_unavailable', 'taken away by the test');
  };
  const audit: Storage['audit'] = {
    ...inner.audit,
    append: async (rows) => {
      away.appends += 1;
      guard();
      await inner.audit.append(rows);
    },
    last: async () => {
      guard();
      return inner.audit.last();
    },
    addCheckpoint: async (row) => {
      guard();
      await inner.audit.addCheckpoint(row);
    },
  };
  return { storage: { ...inner, audit }, away };
}

describe('the audit log', () => {
  it('numbers and chains events without a gap, whoever writes at the same time', async () => {
    const log = await start();
    const events = await many(log, 300);
    expect(events.map((event) => event.sequence)).toEqual(Array.from({ length: 300 }, (_, index) => index + 1));
    expect(events[7]?.previousHash).toBe(events[6]?.hash);
    await log.checkpoint();
    expect(await check(log)).toMatchObject({ ok: true, events: 300, signedThrough: 300 });
  });

  it('stores what is queued in one tick in one transaction', async () => {
    const { storage: counted, away } = breakable(storage);
    const log = await start({ storage: counted });
    await many(log, 100);
    expect(away.appends).toBe(1);
  });

  it('goes on where it stopped', async () => {
    await many(await start(), 3);
    await open.splice(0)[0]?.close();
    const log = await start();
    expect((await log.append(anEvent())).sequence).toBe(4);
    await log.checkpoint();
    expect(await check(log)).toMatchObject({ ok: true, events: 4, signedThrough: 4 });
  });

  it('keeps what the event says, and its order when the clock is set back', async () => {
    const log = await start();
    const first = await log.append(anEvent({ detail: { b: 1, a: 'x', none: null, yes: true } }));
    clock.jumpWall(-3_600_000);
    const second = await log.append(anEvent());
    expect(second.at).toBeLessThan(first.at);
    expect(second.sequence).toBe(2);
    await log.checkpoint();
    expect(await check(log)).toMatchObject({ ok: true });
    const [row] = await storage.audit.range(1, 1);
    expect(row && toAuditEventRow(row)).toMatchObject({
      actor: 'gateway',
      subject: 'target:web01',
      detail: { a: 'x', b: 1, none: null, yes: true },
    });
  });

  it('cuts what is far too long, with a mark', async () => {
    const log = await start();
    const event = await log.append(anEvent({ subject: 'x'.repeat(5000), detail: { long: 'y'.repeat(3000) } }));
    expect(event.subject).toBe(`${'x'.repeat(2048)}[2952 more]`);
    expect(event.detail).toEqual({ long: `${'y'.repeat(2048)}[952 more]` });
    await log.checkpoint();
    expect(await check(log)).toMatchObject({ ok: true });
  });

  it('refuses an event with too many details, not its neighbours', async () => {
    const log = await start();
    const bad = log.append(anEvent({ detail: Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`n${i}`, i])) }));
    const good = log.append(anEvent());
    await expect(bad).rejects.toMatchObject({ code: 'internal' });
    expect((await good).sequence).toBe(1);
  });

  it('refuses events after close', async () => {
    const log = await start();
    await log.close();
    await expect(log.append(anEvent())).rejects.toMatchObject({ code: 'audit_unavailable' });
  });
});

describe('checkpoints', () => {
  it('are signed 10 s after something new, and not when nothing is', async () => {
    const log = await start();
    await log.append(anEvent());
    clock.advance(9_999);
    await log.append(anEvent());
    expect(heads).toEqual([]);
    clock.advance(1);
    await log.checkpoint();
    expect(heads.map((head) => head.sequence)).toEqual([2]);
    clock.advance(60_000);
    await log.checkpoint();
    expect(heads).toHaveLength(1);
    expect(await storage.audit.checkpoints(0)).toEqual(heads);
  });

  it('are signed every 1,000 events', async () => {
    const log = await start();
    await many(log, 2_600);
    expect(heads.map((head) => head.sequence)).toEqual([1_000, 2_000]);
    await log.checkpoint();
    expect(await check(log)).toMatchObject({ ok: true, signedThrough: 2_600, checkpoints: 3 });
  });

  it('are signed at the end', async () => {
    const log = await start();
    await log.append(anEvent());
    await log.close();
    await log.close();
    expect(heads).toHaveLength(1);
  });

  it('are signed with a key that only the gateway can read', async () => {
    const log = await start();
    const file = join(directory, 'keys', 'audit-signing.key');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(directory, 'keys', 'audit-signing.pub'), 'utf8')).toBe(log.publicKey);
    expect(log.publicKey).toContain('BEGIN PUBLIC KEY');
    chmodSync(file, 0o644);
    await expect(start()).rejects.toMatchObject({ code: 'config_invalid' });
    rmSync(file);
    await expect(start()).rejects.toMatchObject({ code: 'key_missing' });
    writeFileSync(file, 'nonsense', { mode: 0o600 });
    await expect(start()).rejects.toMatchObject({ code: 'config_invalid' });
  });

  it('are not made with another key', async () => {
    await start();
    rmSync(join(directory, 'keys'), { recursive: true });
    const other = await openStorage({ file: join(directory, 'other', 'sallyport.db') });
    await (
      await openAuditLog({ storage: other, keyDirectory: join(directory, 'keys'), spoolFile: join(directory, 'x') })
    ).close();
    await other.close();
    await expect(start()).rejects.toMatchObject({ code: 'key_mismatch' });
  });
});

describe('while the database is away', () => {
  const spoolFile = (): string => join(directory, 'spool', 'audit.jsonl');

  it('events wait on disk, in order, and come in when it is back', async () => {
    const { storage: fragile, away } = breakable(storage);
    const states: boolean[] = [];
    const log = await start({ storage: fragile, onSpooling: (is) => states.push(is) });
    await many(log, 3);
    away.is = true;
    expect((await many(log, 4)).map((event) => event.sequence)).toEqual([4, 5, 6, 7]);
    expect(statSync(spoolFile()).mode & 0o777).toBe(0o600);
    await log.checkpoint();
    expect(heads.map((head) => head.sequence)).toEqual([7]);
    away.is = false;
    clock.advance(1_000);
    await log.checkpoint();
    expect(states).toEqual([true, false]);
    expect(statSync(spoolFile()).size).toBe(0);
    expect((await log.append(anEvent())).sequence).toBe(8);
    await log.checkpoint();
    expect(await check(log)).toMatchObject({ ok: true, events: 8, signedThrough: 8 });
  });

  it('a gateway that dies leaves them for the next one, the half-written line left out', async () => {
    const { storage: fragile, away } = breakable(storage);
    const log = await start({ storage: fragile });
    await log.append(anEvent());
    away.is = true;
    await many(log, 2);
    const spooled = readFileSync(spoolFile(), 'utf8');
    await open.splice(0)[0]?.close();
    writeFileSync(spoolFile(), spooled + spooled.slice(0, 50));
    const next = await start();
    expect(next.head.sequence).toBe(3);
    // It died after bringing them in and before emptying the spool: they are not brought in twice.
    await open.splice(0)[0]?.close();
    writeFileSync(spoolFile(), spooled);
    const last = await start();
    expect((await last.append(anEvent())).sequence).toBe(4);
    await last.checkpoint();
    expect(await check(last)).toMatchObject({ ok: true, events: 4 });
  });

  it('a spool that was changed does not come in', async () => {
    const { storage: fragile, away } = breakable(storage);
    const log = await start({ storage: fragile });
    away.is = true;
    await many(log, 2);
    await open.splice(0)[0]?.close();
    const spooled = readFileSync(spoolFile(), 'utf8');
    for (const changed of [
      spooled.replace('target', 'tarGet').replace('s1', 's9'),
      spooled.slice(spooled.indexOf('\n') + 1),
    ]) {
      writeFileSync(spoolFile(), changed);
      await expect(start()).rejects.toMatchObject({ code: 'audit_unavailable' });
    }
  });

  it('events are refused when the spool is full, and the chain stays whole', async () => {
    const { storage: fragile, away } = breakable(storage);
    const log = await start({ storage: fragile, maxSpoolBytes: 2_000 });
    away.is = true;
    const outcomes: string[] = [];
    for (let index = 0; index < 10; index++)
      outcomes.push(
        await log.append(anEvent()).then(
          () => 'stored',
          (error: unknown) => (error instanceof SallyportError ? error.code : 'other'),
        ),
      );
    expect(outcomes[0]).toBe('stored');
    expect(outcomes.at(-1)).toBe('audit_unavailable');
    away.is = false;
    clock.advance(1_000);
    await log.append(anEvent());
    await log.checkpoint();
    const stored = outcomes.filter((outcome) => outcome === 'stored').length;
    expect(await check(log)).toMatchObject({ ok: true, events: stored + 1 });
    expect(existsSync(spoolFile())).toBe(true);
  });

  it('nothing is written over what somebody else wrote', async () => {
    const log = await start();
    await log.append(anEvent());
    const [row] = await storage.audit.range(1, 1);
    if (row) await storage.audit.append([{ ...row, sequence: 2 }]);
    await expect(log.append(anEvent())).rejects.toMatchObject({ code: 'audit_unavailable' });
  });
});

describe('what is shown', () => {
  it('is listed newest first, and the log is checked with its own key', async () => {
    const log = await start();
    await log.append(anEvent({ subject: 'a\u202eb' }));
    await log.append(anEvent({ type: 'login.ok' }));
    await log.checkpoint();
    const view = createAuditView(storage, log);
    expect((await view.list({ before: null, type: null, limit: 9 })).map((row) => row.subject)).toEqual([
      'target:web01',
      'a\\u202eb',
    ]);
    expect(await view.list({ before: null, type: 'login.', limit: 9 })).toHaveLength(1);
    expect(await view.verify()).toMatchObject({ ok: true, events: 2, checkpoints: 1, publicKey: log.publicKey });
  });

  it('has no control characters and no overrides of direction', () => {
    const nasty = 'a\u001b[31m\u0007\u007f\u009b\u202eexe.txt\u2066\u061cü😀\n\u2028';
    expect(escapeForView(nasty)).toBe('a\\u001b[31m\\u0007\\u007f\\u009b\\u202eexe.txt\\u2066\\u061cü😀\\u000a\\u2028');
  });
});
