import { WsManOptionError } from './errors.ts';
import type { BufferMode } from './shell/create.ts';

/** What happens here with a field of `New-PSSessionOption`. */
export type OptionStanding =
  /** Its value is used. */
  | 'honoured'
  /** A value other than the default is an error: it would do harm or promise what is not there. */
  | 'refused'
  /** Any value is taken and changes nothing. */
  | 'does not apply';

/** What becomes of a field, and why. */
export interface SessionOptionRow {
  readonly standing: OptionStanding;
  readonly why: string;
}
const row = (standing: OptionStanding, why: string): SessionOptionRow => ({ standing, why });

/** Every field of `New-PSSessionOption`, what becomes of it, and why. */
export const SESSION_OPTIONS = {
  MaximumRedirection: row('honoured', 'at most 5, and only where the target has the redirect grant; each hop is shown'),
  NoCompression: row('does not apply', 'compression is never asked for: it is slower than it saves and leaks lengths'),
  NoMachineProfile: row('honoured', 'the option WINRS_NOPROFILE of Create'),
  Culture: row('honoured', 'the header DataLocale: formats of numbers and dates'),
  UICulture: row('honoured', 'the header Locale: language of messages'),
  MaximumReceivedDataSizePerCommand: row('honoured', 'bytes received for one pipeline; beyond it the pipeline is ended, and says so'),
  MaximumReceivedObjectSize: row('honoured', 'bytes of one object, at most 200 MiB; the caller\'s own limit holds beside it'),
  OutputBufferingMode: row('honoured', 'BufferMode of Create and Disconnect: Block or Drop; None = the endpoint\'s own'),
  MaxConnectionRetryCount: row('honoured', 'times that a poll whose connection broke is made again, and Create after a fault that says to try later; a sign-in is tried once'),
  ApplicationArguments: row('honoured', 'INIT_RUNSPACEPOOL; texts, beside PSVersionTable'),
  OpenTimeout: row('honoured', 'from the first byte until the pool is Opened, questions to a person not counted'),
  CancelTimeout: row('honoured', 'wait for a pipeline that was stopped, and for the answer to Delete'),
  IdleTimeout: row('honoured', 'IdleTimeOut of Create and Disconnect; -1 = the server\'s own, else at least a minute'),
  OperationTimeout: row('honoured', 'the header of every request; how long a Receive is held'),
  ProxyAccessType: row('refused', 'connections to targets go through no proxy: the checked address is the one connected to'),
  ProxyAuthentication: row('does not apply', 'there is no proxy'),
  ProxyCredential: row('refused', 'there is no proxy that it could be for'),
  SkipCACheck: row('honoured', 'HTTPS only, where the target\'s settings allow it; shows in the bar and the audit log'),
  SkipCNCheck: row('honoured', 'HTTPS only, where the target\'s settings allow it; shows in the bar and the audit log'),
  SkipRevocationCheck: row('does not apply', 'revocation lists are not fetched; a pinned certificate is the stronger tool'),
  NoEncryption: row('refused', 'it would send plain HTTP bodies'),
  UseUTF16: row('refused', 'envelopes are UTF-8'),
  IncludePortInSPN: row('honoured', 'the service principal name ends with :port'),
} as const satisfies Record<string, SessionOptionRow>; // prettier-ignore

/** A field of `New-PSSessionOption`. */
export type SessionOptionName = keyof typeof SESSION_OPTIONS;

/** The options that have a meaning here, with all gaps filled. Times in milliseconds. */
export interface SessionOptions {
  readonly maximumRedirection: number;
  readonly noMachineProfile: boolean;
  /** null = the browser's language. */
  readonly culture: string | null;
  readonly uiCulture: string | null;
  /** Infinity = no limit. */
  readonly maximumReceivedDataSizePerCommand: number;
  /** null = the caller's own. */
  readonly maximumReceivedObjectSize: number | null;
  readonly outputBufferingMode: BufferMode | null;
  /** null = as long, or as often, as the caller keeps trying. */
  readonly maxConnectionRetryCount: number | null;
  /** Names and texts, without PSVersionTable. */
  readonly applicationArguments: readonly (readonly [string, string])[];
  /** null = the caller's own. */
  readonly openTimeoutMs: number | null;
  /** null = the caller's own. */
  readonly cancelTimeoutMs: number | null;
  /** null = the server's. */
  readonly idleTimeoutMs: number | null;
  readonly operationTimeoutMs: number;
  readonly skipCaCheck: boolean;
  readonly skipCnCheck: boolean;
  readonly includePortInSpn: boolean;
}

/** PowerShell's own default; here the most that can be asked for. */
const MAX_OBJECT = 200 * 1024 * 1024;
/** What a pool tells of itself when it is opened must fit. */
const MIN_OBJECT = 64 * 1024;
/** More are not for telling a session something. */
const MAX_ARGUMENTS = 16;
const ARGUMENT_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
const MAX_ARGUMENT = 256;
const CULTURE = /^[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}$/;

/** Fields by the names and units of `New-PSSessionOption`. */
export type SessionOptionInput = Readonly<Record<string, unknown>>;

function flag(input: SessionOptionInput, name: SessionOptionName): boolean {
  const value = input[name] ?? false;
  if (typeof value !== 'boolean') throw new WsManOptionError(name, `${name} is true or false`);
  return value;
}

function whole(
  input: SessionOptionInput,
  name: SessionOptionName,
  absent: number,
  least: number,
  most: number,
): number {
  const value = input[name] ?? absent;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
    throw new WsManOptionError(name, `${name} is a whole number from ${least} to ${most}`);
  }
  return value;
}

const wholeOrNull = (input: SessionOptionInput, name: SessionOptionName, least: number, most: number): number | null =>
  (input[name] ?? null) === null ? null : whole(input, name, least, least, most);

function applicationArguments(input: SessionOptionInput): [string, string][] {
  const name = 'ApplicationArguments';
  const value = input[name] ?? {};
  if (typeof value !== 'object') throw new WsManOptionError(name, `${name} is a table of texts`);
  const entries = Object.entries(value).filter(([key]) => key !== 'PSVersionTable');
  if (entries.length > MAX_ARGUMENTS) throw new WsManOptionError(name, `${name} has at most ${MAX_ARGUMENTS} entries`);
  return entries.map(([key, text]: [string, unknown]) => {
    if (!ARGUMENT_NAME.test(key)) throw new WsManOptionError(name, `a name in ${name} has letters, digits and _`);
    if (typeof text !== 'string' || text.length > MAX_ARGUMENT)
      throw new WsManOptionError(name, `a value in ${name} is a text of at most ${MAX_ARGUMENT} characters`);
    return [key, text];
  });
}

function culture(input: SessionOptionInput, name: SessionOptionName): string | null {
  const value = input[name] ?? null;
  if (value === null) return null;
  if (typeof value !== 'string' || !CULTURE.test(value)) {
    throw new WsManOptionError(name, `${name} is the name of a language, for example en-US`);
  }
  return value;
}

function bufferMode(input: SessionOptionInput): BufferMode | null {
  const value = input['OutputBufferingMode'] ?? 'None';
  if (value === 'None') return null;
  if (value === 'Block' || value === 'Drop') return value;
  throw new WsManOptionError('OutputBufferingMode', 'OutputBufferingMode is None, Block or Drop');
}

/** -1 is how PowerShell writes "the server's own". */
function idleTimeout(input: SessionOptionInput): number | null {
  if ((input['IdleTimeout'] ?? -1) === -1) return null;
  return whole(input, 'IdleTimeout', -1, 60_000, 2_147_483_647);
}

/** How PowerShell writes that a refused option was left alone. */
const HARMLESS: ReadonlyMap<string, readonly unknown[]> = new Map<string, readonly unknown[]>([
  ['ProxyAccessType', ['None', 'NoProxyServer']],
  ['ProxyCredential', []],
  ['NoEncryption', [false]],
  ['UseUTF16', [false]],
]);

function refuseWhatMustBe(input: SessionOptionInput): void {
  for (const [name, value] of Object.entries(input)) {
    if (!Object.hasOwn(SESSION_OPTIONS, name)) throw new WsManOptionError(name, `there is no option ${name}`);
    const { standing, why } = SESSION_OPTIONS[name as SessionOptionName];
    const isLeftAlone = value === null || value === undefined || HARMLESS.get(name)?.includes(value) === true;
    if (standing === 'refused' && !isLeftAlone) throw new WsManOptionError(name, `${name} is refused: ${why}`);
  }
}

/**
 * Reads session options by the names and units of `New-PSSessionOption`.
 * @throws WsManOptionError for unknown names, bad values and what is refused here
 */
export function parseSessionOptions(input: SessionOptionInput = {}): SessionOptions {
  refuseWhatMustBe(input);
  const perCommand = input['MaximumReceivedDataSizePerCommand'] ?? null;
  return {
    maximumRedirection: whole(input, 'MaximumRedirection', 5, 0, 5),
    noMachineProfile: flag(input, 'NoMachineProfile'),
    culture: culture(input, 'Culture'),
    uiCulture: culture(input, 'UICulture'),
    maximumReceivedDataSizePerCommand:
      perCommand === null
        ? Infinity
        : whole(input, 'MaximumReceivedDataSizePerCommand', 0, 1024, Number.MAX_SAFE_INTEGER),
    maximumReceivedObjectSize: wholeOrNull(input, 'MaximumReceivedObjectSize', MIN_OBJECT, MAX_OBJECT),
    outputBufferingMode: bufferMode(input),
    maxConnectionRetryCount: wholeOrNull(input, 'MaxConnectionRetryCount', 0, 100),
    applicationArguments: applicationArguments(input),
    openTimeoutMs: wholeOrNull(input, 'OpenTimeout', 1000, 600_000),
    cancelTimeoutMs: wholeOrNull(input, 'CancelTimeout', 1000, 600_000),
    idleTimeoutMs: idleTimeout(input),
    operationTimeoutMs: whole(input, 'OperationTimeout', 180_000, 1000, 600_000),
    skipCaCheck: flag(input, 'SkipCACheck'),
    skipCnCheck: flag(input, 'SkipCNCheck'),
    includePortInSpn: flag(input, 'IncludePortInSPN'),
  };
}
