/** The process: arguments, signals, exit code. Everything else is in `cli` and `app`. */
import './v8-flags.ts';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { type CliIo, UsageError } from './cli/command.ts';
import { runCli } from './cli/index.ts';

/** Asks at the terminal; hidden answers are read without echo. */
async function ask(question: string, hidden: boolean): Promise<string> {
  if (!process.stdin.isTTY) throw new UsageError('there is no terminal to ask at');
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  process.stderr.write(question);
  const lines = createInterface({ input: process.stdin, output: hidden ? silent : process.stderr, terminal: true });
  try {
    return await lines.question('');
  } finally {
    lines.close();
    if (hidden) process.stderr.write('\n');
  }
}

const io: CliIo = {
  env: process.env,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  ask,
};

process.exitCode = await runCli(process.argv.slice(2), io);
