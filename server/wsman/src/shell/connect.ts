import { malformed } from '../errors.ts';
import { NS, SHELL_ACTION } from '../soap/namespaces.ts';
import { element, textElement } from '../xml/writer.ts';
import { actions, base64Text, bytesOf, idAttribute, optionValue, required } from './operation.ts';
import type { Operation } from './operation.ts';

const SECTION = 'MS-WSMV 3.1.4.17 Connect';

/** Another client of the same user takes a shell over, then each of its commands. */
export type ConnectRequest =
  | {
      readonly commandId: null;
      /** As in Create. */
      readonly protocolVersion: string;
      /** Two fragments: SESSION_CAPABILITY and CONNECT_RUNSPACEPOOL. */
      readonly connectXml: Uint8Array;
    }
  | { readonly commandId: string };

/** For a shell what it says of itself; for a command both are null. */
export interface ConnectResponse {
  /** Fragments of SESSION_CAPABILITY and RUNSPACEPOOL_INIT_DATA. */
  readonly connectResponseXml: Uint8Array | null;
  readonly inputStreams: string | null;
  readonly outputStreams: string | null;
}

/**
 * Connect, client -> server; the shell must be disconnected. [MS-WSMV] 3.1.4.17 Connect; [MS-PSRP] 3.1.5.3.14 Rules for
 * the wxf:Connect Message.
 */
export const connect: Operation<ConnectRequest, ConnectResponse> = {
  name: 'Connect',
  section: SECTION,
  ...actions(`${SHELL_ACTION}Connect`),
  prefixes: ['rsp'],

  encodeRequest(request) {
    if (request.commandId !== null) {
      return { body: element('rsp:Connect', '', [['CommandId', request.commandId.toUpperCase()]]) };
    }
    const xml = element('connectXml', base64Text(request.connectXml), [['xmlns', NS.ps]]);
    return {
      body: element('rsp:Connect', xml),
      options: [{ name: 'protocolversion', value: request.protocolVersion, mustComply: true }],
    };
  },
  decodeRequest(body, options) {
    const sent = required(body, NS.rsp, 'Connect', SECTION);
    const commandId = idAttribute(sent, 'CommandId');
    if (commandId !== null) return { commandId };
    return {
      commandId,
      protocolVersion: optionValue(options, 'protocolversion') ?? malformed('no protocolversion', SECTION),
      connectXml: bytesOf(required(sent, NS.ps, 'connectXml', SECTION), SECTION),
    };
  },
  encodeResponse({ inputStreams, outputStreams, connectResponseXml: xml }) {
    const parts = [
      inputStreams === null ? '' : textElement('rsp:InputStreams', inputStreams),
      outputStreams === null ? '' : textElement('rsp:OutputStreams', outputStreams),
      xml === null ? '' : element('connectResponseXml', base64Text(xml), [['xmlns', NS.ps]]),
    ];
    return element('rsp:ConnectResponse', parts.join(''));
  },
  decodeResponse(body) {
    const response = required(body, NS.rsp, 'ConnectResponse', SECTION);
    const xml = response.first(NS.ps, 'connectResponseXml');
    return {
      connectResponseXml: xml === null ? null : bytesOf(xml, SECTION),
      inputStreams: response.textOf(NS.rsp, 'InputStreams'),
      outputStreams: response.textOf(NS.rsp, 'OutputStreams'),
    };
  },
};
