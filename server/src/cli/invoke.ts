import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { InvokeEvent } from '@sallyport/shared/api/invoke';
import { type Target, TargetList } from '@sallyport/shared/api/targets';
import { ApiClient, ApiError } from './client.ts';
import { type CliIo, type Command, UsageError, readArgs } from './command.ts';

interface Run {
  readonly client: ApiClient;
  readonly script: string;
  readonly output: 'text' | 'json';
  readonly timeoutMs: number;
  readonly prefix: boolean;
  /** Whether standard output is a terminal that shows them. */
  readonly colours: boolean;
}

const streamTitle = {
  error: '',
  warning: 'WARNING: ',
  verbose: 'VERBOSE: ',
  debug: 'DEBUG: ',
  information: '',
  progress: 'PROGRESS: ',
} as const;

/** Targets at a time if nobody says otherwise: a person may have 20 sessions, and some stay for the consoles. */
const THROTTLE = 16;

/** Many targets are more than may be opened in a minute: nothing has run when the gateway says so, and it is asked again. */
async function runInTurn(target: Target, run: Run, io: CliIo): Promise<number> {
  const until = performance.now() + run.timeoutMs;
  for (;;) {
    try {
      return await runAt(target, run, io);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const waitMs = error.code === 'rate_limited' && error.retryAfterS !== null ? error.retryAfterS * 1000 : Infinity;
      if (performance.now() + waitMs > until) {
        io.err(`${run.prefix ? `[${target.name}] ` : ''}${error.message}\n`);
        return 1;
      }
      await sleep(waitMs);
    }
  }
}

/** Runs at one target; objects and text go to stdout, the other streams to stderr. @returns the script's exit code @throws ApiError a refusal */
async function runAt(target: Target, run: Run, io: CliIo): Promise<number> {
  const mark = run.prefix ? `[${target.name}] ` : '';
  const body = { targetId: target.id, script: run.script, output: run.output, timeoutMs: run.timeoutMs };
  for await (const event of run.client.lines(InvokeEvent, 'POST', 'api/invoke', body)) {
    if (event.type === 'started') continue;
    if (event.type === 'text') {
      const text = run.colours ? event.text : event.text.replace(/\x1b\[[0-9;:]*m/g, '');
      io.out(mark === '' ? text : text.replace(/^(?=.)/gm, mark));
    } else if (event.type === 'object')
      io.out(`${JSON.stringify(run.prefix ? { PSComputerName: target.name, value: event.value } : event.value)}\n`);
    else if (event.type === 'stream') io.err(`${mark}${streamTitle[event.stream]}${event.text}\n`);
    else {
      if (event.code !== null) io.err(`${mark}${event.message} (${event.code})\n`);
      return event.exitCode;
    }
  }
  io.err(`${mark}the gateway ended the answer before the script had ended; what ran is in the ledger\n`);
  return 1;
}

/** At most `throttle` targets at a time; the exit code is the first that is not 0, in the order of the targets. */
async function fanOut(targets: readonly Target[], run: Run, throttle: number, io: CliIo): Promise<number> {
  const codes = new Array<number>(targets.length).fill(1);
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < targets.length; i = next++) {
      const target = targets[i];
      if (target !== undefined) codes[i] = await runInTurn(target, run, io);
    }
  };
  await Promise.all(Array.from({ length: Math.min(throttle, targets.length) }, worker));
  return codes.find((code) => code !== 0) ?? 0;
}

function number(text: string | undefined, name: string, low: number, high: number, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < low || value > high)
    throw new UsageError(`--${name} takes a whole number from ${low} to ${high}`);
  return value;
}

export const invoke: Command = {
  name: 'invoke',
  summary: 'run a script at targets, through a gateway',
  usage: `sallyport invoke TARGET... (--script TEXT | --file F) [--output text|json] [--throttle N] [--timeout SECONDS] [--url URL]

Runs a PowerShell script at each target through a running gateway: its identity, its policy, its recording and ledger.
Text as in the console (--output text), or one JSON object per line with the object's properties (--output json).
Output goes to stdout; errors, warnings and the other streams to stderr.
At most --throttle targets at a time (default ${THROTTLE}; a person may have 20 sessions), --timeout seconds each (600).
More targets than a person may open in a minute wait for their turn.
Exit code: the script's own "exit n", else 1 when it failed or wrote errors, else 0.`,
  async run(args, io) {
    const { values, positionals } = readArgs(args, {
      script: { type: 'string' },
      file: { type: 'string' },
      output: { type: 'string', default: 'text' },
      throttle: { type: 'string' },
      timeout: { type: 'string' },
      url: { type: 'string' },
    });
    if (positionals.length === 0) throw new UsageError('name at least one target');
    if ((values.script === undefined) === (values.file === undefined))
      throw new UsageError('give either --script or --file');
    if (values.output !== 'text' && values.output !== 'json') throw new UsageError('--output is text or json');
    const script = values.script ?? readFileSync(values.file ?? '', 'utf8');
    const client = ApiClient.from(io, values.url);
    const { targets } = await client.call(TargetList, 'GET', 'api/targets');
    const chosen = positionals.map((name) => {
      const target = targets.find((t) => t.name === name || t.id === name);
      if (target === undefined) throw new UsageError(`there is no target named ${name} that you may see`);
      return target;
    });
    const timeoutMs = number(values.timeout, 'timeout', 1, 86_400, 600) * 1000;
    const colours = process.stdout.isTTY && io.env['NO_COLOR'] === undefined;
    const run = { client, script, output: values.output, timeoutMs, prefix: chosen.length > 1, colours } as const;
    return fanOut(chosen, run, number(values.throttle, 'throttle', 1, 256, THROTTLE), io);
  },
};
