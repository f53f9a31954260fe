import type { WsManSettings } from '@sallyport/shared/api/wsman';

/** Settings of WinRM that are a number or nothing. */
type LimitName =
  'openTimeoutMs' | 'cancelTimeoutMs' | 'maxObjectBytes' | 'maxCommandBytes' | 'maxConnectionRetries' | 'maxEnvelopeKb';

/** One of them in the form: a number in a unit that people use, or empty. */
export interface LimitField {
  readonly label: string;
  /** Of the setting, in one of the field. */
  readonly unit: number;
  readonly low: number;
  readonly high: number;
  /** What counts when it is empty. */
  readonly absent: string;
  readonly help: string;
}

const MIB = 1024 * 1024;

/** In the order of the form. */
export const LIMIT_FIELDS: Readonly<Record<LimitName, LimitField>> = {
  openTimeoutMs: {
    ...{ label: 'Opening may take, seconds', unit: 1000, low: 1, high: 600, absent: 'as for every target' },
    help: 'From the first byte to the prompt, questions to the person not counted (OpenTimeout).',
  },
  cancelTimeoutMs: {
    ...{ label: 'Stopping may take, seconds', unit: 1000, low: 1, high: 600, absent: 'as long as it takes' },
    help: 'A session whose line does not end in that time after Ctrl+C is ended, with what runs in it (CancelTimeout).',
  },
  maxObjectBytes: {
    ...{ label: 'One object may have, MiB', unit: MIB, low: 1 / 16, high: 200, absent: 'as the gateway takes' },
    help: 'A larger one ends the session (MaximumReceivedObjectSize). At most what the gateway takes.',
  },
  maxCommandBytes: {
    ...{ label: 'One line may bring, MiB', unit: MIB, low: 1 / 16, high: MIB, absent: 'no limit' },
    help: 'A line that brings more is ended; the session goes on (MaximumReceivedDataSizePerCommand).',
  },
  maxConnectionRetries: {
    ...{ label: 'A broken connection is made again, times', unit: 1, low: 0, high: 100, absent: 'for four minutes' },
    help: 'Then the session is left at the target (MaxConnectionRetryCount). Also for a session that the target does not make yet: 5 times without a number. A sign-in is tried once, whatever stands here.',
  },
  maxEnvelopeKb: {
    ...{ label: 'Largest message, KB', unit: 1, low: 32, high: 2048, absent: 'found out' },
    help: 'As MaxEnvelopeSizekb at the target.',
  },
};
const NAMES = Object.keys(LIMIT_FIELDS) as LimitName[];

/** The fields as texts, and the names and texts for the session one a line: `Name=text`. */
export type LimitTexts = Record<LimitName | 'argumentLines', string>;

const each = <T>(make: (name: LimitName) => T): Record<LimitName, T> =>
  Object.fromEntries(NAMES.map((name) => [name, make(name)])) as Record<LimitName, T>;

/** The texts of settings that are stored. */
export const limitTextsOf = (settings: Pick<WsManSettings, LimitName | 'applicationArguments'>): LimitTexts => ({
  ...each((name) => {
    const value = settings[name];
    return value === null ? '' : String(value / LIMIT_FIELDS[name].unit);
  }),
  argumentLines: settings.applicationArguments.map(({ name, value }) => `${name}=${value}`).join('\n'),
});

const argumentsOf = (text: string): WsManSettings['applicationArguments'] =>
  text.split('\n').flatMap((line) => {
    const [name = '', ...rest] = line.trim().split('=');
    return line.trim() === '' ? [] : [{ name: name.trim(), value: rest.join('=').trim() }];
  });

/** The settings that the gateway takes. */
export const limitsOf = (texts: LimitTexts): Pick<WsManSettings, LimitName | 'applicationArguments'> => ({
  ...each((name) => (texts[name].trim() === '' ? null : Math.round(Number(texts[name]) * LIMIT_FIELDS[name].unit))),
  applicationArguments: argumentsOf(texts.argumentLines),
});

function argumentsProblem(text: string): string | null {
  const all = argumentsOf(text);
  const names = new Set(all.map(({ name }) => name.toLowerCase()));
  if (names.size < all.length) return 'A name stands there twice.';
  if (names.has('psversiontable')) return 'PSVersionTable is always there.';
  if (all.some(({ name }) => !/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(name)))
    return 'One a line: a name of letters, digits and _, an equals sign, a text.';
  return all.length > 16 || all.some(({ value }) => value.length > 256)
    ? 'At most 16 names, with texts of at most 256 characters.'
    : null;
}

/** What is wrong with the texts, in words; null where nothing is. */
export const limitProblems = (texts: LimitTexts): Record<LimitName | 'argumentLines', string | null> => ({
  ...each((name) => {
    const { low, high, unit } = LIMIT_FIELDS[name];
    const value = Number(texts[name]);
    const isWhole = unit > 1 || Number.isInteger(value);
    return texts[name].trim() === '' || (value >= low && value <= high && isWhole)
      ? null
      : `${String(low)} to ${String(high)}, or empty.`;
  }),
  argumentLines: argumentsProblem(texts.argumentLines),
});
