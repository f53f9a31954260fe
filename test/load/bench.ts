/** What one run has: the machine behind, the gateways, how much to do, and where results go. */
import type { Adapter, Server, ShellHost } from './channel.ts';

export interface Sizes {
  readonly rounds: number;
  readonly keys: number;
  readonly bulkBytes: number;
  readonly slowSeconds: number;
  readonly sessions: number;
  readonly opens: number;
  /** PowerShell commands on each side. */
  readonly psCommands: number;
  /** PowerShell sessions over WinRM that do nothing, and for how long they are watched. */
  readonly idleSessions: number;
  readonly idleSeconds: number;
}
export const FULL: Sizes = {
  rounds: 3,
  keys: 400,
  bulkBytes: 100_000_000,
  slowSeconds: 15,
  sessions: 300,
  opens: 10,
  psCommands: 100,
  idleSessions: 100,
  idleSeconds: 130,
};
export const QUICK: Sizes = {
  rounds: 1,
  keys: 150,
  bulkBytes: 20_000_000,
  slowSeconds: 4,
  sessions: 60,
  opens: 4,
  psCommands: 30,
  idleSessions: 30,
  idleSeconds: 70,
};

/** A gateway that runs during the whole of the interleaved measures. */
export interface Contender {
  readonly adapter: Adapter;
  readonly server: Server;
}

/** A line of the table. */
export interface Row {
  readonly measure: string;
  readonly what: string;
  readonly value: string;
  readonly ratio: number | null;
  readonly target: string;
  /** Null: shown for comparison, nothing is demanded. */
  readonly ok: boolean | null;
}

export interface Bench {
  readonly sizes: Sizes;
  readonly shell: ShellHost;
  readonly directory: string;
  /** `direct`, the practical floor, peers, ours: those that could be started. */
  readonly contenders: readonly Contender[];
  /** Starts one of its own, for measures that need a fresh process. The caller stops it. */
  startFresh(name: string): Promise<Contender>;
  /** One raw result, as a JSON line. */
  emit(result: Readonly<Record<string, unknown>>): void;
  row(row: Row): void;
}

export const OURS = 'ours';
export const FLOOR = 'minimal:fair+batch+rec';
export const DIRECT = 'direct';
export const PEER = 'webssh2';

/** Rows of the measures over WinRM. */
export const WINRM_ROWS = {
  commands: {
    time: 'prompt to prompt WinRM - SSH',
    count: 'answers a command waits for',
    lines: '5 MB in lines, SSH / WinRM',
    text: '5 MB in one text, SSH / WinRM',
  },
  idle: { memory: 'memory of an idle session', cpu: 'CPU of idle sessions' },
} as const;

export const contenderNamed = (bench: Bench, name: string): Contender | undefined =>
  bench.contenders.find(({ adapter }) => adapter.name === name);

export const round = (value: number, digits = 2): number => Number(value.toFixed(digits));
export const atMost = (ratio: number, limit: number): boolean => ratio <= limit;

/** Pairs `ours` with `other` round by round: the ratio of the same round, then the median. */
export function pairedRatios(ours: readonly number[], other: readonly number[]): number[] {
  return ours.flatMap((value, at) => {
    const base = other[at];
    return base === undefined ? [] : [value / base];
  });
}
