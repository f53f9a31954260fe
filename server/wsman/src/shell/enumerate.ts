import { malformed } from '../errors.ts';
import { decodeSelectors, selectorSet } from '../soap/header.ts';
import { ENUMERATION_ACTION, NS } from '../soap/namespaces.ts';
import type { XmlElement } from '../xml/element.ts';
import { element, textElement } from '../xml/writer.ts';
import { SHELL_SELECTOR } from './create.ts';
import { actions, required, requiredId } from './operation.ts';
import type { Operation } from './operation.ts';
import { decodeShellInfo, encodeShellInfo } from './shell-info.ts';
import type { ShellInfo } from './shell-info.ts';

const SECTION = 'MS-WSMV 3.1.4.8 Enumerate';
const FILTER_DIALECT = 'http://schemas.dmtf.org/wbem/wsman/1/wsman/SelectorFilter';
/** Items that are asked for at once, the most that Windows gives. */
const MAX_ITEMS = 32_000;
/** Of an EnumerationContext, what we carry back. */
const MAX_CONTEXT = 4096;

/** Lists shells (resource `SHELL_RESOURCE`), or the commands of one (resource `COMMAND_RESOURCE`). */
export interface EnumerateRequest {
  /** Commands of this shell; null = shells. */
  readonly commandsOf: string | null;
}

/** A command as it is listed. */
export interface CommandInfo {
  readonly commandId: string;
  /** May be empty. */
  readonly label: string;
  /** For example `Running`. */
  readonly state: string | null;
}

/** A part of the list. */
export interface EnumerateResponse {
  readonly shells: readonly ShellInfo[];
  readonly commands: readonly CommandInfo[];
  /** Ask for the rest with Pull and this; null = that was all. */
  readonly context: string | null;
}

/** Items and what follows, of Enumerate's answer and of Pull's. @throws WsManProtocolError */
export function decodeItems(response: XmlElement, items: XmlElement | null, end: XmlElement | null): EnumerateResponse {
  const context = response.textOf(NS.wsen, 'EnumerationContext') ?? '';
  if (context.length > MAX_CONTEXT) malformed('a long EnumerationContext', SECTION);
  return {
    shells: (items?.all(NS.rsp, 'Shell') ?? []).map(decodeShellInfo),
    commands: (items?.all(NS.rsp, 'Command') ?? []).map((item) => ({
      commandId: requiredId(item, 'CommandId', SECTION),
      label: item.textOf(NS.rsp, 'CommandLine') ?? '',
      state: item.textOf(NS.rsp, 'CommandState'),
    })),
    context: end !== null || context === '' ? null : context,
  };
}

/** Server role: the items' markup. */
export function encodeItems({ shells, commands }: EnumerateResponse): string {
  const listed = commands.map(({ commandId, label, state }) =>
    element(
      'rsp:Command',
      textElement('rsp:CommandId', commandId) +
        textElement('rsp:CommandLine', label) +
        (state === null ? '' : textElement('rsp:CommandState', state)),
    ),
  );
  return shells.map(encodeShellInfo).join('') + listed.join('');
}

/** Enumerate, client -> server. [MS-WSMV] 3.1.4.8 Enumerate, 3.1.4.8.2 Remote Shells; DSP0226 8.2. */
export const enumerate: Operation<EnumerateRequest, EnumerateResponse> = {
  name: 'Enumerate',
  section: SECTION,
  ...actions(`${ENUMERATION_ACTION}Enumerate`),
  prefixes: ['wsen', 'rsp'],

  encodeRequest({ commandsOf }) {
    const selectors = commandsOf === null ? [] : [{ name: SHELL_SELECTOR, value: commandsOf.toUpperCase() }];
    const filter =
      commandsOf === null ? '' : element('wsman:Filter', selectorSet(selectors), [['Dialect', FILTER_DIALECT]]);
    const parts =
      element('wsman:OptimizeEnumeration', '') + textElement('wsman:MaxElements', String(MAX_ITEMS)) + filter;
    return { body: element('wsen:Enumerate', parts) };
  },
  decodeRequest(body) {
    const filter = required(body, NS.wsen, 'Enumerate', SECTION).first(NS.wsman, 'Filter');
    if (filter === null) return { commandsOf: null };
    if (filter.attribute('Dialect') !== FILTER_DIALECT) malformed('an unknown dialect of a filter', SECTION);
    const [selector] = decodeSelectors(filter.first(NS.wsman, 'SelectorSet'));
    if (selector?.name.toLowerCase() !== SHELL_SELECTOR.toLowerCase()) malformed('a filter without ShellId', SECTION);
    return { commandsOf: selector.value.toUpperCase() };
  },
  encodeResponse(response) {
    const items = encodeItems(response);
    return element(
      'wsen:EnumerateResponse',
      textElement('wsen:EnumerationContext', response.context ?? '') +
        (items === '' ? '' : element('wsman:Items', items)) +
        (response.context === null ? element('wsman:EndOfSequence', '') : ''),
    );
  },
  decodeResponse(body) {
    const response = required(body, NS.wsen, 'EnumerateResponse', SECTION);
    return decodeItems(response, response.first(NS.wsman, 'Items'), response.first(NS.wsman, 'EndOfSequence'));
  },
};
