import { encodeDuration, parseDuration } from '../duration.ts';
import { malformed } from '../errors.ts';
import { decodeSelectors, selectorSet } from '../soap/header.ts';
import type { Selector } from '../soap/header.ts';
import { NS, TRANSFER_ACTION } from '../soap/namespaces.ts';
import { element, textElement } from '../xml/writer.ts';
import { actions, base64Text, bytesOf, checkedId, idAttribute, optionValue, required } from './operation.ts';
import type { Operation } from './operation.ts';
import { decodeShellInfo, encodeShellInfo } from './shell-info.ts';
import type { ShellInfo } from './shell-info.ts';

const SECTION = 'MS-WSMV 3.1.4.5 Create';
/** Windows has one selector; with the ResourceURI it has about 120 characters. */
const MAX_SELECTORS = 8;
const MAX_REFERENCE = 4096;

/** How output is kept while nobody is connected. */
export type BufferMode = 'Block' | 'Drop';

/** Opens a shell: one runspace pool. */
export interface CreateRequest {
  /** Chosen by the client, equal to the pool's id; servers of protocol 2.1 ignore it. */
  readonly shellId: string;
  readonly name: string | null;
  /** Announced version of the remoting protocol, the same as in SESSION_CAPABILITY. */
  readonly protocolVersion: string;
  /** Fragments of SESSION_CAPABILITY and the start of INIT_RUNSPACEPOOL. */
  readonly creationXml: Uint8Array;
  /** null = the server's. */
  readonly idleTimeoutMs: number | null;
  /** null = the endpoint's. */
  readonly bufferMode: BufferMode | null;
  /** The profile of the machine is not loaded. */
  readonly isNoProfile: boolean;
}

/** What a server made. */
export interface CreateResponse {
  /** Selects the shell from now on; not always the id asked for. */
  readonly shellId: string;
  readonly selectors: readonly Selector[];
  /** To be used for all later requests; null = the one of the request. */
  readonly resourceUri: string | null;
  readonly address: string | null;
  /** null from Windows 7 and Server 2008 R2. */
  readonly shell: ShellInfo | null;
}

/** Name of the shell's selector. */
export const SHELL_SELECTOR = 'ShellId';

/** True when the server can leave a shell and come back to it. */
export const canDisconnect = (shell: ShellInfo | null): boolean =>
  shell !== null && shell.state !== null && shell.bufferMode !== null;

function bufferModeOf(text: string | null): BufferMode | null {
  if (text === null) return null;
  const found = (['Block', 'Drop'] as const).find((mode) => mode.toLowerCase() === text.toLowerCase());
  return found ?? malformed('an unknown BufferMode', SECTION);
}

/**
 * Create, client -> server: open a shell. [MS-WSMV] 3.1.4.5 Create, 2.2.4.38 Shell; [MS-PSRP] 3.1.5.3.1 Rules for the
 * wxf:Create Message.
 */
export const create: Operation<CreateRequest, CreateResponse> = {
  name: 'Create',
  section: SECTION,
  ...actions(`${TRANSFER_ACTION}Create`),
  prefixes: ['wst', 'rsp'],

  encodeRequest(request) {
    const { idleTimeoutMs, bufferMode } = request;
    const shell = [
      idleTimeoutMs === null ? '' : textElement('rsp:IdleTimeOut', encodeDuration(idleTimeoutMs)),
      bufferMode === null ? '' : textElement('rsp:BufferMode', bufferMode),
      textElement('rsp:InputStreams', 'stdin pr'),
      textElement('rsp:OutputStreams', 'stdout'),
      element('creationXml', base64Text(request.creationXml), [['xmlns', NS.ps]]),
    ].join('');
    const attributes = [
      ['ShellId', request.shellId.toUpperCase()],
      ['Name', request.name],
    ] as const;
    const profile = request.isNoProfile ? [{ name: 'WINRS_NOPROFILE', value: '1', mustComply: true }] : [];
    return {
      body: element('rsp:Shell', shell, attributes),
      options: [{ name: 'protocolversion', value: request.protocolVersion, mustComply: true }, ...profile],
    };
  },

  decodeRequest(body, options) {
    const shell = required(body, NS.rsp, 'Shell', SECTION);
    const idle = shell.textOf(NS.rsp, 'IdleTimeOut');
    const idleTimeoutMs = idle === null ? null : parseDuration(idle);
    if (idle !== null && idleTimeoutMs === null) malformed('an IdleTimeOut that is no length of time', SECTION);
    const noProfile = optionValue(options, 'WINRS_NOPROFILE')?.toLowerCase() ?? '';
    return {
      shellId: idAttribute(shell, 'ShellId') ?? '',
      name: shell.attribute('Name'),
      protocolVersion: optionValue(options, 'protocolversion') ?? '',
      creationXml: bytesOf(required(shell, NS.ps, 'creationXml', SECTION), SECTION),
      idleTimeoutMs,
      bufferMode: bufferModeOf(shell.textOf(NS.rsp, 'BufferMode')),
      isNoProfile: noProfile === '1' || noProfile === 'true',
    };
  },

  encodeResponse({ address, resourceUri, selectors, shell }) {
    const reference =
      (resourceUri === null ? '' : textElement('wsman:ResourceURI', resourceUri)) + selectorSet(selectors);
    const created =
      (address === null ? '' : textElement('wsa:Address', address)) + element('wsa:ReferenceParameters', reference);
    return element('wst:ResourceCreated', created) + (shell === null ? '' : encodeShellInfo(shell));
  },

  decodeResponse(body) {
    const created = required(body, NS.wst, 'ResourceCreated', SECTION);
    const reference = required(created, NS.wsa, 'ReferenceParameters', SECTION);
    const selectors = decodeSelectors(required(reference, NS.wsman, 'SelectorSet', SECTION));
    const id = selectors.find(({ name }) => name.toLowerCase() === SHELL_SELECTOR.toLowerCase())?.value ?? '';
    if (id === '') malformed('a created shell without id', SECTION);
    const resourceUri = reference.textOf(NS.wsman, 'ResourceURI');
    // All of it is said again with every request.
    const said = selectors.reduce((sum, { name, value }) => sum + name.length + value.length, resourceUri?.length ?? 0);
    if (selectors.length > MAX_SELECTORS || said > MAX_REFERENCE) malformed('a long reference to a shell', SECTION);
    const shell = body.first(NS.rsp, 'Shell');
    return {
      shellId: checkedId(id, SECTION),
      selectors,
      resourceUri,
      address: created.textOf(NS.wsa, 'Address'),
      shell: shell === null ? null : decodeShellInfo(shell),
    };
  },
};
