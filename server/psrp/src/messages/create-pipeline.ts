import { bag, enumValue, list } from '../clixml/build.ts';
import { PsList, PsObject, listItems, toBoolean } from '../clixml/object.ts';
import type { PsValue } from '../clixml/object.ts';
import { asBag, badContent, needBoolean, needNumber, needObject, needText, optionalNumber } from './codec.ts';
import type { Body, MessageCodec } from './codec.ts';
import { decodeHostInfo, encodeHostInfo } from './host-info.ts';
import type { HostInfo } from './host-info.ts';
import { APARTMENT_STATE_TYPE, APARTMENT_STATES } from './init-runspacepool.ts';

/** Numbers of System.Management.Automation.Runspaces.PipelineResultTypes. */
export const RESULT_TYPES = {
  none: 0,
  output: 1,
  error: 2,
  warning: 3,
  verbose: 4,
  debug: 5,
  information: 6,
  all: 7,
  null: 8,
} as const;

/** One argument of a command. */
export interface CommandParameter {
  /** Without dash; null = positional. */
  readonly name: string | null;
  readonly value: PsValue;
}

/** One command of a pipeline. [MS-PSRP] 2.2.3.11 Command. */
export interface PipelineCommand {
  /** A command name, or script text when `isScript`. */
  readonly command: string;
  readonly isScript?: boolean;
  /** null = the default: a script runs in the current scope. */
  readonly useLocalScope?: boolean | null;
  readonly parameters?: readonly CommandParameter[];
  readonly mergeMyResult?: number;
  readonly mergeToResult?: number;
  /** 3 on a trailing Out-Default takes unclaimed errors of the command before. */
  readonly mergePreviousResults?: number;
  readonly mergeError?: number;
  readonly mergeWarning?: number;
  readonly mergeVerbose?: number;
  readonly mergeDebug?: number;
  readonly mergeInformation?: number;
}

/** What CREATE_PIPELINE carries. */
export interface CreatePipeline {
  /** False when PIPELINE_INPUT follows; then END_OF_PIPELINE_INPUT must follow too. */
  readonly noInput: boolean;
  readonly apartmentState: number;
  /** Flags: 1 error, 2 warning, 4 debug, 8 verbose carry their position. */
  readonly remoteStreamOptions: number;
  readonly addToHistory: boolean;
  readonly hostInfo: HostInfo;
  readonly isNested: boolean;
  /** Text for the server's history; null = derived there. */
  readonly history: string | null;
  readonly redirectErrors: boolean;
  readonly commands: readonly PipelineCommand[];
  /** Further statements; with them `commands` is the first and stands in the list on the wire again. */
  readonly moreStatements: readonly (readonly PipelineCommand[])[];
  /** Minor version that was negotiated: older servers do not get what they do not know. Default 3. */
  readonly protocolMinor?: number;
}

const RESULT_TYPE = 'System.Management.Automation.Runspaces.PipelineResultTypes';
const STREAM_OPTIONS = 'System.Management.Automation.RemoteStreamOptions';
const RESULT_NAMES = ['None', 'Output', 'Error', 'Warning', 'Verbose', 'Debug', 'Information', 'All', 'Null'];
const COMMAND_LIST = [
  'System.Collections.Generic.List`1[[System.Management.Automation.PSObject, System.Management.Automation, Version=3.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35]]',
  'System.Object',
];

function resultType(value: number | undefined): PsObject {
  const number = value ?? 0;
  // A flags enum in PowerShell's eyes: 3 is written as its two parts.
  const name = number === 3 ? 'Output, Error' : (RESULT_NAMES[number] ?? number.toString());
  return enumValue(RESULT_TYPE, name, number);
}

function encodeParameter(parameter: CommandParameter): PsObject {
  return bag({ N: parameter.name, V: parameter.value });
}

function encodeCommand(command: PipelineCommand, minor: number): PsObject {
  const since = (version: number, value: number | undefined): PsObject | undefined =>
    minor >= version ? resultType(value) : undefined;
  return bag({
    Cmd: command.command,
    IsScript: command.isScript ?? false,
    UseLocalScope: command.useLocalScope ?? null,
    MergeMyResult: resultType(command.mergeMyResult),
    MergeToResult: resultType(command.mergeToResult),
    MergePreviousResults: resultType(command.mergePreviousResults),
    MergeError: since(2, command.mergeError),
    MergeWarning: since(2, command.mergeWarning),
    MergeVerbose: since(2, command.mergeVerbose),
    MergeDebug: since(2, command.mergeDebug),
    MergeInformation: since(3, command.mergeInformation),
    Args: list((command.parameters ?? []).map(encodeParameter), COMMAND_LIST),
  });
}

function encodeCommands(commands: readonly PipelineCommand[], minor: number): PsObject {
  return list(
    commands.map((command) => encodeCommand(command, minor)),
    COMMAND_LIST,
  );
}

function encodeStatements(content: CreatePipeline, minor: number): PsObject | undefined {
  if (content.moreStatements.length === 0 || minor < 2) return undefined;
  const all = [content.commands, ...content.moreStatements];
  return list(
    all.map((commands) => bag({ Cmds: encodeCommands(commands, minor) })),
    COMMAND_LIST,
  );
}

function encodeStreamOptions(flags: number): PsObject {
  const names = ['AddInvocationInfoToErrorRecord', 'AddInvocationInfoToWarningRecord'];
  names.push('AddInvocationInfoToDebugRecord', 'AddInvocationInfoToVerboseRecord');
  const set = names.filter((_, bit) => (flags & (1 << bit)) !== 0);
  const name = set.length === 0 ? '0' : set.length === names.length ? 'AddInvocationInfo' : set.join(', ');
  return enumValue(STREAM_OPTIONS, name, flags);
}

function encodeCreatePipeline(content: CreatePipeline): Body {
  const minor = content.protocolMinor ?? 3;
  const isNested = minor >= 2 ? content.isNested : undefined;
  return bag({
    NoInput: content.noInput,
    ApartmentState: enumValue(
      APARTMENT_STATE_TYPE,
      APARTMENT_STATES[content.apartmentState] ?? content.apartmentState.toString(),
      content.apartmentState,
    ),
    RemoteStreamOptions: encodeStreamOptions(content.remoteStreamOptions),
    AddToHistory: content.addToHistory,
    HostInfo: encodeHostInfo(content.hostInfo),
    PowerShell: bag({
      IsNested: isNested,
      ExtraCmds: encodeStatements(content, minor),
      Cmds: encodeCommands(content.commands, minor),
      History: content.history,
      RedirectShellErrorOutputPipe: content.redirectErrors,
    }),
    IsNested: isNested,
  });
}

function decodeParameter(value: PsValue): CommandParameter {
  const object = asBag(value, 'an argument');
  return { name: object.getString('N'), value: object.get('V') ?? null };
}

function decodeCommand(value: PsValue): PipelineCommand {
  const object = asBag(value, 'a command');
  const scope = object.get('UseLocalScope');
  if (scope === undefined) badContent('property UseLocalScope is missing');
  return {
    command: needText(object, 'Cmd'),
    isScript: needBoolean(object, 'IsScript'),
    useLocalScope: toBoolean(scope),
    mergeMyResult: needNumber(object, 'MergeMyResult'),
    mergeToResult: needNumber(object, 'MergeToResult'),
    mergePreviousResults: needNumber(object, 'MergePreviousResults'),
    mergeError: optionalNumber(object, 'MergeError', 0),
    mergeWarning: optionalNumber(object, 'MergeWarning', 0),
    mergeVerbose: optionalNumber(object, 'MergeVerbose', 0),
    mergeDebug: optionalNumber(object, 'MergeDebug', 0),
    mergeInformation: optionalNumber(object, 'MergeInformation', 0),
    parameters: (object.getList('Args') ?? badContent('the arguments are no list')).map(decodeParameter),
  };
}

function decodeCommands(value: PsValue | undefined): PipelineCommand[] {
  return (listItems(value) ?? badContent('the commands are no list')).map(decodeCommand);
}

function decodeStatements(value: PsValue | undefined): PipelineCommand[][] {
  if (!(value instanceof PsObject) || !(value.base instanceof PsList)) return [];
  // The first statement is `Cmds` once more.
  return value.base.items.slice(1).map((item) => decodeCommands(asBag(item, 'a statement').get('Cmds')));
}

function decodeCreatePipeline(body: Body): CreatePipeline {
  const object = asBag(body, 'CREATE_PIPELINE');
  const shell = needObject(object, 'PowerShell');
  return {
    noInput: needBoolean(object, 'NoInput'),
    apartmentState: needNumber(object, 'ApartmentState'),
    remoteStreamOptions: needNumber(object, 'RemoteStreamOptions'),
    addToHistory: needBoolean(object, 'AddToHistory'),
    hostInfo: decodeHostInfo(needObject(object, 'HostInfo')),
    isNested: object.getBoolean('IsNested') ?? shell.getBoolean('IsNested') ?? false,
    history: shell.getString('History'),
    redirectErrors: shell.getBoolean('RedirectShellErrorOutputPipe') ?? false,
    commands: decodeCommands(shell.get('Cmds')),
    moreStatements: decodeStatements(shell.get('ExtraCmds')),
  };
}

/** CREATE_PIPELINE, client -> server: run commands in the pool. [MS-PSRP] 2.2.2.10 CREATE_PIPELINE Message. */
export const createPipeline: MessageCodec<'CREATE_PIPELINE', CreatePipeline> = {
  name: 'CREATE_PIPELINE',
  type: 0x00021006,
  direction: 'c2s',
  target: 'pipeline',
  encode: encodeCreatePipeline,
  decode: decodeCreatePipeline,
};

/** The two commands of a typed line: the script, then Out-Default on the server, which answers with host calls. */
export function typedLineCommands(text: string): PipelineCommand[] {
  return [
    {
      command: text,
      isScript: true,
      mergeMyResult: RESULT_TYPES.error,
      mergeToResult: RESULT_TYPES.output,
      mergeError: RESULT_TYPES.output,
    },
    { command: 'Out-Default', useLocalScope: true, mergePreviousResults: 3 },
  ];
}
