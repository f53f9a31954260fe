import { describeConfig, loadConfig, type ConfigArguments } from '../config/load.ts';
import { type CliIo, type Command, UsageError, readArgs, table } from './command.ts';

/** Options of every command that works on the data directory. */
export const DATA_OPTIONS = { data: { type: 'string' }, config: { type: 'string' } } as const;

/** The configuration as `serve` would see it. @throws SallyportError config_invalid */
export function configOf(
  io: CliIo,
  values: { data?: string | undefined; config?: string | undefined },
  more: ConfigArguments = {},
) {
  return loadConfig({
    env: io.env,
    args: { ...more, ...(values.data === undefined ? {} : { dataDir: values.data }) },
    ...(values.config === undefined ? {} : { configFile: values.config }),
  });
}

export const config: Command = {
  name: 'config',
  summary: 'print every setting with its source',
  usage: `sallyport config check [--data DIR] [--config FILE] [--json]

Reads the configuration as serve does and prints every setting with where it came from; secrets are hidden.
Exit code 1 when it is not valid.`,
  run(args, io) {
    const { values, positionals } = readArgs(args, { ...DATA_OPTIONS, json: { type: 'boolean', default: false } });
    if (positionals[0] !== 'check') throw new UsageError('config check');
    const rows = describeConfig(configOf(io, values));
    if (values.json) for (const row of rows) io.out(`${JSON.stringify(row)}\n`);
    else
      io.out(
        table(
          ['SETTING', 'VALUE', 'SOURCE'],
          rows.map((row) => [row.name, row.value, row.source]),
        ),
      );
    return Promise.resolve(0);
  },
};
