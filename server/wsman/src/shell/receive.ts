import { malformed } from '../errors.ts';
import { NS, SHELL_ACTION } from '../soap/namespaces.ts';
import type { XmlElement } from '../xml/element.ts';
import { element, textElement } from '../xml/writer.ts';
import { actions, base64Text, bytesOf, idAttribute, required } from './operation.ts';
import type { Operation } from './operation.ts';

const SECTION = 'MS-WSMV 3.1.4.14 Receive';
const STATE = 'http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/';

/** Asks for output of the pool or of one command; held by the server until there is some. */
export interface ReceiveRequest {
  /** null = the pool. */
  readonly commandId: string | null;
}

/** `Pending`: a host call waits for its answer. `Done`: nothing more will come. */
export type CommandStateName = 'Running' | 'Pending' | 'Done';

/** Output and, with a command, how it stands. */
export interface ReceiveResponse {
  /** In the order of the wire; a stream may hold several fragments, or a part of one. */
  readonly streams: readonly {
    readonly name: string;
    readonly commandId: string | null;
    readonly bytes: Uint8Array;
  }[];
  readonly commandState: {
    readonly commandId: string | null;
    readonly state: CommandStateName;
    readonly exitCode: number | null;
  } | null;
}

function stateOf(element_: XmlElement): ReceiveResponse['commandState'] {
  const text = element_.attribute('State')?.trim() ?? '';
  const name = text.slice(text.lastIndexOf('/') + 1);
  const state = (['Running', 'Pending', 'Done'] as const).find((each) => each === name);
  if (state === undefined) malformed('an unknown CommandState', SECTION);
  const exit = element_.textOf(NS.rsp, 'ExitCode') ?? '';
  const exitCode = /^-?[0-9]{1,10}$/.test(exit) ? Number(exit) : null;
  return { commandId: idAttribute(element_, 'CommandId'), state, exitCode };
}

/**
 * Receive, client -> server: the long poll. A fault 2150858793 means that nothing came within the operation time-out: ask
 * again. [MS-WSMV] 3.1.4.14 Receive; [MS-PSRP] 3.1.5.3.7 Rules for the wxf:Receive Message.
 */
export const receive: Operation<ReceiveRequest, ReceiveResponse> = {
  name: 'Receive',
  section: SECTION,
  ...actions(`${SHELL_ACTION}Receive`),
  prefixes: ['rsp'],

  encodeRequest({ commandId }) {
    const desired = textElement('rsp:DesiredStream', 'stdout', [['CommandId', commandId?.toUpperCase() ?? null]]);
    return {
      body: element('rsp:Receive', desired),
      options: [{ name: 'WSMAN_CMDSHELL_OPTION_KEEPALIVE', value: 'TRUE' }],
    };
  },
  decodeRequest(body) {
    const desired = required(required(body, NS.rsp, 'Receive', SECTION), NS.rsp, 'DesiredStream', SECTION);
    // Clients of text shells ask for several; PowerShell has but one.
    if (!desired.text.trim().split(/\s+/).includes('stdout')) malformed('an unknown output stream', SECTION);
    return { commandId: idAttribute(desired, 'CommandId') };
  },
  encodeResponse({ streams, commandState }) {
    const parts = streams.map(({ name, commandId, bytes }) =>
      element('rsp:Stream', base64Text(bytes), [
        ['Name', name],
        ['CommandId', commandId],
      ]),
    );
    if (commandState !== null) {
      const { commandId, state, exitCode } = commandState;
      const exit = exitCode === null ? '' : textElement('rsp:ExitCode', String(exitCode));
      parts.push(
        element('rsp:CommandState', exit, [
          ['CommandId', commandId],
          ['State', `${STATE}${state}`],
        ]),
      );
    }
    return element('rsp:ReceiveResponse', parts.join(''));
  },
  decodeResponse(body) {
    const response = required(body, NS.rsp, 'ReceiveResponse', SECTION);
    const state = response.first(NS.rsp, 'CommandState');
    return {
      streams: response.all(NS.rsp, 'Stream').map((stream) => ({
        name: stream.attribute('Name') ?? malformed('a stream without name', SECTION),
        commandId: idAttribute(stream, 'CommandId'),
        bytes: bytesOf(stream, SECTION),
      })),
      commandState: state === null ? null : stateOf(state),
    };
  },
};
