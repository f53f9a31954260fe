import { NS, SHELL_ACTION } from '../soap/namespaces.ts';
import { element } from '../xml/writer.ts';
import { actions, idAttribute } from './operation.ts';
import type { Operation } from './operation.ts';

/** The same client comes back: to the shell, then to each of its commands. */
export interface ReconnectRequest {
  /** null = the shell. */
  readonly commandId: string | null;
}

/** Reconnect, client -> server; the SessionId must be that of before. [MS-WSMV] 3.1.4.16 Reconnect. */
export const reconnect: Operation<ReconnectRequest, null> = {
  name: 'Reconnect',
  section: 'MS-WSMV 3.1.4.16 Reconnect',
  ...actions(`${SHELL_ACTION}Reconnect`),
  prefixes: ['rsp'],
  encodeRequest: ({ commandId }) => ({
    body: commandId === null ? '' : element('rsp:Reconnect', '', [['CommandId', commandId.toUpperCase()]]),
  }),
  decodeRequest(body) {
    const sent = body.first(NS.rsp, 'Reconnect');
    return { commandId: sent === null ? null : idAttribute(sent, 'CommandId') };
  },
  encodeResponse: () => '',
  decodeResponse: () => null,
};
