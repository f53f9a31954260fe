/** `npm run test:winrm`: every way to sign in against every acceptor there is, and what came of it, as one table. */
import { codeOf } from '../../server/src/errors.ts';

/** From one byte to what no envelope exceeds. */
export const BODY_SIZES: readonly number[] = [1, 1024, 65_536, 524_288, 1_048_576];

/** One line of the table. */
export interface MatrixRow {
  readonly method: string;
  readonly place: 'http' | 'https';
  readonly acceptor: string;
  /** What is special about it; empty = nothing. */
  readonly remark: string;
  /** `ok`, or the code of the refusal that is right here. */
  readonly expected: string;
  /** Lengths of the sealed bodies that are exchanged; empty = only the sign-in. */
  readonly sizes: readonly number[];
  /** Signs in and hands back what exchanges a body and compares it, and what ends it all. @throws what refuses */
  open(): Promise<{ exchange(size: number): Promise<void>; close(): Promise<void> }>;
}

/** Acceptors of one kind with the rows that they are for. */
export interface MatrixPart {
  readonly name: string;
  /** What is not installed; null when nothing is missing. */
  readonly missing: string | null;
  start(): Promise<{ rows: readonly MatrixRow[]; stop(): Promise<void> }>;
}

export interface MatrixResult {
  readonly cells: readonly string[];
  readonly isFailed: boolean;
}

/** Signs in over a connection, and hands back what sends a body there and compares what comes back. */
export async function signedIn(way: {
  signIn(): Promise<unknown>;
  /** @returns the same bytes, from the acceptor */
  echo(plain: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}): ReturnType<MatrixRow['open']> {
  try {
    await way.signIn();
  } catch (error) {
    await way.close();
    throw error;
  }
  return {
    async exchange(size) {
      const plain = Uint8Array.from({ length: size }, (_, i) => (i * 31 + size) & 255);
      if (Buffer.compare(await way.echo(plain), plain) !== 0) throw new Error('another body came back');
    },
    close: () => way.close(),
  };
}

const sizeName = (bytes: number): string =>
  bytes >= 1_048_576 ? `${bytes / 1_048_576} MiB` : bytes >= 1024 ? `${bytes / 1024} KiB` : `${bytes} B`;

async function resultOf(row: MatrixRow): Promise<{ text: string; isFailed: boolean }> {
  let session: Awaited<ReturnType<MatrixRow['open']>> | null = null;
  const done: string[] = [];
  try {
    session = await row.open();
    for (const size of row.sizes) {
      await session.exchange(size);
      done.push(sizeName(size));
    }
    const text = done.length === 0 ? 'ok' : `ok: ${done.join(', ')}`;
    return row.expected === 'ok' ? { text, isFailed: false } : { text: `FAILED: not refused, ${text}`, isFailed: true };
  } catch (error) {
    const code = codeOf(error);
    if (code === row.expected) return { text: `refused: ${code}`, isFailed: false };
    const reason = error instanceof Error ? error.message : String(error);
    return { text: `FAILED after ${done.join(', ') || 'nothing'}: ${code}, ${reason}`, isFailed: true };
  } finally {
    await session?.close();
  }
}

/** @returns one result per row; one for a part that cannot run */
export async function runMatrix(parts: readonly MatrixPart[]): Promise<MatrixResult[]> {
  const results: MatrixResult[] = [];
  for (const part of parts) {
    if (part.missing !== null) {
      results.push({ cells: [part.name, '', '', '', `skipped: needs ${part.missing}`], isFailed: false });
      continue;
    }
    const started = await part.start();
    try {
      for (const row of started.rows) {
        const { text, isFailed } = await resultOf(row);
        results.push({ cells: [row.method, row.place, row.acceptor, row.remark, text], isFailed });
      }
    } finally {
      await started.stop();
    }
  }
  return results;
}

/** Columns of one width each. */
export function tableOf(results: readonly MatrixResult[]): string {
  const rows = [['method', 'over', 'acceptor', 'with', 'result'], ...results.map(({ cells }) => cells)];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
  return rows
    .map((cells) =>
      cells
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
