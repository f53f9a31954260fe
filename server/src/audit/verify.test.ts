import { generateKeyPairSync, sign } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AuditRecord, CheckpointRecord } from '../storage/contract.ts';
import { GENESIS, link } from './chain.ts';
import { GATEWAY_ACTOR } from './contract.ts';
import { verifyAudit } from './verify.ts';

const keys = generateKeyPairSync('ed25519');
const publicKey = keys.publicKey.export({ type: 'spki', format: 'pem' }).toString();

function chain(subjects: readonly string[], first = 1, previousHash = GENESIS): AuditRecord[] {
  const records: AuditRecord[] = [];
  for (const [index, subject] of subjects.entries())
    records.push(
      link(
        { type: 'session.open', actor: GATEWAY_ACTOR, subject, outcome: 'ok' },
        { sequence: first + index, at: 1000 + index, previousHash: records.at(-1)?.hash ?? previousHash },
      ).record,
    );
  return records;
}
function signed(record: AuditRecord | undefined, key = keys.privateKey): CheckpointRecord {
  if (record === undefined) throw new Error('no such event');
  const { sequence, hash } = record;
  const text = `sallyport audit checkpoint 1\n${sequence}\n${hash}\n5\n`;
  return { sequence, hash, at: 5, signature: sign(null, Buffer.from(text), key).toString('base64') };
}
const NAMES = Array.from({ length: 12 }, (_, index) => `s${index + 1}`);
const events = chain(NAMES);
const checkpoints = [signed(events[4]), signed(events[11])];
const replace = (index: number, change: Partial<AuditRecord>): AuditRecord[] =>
  events.map((row, at) => (at === index ? { ...row, ...change } : row));

describe('a whole log', () => {
  it('is found good', async () => {
    expect(await verifyAudit({ events, checkpoints, publicKey, keptHead: signed(events[8]) })).toEqual({
      ok: true,
      events: 12,
      checkpoints: 2,
      head: events[11]?.hash,
      headSequence: 12,
      signedThrough: 12,
      firstBad: null,
      problem: null,
    });
    expect(await verifyAudit({ events: [], checkpoints: [], publicKey })).toMatchObject({ ok: true, events: 0 });
  });
  it('needs a public key', async () => {
    await expect(verifyAudit({ events, checkpoints, publicKey: 'x' })).rejects.toMatchObject({
      code: 'config_invalid',
    });
  });
});

describe('a changed log', () => {
  it('is found wherever a bit of a text column was flipped', async () => {
    const columns = ['body', 'hash', 'previousHash', 'type'] as const;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(11),
        fc.constantFrom(...columns),
        fc.nat(),
        fc.integer({ min: 0, max: 6 }),
        async (index, column, at, bit) => {
          const text = events[index]?.[column] ?? '';
          const place = at % text.length;
          const flipped = String.fromCharCode(text.charCodeAt(place) ^ (1 << bit));
          const changed = text.slice(0, place) + flipped + text.slice(place + 1);
          const result = await verifyAudit({ events: replace(index, { [column]: changed }), checkpoints, publicKey });
          expect(result).toMatchObject({ ok: false, firstBad: index + 1, headSequence: index });
        },
      ),
      { numRuns: 200 },
    );
  });

  it('is found when a number was changed', async () => {
    for (const change of [{ at: 7 }, { sequence: 99 }])
      expect(await verifyAudit({ events: replace(5, change), checkpoints, publicKey })).toMatchObject({ firstBad: 6 });
  });

  it.each([
    ['removal', events.filter((_, index) => index !== 5), 6],
    ['removal of the first', events.slice(1), 1],
    ['swap', events.map((row, index) => events[index === 5 ? 6 : index === 6 ? 5 : index] ?? row), 6],
    ['insertion', [...events.slice(0, 5), ...chain(['new'], 6, events[4]?.hash), ...events.slice(5)], 7],
    ['doubling', [...events.slice(0, 6), ...events.slice(5)], 7],
  ])('is found after %s', async (_, changed, firstBad) => {
    expect(await verifyAudit({ events: changed, checkpoints, publicKey })).toMatchObject({ ok: false, firstBad });
  });

  it('is found when every hash after the change was made anew', async () => {
    const recomputed = [...events.slice(0, 6), ...chain(['other', ...NAMES.slice(7)], 7, events[5]?.hash)];
    const result = await verifyAudit({ events: recomputed, checkpoints, publicKey });
    expect(result).toMatchObject({ ok: false, firstBad: 6, signedThrough: 5 });
    expect(result.problem).toContain('event 12 is not the one that was signed');
  });

  it('is found when it was made anew and signed with another key', async () => {
    const other = generateKeyPairSync('ed25519');
    const recomputed = chain(['other', ...NAMES.slice(1)]);
    const forged = [signed(recomputed[4], other.privateKey), signed(recomputed[11], other.privateKey)];
    const result = await verifyAudit({ events: recomputed, checkpoints: forged, publicKey });
    expect(result).toMatchObject({ ok: false, firstBad: 1 });
    expect(result.problem).toContain('signature');
  });

  it('is found when it was made anew and the checkpoints dropped, against a kept head', async () => {
    const recomputed = chain(['other', ...NAMES.slice(1)]);
    const keptHead = signed(events[8]);
    expect(await verifyAudit({ events: recomputed, checkpoints: [], publicKey, keptHead })).toMatchObject({
      ok: false,
      firstBad: 1,
    });
    // Without a kept head only the missing signatures tell.
    expect(await verifyAudit({ events: recomputed, checkpoints: [], publicKey })).toMatchObject({ signedThrough: 0 });
  });

  it('is found when its checkpoints were dropped and it is long', async () => {
    const long = chain(Array.from({ length: 3_100 }, () => 's'));
    expect(await verifyAudit({ events: long, checkpoints: [], publicKey })).toMatchObject({ ok: false, firstBad: 1 });
  });

  it('is found when the tail was cut, by a checkpoint or by a kept head', async () => {
    const cut = events.slice(0, 9);
    expect(await verifyAudit({ events: cut, checkpoints, publicKey })).toMatchObject({ ok: false, firstBad: 10 });
    expect(
      await verifyAudit({ events: cut, checkpoints: checkpoints.slice(0, 1), publicKey, keptHead: signed(events[10]) }),
    ).toMatchObject({ ok: false, firstBad: 10 });
    expect(await verifyAudit({ events: [], checkpoints: [], publicKey, keptHead: signed(events[0]) })).toMatchObject({
      firstBad: 1,
    });
  });

  it('is found when a checkpoint was changed or stands twice', async () => {
    const [first, second] = checkpoints;
    if (!first || !second) throw new Error('no checkpoints');
    for (const changed of [
      [{ ...first, at: 6 }, second],
      [{ ...first, hash: GENESIS }, second],
      [{ ...first, signature: '' }, second],
      [first, first, second],
      [second, first],
      [{ ...first, sequence: 6 }, second],
    ])
      expect(await verifyAudit({ events, checkpoints: changed, publicKey })).toMatchObject({ ok: false });
  });
});
