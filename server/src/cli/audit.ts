import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type AuditCheck, verifyAudit } from '../audit/verify.ts';
import type { Storage } from '../storage/contract.ts';
import { openStorage } from '../storage/sqlite/open.ts';
import { DATA_OPTIONS, configOf } from './config.ts';
import { type Command, UsageError, readArgs } from './command.ts';

const PAGE = 1000;

/** Events and checkpoints of a storage as streams, a page at a time. */
export function auditStreams(storage: Storage): Pick<AuditCheck, 'events' | 'checkpoints'> {
  async function* events() {
    for (let from = 1; ;) {
      const rows = await storage.audit.range(from, PAGE);
      yield* rows;
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE) return;
      from = last.sequence + 1;
    }
  }
  async function* checkpoints() {
    yield* await storage.audit.checkpoints(0);
  }
  return { events: events(), checkpoints: checkpoints() };
}

function parseHead(text: string): { sequence: number; hash: string } {
  const match = /^(\d+):([0-9a-f]{64})$/.exec(text);
  if (match === null) throw new UsageError('--head is SEQUENCE:HASH, as in the log line AuditCheckpoint');
  return { sequence: Number(match[1]), hash: match[2] ?? '' };
}

export const audit: Command = {
  name: 'audit',
  summary: 'check the audit log: chain, signatures, and a head that was kept',
  usage: `sallyport audit verify [--data DIR] [--public-key FILE] [--head SEQUENCE:HASH] [--json]

Needs the database and the public key only (default: keys/audit-signing.pub in the data directory; a copy kept elsewhere
proves more). Names the first bad event. With --head it also finds a tail that was cut. Works beside a running gateway.
Exit code 0 when everything holds, else 1.`,
  async run(args, io) {
    const { values, positionals } = readArgs(args, {
      ...DATA_OPTIONS,
      'public-key': { type: 'string' },
      head: { type: 'string' },
      json: { type: 'boolean', default: false },
    });
    if (positionals[0] !== 'verify') throw new UsageError('audit verify');
    const { dataDir } = configOf(io, values).config;
    const publicKey = readFileSync(values['public-key'] ?? path.join(dataDir, 'keys', 'audit-signing.pub'), 'utf8');
    const storage = await openStorage({ file: path.join(dataDir, 'sallyport.db'), access: 'read' });
    try {
      const keptHead = values.head === undefined ? {} : { keptHead: parseHead(values.head) };
      const result = await verifyAudit({ ...auditStreams(storage), publicKey, ...keptHead });
      if (values.json) io.out(`${JSON.stringify(result)}\n`);
      else if (result.ok)
        io.out(
          `verified: ${result.events} events, ${result.checkpoints} signed heads, signed through event ${result.signedThrough}\nhead ${result.headSequence}:${result.head}\n`,
        );
      else
        io.out(
          `BROKEN at event ${result.firstBad ?? '?'}: ${result.problem ?? ''}\nverified through event ${result.headSequence}\n`,
        );
      return result.ok ? 0 : 1;
    } finally {
      await storage.close();
    }
  },
};
