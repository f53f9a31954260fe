/**
 * `user recover` beside a running gateway. Who may write into the data directory as the gateway's own user may do
 * anything with it anyway; so a request file there is proof enough. It carries only the hash of the link's token: the
 * token stays with the command that made it, and the gateway, the audit log's only writer, audits before the link works.
 */
import { existsSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { SallyportError, codeOf } from '../errors.ts';
import type { Log } from '../log/log.ts';
import { randomId, tokenHash } from '../random.ts';
import { readPrivateFile, writeWhole } from '../storage/files.ts';
import { repeat } from './upkeep.ts';

const LOOK_EVERY_MS = 1_000;
/** How long the command waits for a gateway that looks each second. */
const WAIT_MS = 15_000;
const WAIT_STEP_MS = 100;

const Request = z.strictObject({ id: z.string().max(64), hash: z.string().regex(/^[0-9a-f]{64}$/) });
const Reply = z.strictObject({ id: z.string(), publicUrl: z.string().nullable(), code: z.string().nullable() });

const requestFile = (dataDir: string): string => path.join(dataDir, 'recover.request');
const replyFile = (dataDir: string): string => path.join(dataDir, 'recover.reply');

/**
 * The gateway's side. A refused request is answered too, and every request is taken once.
 * @returns stops it
 */
export function answerRecovery(join: {
  readonly dataDir: string;
  readonly publicUrl: string;
  readonly admit: (hash: string) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}): () => void {
  const { dataDir, publicUrl, admit, clock, log } = join;
  const file = requestFile(dataDir);
  return repeat(clock, LOOK_EVERY_MS, log, 'RecoveryRequestFailed', async () => {
    if (!existsSync(file)) return;
    try {
      const { id, hash } = Request.parse(JSON.parse(readPrivateFile(file) ?? ''));
      const code = await admit(hash).then(
        () => null,
        (error: unknown) => codeOf(error),
      );
      if (code === null) log.warn({}, 'RecoveryLinkIssued');
      else log.error({ code }, 'RecoveryRefused');
      const reply = { id, publicUrl: code === null ? publicUrl : null, code };
      writeWhole(replyFile(dataDir), JSON.stringify(reply), 0o600);
    } finally {
      rmSync(file, { force: true });
    }
  });
}

/**
 * The command's side: asks the gateway that holds this data directory.
 * @returns the link
 * @throws SallyportError forbidden (another user than the directory's owner), dependency_unavailable (no answer), or the
 * code the gateway refused with
 */
export async function requestRecovery(dataDir: string, wait: (ms: number) => Promise<void>): Promise<string> {
  const [id, token] = [randomId(), randomId()];
  const file = requestFile(dataDir);
  rmSync(replyFile(dataDir), { force: true });
  writeWhole(file, JSON.stringify({ id, hash: tokenHash(token) }), 0o600);
  try {
    for (let waited = 0; waited < WAIT_MS; waited += WAIT_STEP_MS) {
      const text = readPrivateFile(replyFile(dataDir));
      const reply = text === null ? null : Reply.parse(JSON.parse(text));
      if (reply?.id === id) {
        if (reply.publicUrl !== null) return `${reply.publicUrl}/setup#${token}`;
        throw new SallyportError('audit_unavailable', `the gateway refused: ${reply.code ?? 'no reason'}`);
      }
      await wait(WAIT_STEP_MS);
    }
  } finally {
    rmSync(file, { force: true });
    rmSync(replyFile(dataDir), { force: true });
  }
  throw new SallyportError('dependency_unavailable', 'the gateway that holds the data directory did not answer');
}

/** @throws SallyportError forbidden: files made by another user would lock the gateway out of its own directory */
export function requireOwner(dataDir: string): void {
  const uid = process.getuid?.();
  const owner = statSync(dataDir).uid;
  if (uid !== undefined && uid !== owner)
    throw new SallyportError('forbidden', `run it as the user who owns ${dataDir} (uid ${owner}), not as uid ${uid}`);
}
