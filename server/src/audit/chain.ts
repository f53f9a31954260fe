import { createHash } from 'node:crypto';
import { z } from 'zod';
import { SallyportError } from '../errors.ts';
import type { AuditRecord } from '../storage/contract.ts';
import { AUDIT_TYPES } from './contract.ts';
import type { AuditDetail, AuditEvent, NewAuditEvent } from './contract.ts';

/** `previousHash` of the first event. */
export const GENESIS = '0'.repeat(64);

/** Longest text in an event. Longer ones are cut with a mark that says how much is missing; nothing of ours is longer. */
const MAX_TEXT = 2048;
const MAX_DETAILS = 32;

const sha256 = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');

/** What the hash covers besides the body: keeps audit hashes apart from every other hash of ours. */
export const hashOfBody = (body: string): string => sha256(`sallyport audit event 1\n${body}`);

const cut = (text: string): string =>
  text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}[${text.length - MAX_TEXT} more]`;

function boundDetail(detail: AuditDetail): AuditDetail {
  const entries = Object.entries(detail).sort(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length > MAX_DETAILS)
    throw new SallyportError('internal', `an audit event has ${entries.length} details`);
  return Object.fromEntries(entries.map(([name, value]) => [name, typeof value === 'string' ? cut(value) : value]));
}

/**
 * Canonical encoding: JSON without white space, members in the order written here, details sorted by name (`boundDetail`).
 * The same event has one encoding only.
 */
function encodeBody(event: Omit<AuditEvent, 'hash'>): string {
  const { sequence, at, type, actor, subject, outcome, detail, previousHash } = event;
  return JSON.stringify({
    sequence,
    at,
    type,
    actor: { userId: actor.userId, name: actor.name, address: actor.address, via: actor.via },
    subject,
    outcome,
    detail,
    previousHash,
  });
}

/** The next link: the event with its place in the chain, and the row that stores it. */
export function link(
  event: NewAuditEvent,
  place: { sequence: number; at: number; previousHash: string },
): { event: AuditEvent; record: AuditRecord } {
  const unhashed = {
    ...place,
    type: event.type,
    actor: { ...event.actor, name: cut(event.actor.name), address: cut(event.actor.address) },
    subject: cut(event.subject),
    outcome: event.outcome,
    detail: boundDetail(event.detail ?? {}),
  };
  const body = encodeBody(unhashed);
  const hash = hashOfBody(body);
  const { sequence, at, previousHash } = place;
  return { event: { ...unhashed, hash }, record: { sequence, at, type: event.type, body, previousHash, hash } };
}

const Body = z.strictObject({
  sequence: z.number().int().positive(),
  at: z.number().int(),
  type: z.enum(AUDIT_TYPES),
  actor: z.strictObject({
    userId: z.string().nullable(),
    name: z.string(),
    address: z.string(),
    via: z.enum(['login', 'token', 'gateway', 'none']),
  }),
  subject: z.string(),
  outcome: z.enum(['ok', 'refused', 'failed']),
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  previousHash: z.string(),
});

/**
 * Reads a stored row. Says nothing about the chain; that is `verifyAudit`.
 * @throws SallyportError internal when the body is not one of ours
 */
export function parseAuditRecord(record: AuditRecord): AuditEvent {
  try {
    return { ...Body.parse(JSON.parse(record.body)), hash: record.hash };
  } catch (cause) {
    throw new SallyportError('internal', `audit event ${record.sequence} cannot be read`, { cause });
  }
}

/** Why this row is not the next link after `previous`; null when it is. */
export function brokenLink(record: AuditRecord, previous: { sequence: number; hash: string }): string | null {
  const expected = previous.sequence + 1;
  if (record.sequence !== expected) return `event ${record.sequence} stands where ${expected} is due`;
  if (record.previousHash !== previous.hash) return `event ${expected} does not follow the event before it`;
  if (hashOfBody(record.body) !== record.hash) return `the hash of event ${expected} does not fit its content`;
  let event: AuditEvent;
  try {
    event = parseAuditRecord(record);
  } catch {
    return `event ${expected} cannot be read`;
  }
  const isSame =
    event.sequence === record.sequence &&
    event.at === record.at &&
    event.type === record.type &&
    event.previousHash === record.previousHash;
  return isSame ? null : `the columns of event ${expected} do not fit its content`;
}
