/** Sessions that nobody carries, at their targets: what is kept of them, and how they come back. */
import { SessionId } from '@sallyport/shared/ids';
import { LOW_WATER_BYTES } from '@sallyport/shared/wire/credit';
import { CommandState, SessionFacts } from '@sallyport/shared/wire/control';
import type { ErrorCode } from '@sallyport/shared/error-codes';
import { z } from 'zod';
import type { RecordingWriter, WriterEvents } from '../recording/contract.ts';
import type { LeftTerminal } from '../terminals/contract.ts';
import type { EarlierCommand } from './commands.ts';
import type { BrokerDeps, StoredSession } from './deps.ts';

const HOUR_MS = 3_600_000;
/** A page that lost its line may come back for so long, whatever the limit for detached sessions. */
export const RESUME_MS = 120_000;

const call = z.object({ pipelineId: z.string().nullable(), callId: z.string(), body: z.string() });
const Left: z.ZodType<LeftTerminal> = z.object({
  shellId: z.string(),
  poolId: z.string(),
  holder: z.string().nullable(),
  at: z.string().optional(),
  pipelineId: z.string().nullable(),
  remote: z.string(),
  calls: z.array(call),
  filesShellId: z.string().optional(),
});

/** Of a recording that is opened only to be put aside or closed: that tells its failures itself. */
export const silent: WriterEvents = { slow: () => undefined, recovered: () => undefined, failed: () => undefined };

/** A row of a session that was left, or that a dead gateway carried and whose target keeps it. */
export interface LeftSession extends StoredSession {
  readonly reopen: string;
  readonly left: string;
}
/** Whether a row that no live session stands for can be picked up. */
export const isLeft = (row: StoredSession): row is LeftSession =>
  row.endedAt === null && row.left !== null && row.reopen !== null;

/** Where it stands at its target; null when that cannot be read any more. */
export function leftTerminalOf(row: LeftSession): LeftTerminal | null {
  try {
    return Left.parse(JSON.parse(row.left));
  } catch {
    return null;
  }
}

const keptSchema = z.object({ leavable: z.object({ keptMs: z.number().nullable() }).optional() });
/** Which comes first: the target lets go of it, or nobody may leave a session alone for longer. */
export function limitOf(row: LeftSession, detachedHours: number): { readonly ms: number; readonly reason: ErrorCode } {
  const alone = Math.max(detachedHours * HOUR_MS, RESUME_MS);
  const keptMs = keptSchema.catch({}).parse(JSON.parse(row.facts)).leavable?.keptMs ?? null;
  return keptMs !== null && keptMs < alone
    ? { ms: keptMs, reason: 'target_shell_gone' }
    : { ms: alone, reason: 'detached_too_long' };
}
/** When a session that was left is given up. */
export const leftUntil = (row: LeftSession, deps: Pick<BrokerDeps, 'detachedHours' | 'clock'>): number =>
  (row.leftAt ?? deps.clock.now()) + limitOf(row, deps.detachedHours()).ms;

/** What a session that is picked up brings with it. */
export interface Before {
  readonly left: LeftTerminal;
  readonly facts: SessionFacts;
  readonly commands: readonly EarlierCommand[];
  /** Its last output, and where that starts. */
  readonly tail: { readonly from: number; readonly bytes: Uint8Array };
}

type LedgerRows = Awaited<ReturnType<BrokerDeps['ledger']['rowsOfSession']>>;
/** The line that runs there. The ledger was told before the target was, and of its end before the next prompt: it knows better. */
function runningLine(rows: LedgerRows, { pipelineId }: LeftTerminal): string | null {
  const running = rows.findLast(({ endedAt }) => endedAt === null);
  if (running !== undefined) return running.pipelineId;
  return rows.some((row) => row.pipelineId === pipelineId) ? null : pipelineId;
}
/** Whether a line runs there, as far as is known here. */
export const hasLine = async ({ ledger }: BrokerDeps, { id }: LeftSession, left: LeftTerminal): Promise<boolean> =>
  runningLine(await ledger.rowsOfSession(id), left) !== null;

/** Reads what is there of it. The recording has been re-opened. @throws SallyportError */
export async function readBefore(
  deps: BrokerDeps,
  row: LeftSession,
  left: LeftTerminal,
  recording: RecordingWriter,
): Promise<Before> {
  const sessionId = SessionId.parse(row.id);
  const to = recording.outputBytes;
  const from = Math.max(0, to - LOW_WATER_BYTES);
  const pieces: Uint8Array[] = [];
  for await (const piece of deps.recordings.readOutput(sessionId, from, to)) pieces.push(piece);
  const offsets = await deps.recordings.commandOffsets(sessionId);
  const rows = await deps.ledger.rowsOfSession(row.id);
  const commands = rows.map(({ id, pipelineId, ...entry }) => ({
    ...{ id, pipelineId },
    mark: {
      number: entry.number,
      offset: offsets.get(entry.number) ?? to,
      state: CommandState.catch('lost').parse(entry.state),
      errorCount: entry.errorCount,
      startedAt: entry.startedAt,
      endedAt: entry.endedAt,
    },
  }));
  return {
    left: { ...left, pipelineId: runningLine(rows, left) },
    facts: SessionFacts.parse(JSON.parse(row.facts)),
    commands,
    tail: { from, bytes: Buffer.concat(pieces) },
  };
}
