/**
 * Lines for endpoints without a language (JEA): pipelines of plain commands, sent as command objects and not as script.
 * Bare words, quoted texts, numbers, `$true $false $null`, lists, parameters; everything else is refused. interactive.md 11.
 */
import { list, RESULT_TYPES } from '@sallyport/psrp';
import type { PipelineCommand, PsValue } from '@sallyport/psrp';

/** A command of the endpoint. */
export interface KnownCommand {
  readonly name: string;
  readonly parameters: readonly { readonly name: string; readonly isSwitch: boolean }[];
}
/** By lower-case name. */
export type CommandTable = ReadonlyMap<string, KnownCommand>;

type Token =
  | { readonly kind: 'word'; readonly value: PsValue; readonly isBare: boolean }
  | { readonly kind: 'pipe' | 'end' | 'comma' | 'space' };

const SINGLE = /'((?:[^'\r\n]|'')*)'/y;
const DOUBLE = /"([^"$`\r\n]*)"/y;
const CONSTANT = /\$(true|false|null)(?![\w:.[(])/iy;
const BARE = /[^\s|;,'"$`(){}@&<>#]+/y;
const SPACE = /[ \t]+/y;
const END = /[;\r\n]+/y;
const CONSTANTS = new Map<string, PsValue>([
  ['true', true],
  ['false', false],
  ['null', null],
]);

function numberOrText(text: string): PsValue {
  if (/^[+-]?\d{1,9}$/.test(text)) return Number(text);
  return /^[+-]?\d{10,18}$/.test(text) ? BigInt(text) : text;
}

/** @returns null when something is not plain */
function tokens(text: string): Token[] | null {
  const found: Token[] = [];
  let at = 0;
  const take = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) return null;
    at = pattern.lastIndex;
    return match[1] ?? match[0];
  };
  while (at < text.length) {
    let piece: string | null;
    if (take(SPACE) !== null) found.push({ kind: 'space' });
    else if (take(END) !== null) found.push({ kind: 'end' });
    else if (text[at] === '|' && text[at + 1] !== '|') {
      at += 1;
      found.push({ kind: 'pipe' });
    } else if (text[at] === ',') {
      at += 1;
      found.push({ kind: 'comma' });
    } else if ((piece = take(SINGLE)) !== null)
      found.push({ kind: 'word', value: piece.replaceAll("''", "'"), isBare: false });
    else if ((piece = take(DOUBLE)) !== null) found.push({ kind: 'word', value: piece, isBare: false });
    else if ((piece = take(CONSTANT)) !== null)
      found.push({ kind: 'word', value: CONSTANTS.get(piece.toLowerCase()) ?? null, isBare: false });
    else if ((piece = take(BARE)) !== null) found.push({ kind: 'word', value: piece, isBare: true });
    else return null;
  }
  return found;
}

interface Word {
  /** One, or those of a list. */
  readonly values: readonly PsValue[];
  /** `-Name` or `-Name:`. */
  readonly parameter: string | null;
  readonly takesNext: boolean;
}

const argument = (...values: PsValue[]): Word => ({ values, parameter: null, takesNext: false });

/** Words of one command; lists are put together. @returns null for two texts that touch, or a comma without sides */
function words(command: readonly Token[]): Word[] | null {
  const out: Word[] = [];
  let isJoining = false;
  let wasWord = false;
  for (const token of command) {
    const last = out.at(-1);
    if (token.kind === 'comma') {
      if (last === undefined || isJoining || last.parameter !== null) return null;
      isJoining = true;
    } else if (token.kind === 'word') {
      if (wasWord) return null;
      const text = token.isBare && typeof token.value === 'string' ? token.value : null;
      const value = text === null ? token.value : numberOrText(text);
      const [, name, glued] = /^-([A-Za-z_]\w*)(?::(.*))?$/.exec(text ?? '') ?? [];
      if (isJoining) out.splice(-1, 1, argument(...(last?.values ?? []), value));
      else if (name === undefined) out.push(argument(value));
      else out.push({ values: [], parameter: name, takesNext: glued !== undefined });
      if (glued !== undefined && glued !== '') out.push(argument(numberOrText(glued)));
      isJoining = false;
      wasWord = glued !== '';
      continue;
    }
    wasWord = false;
  }
  return isJoining ? null : out;
}

function plain({ values }: Word): PsValue {
  const [only = null, ...more] = values;
  return more.length === 0 ? only : list(values, ['System.Object[]', 'System.Array', 'System.Object']);
}

function isSwitch(command: KnownCommand | undefined, name: string): boolean {
  const lower = name.toLowerCase();
  const exact = command?.parameters.find((each) => each.name.toLowerCase() === lower);
  const found = exact ?? command?.parameters.find((each) => each.name.toLowerCase().startsWith(lower));
  return found?.isSwitch === true;
}

function toCommand(parts: readonly Token[], table: CommandTable): PipelineCommand | null {
  const [head, ...rest] = words(parts) ?? [];
  const name = head?.parameter === null ? head.values[0] : undefined;
  if (typeof name !== 'string' || head?.values.length !== 1) return null;
  const known = table.get(name.toLowerCase());
  const parameters: { name: string | null; value: PsValue }[] = [];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const { parameter } = word;
    if (parameter === null) {
      parameters.push({ name: null, value: plain(word) });
      continue;
    }
    const [next] = rest;
    const hasValue = next?.parameter === null && (word.takesNext || !isSwitch(known, parameter));
    parameters.push({ name: parameter, value: hasValue ? plain(next) : true });
    if (hasValue) rest.shift();
  }
  return { command: name, parameters };
}

function split(found: readonly Token[], kind: Token['kind']): Token[][] {
  const parts: Token[][] = [[]];
  for (const token of found)
    if (token.kind === kind) parts.push([]);
    else parts.at(-1)?.push(token);
  return parts;
}
const isBlank = (part: readonly Token[]): boolean => part.every(({ kind }) => kind === 'space');

/** Statements of commands, each with its Out-Default. @returns null when the line is more than simple commands */
export function parseSimpleCommands(text: string, table: CommandTable): PipelineCommand[][] | null {
  const found = tokens(text);
  if (found === null) return null;
  const statements: PipelineCommand[][] = [];
  for (const statement of split(found, 'end')) {
    if (isBlank(statement)) continue;
    const commands: PipelineCommand[] = [];
    for (const part of split(statement, 'pipe')) {
      const command = toCommand(part, table);
      if (command === null) return null;
      commands.push(command);
    }
    const last = commands.pop();
    if (last === undefined) return null;
    const merged = {
      mergeMyResult: RESULT_TYPES.error,
      mergeToResult: RESULT_TYPES.output,
      mergeError: RESULT_TYPES.output,
    };
    commands.push({ ...last, ...merged }, { command: 'Out-Default', useLocalScope: true, mergePreviousResults: 3 });
    statements.push(commands);
  }
  return statements.length === 0 ? null : statements;
}
