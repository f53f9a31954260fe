/** What rooms below the audit log have to say before and after it is open: migrations done, secrets that do not open. */
import type { AuditLog, NewAuditEvent } from '../audit/contract.ts';
import { GATEWAY_ACTOR } from '../audit/contract.ts';
import { codeOf } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { StorageOptions } from '../storage/sqlite/open.ts';
import type { VaultOptions } from '../vault/open.ts';

/** Alerts of one start: one migration and what the vault found until the log was open. */
const MAX_EARLY = 100;
/** One secret that is asked for again and again makes one event in this time. */
const AGAIN_MS = 60_000;

export interface Alerts {
  readonly migrated: NonNullable<StorageOptions['onMigrated']>;
  readonly unreadable: NonNullable<VaultOptions['onUnreadable']>;
  /** From now on events go into this log; those kept so far first. @throws SallyportError audit_unavailable */
  open(audit: Pick<AuditLog, 'append'>): Promise<void>;
}

/** The callbacks are synchronous and must not throw, so an event that cannot be written is a log line at least. */
export function createAlerts(log: Log, monotonic: () => number): Alerts {
  let audit: Pick<AuditLog, 'append'> | null = null;
  const early: NewAuditEvent[] = [];
  const told = new Map<string, number>();
  const tell = (event: NewAuditEvent): void => {
    if (audit === null) {
      if (early.length < MAX_EARLY) early.push(event);
      return;
    }
    audit.append(event).catch((error: unknown) => {
      log.error({ type: event.type, code: codeOf(error) }, 'AlertNotAudited');
    });
  };
  const isNews = (subject: string): boolean => {
    const now = monotonic();
    for (const [key, at] of told) if (now - at >= AGAIN_MS) told.delete(key);
    if (told.has(subject)) return false;
    told.set(subject, now);
    return true;
  };
  return {
    migrated(applied, copy) {
      log.info({ applied, copy }, 'MigrationDone');
      const detail = { steps: applied.join(' '), copy: copy ?? '' };
      tell({ type: 'migration.done', actor: GATEWAY_ACTOR, subject: 'database', outcome: 'ok', detail });
    },
    unreadable({ table, row, field }, { code }) {
      const subject = `${table}:${row}`;
      log.error({ table, row, field, code }, 'SecretUnreadable');
      if (!isNews(`${subject}:${field}`)) return;
      tell({ type: 'secret.unreadable', actor: GATEWAY_ACTOR, subject, outcome: 'failed', detail: { field } });
    },
    async open(into) {
      for (const event of early.splice(0)) await into.append(event);
      audit = into;
    },
  };
}
