import { ApiError } from './client.ts';
import { type CliIo, type Command, UsageError } from './command.ts';
import { audit } from './audit.ts';
import { backup, restore } from './backup.ts';
import { ca } from './ca.ts';
import { config } from './config.ts';
import { demo } from './demo/demo.ts';
import { doctor } from './doctor.ts';
import { healthcheck } from './healthcheck.ts';
import { invoke } from './invoke.ts';
import { knownHosts } from './known-hosts.ts';
import { psrp } from './psrp.ts';
import { recording } from './recording.ts';
import { serve } from './serve.ts';
import { target } from './target.ts';
import { token } from './token.ts';
import { user } from './user.ts';
import { SallyportError } from '../errors.ts';
import { errorText } from '@sallyport/shared/error-codes';

const COMMANDS: readonly Command[] = [
  serve,
  demo,
  invoke,
  user,
  target,
  token,
  ca,
  knownHosts,
  recording,
  audit,
  config,
  doctor,
  psrp,
  backup,
  restore,
  healthcheck,
];

const help = (): string =>
  `Sallyport: a web gateway to PowerShell and SSH consoles.\n\nsallyport COMMAND --help tells more.\n\n${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(12)}${summary}`).join('\n')}\n`;

/** Runs one command line. @returns the exit code: 0 done, 1 failed, 2 wrong usage */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === 'help') {
    io.out(help());
    return name === undefined ? 2 : 0;
  }
  const command = COMMANDS.find((c) => c.name === name);
  if (command === undefined) {
    io.err(`sallyport: there is no command ${name}\n\n${help()}`);
    return 2;
  }
  if (rest.includes('--help')) {
    io.out(`${command.usage}\n`);
    return 0;
  }
  try {
    return await command.run(rest, io);
  } catch (error) {
    if (error instanceof UsageError) {
      io.err(`sallyport ${name}: ${error.message}\n\n${command.usage}\n`);
      return 2;
    }
    if (error instanceof ApiError) io.err(`sallyport ${name}: ${error.message}\n`);
    else if (error instanceof SallyportError)
      io.err(`sallyport ${name}: ${errorText(error.code)} (${error.code}: ${error.message})\n`);
    else io.err(`sallyport ${name}: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}
