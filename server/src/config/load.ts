/** The only reader of the environment and of the configuration file. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SallyportError, toError } from '../errors.ts';
import {
  CLIENT_ENVIRONMENT,
  ConfigSchema,
  DEFAULTS,
  ENVIRONMENT,
  LIST_SETTINGS,
  SECRET_SETTINGS,
  type Config,
  type SettingName,
} from './settings.ts';

export type SettingSource = 'default' | 'file' | 'environment' | 'argument';
/** A configuration that was checked, and where each value came from. */
export interface LoadedConfig {
  readonly config: Config;
  readonly sources: Readonly<Record<SettingName, SettingSource>>;
  /** The file that was read, or null when there is none. */
  readonly file: string | null;
}
/** Values of the command line; they win over everything. */
export type ConfigArguments = Partial<Record<SettingName, string | readonly string[]>>;

const NAMES = ConfigSchema.keyof().options;
const isSetting = (name: string): name is SettingName => Object.hasOwn(DEFAULTS, name);

function invalid(message: string, options?: ErrorOptions): SallyportError {
  return new SallyportError('config_invalid', message, options);
}

function readJsonFile(file: string, mustExist: boolean): Record<string, unknown> | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (!mustExist && toError(error).message.includes('ENOENT')) return null;
    throw invalid(`cannot read the configuration file ${file}`, { cause: error });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(`the configuration file ${file} is not JSON`, { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`the configuration file ${file} is not a JSON object`);
  return Object.fromEntries(Object.entries(value));
}

const split = (name: SettingName, value: string): unknown =>
  LIST_SETTINGS.has(name)
    ? value
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '')
    : value;

function fromEnvironment(env: Readonly<Record<string, string | undefined>>): Partial<Record<SettingName, unknown>> {
  const known = new Set(Object.values(ENVIRONMENT));
  for (const name of Object.keys(env))
    if (name.startsWith('SALLYPORT_') && !known.has(name) && !CLIENT_ENVIRONMENT.has(name))
      throw invalid(`the environment variable ${name} is no setting of this gateway`);
  const values: Partial<Record<SettingName, unknown>> = {};
  for (const name of NAMES) {
    const value = env[ENVIRONMENT[name]];
    if (value !== undefined && value.trim() !== '') values[name] = split(name, value);
  }
  return values;
}

/**
 * Lays default, file, environment and arguments over each other, in this order, and checks the whole.
 * The file is `--config`, else `config.json` in the data directory when there is one; it cannot move the data directory
 * that it was found in. Relative paths count from the working directory.
 * @throws SallyportError config_invalid, naming the setting and its source
 */
export function loadConfig(input: {
  env: Readonly<Record<string, string | undefined>>;
  args?: ConfigArguments;
  configFile?: string;
}): LoadedConfig {
  const env = fromEnvironment(input.env);
  const args = input.args ?? {};
  const dataDir = [args.dataDir, env.dataDir].find((value) => typeof value === 'string') ?? DEFAULTS.dataDir;
  const file = input.configFile ?? join(dataDir, 'config.json');
  const found = readJsonFile(file, input.configFile !== undefined);
  for (const name of Object.keys(found ?? {}))
    if (!isSetting(name)) throw invalid(`${file}: ${JSON.stringify(name)} is no setting`);
  if (found !== null && input.configFile === undefined && Object.hasOwn(found, 'dataDir'))
    throw invalid(`${file}: dataDir cannot be set in a file that is in the data directory`);

  const values: Record<string, unknown> = { ...DEFAULTS };
  const sources = Object.fromEntries(NAMES.map((name) => [name, 'default'])) as Record<SettingName, SettingSource>;
  const lay = (source: SettingSource, layer: Readonly<Record<string, unknown>>) => {
    for (const name of NAMES) {
      const value = layer[name];
      if (value === undefined) continue;
      values[name] = value;
      sources[name] = source;
    }
  };
  lay('file', found ?? {});
  lay('environment', env);
  lay('argument', args);

  const parsed = ConfigSchema.safeParse(values);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const name = String(issue?.path[0] ?? '');
    const where = isSetting(name) ? ` (from ${sources[name]})` : '';
    throw invalid(`${name}${where}: ${issue?.message ?? 'not valid'}`);
  }
  const config = { ...parsed.data, dataDir: resolve(parsed.data.dataDir) };
  return { config, sources, file: found === null ? null : resolve(file) };
}

/** One line per setting: name, value as JSON, source. For `config check`. */
export function describeConfig(loaded: LoadedConfig): readonly { name: string; value: string; source: string }[] {
  return NAMES.map((name) => ({
    name,
    value: SECRET_SETTINGS.has(name) ? '[secret]' : JSON.stringify(loaded.config[name]),
    source: loaded.sources[name] === 'file' ? `file ${loaded.file ?? ''}` : loaded.sources[name],
  }));
}
