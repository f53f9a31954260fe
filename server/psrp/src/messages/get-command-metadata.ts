import { bag, enumValue, list } from '../clixml/build.ts';
import { listItems, toText } from '../clixml/object.ts';
import type { PsValue } from '../clixml/object.ts';
import { asBag, needNumber } from './codec.ts';
import type { MessageCodec } from './codec.ts';

/** What to look for among the commands. */
export interface GetCommandMetadata {
  /** Wildcards; null = all. */
  readonly names: readonly string[] | null;
  /** Flags of System.Management.Automation.CommandTypes; 0x10f is usual. */
  readonly commandTypes: number;
  /** Module names; null = all. */
  readonly namespaces: readonly string[] | null;
  /** Modules by name and version, as strings or `Hashtable`s; null = all, left out = not sent, as old clients do. */
  readonly fullyQualifiedModules?: readonly PsValue[] | null;
  readonly argumentList: readonly PsValue[] | null;
}

const TYPE_NAMES: readonly (readonly [number, string])[] = [
  [1, 'Alias'],
  [2, 'Function'],
  [4, 'Filter'],
  [8, 'Cmdlet'],
  [0x10, 'ExternalScript'],
  [0x20, 'Application'],
  [0x40, 'Script'],
  [0x100, 'Configuration'],
];

/** `Alias, Function` for 3. */
export function commandTypesText(flags: number): string {
  const names = TYPE_NAMES.filter(([flag]) => (flags & flag) !== 0).map(([, name]) => name);
  return names.length === 0 ? flags.toString() : names.join(', ');
}

const texts = (value: PsValue | undefined): string[] | null =>
  listItems(value)?.map((item) => toText(item) ?? '') ?? null;

/** GET_COMMAND_METADATA, client -> server; runs like a pipeline. [MS-PSRP] 2.2.2.14 GET_COMMAND_METADATA Message. */
export const getCommandMetadata: MessageCodec<'GET_COMMAND_METADATA', GetCommandMetadata> = {
  name: 'GET_COMMAND_METADATA',
  type: 0x0002100a,
  direction: 'c2s',
  target: 'pipeline',
  encode: ({ names, commandTypes, namespaces, fullyQualifiedModules: modules, argumentList }) =>
    bag({
      Name: names === null ? null : list(names),
      CommandType: enumValue('System.Management.Automation.CommandTypes', commandTypesText(commandTypes), commandTypes),
      Namespace: namespaces === null ? null : list(namespaces),
      ...(modules === undefined ? {} : { FullyQualifiedModule: modules === null ? null : list(modules) }),
      ArgumentList: argumentList === null ? null : list(argumentList),
    }),
  decode: (body) => {
    const object = asBag(body, 'GET_COMMAND_METADATA');
    const modules = object.get('FullyQualifiedModule');
    return {
      names: texts(object.get('Name')),
      commandTypes: needNumber(object, 'CommandType'),
      namespaces: texts(object.get('Namespace')),
      ...(modules === undefined ? {} : { fullyQualifiedModules: listItems(modules) }),
      argumentList: listItems(object.get('ArgumentList')),
    };
  },
};
