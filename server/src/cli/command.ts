import { parseArgs, type ParseArgsConfig } from 'node:util';
import { visibleText } from '@sallyport/shared/terminal-output/visible-text';

/** Where a command writes. Handed in so that tests can read it. */
export interface CliIo {
  readonly env: NodeJS.ProcessEnv;
  out(text: string): void;
  err(text: string): void;
  /** Asks at the terminal; `hidden` does not echo. @throws UsageError when there is no terminal */
  ask(question: string, hidden: boolean): Promise<string>;
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly usage: string;
  /** @returns the exit code: 0 done, 1 failed or a negative answer, 2 wrong usage */
  run(args: readonly string[], io: CliIo): Promise<number>;
}

/** The words of the command line are off. Exit code 2. */
export class UsageError extends Error {}

type Options = NonNullable<ParseArgsConfig['options']>;
type Parsed<T extends Options> = ReturnType<
  typeof parseArgs<{ args: string[]; options: T; allowPositionals: true; strict: true }>
>;

/** Reads options and positionals; every command takes --help, --json and --data or --url. @throws UsageError */
export function readArgs<const T extends Options>(args: readonly string[], options: T): Parsed<T> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** One line for a person's terminal: what others wrote cannot move its cursor or turn its text round. Nothing is cut. */
export const plain = (text: string): string => visibleText(text, text.length, false);

/** A table with aligned columns, for people. Nothing is cut; hidden characters show as marks. */
export function table(head: readonly string[], cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(plain));
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => (row[i] ?? '').length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (i === cells.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(head), ...rows.map(line)].join('\n') + '\n';
}

/** RFC 3339 with Z, as everywhere in the CLI and in exports. */
export const time = (ms: number | null): string => (ms === null ? '-' : new Date(ms).toISOString());
