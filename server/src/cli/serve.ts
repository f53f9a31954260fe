import { type Gateway, startGateway } from '../app/gateway.ts';
import type { LoadedConfig } from '../config/load.ts';
import { type Log, createLog } from '../log/log.ts';
import type { AllowedRange } from '../targets/address-policy.ts';
import { DATA_OPTIONS, configOf } from './config.ts';
import { type CliIo, type Command, readArgs } from './command.ts';

declare global {
  /** Set by the build. */
  var SALLYPORT_VERSION: string | undefined;
}

/** Starts a gateway from a configuration; the default port may move on when it is taken. */
export function start(
  { config, sources }: LoadedConfig,
  extraRanges: readonly AllowedRange[] = [],
  log: Log = createLog(config.logLevel),
): Promise<Gateway> {
  return startGateway(config, {
    log,
    version: globalThis.SALLYPORT_VERSION ?? 'development',
    extraRanges,
    mayMovePort: sources.listen === 'default',
  });
}

/** Resolves when the process is asked to stop. */
export const untilStopped = (): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });

export function announce(gateway: Gateway, io: CliIo): void {
  io.out(`Sallyport listens at ${gateway.publicUrl}/\n`);
  if (gateway.setupLink === null) io.out(`Sign in at ${gateway.publicUrl}/sign-in\n`);
  else io.out(`Set it up once, here: ${gateway.setupLink}\n`);
}

export const serve: Command = {
  name: 'serve',
  summary: 'run the gateway',
  usage: `sallyport serve [--data DIR] [--config FILE]

Runs the gateway until SIGTERM or SIGINT, which end every session with a reason. Log lines go to stderr.`,
  async run(args, io) {
    const gateway = await start(configOf(io, readArgs(args, DATA_OPTIONS).values));
    announce(gateway, io);
    await untilStopped();
    await gateway.close();
    return 0;
  },
};
