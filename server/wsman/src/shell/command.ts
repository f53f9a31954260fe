import { NS, SHELL_ACTION } from '../soap/namespaces.ts';
import { element, textElement, withoutForbidden } from '../xml/writer.ts';
import { actions, base64Text, bytesOf, idAttribute, required, requiredId } from './operation.ts';
import type { Operation } from './operation.ts';

const SECTION = 'MS-WSMV 3.1.4.11 Command';
/** Of the command's text, what is sent along as a label. */
const MAX_LABEL = 255;

/** Starts a command: one pipeline. */
export interface CommandRequest {
  /** Chosen by the client, equal to the pipeline's id; null leaves it to the server. */
  readonly commandId: string | null;
  /** For logs of the server only. */
  readonly label: string;
  /** Fragments of CREATE_PIPELINE, as many as fit. */
  readonly arguments: Uint8Array;
}

/** What a server made of it. */
export interface CommandResponse {
  /** Selects the command from now on; not always the id asked for. */
  readonly commandId: string;
}

function labelOf(text: string): string {
  const cut = withoutForbidden(text.slice(0, MAX_LABEL));
  return cut === '' ? ' ' : cut;
}

/**
 * Command, client -> server: start a pipeline. [MS-WSMV] 3.1.4.11 Command; [MS-PSRP] 3.1.5.3.3 Rules for the
 * wxf:Command Message.
 */
export const command: Operation<CommandRequest, CommandResponse> = {
  name: 'Command',
  section: SECTION,
  ...actions(`${SHELL_ACTION}Command`),
  prefixes: ['rsp'],

  encodeRequest(request) {
    const parts =
      textElement('rsp:Command', labelOf(request.label)) + element('rsp:Arguments', base64Text(request.arguments));
    return {
      body: element('rsp:CommandLine', parts, [['CommandId', request.commandId?.toUpperCase() ?? null]]),
    };
  },
  decodeRequest(body) {
    const line = required(body, NS.rsp, 'CommandLine', SECTION);
    return {
      commandId: idAttribute(line, 'CommandId'),
      label: line.first(NS.rsp, 'Command')?.text ?? '',
      arguments: bytesOf(required(line, NS.rsp, 'Arguments', SECTION), SECTION),
    };
  },
  encodeResponse: ({ commandId }) => element('rsp:CommandResponse', textElement('rsp:CommandId', commandId)),
  decodeResponse(body) {
    const response = required(body, NS.rsp, 'CommandResponse', SECTION);
    return { commandId: requiredId(response, 'CommandId', SECTION) };
  },
};
